"""What an invoice says besides its lines, as the editor asks it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from iso4217 import Currency

from billing import clock, money
from billing.forms.days import DayField
from billing.forms.fields import AmountField, NumberField, PlainTextField, check_precision
from billing.models import Header, Invoice
from billing.models.spelling import shown, spelt
from billing.money import ZERO

USUAL = ("USD", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY")
DUE_IN = 30
"""Days that a new invoice gives, unless the agent writes another number."""


def currency_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """All of ISO 4217 that people pay with, the installation's own and the usual ones first."""
    first = dict.fromkeys([settings.DEFAULT_CURRENCY, *USUAL])
    names = {code: f"{code} · {Currency(code).currency_name}" for code in sorted(money.EXPONENTS)}
    return [
        (_now("Usual"), [(code, names[code]) for code in first]),
        (_now("All others"), [(code, name) for code, name in names.items() if code not in first]),
    ]


class HeaderForm(forms.Form):
    currency = forms.ChoiceField(
        label=_("Currency"),
        choices=currency_choices,
        error_messages={
            "required": _("Currency is missing: choose one."),
            "invalid_choice": _("Currency is “%(value)s”: it is not in ISO 4217."),
        },
    )
    invoice_date = DayField(
        label=_("Invoice date"), error_messages={"required": _("Invoice date is missing.")}
    )
    due_in = NumberField(
        label=_("Due in days"),
        min_value=0,
        max_value=3650,
        decimal_places=0,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"required": _("Due in days is missing.")},
    )
    external_ref = PlainTextField(label=_("External reference"), max_length=100, required=False)
    coupon = PlainTextField(
        label=_("Coupon code"),
        max_length=60,
        required=False,
        widget=forms.TextInput(
            attrs={"autocapitalize": "characters", "spellcheck": "false", "autocomplete": "off"}
        ),
    )
    shipping = AmountField(label=_("Shipping"), min_value=0, required=False)
    note = PlainTextField(
        label=_("Note to the customer"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
    )
    internal_note = PlainTextField(
        label=_("Internal note"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
    )

    @classmethod
    def asked_of(cls, invoice: Invoice | None) -> dict[str, Any]:
        """What the page shows first."""
        if invoice is None:
            today = clock.today()
            return {"currency": settings.DEFAULT_CURRENCY, "invoice_date": today, "due_in": DUE_IN}
        header = Header.of(invoice)
        return {
            **{name: getattr(header, name) for name in cls.base_fields if hasattr(header, name)},
            "due_in": (header.due_on - header.invoice_date).days,
            "coupon": shown(header.coupon),
            "shipping": money.plain(header.shipping, header.currency) if header.shipping else "",
        }

    def clean_coupon(self) -> str:
        return spelt(self.cleaned_data["coupon"])

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        try:
            if "currency" in given:
                check_precision(_now("Shipping"), given.get("shipping"), given["currency"])
        except ValidationError as error:
            self.add_error("shipping", error)
        return given

    def header(self) -> Header:
        given = dict(self.cleaned_data)
        due_on = given["invoice_date"] + timedelta(days=int(given.pop("due_in")))
        return Header(**{**given, "due_on": due_on, "shipping": given["shipping"] or ZERO})
