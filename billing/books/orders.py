"""What must be true of an order and the invoices of its payments."""

from __future__ import annotations

from collections.abc import Iterator

from billing import periods
from billing.books.problem import Problem
from billing.models import Order
from billing.statuses import OrderStatus

BATCH = 500
"""Orders that are read together."""


def problems_of_orders() -> Iterator[Problem]:
    """Every order, by id: its calendar, its payments without a gap, and what it says of them."""
    last = 0
    while batch := list(Order.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        for order in batch:
            yield from _problems_of(order)
        last = batch[-1].pk


def _problems_of(order: Order) -> Iterator[Problem]:
    yield from _calendar(order)
    yield from _periods(order)
    billed = order.billed()
    lines = order.regular_lines()
    amount = order.amount_of(lines, order.discount())
    expected = {
        "payments_made": billed.made,
        "payments_forgiven": billed.forgiven,
        "status": order.standing(billed),
        "amount": amount,
    }
    for column, computed in expected.items():
        stored = getattr(order, column)
        if stored != computed:
            yield _of_order(order, column, stored, computed)


def _of_order(order: Order, column: str, stored: object, computed: object) -> Problem:
    return Problem("order", order.pk, str(order), column, str(stored), str(computed))


def _calendar(order: Order) -> Iterator[Problem]:
    """The next charge is where the calendar has it, or nowhere once nothing more is asked for."""
    on = at = None
    if order.has_more and order.status not in (OrderStatus.CANCELLED, OrderStatus.COMPLETED):
        on = order.interval.date_of(order.anchor_on, order.next_step)
        at = periods.begins_at(on, order.here)
    if order.next_charge_on != on:
        yield _of_order(order, "next_charge_on", order.next_charge_on, on)
    elif order.next_charge_at != at:
        yield _of_order(order, "next_charge_at", order.next_charge_at, at)


def _periods(order: Order) -> Iterator[Problem]:
    """Every period up to the next one has its invoice, dated one after the other, and none beyond it has."""
    rows = order.invoices.order_by("period").values_list("period", "invoice_date", "currency", "contact_id")
    asked = list(rows)
    wanted = range(order.first_period, order.next_period)
    found = {row[0] for row in asked}
    for period in sorted(found.symmetric_difference(wanted), key=lambda number: number or 0):
        told = ("missing", "an invoice's") if period in wanted else ("an invoice's", "not asked for yet")
        yield _of_order(order, f"payment {period}", *told)
    days = [row[1] for row in asked]
    if days != sorted(days):
        yield _of_order(order, "invoice dates", "out of order", "one after the other")
    if {row[2:] for row in asked} - {(order.currency, order.contact_id)}:
        yield _of_order(order, "invoices", "of another currency or contact", f"{order.currency}")
