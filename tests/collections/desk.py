"""What the tests of Collections share: a clock that they turn, and a company whose card was declined."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.gateways.sandbox.models import StoredCard
from billing.models import Card, Invoice, Order, RechargeSchedule, RechargeSettings
from billing.tasks import rounds, tick
from tests.factories import DECLINES, CardFactory, InvoiceFactory, OrderFactory

BEGUN = datetime(2026, 3, 31, tzinfo=UTC)
"""The moment at which the orders of the factory ask for their first payment."""
STOLEN = "4000000000009979"


class Clock:
    """The desk's clock, which stands until it is turned."""

    def __init__(self, patch: pytest.MonkeyPatch, now: datetime = BEGUN) -> None:
        self.now = now
        patch.setattr(timezone, "now", lambda: self.now)
        patch.setattr(rounds, "monotonic", lambda: 0.0)  # or a round would outrun it

    def work(self, *, days: int = 0, **more: int) -> None:
        """Let time pass, and the worker go round once at the end of it."""
        self.now += timedelta(days=days, **more)
        tick(self.now)

    def work_daily(self, days: int) -> None:
        for _ in range(days):
            self.work(days=1)


def change_settings(**changed: Any) -> None:
    settings = RechargeSettings.current()
    for name, value in changed.items():
        setattr(settings, name, value)
    settings.full_clean()
    settings.save()


def declined_order(clock: Clock, number: str = DECLINES, **given: Any) -> Invoice:
    """The invoice of an order's first payment, whose card was declined."""
    order: Order = OrderFactory.create(number=number, every=10, unit="year", **given)
    clock.work()
    return order.invoices.get()


def collected_by_hand(number: str = DECLINES, **given: Any) -> tuple[Invoice, Card]:
    """An invoice without an order: its card was declined, and an agent chose *Run collections*."""
    invoice = InvoiceFactory.create(**given)
    card = CardFactory.create(contact=invoice.contact, number=number)
    invoice.pay(None, source=card, amount=invoice.balance)
    invoice.run_collections(None)
    return invoice, card


def fresh(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def schedule_of(invoice: Invoice) -> RechargeSchedule:
    return invoice.schedules.latest("id")


def behaves(card: Card, name: str) -> None:
    """From now on its bank answers as it does for another card."""
    StoredCard.objects.filter(token=card.token).update(behaviour_name=name)


def tried_on(invoice: Invoice) -> list[str]:
    """The days on which a card was charged for it, month and day."""
    return [f"{at:%m-%d}" for at in invoice.attempts.order_by("id").values_list("started_at", flat=True)]


def told(invoice: Invoice) -> list[str]:
    return list(invoice.events.order_by("id").values_list("action", flat=True))


def mails(invoice: Invoice) -> list[str]:
    return list(invoice.mails.order_by("id").values_list("kind", flat=True))
