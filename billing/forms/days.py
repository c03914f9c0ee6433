"""Days that people type or choose."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now

EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)


class DayField(forms.DateField):
    """A day between 1900 and 2199, in the digits 0 to 9; its error names field, value and rule."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> date | None:
        words = {"label": self.label, "value": str(value)[:40]}
        try:
            day = super().to_python(value if str(value).isascii() else "?")  # no other script's digits
        except ValidationError:
            rule = _now("%(label)s is “%(value)s”: write a day such as 2026-03-31.")
            raise ValidationError(rule % words, code="invalid") from None
        if day and not EARLIEST <= day <= LATEST:
            rule = _now("%(label)s is %(value)s: it must be between %(earliest)s and %(latest)s.")
            raise ValidationError(rule % {**words, "earliest": EARLIEST, "latest": LATEST}, code="invalid")
        return day
