"""When an order asks for its next payments, and for how much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _now

from billing import periods
from billing.mail import OrderFacts
from billing.models.coupons.code import CouponCode
from billing.models.coupons.discount import Discount, shares_of
from billing.models.line import LineInput
from billing.models.orders.base import OrderBase
from billing.money import ZERO

PREVIEWED = 12
"""Charges that a page looks ahead."""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A charge to come; ``amount`` in the order's currency, with tax."""

    period: int
    on: date
    amount: Decimal


class Planning(OrderBase):
    class Meta:
        abstract = True

    # -- the calendar

    @property
    def here(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def has_more(self) -> bool:
        """Whether a period is still to be asked for."""
        return self.payments_total is None or self.next_period <= self.payments_total

    def schedule(self) -> list[str]:
        """Set the next charge from the calendar and return the names of the columns to save."""
        self.next_charge_on = self.next_charge_at = None
        if self.has_more:
            self.next_charge_on = self.interval.date_of(self.anchor_on, self.next_step)
            self.next_charge_at = periods.begins_at(self.next_charge_on, self.here)
        return ["anchor_on", "next_step", "next_period", "next_charge_on", "next_charge_at"]

    def resumes_on(self, today: date) -> tuple[int, date]:
        """The step and the date with which a paused order would go on."""
        step = max(self.next_step, self.interval.first_step(self.anchor_on, today))
        return step, self.interval.date_of(self.anchor_on, step)

    def upcoming(self, lines: list[LineInput], today: date, discount: Discount | None) -> list[Upcoming]:
        """The charges to come, as many as a page looks ahead, if nothing is changed.

        Those of a paused order are what they would be if it were resumed ``today``.
        """
        if not self.next_charge_on:
            return []
        step = self.resumes_on(today)[0] if self.is_paused else self.next_step
        return list(islice(self._upcoming(lines, step, discount), PREVIEWED))

    def _upcoming(self, lines: list[LineInput], step: int, discount: Discount | None) -> Iterator[Upcoming]:
        period = self.next_period
        for on in self.interval.dates(self.anchor_on, step):
            if self.payments_total and period > self.payments_total:
                return
            yield Upcoming(period, on, self.amount_of(self.lines_of(lines, period), discount))
            period += 1

    # -- in words

    def facts(self) -> OrderFacts:
        """What a mail may say about this order."""
        terms = _now("%(amount)s %(rhythm)s") % {"amount": self.show(self.amount), "rhythm": self.rhythm}
        return OrderFacts(str(self), self.summary, terms, self.charges_on)

    # -- amounts

    def regular_lines(self) -> list[LineInput]:
        """What a regular payment asks for. One query."""
        return [line.input() for line in self.lines.order_by("position", "id")]

    def lines_of(self, lines: list[LineInput], period: int) -> list[LineInput]:
        """What a payment asks for, made of the regular ``lines``: its trial, and the set-up fee."""
        asked = (
            [line.at_price(self.trial_price) for line in lines] if period <= self.trial_payments else lines
        )
        if not self.setup_fee or self.origin_id or period != self.first_period:
            return asked
        rate = lines[0] if lines else None
        fee = LineInput(
            description=_now("Set-up fee"),
            quantity=Decimal(1),
            unit_price=self.setup_fee,
            tax_rate_id=rate.tax_rate_id if rate else None,
            tax_percent=rate.tax_percent if rate else ZERO,
        )
        return [*asked, fee]

    def discount(self) -> Discount | None:
        """What the coupon that it carries takes off each payment. At most two queries."""
        return CouponCode.discount_of(self.coupon_code_id) if self.coupon_code_id else None

    def amount_of(self, asked: list[LineInput], discount: Discount | None) -> Decimal:
        """What a payment that asks for these lines comes to, with tax."""
        shares = shares_of(discount, asked, self.currency)
        amounts = (
            line.amounts(self.currency, coupon=share) for line, share in zip(asked, shares, strict=True)
        )
        return sum((each.total for each in amounts), ZERO)

    def summarize(self) -> list[str]:
        """Set the cached words and amount from the lines and return the names of the columns to save."""
        lines = self.regular_lines()
        self.summary = lines[0].description[:120] if lines else ""
        self.amount = self.amount_of(lines, self.discount())
        return ["summary", "amount"]
