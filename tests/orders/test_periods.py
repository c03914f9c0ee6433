"""The calendar, against ``dateutil`` for every anchor and interval, and against the clocks of every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import DAYS, MONTHS, Interval, begins_at, day_at
from billing.statuses import Unit

ANCHORS = st.dates(date(1999, 1, 1), date(2060, 12, 31))
STEPS = st.integers(0, 60)
INTERVALS = st.builds(Interval, st.integers(1, 24), st.sampled_from(Unit.values))
ZONES = sorted(available_timezones())
STEP_OF = {
    "day": relativedelta(days=1),
    "week": relativedelta(weeks=1),
    "month": relativedelta(months=1),
    "quarter": relativedelta(months=3),
    "year": relativedelta(years=1),
}


def test_the_calendar_knows_every_unit() -> None:
    assert {*DAYS, *MONTHS} == set(Unit.values)


@given(anchor=ANCHORS, interval=INTERVALS, step=STEPS)
def test_every_date_is_where_dateutil_has_it(anchor: date, interval: Interval, step: int) -> None:
    assert interval.date_of(anchor, step) == anchor + STEP_OF[interval.unit] * (interval.every * step)


@given(anchor=ANCHORS, interval=INTERVALS, day=st.dates(date(1999, 1, 1), date(2099, 12, 31)))
def test_the_first_step_is_the_first_whose_date_has_not_passed(
    anchor: date, interval: Interval, day: date
) -> None:
    step = interval.first_step(anchor, day)
    assert interval.date_of(anchor, step) >= day
    assert step == 0 or interval.date_of(anchor, step - 1) < day


@pytest.mark.parametrize(
    ("anchor", "interval", "expected"),
    [
        (date(2026, 1, 31), Interval(1, "month"), ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        (date(2028, 1, 31), Interval(1, "month"), ["2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"]),
        (date(2024, 2, 29), Interval(1, "year"), ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        (
            date(2026, 11, 30),
            Interval(1, "quarter"),
            ["2027-02-28", "2027-05-30", "2027-08-30", "2027-11-30"],
        ),
        (date(2026, 12, 25), Interval(2, "week"), ["2027-01-08", "2027-01-22", "2027-02-05", "2027-02-19"]),
    ],
)
def test_the_day_of_the_anchor_is_kept(anchor: date, interval: Interval, expected: list[str]) -> None:
    assert [str(day) for day in islice(interval.dates(anchor, 1), 4)] == expected


def test_dates_end_with_the_calendar() -> None:
    assert [*Interval(400, "year").dates(date(9400, 1, 1))] == [date(9400, 1, 1), date(9800, 1, 1)]


@given(day=st.dates(date(1975, 1, 1), date(2037, 12, 31)), zone=st.sampled_from(ZONES))
def test_a_day_begins_at_the_first_moment_of_its_date(day: date, zone: str) -> None:
    here = ZoneInfo(zone)
    moment = begins_at(day, here)
    assert moment.tzinfo is UTC
    assert day_at(moment, here) >= day
    assert day_at(moment - timedelta(seconds=1), here) < day


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        (date(2026, 3, 29), "Europe/London", "2026-03-29T00:00+00:00"),
        (date(2026, 3, 30), "Europe/London", "2026-03-29T23:00+00:00"),
        (date(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00+00:00"),  # no midnight: on to one o'clock
        (date(2026, 11, 1), "America/Havana", "2026-11-01T04:00+00:00"),  # midnight comes twice
        (date(2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00+00:00"),  # a day that Samoa left out
        (date(2024, 3, 31), "America/Scoresbysund", "2024-03-31T01:00+00:00"),
    ],
)
def test_a_day_begins_in_its_own_zone(day: date, zone: str, expected: str) -> None:
    assert begins_at(day, ZoneInfo(zone)) == datetime.fromisoformat(expected)


def test_every_change_of_a_clock_this_century_keeps_the_days_apart() -> None:
    """Gaps that begin before midnight too, as on the coast of Greenland."""
    for zone in ("America/Nuuk", "America/Scoresbysund", "Asia/Beirut", "Africa/Cairo", "America/Asuncion"):
        here, day = ZoneInfo(zone), date(2020, 1, 1)
        while day.year < 2028:
            moment = begins_at(day, here)
            assert day_at(moment, here) == day
            assert day_at(moment - timedelta(seconds=1), here) < day
            day += timedelta(days=1)
