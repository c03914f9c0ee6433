"""The calendar of what recurs: pure dates.

The date of a period is worked out from the anchor and the number of steps, never from the date before it,
so that an order begun on 31 January comes back to the 31st after February.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
MOST_EVERY = 400
"""Units between two dates: more is a typing error."""
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many units, a unit being one of ``DAYS`` or ``MONTHS``."""

    every: int
    unit: str

    def date_of(self, anchor: date, step: int) -> date:
        """The date ``step`` intervals after ``anchor``, kept within its month.

        Raises OverflowError for a date beyond the calendar.
        """
        if self.unit in DAYS:
            return anchor + timedelta(days=DAYS[self.unit] * self.every * step)
        month = anchor.year * 12 + anchor.month - 1 + MONTHS[self.unit] * self.every * step
        year, month = divmod(month, 12)
        if year > MAXYEAR:
            raise OverflowError(f"The year {year} is beyond the calendar.")
        return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))

    def first_step(self, anchor: date, day: date) -> int:
        """The first step, 0 or more, whose date is ``day`` or later."""
        if day <= anchor:
            return 0
        if self.unit in DAYS:
            return -((anchor - day).days // (DAYS[self.unit] * self.every))
        months = (day.year - anchor.year) * 12 + day.month - anchor.month
        step = months // (MONTHS[self.unit] * self.every)
        return step if self.date_of(anchor, step) >= day else step + 1

    def dates(self, anchor: date, step: int = 0) -> Iterator[date]:
        """The dates from ``step`` on, as far as the calendar reaches."""
        while True:
            try:
                yield self.date_of(anchor, step)
            except OverflowError:
                return
            step += 1


def begins_at(day: date, zone: ZoneInfo) -> datetime:
    """The first moment, in UTC, at which it is ``day`` or later in ``zone``.

    Where the clocks go back at midnight it is the earlier of two midnights; where they go forward, and there
    is none, the moment at which they do.
    """
    late = _midnight(day, zone, fold=0)
    early = _midnight(day, zone, fold=1)
    if early >= late:  # an ordinary midnight, or two of them
        return late
    while late - early > SECOND:  # the clocks jump over midnight somewhere between
        middle = early + (late - early) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        early, late = (early, middle) if middle.astimezone(zone).date() >= day else (middle, late)
    return late


def _midnight(day: date, zone: ZoneInfo, *, fold: int) -> datetime:
    return datetime.combine(day, time.min, zone).replace(fold=fold).astimezone(UTC)


def day_at(at: datetime, zone: ZoneInfo) -> date:
    """The date that it is in ``zone`` at that moment."""
    return at.astimezone(zone).date()
