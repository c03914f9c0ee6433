"""The dates of retries: as far apart as agreed, within the days agreed, no more than agreed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.retries import Retries

BEGUN = date(2026, 3, 31)
days = st.dates(date(2020, 1, 1), date(2032, 12, 31))
most = st.one_of(st.none(), st.integers(1, 40))


@st.composite
def calendars(draw: st.DrawFn) -> Retries:
    every = draw(st.integers(1, 40))
    return Retries(draw(days), every, draw(st.integers(every, 400)), draw(most))


@given(retries=calendars())
def test_all_dates_are_steps_from_the_first_day_within_the_time(retries: Retries) -> None:
    dates = retries.after(retries.begun_on)
    expected = [
        retries.begun_on + timedelta(days=retries.every * step)
        for step in range(1, retries.for_days // retries.every + 1)
    ]
    assert dates == expected[: retries.most]
    assert dates
    assert dates[-1] <= retries.ends_on


@given(retries=calendars(), day=days, made=st.integers(0, 50))
def test_the_next_date_is_the_first_of_those_to_come(retries: Retries, day: date, made: int) -> None:
    to_come = retries.after(day, made=made)
    assert retries.next(day, made=made) == (to_come[0] if to_come else None)
    assert all(later > day for later in to_come)


@given(retries=calendars(), waits=st.lists(st.integers(0, 30), max_size=60))
def test_a_worker_that_comes_when_it_likes_keeps_each_date_once_at_most_and_makes_up_for_none(
    retries: Retries, waits: list[int]
) -> None:
    today, due, kept = retries.begun_on, retries.next(retries.begun_on), list[date]()
    for wait in waits:
        today += timedelta(days=wait)
        if due and due <= today:
            kept.append(today)
            due = retries.next(today, made=len(kept))
    assert len(set(kept)) == len(kept)
    assert len(kept) <= min(retries.most or 9999, retries.for_days // retries.every)
    assert due is None or due > today or not kept or due not in kept


@pytest.mark.parametrize(
    ("day", "made", "first", "count"),
    [
        (date(2026, 3, 31), 0, date(2026, 4, 3), 30),
        (date(2026, 4, 3), 1, date(2026, 4, 6), 29),
        (date(2026, 4, 20), 1, date(2026, 4, 21), 24),
        (date(2026, 6, 28), 29, date(2026, 6, 29), 1),
        (date(2026, 6, 29), 30, None, 0),
    ],
)
def test_every_three_days_for_ninety(day: date, made: int, first: date | None, count: int) -> None:
    retries = Retries(BEGUN, 3, 90)
    assert (retries.next(day, made=made), len(retries.after(day, made=made))) == (first, count)


def test_no_more_than_agreed_however_late_they_were_made() -> None:
    retries = Retries(BEGUN, 3, 90, most=2)
    assert retries.after(date(2026, 5, 1), made=1) == [date(2026, 5, 3)]
    assert retries.after(date(2026, 5, 3), made=2) == []
