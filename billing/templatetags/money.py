"""Amounts in templates: ``{% money invoice.total invoice.currency %}`` or ``{{ amount|money:currency }}``."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.translation import get_language

from billing.money import show

register = template.Library()


@register.simple_tag(name="money")
@register.filter(name="money")
def money(amount: Decimal, currency: str) -> str:
    """The amount with its currency, as the active language writes it: ``$1,234.50``."""
    return show(amount, currency, get_language() or "en")


@register.filter
def normal(number: Decimal) -> str:
    """A number without its trailing zeros: ``6``, ``1.5``."""
    return f"{number.normalize():f}"
