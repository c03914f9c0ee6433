"""How the back office asks: currencies from a list, and numbers as people write them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.db import models
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from billing.forms.header import currency_choices


class PlainDecimalField(forms.DecimalField):
    def prepare_value(self, value: Any) -> Any:
        """Without the zeros that the column keeps."""
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class AsksPlainly:
    """Of a :class:`ModelAdmin` or an inline."""

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: HttpRequest, **more: Any
    ) -> Any:
        if db_field.name == "currency":
            return self._currency(db_field)
        if isinstance(db_field, models.DecimalField):
            more = {"form_class": PlainDecimalField, **more}
        return super().formfield_for_dbfield(db_field, request, **more)  # type: ignore[misc]

    def _currency(self, column: models.Field[Any, Any]) -> forms.Field:
        choices: Callable[[], list[Any]] = currency_choices
        if column.blank:
            choices = lambda: [("", "---------"), *currency_choices()]  # noqa: E731
        return forms.ChoiceField(
            label=capfirst(str(column.verbose_name)),
            choices=choices,
            required=not column.blank,
            help_text=column.help_text,
            error_messages={
                "invalid_choice": _("Currency is “%(value)s”: it is not in ISO 4217, for example USD.")
            },
        )
