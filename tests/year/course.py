"""The year itself: a day at a time the clock is moved on, the workers run, and staff do what befalls."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as hour

from django.db.models import Q

from billing import clock
from billing.gateways.sandbox import clock as desk_clock
from billing.models import Attempt, Invoice, Order
from billing.models.attempts.base import AttemptQuerySet
from billing.models.base import LEASE
from billing.models.recurring import AGAIN
from billing.statuses import IN_FLIGHT, AttemptState
from tests.year import collecting, staff
from tests.year.calendar import Done, Run
from tests.year.sales import Fate, Sale
from tests.year.workers import Workers

NOON = hour(12, 5, tzinfo=UTC)
"""The jobs run at five past: wherever a day begins, it begins at a full hour."""
AFTER_A_KILL = (LEASE + timedelta(minutes=1), AGAIN + timedelta(minutes=2))
"""When the jobs run again on the same day: once the claims of the killed have lapsed, and once a charge is
made again that turned out not to have been made.
"""
MOST_AFTERMATHS = 3
"""How often, at most; nobody is killed in the last of them."""
AT_THE_END = (timedelta(minutes=25), *(timedelta(hours=n, minutes=2) for n in (1, 1, 2, 4, 8, 16)))
"""How long after one another the jobs run again after the last day, until no answer is waited for."""


def first_day(today: date) -> date:
    """The next fifth of March that is followed by a leap day within the year."""
    year = today.year + 1
    while (year + 1) % 4:
        year += 1
    return date(year, 3, 5)


@dataclass(slots=True)
class Story:
    """What happened, for the calendar: runs are everybody's, deeds are an order's own."""

    runs: list[Run] = field(default_factory=list)
    deeds: dict[int, list[Done]] = field(default_factory=lambda: defaultdict(list))
    orders: dict[int, int] = field(default_factory=dict)
    """The order of each sale that was made."""
    settings_changed_at: datetime | None = None
    slowest: float = 0.0

    def of(self, sale: Sale) -> list[Run | Done]:
        both: list[Run | Done] = [*self.runs, *self.deeds[sale.number]]
        return sorted(both, key=lambda each: each.at)


class Year:
    def __init__(self, sales: Sequence[Sale], workers: Workers, first: date, days: int) -> None:
        self.workers, self.first, self.days, self.story = workers, first, days, Story()
        self._fates = defaultdict[int, list[tuple[Sale, Fate]]](list)
        self._sold_on = defaultdict[int, list[Sale]](list)
        for sale in sales:
            for fate in sale.fates:
                self._fates[fate.day].append((sale, fate))
            self._sold_on[(sale.first_on - first).days if sale.by_invoice else 0].append(sale)

    def pass_by(self) -> None:
        collecting.FIRST.put()
        self._live(0)
        self.workers.start()
        try:
            for day in range(1, self.days + 1):
                self._live(day)
            self._settle()
        finally:
            self.workers.stop()

    @property
    def standstill(self) -> range:
        """Days on which no jobs run, as when the scheduler has stopped: the desk catches up afterwards."""
        return range(int(self.days * 0.38), int(self.days * 0.43))

    def noon(self, day: int) -> datetime:
        return datetime.combine(self.first + timedelta(days=day), NOON)

    def _live(self, day: int) -> None:
        desk_clock.move(self.noon(day))
        if day and day not in self.standstill:
            self._run(self.noon(day))
        if day == self.days // 2:
            collecting.LATER.put()
            self.story.settings_changed_at = clock.now()
        for sale in self._sold_on[day]:
            self.story.orders[sale.number] = staff.begin(sale)
        for sale, fate in self._fates[day]:
            self._befall(sale, fate)

    def _befall(self, sale: Sale, fate: Fate) -> None:
        if sale.number not in self.story.orders:
            return
        done = staff.befall(Order.objects.get(pk=self.story.orders[sale.number]), fate)
        if done:
            self.story.deeds[sale.number].append(done)

    def _run(self, at: datetime) -> None:
        """Let the jobs run until nothing is due, and what a killed worker had claimed too."""
        began = time.monotonic()
        self.story.runs.append(Run(at))
        killed = self.workers.run(kills=True)
        for aftermath in range(MOST_AFTERMATHS):
            if not killed:
                break
            killed = False
            for wait in AFTER_A_KILL:
                at = max(at + wait, clock.now())
                desk_clock.move(at)
                self.story.runs.append(Run(at))
                killed |= self.workers.run(kills=aftermath < MOST_AFTERMATHS - 1)
        self.story.slowest = max(self.story.slowest, time.monotonic() - began)

    def _settle(self) -> None:
        for wait in AT_THE_END:
            if not still_waiting().exists() and not Invoice.objects.exclude(charge_due_at=None).exists():
                return
            at = clock.now() + wait
            desk_clock.move(at)
            self._run(at)


def still_waiting() -> AttemptQuerySet:
    """Attempts that have no answer; not those that wait for a customer who never comes."""
    return Attempt.objects.filter(Q(state__in=IN_FLIGHT) & ~Q(state=AttemptState.NEEDS_ACTION))
