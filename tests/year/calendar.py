"""Which payments must have been asked for, and on which date: worked out a second time, with dateutil, from
what was sold, what staff did, and when the jobs were run. Nothing of the desk's own calendar is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import count

from dateutil import tz
from dateutil.relativedelta import relativedelta

from billing.statuses import Missed
from tests.year.sales import Befalls, Sale

STRIDES = {
    "day": lambda n: relativedelta(days=n),
    "week": lambda n: relativedelta(weeks=n),
    "month": lambda n: relativedelta(months=n),
    "quarter": lambda n: relativedelta(months=3 * n),
    "year": lambda n: relativedelta(years=n),
}


@dataclass(frozen=True, slots=True)
class Run:
    """The jobs were run at that moment, until nothing was due."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """What staff did to an order; ``to``: the day that its next charge was moved to."""

    at: datetime
    what: Befalls
    to: date | None = None


@dataclass(frozen=True, order=True, slots=True)
class Asked:
    """A payment of an order, as its invoice names it."""

    period: int
    on: date


class Course:
    """An order on its way through the year."""

    def __init__(self, sale: Sale) -> None:
        self.sale = sale
        starts_now = sale.by_invoice and not sale.wait
        self.anchor = sale.first_on + timedelta(days=sale.wait)
        self.step, self.period = (1, 2) if starts_now else (0, 1)
        self.goes_on, self.is_cancelled = True, False

    def date_of(self, step: int) -> date:
        return self.anchor + STRIDES[self.sale.unit](self.sale.every * step)

    def begins(self, step: int) -> datetime:
        """The first moment of its date where the order is."""
        midnight = datetime.combine(self.date_of(step), time.min, tz.gettz(self.sale.zone))
        return tz.resolve_imaginary(midnight).astimezone(tz.UTC)

    def asks(self, at: datetime) -> Iterator[Asked]:
        while self.goes_on and self._has_more and self.begins(self.step) <= at:
            while self.sale.missed == Missed.CURRENT and self.begins(self.step + 1) <= at:
                self.step += 1
            yield Asked(self.period, self.date_of(self.step))
            self.step, self.period = self.step + 1, self.period + 1

    @property
    def _has_more(self) -> bool:
        return self.sale.payments_total is None or self.period <= self.sale.payments_total

    def take(self, done: Done) -> None:
        match done.what:
            case Befalls.PAUSE:
                self.goes_on = False
            case Befalls.RESUME:
                self.goes_on = not self.is_cancelled
                today = done.at.astimezone(tz.gettz(self.sale.zone)).date()
                self.step = next(step for step in count(self.step) if self.date_of(step) >= today)
            case Befalls.CANCEL | Befalls.FORGIVE:
                self.goes_on, self.is_cancelled = False, True
            case Befalls.MOVE:
                assert done.to is not None
                self.anchor, self.step = done.to, 0
            case _:
                pass  # cards change nothing about when a payment is asked for


def expected(sale: Sale, happened: Sequence[Run | Done]) -> list[Asked]:
    """``happened`` in its order, from the moment at which the order began."""
    course, asked = Course(sale), list[Asked]()
    for each in happened:
        if isinstance(each, Run):
            asked += course.asks(each.at)
        else:
            course.take(each)
    return asked
