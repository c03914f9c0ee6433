"""What an invoice's rows add up to.

The columns that hold these figures are caches; this is the one place that computes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from billing.actions import UNSETTLED
from billing.money import ZERO
from billing.statuses import InvoiceStatus, PaymentStatus, PaymentType


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """A payment as the arithmetic sees it. ``excess`` is the part that came when it was not owed."""

    type: str
    status: str
    amount: Decimal
    excess: Decimal


@dataclass(frozen=True, slots=True)
class Figures:
    """All in the invoice's currency.

    ``paid`` is net of refunds; ``refunded`` and ``overpaid`` are positive.
    """

    subtotal: Decimal
    tax_total: Decimal
    total: Decimal
    paid: Decimal
    refunded: Decimal
    balance: Decimal
    overpaid: Decimal


def figures(
    *, status: str, subtotal: Decimal, tax_total: Decimal, shipping: Decimal, payments: Iterable[MoneyRow]
) -> Figures:
    """Compute every figure of an invoice. ``payments`` must come in the order in which they were recorded."""
    total = subtotal + tax_total + shipping
    paid = refunded = overpaid = ZERO
    for row in payments:
        if row.status != PaymentStatus.APPLIED:
            continue
        paid += row.amount
        if row.type == PaymentType.REFUND:
            refunded -= row.amount
            overpaid = max(ZERO, overpaid + row.amount)
        else:
            overpaid += row.excess
    owed = max(ZERO, total - paid) if InvoiceStatus(status) in UNSETTLED else ZERO
    return Figures(subtotal, tax_total, total, paid, refunded, owed, overpaid)
