"""Declined cards a second time: on which days each must have been charged again, and how that has ended.

Worked out from the settings of the day on which the invoice entered Collections, and from when the jobs ran.
Only orders that nothing befell are looked at: of the others staff or a bank decides when they are charged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from dateutil import tz

from billing.models import Attempt, RechargeSchedule, RechargeSettings
from billing.statuses import AttemptState, InvoiceStatus
from tests.year.calendar import Run
from tests.year.sales import NEVER, Sale

SOFT, HARD = frozenset({"insufficient", "declines"}), frozenset({"stolen", "expired"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a declined card is retried by."""

    every_days: int
    for_days: int
    most_retries: int | None

    def put(self) -> None:
        RechargeSettings(
            every_days=self.every_days, for_days=self.for_days, most_retries=self.most_retries
        ).save()


FIRST, LATER = Terms(6, 30, None), Terms(4, 20, 2)
"""The settings with which the year begins, and those that staff put in the middle of it."""


@dataclass(frozen=True, slots=True)
class Stay:
    """What has become, or must become, of an invoice in Collections until the last run."""

    terms: Terms
    retried_on: tuple[date, ...]
    written_off_on: date | None


def expected(entered_on: date, terms: Terms, *, soft: bool, runs: Sequence[Run]) -> Stay:
    """``soft``: the bank may think better of it; otherwise the card is not charged again."""
    steps = range(1, terms.for_days // terms.every_days + 1) if soft else range(0)
    dates = [entered_on + timedelta(days=terms.every_days * step) for step in steps]
    days = list(dict.fromkeys(run_on(each, runs) for each in dates))[: terms.most_retries]
    retried = tuple(each for each in days if each)
    if soft:
        end = None if None in days else retried[-1]
    else:
        end = run_on(entered_on + timedelta(days=terms.for_days), runs)
    return Stay(terms, retried, end)


def run_on(day: date, runs: Sequence[Run]) -> date | None:
    """The first day, from that one on, on which the jobs were run."""
    begins = datetime.combine(day, time.min, tz.UTC)
    return next((run.at.date() for run in runs if run.at >= begins), None)


def found(schedule: RechargeSchedule) -> Stay:
    """A charge that a kill kept from being made counts too: it is made once more on the same day, unless
    that is the last one.
    """
    retries = Attempt.objects.filter(
        invoice=schedule.invoice,
        state__in=[AttemptState.DECLINED, AttemptState.NOT_CHARGED],
        started_at__gt=schedule.entered_at,
    )
    moments = retries.order_by("started_at").values_list("started_at", flat=True)
    days = dict.fromkeys(each.date() for each in moments)
    written_off = schedule.left_at if schedule.left_as == InvoiceStatus.WRITTEN_OFF else None
    return Stay(
        Terms(schedule.every_days, schedule.for_days, schedule.most_retries),
        tuple(days),
        written_off.date() if written_off else None,
    )


def compared(
    sales: Sequence[Sale], orders: dict[int, int], runs: Sequence[Run], changed_at: datetime | None
) -> Iterator[str]:
    for sale in sales:
        if sale.fates or sale.expires != NEVER or sale.card not in SOFT | HARD or sale.number not in orders:
            continue
        schedules = RechargeSchedule.objects.filter(invoice__order=orders[sale.number])
        for schedule in schedules.select_related("invoice").order_by("id"):
            terms = LATER if changed_at and schedule.entered_at >= changed_at else FIRST
            wanted = expected(schedule.entered_on, terms, soft=sale.card in SOFT, runs=runs)
            if (stay := found(schedule)) != wanted:
                yield f"{schedule.invoice} since {schedule.entered_on}: {stay}, not {wanted}"
