"""What a partner is due on a line of an invoice: pure arithmetic, one currency at a time."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor

from billing import money
from billing.statuses import RateKind

PERCENT_PLACES = 4
"""Decimals that a percentage may have."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``value`` is a percentage of what the line costs before tax, or an amount for each unit."""

    kind: RateKind
    value: Decimal


@dataclass(frozen=True, slots=True)
class Sold:
    """A line as far as commissions go: ``net`` is its price after every discount, before tax."""

    net: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of an invoice's ``total`` is covered by money that the customer has paid and not got back."""

    amount: Decimal
    total: Decimal
    currency: str


def due(rate: Rate, sold: Sold, kept: Kept) -> Decimal:
    """The one rule: the rate on the line, in proportion to what was kept of the invoice, rounded half up
    once at the end.

    Never more than the line's net, whatever a flat rate says; nothing on an invoice that asked for nothing.
    """
    if not kept.total or not kept.amount:
        return money.ZERO
    share = Fraction(kept.amount) / Fraction(kept.total)
    return _rounded(_whole(rate, sold) * share, kept.currency)


def _whole(rate: Rate, sold: Sold) -> Fraction:
    """What the line earns when all of the invoice is kept, not rounded."""
    if rate.kind == RateKind.PERCENT:
        return Fraction(sold.net) * Fraction(rate.value) / 100
    return min(Fraction(sold.net), Fraction(sold.quantity) * Fraction(rate.value))


def _rounded(exact: Fraction, currency: str) -> Decimal:
    """Half up; ``exact`` is not negative. In fractions, since a long quotient would be rounded twice."""
    coin = money.quantum(currency)
    return floor(exact / Fraction(coin) + Fraction(1, 2)) * coin
