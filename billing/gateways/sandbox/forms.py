from __future__ import annotations

import re
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from billing.gateways import CardRefused
from billing.gateways.sandbox.numbers import ExpiredCard, TypedCard, read_card, read_number

FURTHEST_EXPIRY = 20
"""Years. No bank issues cards for longer."""
SHORTEST_CARD_NUMBER = 12
"""Digits, by ISO/IEC 7812."""


class ForgetfulInput(forms.TextInput):
    """Never writes back what was typed."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class CarefulInput(forms.TextInput):
    """Writes back what was typed, unless a card number landed in the wrong field."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None if holds_card_number(str(value)) else value, attrs)


def holds_card_number(typed: str) -> bool:
    return len(re.findall(r"\d", typed)) >= SHORTEST_CARD_NUMBER


class CardForm(forms.Form):
    """A valid form has its ``card``; number and CVC are no longer in ``cleaned_data``."""

    number = forms.CharField(
        label=_("Card number"),
        max_length=40,
        widget=ForgetfulInput(attrs={"inputmode": "numeric", "autocomplete": "cc-number"}),
        error_messages={
            "required": _("Card number is empty: type one of the test numbers."),
            "max_length": _(
                "Card number is %(show_value)d characters long: at most %(limit_value)d are taken."
            ),
        },
    )
    holder = forms.CharField(
        label=_("Name on the card"),
        max_length=100,
        widget=CarefulInput(attrs={"autocomplete": "cc-name"}),
        error_messages={
            "required": _("Name on the card is empty: type the cardholder's name."),
            "max_length": _(
                "Name on the card is %(show_value)d characters long: at most %(limit_value)d are taken."
            ),
        },
    )
    exp_month = forms.CharField(
        label=_("Expiry month"),
        max_length=2,
        widget=CarefulInput(
            attrs={"inputmode": "numeric", "autocomplete": "cc-exp-month", "placeholder": "MM"}
        ),
        error_messages={
            "required": _("Expiry month is empty: type a number from 1 to 12."),
            "max_length": _("Expiry month is %(show_value)d characters long: type a number from 1 to 12."),
        },
    )
    exp_year = forms.CharField(
        label=_("Expiry year"),
        max_length=4,
        widget=CarefulInput(
            attrs={"inputmode": "numeric", "autocomplete": "cc-exp-year", "placeholder": "YYYY"}
        ),
        error_messages={
            "required": _("Expiry year is empty: type four digits such as 2031."),
            "max_length": _("Expiry year is %(show_value)d characters long: type four digits such as 2031."),
        },
    )
    cvc = forms.CharField(
        label=_("CVC"),
        max_length=3,
        widget=ForgetfulInput(attrs={"inputmode": "numeric", "autocomplete": "cc-csc"}),
        error_messages={
            "required": _("CVC is empty: type any three digits."),
            "max_length": _("CVC is %(show_value)d characters long: type any three digits."),
        },
    )

    def __init__(self, data: Any = None, *, today: date) -> None:
        super().__init__(data)
        self.today = today

    @sensitive_variables()
    def clean_number(self) -> object:
        try:
            return read_number(self.cleaned_data["number"])
        except CardRefused as refusal:
            raise ValidationError(str(refusal), code="refused") from None

    @sensitive_variables()
    def clean_cvc(self) -> None:
        if not re.fullmatch("[0-9]{3}", self.cleaned_data["cvc"]):
            raise ValidationError(_("CVC must be three digits from 0 to 9: any will do."), code="invalid")

    def clean_exp_month(self) -> int:
        typed: str = self.cleaned_data["exp_month"]
        if not re.fullmatch("0?[1-9]|1[0-2]", typed):
            sentence = _("Expiry month %(typed)s is not a month: type a number from 1 to 12.")
            raise ValidationError(sentence, code="invalid", params={"typed": typed})
        return int(typed)

    def clean_exp_year(self) -> int:
        typed: str = self.cleaned_data["exp_year"]
        if not re.fullmatch("(20)?[0-9]{2}", typed):
            sentence = _("Expiry year %(typed)s is not a year: type four digits such as 2031.")
            raise ValidationError(sentence, code="invalid", params={"typed": typed})
        year = 2000 + int(typed[-2:])
        if year > self.today.year + FURTHEST_EXPIRY:
            sentence = _("Expiry year %(year)d is more than %(years)d years away.")
            raise ValidationError(sentence, code="invalid", params={"year": year, "years": FURTHEST_EXPIRY})
        return year

    def clean_holder(self) -> str:
        typed: str = self.cleaned_data["holder"]
        if holds_card_number(typed):
            sentence = _(
                "Name on the card holds a card number: type the name there, the number in its own field."
            )
            raise ValidationError(sentence, code="invalid")
        return typed

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        cleaned.pop("cvc", None)
        number = cleaned.pop("number", None)
        if self.errors:
            return cleaned
        try:
            cleaned["card"] = read_card(
                number, exp_month=cleaned["exp_month"], exp_year=cleaned["exp_year"], today=self.today
            )
        except ExpiredCard as refusal:
            self.add_error("exp_year", str(refusal))
        except CardRefused as refusal:
            self.add_error("number", str(refusal))
        return cleaned

    @property
    def card(self) -> TypedCard:
        card: TypedCard = self.cleaned_data["card"]
        return card
