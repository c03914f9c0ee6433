"""What a coupon takes off lines: pure arithmetic on its terms, which are fixed once it is used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _now

from billing import money
from billing.models.guard import Invalid
from billing.models.line import LineInput
from billing.models.spelling import shown
from billing.money import ZERO
from billing.statuses import CouponKind


@dataclass(frozen=True, slots=True)
class Discount:
    """The terms of a coupon under one of its codes.

    ``percent`` of each line that it covers, or the flat ``amount`` in ``currency`` off their subtotal.
    ``products``: ids of those that it covers; empty means every line. ``for_all``: every payment of an order,
    not the first alone.
    """

    code: str
    kind: str
    percent: Decimal
    amount: Decimal
    currency: str
    products: frozenset[int]
    for_all: bool

    def covers(self, product_id: int | None) -> bool:
        return not self.products or product_id in self.products

    def shares(self, lines: Sequence[LineInput], currency: str) -> list[Decimal]:
        """What comes off each line: never more than it comes to, and together never above a flat amount."""
        covered = [self.covers(line.product_id) for line in lines]
        if self.kind == CouponKind.PERCENT:
            off = [max(ZERO, money.percent_of(line.exact, self.percent, currency)) for line in lines]
            return [share if is_covered else ZERO for share, is_covered in zip(off, covered, strict=True)]
        nets = [max(ZERO, line.amounts(currency).net) for line in lines]
        bases = [net if is_covered else ZERO for net, is_covered in zip(nets, covered, strict=True)]
        if currency != self.currency or not any(bases):
            return [ZERO] * len(lines)
        return money.spread(min(self.amount, sum(bases, ZERO)), bases, currency)

    def check(self, products: Collection[int | None], currency: str) -> None:
        """Raise Invalid when it takes nothing off an invoice of these products in this currency."""
        if self.kind == CouponKind.FLAT and currency != self.currency:
            raise self.refused(
                _now("it takes %(amount)s off, and the invoice is in %(currency)s.")
                % {"amount": money.show(self.amount, self.currency), "currency": currency}
            )
        if products and not any(self.covers(product) for product in products):
            raise self.refused(_now("it covers other products than these."))

    def refused(self, why: str) -> Invalid:
        return refused(self.code, why)

    @property
    def off(self) -> str:
        """``10 % off``, ``$10.00 off``."""
        if self.kind == CouponKind.PERCENT:
            return _now("%(percent)s %% off") % {"percent": f"{self.percent.normalize():f}"}
        return _now("%(amount)s off") % {"amount": money.show(self.amount, self.currency)}

    @property
    def words(self) -> str:
        """``SPRING10: 10 % off``."""
        return f"{shown(self.code)}: {self.off}"


def refused(code: str, why: str) -> Invalid:
    """The refusal of a code at its field, in a sentence that names it and the rule."""
    words = {"code": shown(code)[:40], "why": why}
    return Invalid(_now("Coupon code is “%(code)s”: %(why)s") % words, field="coupon")


def shares_of(discount: Discount | None, lines: Sequence[LineInput], currency: str) -> list[Decimal]:
    """What comes off each line; nothing without a coupon."""
    return discount.shares(lines, currency) if discount else [ZERO] * len(lines)
