"""verify_books knows what an order must say of its payments and of the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from billing import books
from billing.models import Invoice, Order
from billing.statuses import OrderStatus
from billing.tasks import bill_due_orders, tick
from tests.factories import OrderFactory

pytestmark = pytest.mark.django_db


def found() -> set[tuple[str, str]]:
    return {(problem.kind, problem.column) for problem in books.problems()}


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_of_every_status_adds_up(status: OrderStatus) -> None:
    order = OrderFactory.create(status=status, payments=2)
    assert order.status == status
    assert list(books.problems()) == []


@pytest.mark.parametrize(
    ("column", "lie"),
    [
        ("next_charge_on", date(2026, 5, 1)),
        ("next_charge_at", datetime(2026, 4, 30, 1, tzinfo=UTC)),
        ("payments_made", 7),
        ("payments_forgiven", 1),
        ("status", OrderStatus.PAST_DUE),
        ("amount", 31),
    ],
)
def test_a_figure_that_lies_is_named(column: str, lie: Any) -> None:
    OrderFactory.create()
    tick(datetime(2026, 3, 31, tzinfo=UTC))
    Order.objects.update(**{column: lie})
    assert found() == {("order", column)}


def test_a_payment_that_is_missing_is_named() -> None:
    order = OrderFactory.create()
    bill_due_orders(datetime(2026, 6, 15, tzinfo=UTC))
    Invoice.objects.filter(order=order, period=2).update(order=None, period=None, charge_due_at=None)
    assert ("order", "payment 2") in found()


def test_a_payment_that_was_never_due_is_named() -> None:
    order = OrderFactory.create()
    bill_due_orders(datetime(2026, 4, 15, tzinfo=UTC))
    Invoice.objects.filter(order=order).update(period=5)
    assert {("order", "payment 1"), ("order", "payment 5")} <= found()
