"""The calendar of a declined card's retries: pure dates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice, takewhile

from billing.periods import Interval


@dataclass(frozen=True, slots=True)
class Retries:
    """A retry ``every`` so many days after ``begun_on``, for so many days; at most ``most``, if it is given.

    Dates that nobody kept are left out and never made up for: there is at most one retry on a day.
    """

    begun_on: date
    every: int
    for_days: int
    most: int | None = None

    @property
    def ends_on(self) -> date:
        """The last day on which there can be a retry."""
        return self.begun_on + timedelta(days=self.for_days)

    def after(self, day: date, *, made: int = 0) -> list[date]:
        """The dates later than ``day`` that are still to come when ``made`` retries were made."""
        left = None if self.most is None else max(0, self.most - made)
        return list(islice(self._from(day), left))

    def next(self, day: date, *, made: int = 0) -> date | None:
        """The first of the dates later than ``day``, or None when there is none."""
        return next(iter(self.after(day, made=made)), None)

    def _from(self, day: date) -> Iterator[date]:
        interval = Interval(self.every, "day")
        step = max(1, interval.first_step(self.begun_on, day + date.resolution))
        return takewhile(lambda on: on <= self.ends_on, interval.dates(self.begun_on, step))
