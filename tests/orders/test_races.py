# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""Eight billing runs in the same moment, each in a thread with its own connection to the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from billing.models import Card, Invoice, Order
from billing.models.guard import Refused
from billing.statuses import InvoiceStatus, OrderStatus, PastDue, PaymentMethod
from billing.tasks import bill_due_orders, charge_due_invoices, tick
from tests.attempts.desk import assert_books_agree, moved
from tests.factories import DECLINES, OrderFactory
from tests.gateways.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
LATE = datetime(2026, 6, 15, tzinfo=UTC)
"""Three periods after the first charge of the factory's orders."""


def test_eight_runs_make_one_invoice_of_each_period() -> None:
    orders = [OrderFactory.create() for _ in range(3)]
    billed = sum(counts["billed"] for counts in at_once(lambda: bill_due_orders(LATE)))
    assert billed == 9
    for order in orders:
        assert list(order.invoices.order_by("period").values_list("period", flat=True)) == [1, 2, 3]
    assert_books_agree()


def test_eight_workers_bill_and_charge_each_period_once() -> None:
    orders = [OrderFactory.create(payments=3) for _ in range(2)]
    at_once(lambda: tick(LATE))
    tick(LATE)  # whoever held a row kept the others from it: one more round for what is left
    assert sorted(moved()) == [(30, 0)] * 6
    assert {order.status for order in Order.objects.filter(pk__in=[each.pk for each in orders])} == {
        OrderStatus.COMPLETED
    }
    assert_books_agree()


def test_eight_runs_charge_an_invoice_once() -> None:
    OrderFactory.create()
    bill_due_orders(datetime(2026, 3, 31, tzinfo=UTC))
    at_once(lambda: charge_due_invoices(LATE))
    assert moved() == [(30, 0)]
    assert_books_agree()


def test_a_payment_and_a_cancellation_that_forgives_end_in_one_of_the_two() -> None:
    order = OrderFactory.create(number=DECLINES)
    tick(datetime(2026, 3, 31, tzinfo=UTC))
    invoice = Invoice.objects.get()
    turns = iter(range(8))

    def deed() -> None:
        turn = next(turns)
        try:
            if turn % 2:
                cash = PaymentMethod.CASH
                Invoice.objects.get(pk=invoice.pk).pay(None, source=cash, amount=Decimal(30))
            else:
                Order.objects.get(pk=order.pk).cancel(None, past_due=PastDue.FORGIVE, reason="")
        except Refused:
            pass

    at_once(deed)
    now = Invoice.objects.get()
    assert now.status in (InvoiceStatus.CLOSED, InvoiceStatus.WRITTEN_OFF)
    assert Order.objects.get().status == OrderStatus.CANCELLED
    assert_books_agree()


def test_a_card_is_not_removed_while_an_order_takes_it() -> None:
    order = OrderFactory.create(number="")
    other = OrderFactory.create(contact=order.contact)
    card = other.card
    other.change_card(None, card=None, charge_now=False)
    assert card
    turns = iter(range(8))

    def deed() -> None:
        turn = next(turns)
        try:
            if turn % 2:
                Card.objects.get(pk=card.pk).remove(None, at=LATE)
            else:
                Order.objects.get(pk=order.pk).change_card(
                    None, card=Card.objects.get(pk=card.pk), charge_now=False
                )
        except Refused:
            pass

    at_once(deed)
    card.refresh_from_db()
    assert not (card.removed_at and Order.objects.filter(card=card).exists())


# -- the lock, and what would happen without it


@pytest.mark.postgres
def test_without_the_lock_two_runs_would_reach_for_the_same_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that the lock is what keeps the races above from being lost; the constraint stands behind it."""
    OrderFactory.create()
    barrier, bill = Barrier(2, timeout=20), Order.bill

    def billed(self: Order, at: datetime) -> None:
        barrier.wait()
        bill(self, at)

    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **options: self)
    monkeypatch.setattr(Order, "bill", billed)

    def one() -> Any:
        try:
            return bill_due_orders(datetime(2026, 3, 31, tzinfo=UTC), 1)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        ends = [future.result() for future in [pool.submit(one) for _ in range(2)]]
    assert sorted(map(dict, ends), key=str) == [{"billed": 1}, {"failed": 1}]
    assert Invoice.objects.count() == 1
