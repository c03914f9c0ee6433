"""What the dialogs about orders have in common."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing.forms.dialog import Dialog, Subject
from billing.forms.fields import NumberField
from billing.forms.preview import Change
from billing.models import Card, Invoice, Order, TaxRate
from billing.models.orders.steering import Taxation
from billing.money import ZERO
from billing.statuses import Missed, OrderStatus

NO_CARD = "none"


def shown(day: date | None) -> str:
    return date_format(day, "j M Y") if day else _now("never")


def tax_choices() -> dict[str, tuple[str, Taxation]]:
    """Label and percentage of each rate that is offered, by its value, with none at the head."""
    found = {"": (_now("No tax"), Taxation(None, ZERO))}
    for rate in TaxRate.objects.filter(is_active=True):
        found[str(rate.pk)] = (str(rate), Taxation(rate.pk, rate.percent))
    return found


def card_choices(cards: dict[str, Card]) -> list[tuple[str, str]]:
    none = _now("No card: each payment waits until somebody pays it")
    return [*((pk, card.choice_label) for pk, card in cards.items()), (NO_CARD, none)]


class OrderForm(Dialog):
    """A dialog on one order."""

    def __init__(self, *args: Any, order: Order, user: User, **kwargs: Any) -> None:
        super().__init__(*args, about=order, user=user, **kwargs)
        self.order = order

    @property
    def subject(self) -> Subject:
        return self.order

    def show(self, amount: Decimal) -> str:
        return self.order.show(amount)

    @property
    def next_stays(self) -> Change:
        return self.next_becomes(self.next_now)

    @property
    def next_now(self) -> str:
        return _now("when resumed") if self.order.is_paused else shown(self.order.next_charge_on)

    def next_becomes(self, after: str) -> Change:
        return Change(_now("Next charge"), self.next_now, after)

    def status_becomes(self, status: str) -> Change:
        return Change(_now("Status"), self.order.status_label, str(OrderStatus(status).label))

    @cached_property
    def owed(self) -> list[Invoice]:
        return self.order.owed()

    @property
    def owed_words(self) -> str:
        sums = self.show(sum((invoice.balance for invoice in self.owed), ZERO))
        numbers = ", ".join(map(str, self.owed))
        return _now("%(sums)s on %(numbers)s") % {"sums": sums, "numbers": numbers} if self.owed else ""


def quantity_field(**more: Any) -> NumberField:
    return NumberField(
        label=_("Quantity"),
        min_value=Decimal("0.001"),
        max_value=Decimal("999999999.999"),
        decimal_places=3,
        **more,
    )


def missed_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        label=_("If the desk was stopped"),
        choices=Missed.choices,
        error_messages={
            "required": _("If the desk was stopped is missing: choose one."),
            "invalid_choice": _("If the desk was stopped is “%(value)s”: choose one of the list."),
        },
    )
