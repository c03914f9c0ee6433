"""Money of one currency at a glance: what came in on each of the last days, and how old what is unpaid is.

Drawn here, as numbers that a template puts into an SVG: no script, and nothing that a strict policy forbids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing import money
from billing.actions import OWING
from billing.models.base import AGES, late_by
from billing.money import ZERO

DAYS = 30
HEIGHT = 100
"""Units from the chart's foot to its top; each day is one unit wide."""
GAP = 0.2


@dataclass(frozen=True, slots=True)
class Bar:
    """One day; ``x`` to ``height`` are written as an SVG has them."""

    day: date
    amount: Decimal
    count: int
    url: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Chart:
    currency: str
    bars: list[Bar]

    @property
    def total(self) -> Decimal:
        return sum((bar.amount for bar in self.bars), ZERO)

    @property
    def count(self) -> int:
        return sum(bar.count for bar in self.bars)

    @property
    def best(self) -> Bar:
        return max(self.bars, key=lambda bar: bar.amount)

    @property
    def in_words(self) -> str:
        """What somebody who does not see the bars is told."""
        words = {
            "first": date_format(self.bars[0].day),
            "last": date_format(self.bars[-1].day),
            "total": money.show(self.total, self.currency),
            "count": self.count,
            "best": money.show(self.best.amount, self.currency),
            "best_day": date_format(self.best.day),
        }
        if not self.count:
            return _("From %(first)s to %(last)s no money came in.") % words
        return (
            _(
                "From %(first)s to %(last)s %(total)s came in, in %(count)s payments;"
                " most of it on %(best_day)s: %(best)s."
            )
            % words
        )


@dataclass(frozen=True, slots=True)
class Age:
    """What is unpaid for so long. ``share`` is of all that is, from 0 to 100."""

    label: str
    amount: Decimal
    share: str
    url: str
    is_late: bool


def first_day(today: date) -> date:
    return today - timedelta(days=DAYS - 1)


def chart_of(currency: str, rows: Iterable[Mapping[str, Any]], today: date) -> Chart:
    """``rows`` as ``PaymentQuerySet.by_day`` gives them, of any currencies."""
    came = {row["received_on"]: (row["came"], row["count"]) for row in rows if row["currency"] == currency}
    highest = max((amount for amount, _count in came.values()), default=ZERO)
    bars = []
    for number in range(DAYS):
        day = first_day(today) + timedelta(days=number)
        amount, count = came.get(day, (ZERO, 0))
        height = float(amount / highest * HEIGHT) if highest else 0.0
        bars.append(
            Bar(
                day,
                amount,
                count,
                _payments_of(day, currency),
                x=f"{number + GAP / 2:.1f}",
                y=f"{HEIGHT - height:.2f}",
                width=f"{1 - GAP:.1f}",
                height=f"{height:.2f}",
            )
        )
    return Chart(currency, bars)


def _payments_of(day: date, currency: str) -> str:
    asked = {"type": "payment", "status": "applied", "date_from": day, "date_to": day, "currency": currency}
    return f"{reverse('billing:payments')}?{urlencode(asked)}"


def ages_of(currency: str, rows: Iterable[Mapping[str, Any]], today: date) -> list[Age]:
    """``rows`` as ``InvoiceQuerySet.unpaid_by_age`` gives them, of any currencies."""
    owed = next((row for row in rows if row["currency"] == currency), {})
    amounts = [Decimal(owed.get(f"owed_{number}", ZERO)) for number in range(len(AGES))]
    total = sum(amounts, ZERO)
    return [
        Age(
            _label(first, last),
            amount,
            f"{float(amount / total * 100) if total else 0.0:.1f}",
            _invoices_late_by(first, last, today, currency),
            is_late=first is not None,
        )
        for (first, last), amount in zip(AGES, amounts, strict=True)
    ]


def _label(first: int | None, last: int | None) -> str:
    if first is None:
        return _("Not due yet")
    if last is None:
        return _("More than %(days)s days late") % {"days": first - 1}
    return _("%(first)s to %(last)s days late") % {"first": first, "last": last}


def _invoices_late_by(first: int | None, last: int | None, today: date, currency: str) -> str:
    lookups = late_by(first, last, today)
    days = {
        "due_from": lookups.get("due_on__gte"),
        "due_to": lookups.get("due_on__lte"),
        "currency": currency,
        "sort": "due",
    }
    asked = [*(("status", status) for status in sorted(OWING)), *((k, v) for k, v in days.items() if v)]
    return f"{reverse('billing:invoices')}?{urlencode(asked)}"
