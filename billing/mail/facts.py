"""What a mail may say, in plain values: no row of the database gets further than this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import get_language
from django.utils.translation import gettext as _now

from billing import money
from billing.money import ZERO
from billing.statuses import PaymentType


@dataclass(frozen=True, slots=True)
class LineFacts:
    description: str
    quantity: Decimal
    total: Decimal

    @property
    def count(self) -> str:
        """The quantity without the zeros that its column adds: ``3``, ``0.5``."""
        return f"{self.quantity.normalize():f}"


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """``amount`` is negative for a refund, in the invoice's currency."""

    type: str
    received_on: date
    method: str
    amount: Decimal
    recorded_only: bool

    @property
    def label(self) -> str:
        """How it came or went: ``Visa •• 4242``, ``Refund to Visa •• 4242``."""
        if self.type != PaymentType.REFUND:
            return self.method
        return (_now("Refund (%(method)s)") if self.recorded_only else _now("Refund to %(method)s")) % {
            "method": self.method
        }


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """What a mail may say about an invoice.

    ``pay_link`` is empty when nothing can be paid. ``paid`` is net of refunds.
    """

    name: str
    status: str
    status_label: str
    contact_name: str
    currency: str
    invoice_date: date
    due_on: date
    total: Decimal
    paid: Decimal
    refunded: Decimal
    balance: Decimal
    overpaid: Decimal
    written_off: Decimal
    lines: Sequence[LineFacts]
    more_lines: int
    note: str
    invoice_link: str
    pay_link: str
    coupon: str = ""
    saved: Decimal = ZERO
    """What the coupon took off, which the lines have taken off already."""

    @property
    def received(self) -> Decimal:
        """All that ever came, refunded since or not."""
        return self.paid + self.refunded

    def show(self, amount: Decimal) -> str:
        return money.show(amount, self.currency, get_language() or "en")

    def words(self) -> dict[str, str]:
        """Name and amounts, for the sentences."""
        names = ("total", "paid", "refunded", "balance", "received", "overpaid", "written_off")
        return {"invoice": self.name, **{name: self.show(getattr(self, name)) for name in names}}


@dataclass(frozen=True, slots=True)
class ChargeFacts:
    """A charge that was declined. ``next_try_on`` is None when the card is not tried again.

    ``card_link`` leads to the page where the card is replaced; empty when no order is charged to it.
    """

    card: str
    amount: Decimal
    reason: str
    first: bool
    next_try_on: date | None
    card_link: str


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """A subscription or a payment plan. ``next_on`` is None when nothing more is charged."""

    name: str
    product: str
    terms: str
    next_on: date | None = None
