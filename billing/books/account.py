"""Invoices with their rows, as plain tuples: light enough to walk through all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from django.db import models

from billing.models import Attempt, Invoice, InvoiceLine, Payment

BATCH = 2000
"""Invoices that are read together."""


class InvoiceRow(NamedTuple):
    id: int
    number: str | None
    contact_id: int
    status: str
    currency: str
    shipping: Decimal
    subtotal: Decimal
    tax_total: Decimal
    total: Decimal
    paid: Decimal
    refunded: Decimal
    balance: Decimal
    overpaid: Decimal
    line_count: int
    summary: str
    written_off_amount: Decimal
    awaiting_gateway: bool


class LineRow(NamedTuple):
    id: int
    invoice_id: int
    description: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal
    coupon_discount: Decimal
    tax_percent: Decimal
    net: Decimal
    tax: Decimal
    total: Decimal


class PaymentRow(NamedTuple):
    id: int
    invoice_id: int
    contact_id: int
    type: str
    status: str
    amount: Decimal
    currency: str
    excess: Decimal
    refund_of_id: int | None
    refunded_amount: Decimal
    attempt_id: int | None
    gateway: str


class AttemptRow(NamedTuple):
    id: int
    invoice_id: int
    kind: str
    state: str
    amount: Decimal
    currency: str
    gateway: str
    gateway_ref: str


@dataclass(frozen=True, slots=True)
class Account:
    """An invoice with its rows, each list in the order in which it was recorded."""

    invoice: InvoiceRow
    lines: list[LineRow]
    payments: list[PaymentRow]
    attempts: list[AttemptRow]

    @property
    def name(self) -> str:
        return self.invoice.number or "draft"


Row = TypeVar("Row", LineRow, PaymentRow, AttemptRow)


def accounts() -> Iterator[Account]:
    """Every invoice with its rows, by id: four queries per batch."""
    last = 0
    while batch := _invoices_after(last):
        within = {"invoice_id__gt": last, "invoice_id__lte": batch[-1].id}
        lines = _by_invoice(LineRow, InvoiceLine.objects.order_by("position", "id"), within)
        payments = _by_invoice(PaymentRow, Payment.objects.order_by("id"), within)
        attempts = _by_invoice(AttemptRow, Attempt.objects.order_by("id"), within)
        for invoice in batch:
            yield Account(invoice, lines[invoice.id], payments[invoice.id], attempts[invoice.id])
        last = batch[-1].id


def _invoices_after(last: int) -> list[InvoiceRow]:
    rows = Invoice.objects.filter(pk__gt=last).order_by("pk").values_list(*InvoiceRow._fields)
    return [InvoiceRow(*row) for row in rows[:BATCH]]


def _by_invoice(kind: type[Row], rows: models.QuerySet[Any], within: dict[str, int]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for values in rows.filter(**within).values_list(*kind._fields):
        row = kind(*values)
        found[row.invoice_id].append(row)
    return found
