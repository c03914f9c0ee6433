"""Fields that refuse aloud: each error names the field, the value and the rule."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money

PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{0,12})?|-?\.[0-9]{1,12}", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class NumberField(forms.Field):
    """A plain decimal number in the digits 0 to 9.

    No thousands separator, no exponent, no NaN; nothing is rounded.
    """

    def __init__(
        self,
        *,
        min_value: Decimal | int | None = None,
        max_value: Decimal | int | None = None,
        decimal_places: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.min_value, self.max_value, self.decimal_places = min_value, max_value, decimal_places
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(**kwargs)
        if "required" not in kwargs.get("error_messages", {}):
            self.error_messages["required"] = format_lazy(_("{label} is missing."), label=self.label)

    def to_python(self, value: Any) -> Decimal | None:
        if value in self.empty_values:
            return None
        if isinstance(value, (Decimal, int)):
            return Decimal(value)
        text = str(value).strip()
        if not PLAIN_NUMBER.fullmatch(text):
            raise ValidationError(
                _now("%(label)s is “%(value)s”: write a plain number such as 1234.50.")
                % {"label": self.label, "value": text[:40]},
                code="invalid",
            )
        return Decimal(text)

    def run_validators(self, value: Any) -> None:
        if value in self.empty_values:
            return
        number: Decimal = value
        if self.min_value is not None and number < self.min_value:
            self._refuse(number, _now("it must be %(limit)s or more."), self.min_value)
        if self.max_value is not None and number > self.max_value:
            self._refuse(number, _now("it must be %(limit)s or less."), self.max_value)
        places = self.decimal_places
        if places is not None and number != round(number, places):
            self._refuse(number, _now("it may have at most %(limit)s decimals."), places)

    def _refuse(self, number: Decimal, rule: str, limit: Any) -> None:
        words = _now("%(label)s is %(value)s: ") % {"label": self.label, "value": f"{number:f}"}
        raise ValidationError(words + rule % {"limit": limit}, code="invalid")


class AmountField(NumberField):
    """An amount; the form checks it against its currency with :func:`check_precision`."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_value", money.LARGEST)
        super().__init__(**kwargs)


class PlainTextField(forms.CharField):
    """Text without control characters; its limit of characters is refused with a sentence."""

    def __init__(self, **kwargs: Any) -> None:
        self.longest: int | None = kwargs.pop("max_length", None)
        super().__init__(**kwargs)
        if self.longest:
            self.widget.attrs["maxlength"] = str(self.longest)

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "").replace("\r\n", "\n")
        found = CONTROL.search(text)
        if found:
            raise ValidationError(
                _now("%(label)s holds the control character U+%(code)s: remove it.")
                % {"label": self.label, "code": f"{ord(found[0]):04X}"},
                code="invalid",
            )
        if self.longest and len(text) > self.longest:
            raise ValidationError(
                _now("%(label)s has %(count)s characters: at most %(most)s are possible.")
                % {"label": self.label, "count": len(text), "most": self.longest},
                code="invalid",
            )
        return text


class RecipientField(forms.EmailField):
    """Who an e-mail goes to."""

    default_error_messages = {
        "required": _("To is missing: write the e-mail address that it goes to."),
        "invalid": _("To is “%(value)s”: write an address such as name@example.com."),
        "max_length": _("To has %(show_value)s characters: at most %(limit_value)s are possible."),
        "null_characters_not_allowed": _("To holds a null character: remove it."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(label=_("To"), max_length=254, **kwargs)


def check_precision(label: str, amount: Decimal | None, currency: str) -> None:
    """Raise ValidationError when the amount is finer than its currency allows."""
    if amount is not None and money.is_too_fine(amount, currency):
        raise ValidationError(
            _now("%(label)s is %(value)s: %(currency)s has %(places)s decimals.")
            % {
                "label": label,
                "value": f"{amount:f}",
                "currency": currency,
                "places": money.exponent(currency),
            },
            code="invalid",
        )
