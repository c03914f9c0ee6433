"""The year is lived as the calendar has it, and what goes wrong in it is found."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.year import collecting
from tests.year.bugs import BUGS
from tests.year.calendar import Asked, Done, Run, expected
from tests.year.collecting import Terms
from tests.year.course import first_day
from tests.year.sales import NEVER, Befalls, Sale, all_drawn, drawn
from tests.year.verdict import CHARGED_TWICE, MAILS, MISSING, RETRIED, TWICE, UNEXPECTED, compared

ROOT = Path(__file__).parents[2]
FIRST = date(2027, 3, 5)
FOUND = {
    "asks-twice": TWICE,
    "leaves-out": MISSING,
    "charges-twice": CHARGED_TWICE,
    "mails-twice": MAILS,
    "retries-late": RETRIED,
}
"""What finds each bug."""


def year(*arguments: str) -> tuple[int, str]:
    """Its exit code and what it printed. It works on a database of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.year", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def sale(**given: object) -> Sale:
    """A subscription of every month from 31 March, in London, with nothing befalling it."""
    terms: dict[str, object] = {
        "number": 0,
        "by_invoice": False,
        "first_on": date(2027, 3, 31),
        "every": 1,
        "unit": "month",
        "payments": None,
        "trial_payments": 0,
        "setup_fee": 0,
        "trial_days": 0,
        "delay_days": 0,
        "zone": "Europe/London",
        "missed": "every",
        "currency": "USD",
        "price": 30,
        "sends": True,
        "card": "approves",
        "expires": NEVER,
        "fates": (),
    }
    return Sale(**{**terms, **given})  # type: ignore[arg-type]


def noons(first: date, days: int, *, without: range = range(0)) -> list[Run | Done]:
    start = datetime(first.year, first.month, first.day, 12, 5, tzinfo=UTC)
    return [Run(start + timedelta(days=n)) for n in range(days) if n not in without]


# -- the harness


def test_a_few_orders_live_through_forty_days_with_workers_that_are_killed() -> None:
    code, said = year("--orders", "12", "--days", "40", "--workers", "2", "--kill-every", "1", "--seed", "6")
    assert code == 0, said
    row = re.search(r"^all +(\d+) +(\d+) +(\d+)$", said, re.MULTILINE)
    assert row, said
    assert int(row[1]) == 12
    assert int(row[2]) == int(row[3]) > 10
    assert re.search(r"^2 workers, [1-9]\d* killed", said, re.MULTILINE), said


def test_planted_bugs_are_found_each_by_its_own_mark() -> None:
    given = ("--orders", "12", "--days", "40", "--workers", "1", "--kill-every", "0", "--seed", "6")
    code, said = year(*given, "--plant", *FOUND)
    assert code == 1, said
    assert FOUND.keys() == BUGS.keys()
    for mark in FOUND.values():
        assert re.search(rf"^{mark}: [1-9]", said, re.MULTILINE), said


def test_what_is_doubled_missing_or_elsewhere_is_named() -> None:
    calendar = [Asked(1, date(2027, 3, 31)), Asked(2, date(2027, 4, 30))]
    assert list(compared(calendar, calendar)) == []
    doubled = [*calendar, Asked(3, date(2027, 4, 30))]
    assert (TWICE, "2 payments on 2027-04-30") in list(compared(calendar, doubled))
    assert list(compared(calendar, calendar[:1])) == [(MISSING, "nothing on 2027-04-30")]
    late = [calendar[0], Asked(2, date(2027, 5, 1))]
    assert [kind for kind, _words in compared(calendar, late)] == [MISSING, UNEXPECTED]
    swapped = [Asked(2, date(2027, 3, 31)), Asked(1, date(2027, 4, 30))]
    assert [kind for kind, _words in compared(calendar, swapped)] == [UNEXPECTED]


# -- the calendar that it is compared with


def test_months_keep_their_anchor_day() -> None:
    asked = expected(sale(), noons(FIRST, 366))
    assert [str(each.on) for each in asked[:3]] == ["2027-03-31", "2027-04-30", "2027-05-31"]
    assert [each.period for each in asked] == list(range(1, 13))
    assert asked[-2].on == date(2028, 1, 31)
    assert asked[-1].on == date(2028, 2, 29)


def test_a_standstill_is_caught_up_with_or_left_out_as_the_order_has_it() -> None:
    stopped = noons(FIRST, 60, without=range(20, 55))
    weekly = {"unit": "week", "first_on": date(2027, 3, 20)}
    assert len(expected(sale(**weekly), stopped)) == 7
    left_out = expected(sale(**weekly, missed="current"), stopped)
    assert [str(each.on) for each in left_out] == ["2027-03-20", "2027-04-24", "2027-05-01"]


def test_a_pause_leaves_out_what_falls_into_it_and_a_cancelled_order_asks_no_more() -> None:
    runs = noons(FIRST, 200)
    at = [run.at for run in runs]
    paused = [*runs[:50], Done(at[49], Befalls.PAUSE), *runs[50:90], Done(at[89], Befalls.RESUME), *runs[90:]]
    assert [str(each.on) for each in expected(sale(), paused)][:3] == [
        "2027-03-31",
        "2027-06-30",
        "2027-07-31",
    ]
    cancelled = [*runs[:50], Done(at[49], Befalls.CANCEL), *runs[50:]]
    assert [str(each.on) for each in expected(sale(), cancelled)] == ["2027-03-31"]


def test_the_first_invoice_of_an_order_is_its_first_payment_unless_it_waits() -> None:
    sold = sale(by_invoice=True, zone="UTC", payments=3)
    assert [each.period for each in expected(sold, noons(FIRST, 150))] == [2, 3]
    waits = sale(by_invoice=True, zone="UTC", payments=3, trial_days=14)
    assert expected(waits, noons(FIRST, 150))[0] == Asked(1, date(2027, 4, 14))


def test_a_day_begins_where_the_order_is() -> None:
    first = sale(first_on=date(2027, 3, 20), zone="Pacific/Auckland")
    eve = datetime(2027, 3, 19, 11, 0, tzinfo=UTC)
    assert expected(first, [Run(eve - timedelta(seconds=1))]) == []
    assert expected(first, [Run(eve)]) == [Asked(1, date(2027, 3, 20))]
    jumps = sale(first_on=date(2027, 9, 5), zone="America/Santiago")  # there is no midnight on that day
    assert expected(jumps, [Run(datetime(2027, 9, 5, 3, 59, tzinfo=UTC))]) == []
    assert expected(jumps, [Run(datetime(2027, 9, 5, 4, 0, tzinfo=UTC))]) == [Asked(1, date(2027, 9, 5))]


# -- the retries that it is compared with


def test_a_card_is_retried_on_the_days_of_the_settings_and_written_off_with_the_last() -> None:
    runs = [run for run in noons(FIRST, 60, without=range(10, 14)) if isinstance(run, Run)]
    entered = date(2027, 3, 10)
    stay = collecting.expected(entered, Terms(4, 20, None), soft=True, runs=runs)
    assert [each.day for each in stay.retried_on] == [14, 19, 22, 26, 30]  # nothing ran on the 18th
    assert stay.written_off_on == date(2027, 3, 30)
    twice = collecting.expected(entered, Terms(4, 20, 2), soft=True, runs=runs)
    assert (len(twice.retried_on), twice.written_off_on) == (2, date(2027, 3, 19))
    hard = collecting.expected(entered, Terms(4, 20, None), soft=False, runs=runs)
    assert (hard.retried_on, hard.written_off_on) == ((), date(2027, 3, 30))
    goes_on = collecting.expected(entered, Terms(4, 20, None), soft=True, runs=runs[:17])
    assert (len(goes_on.retried_on), goes_on.written_off_on) == (3, None)


# -- what is drawn


def test_a_sale_is_the_same_whichever_others_are_drawn() -> None:
    assert drawn(3, 41, FIRST, 366) == all_drawn(3, 60, FIRST, 366)[41]
    assert drawn(3, 41, FIRST, 366) != drawn(4, 41, FIRST, 366)


def test_a_thousand_sales_are_of_every_kind() -> None:
    sales = all_drawn(0, 1000, FIRST, 366)
    assert {each.unit for each in sales} == {"day", "week", "month", "quarter", "year"}
    assert {fate.what for each in sales for fate in each.fates} == set(Befalls)
    assert {each.first_on.day for each in sales} >= {29, 30, 31}
    assert {bool(each.payments) for each in sales} == {bool(each.card) for each in sales} == {True, False}
    assert len({each.zone for each in sales}) > 5
    assert {each.missed for each in sales} == {"every", "current"}


@pytest.mark.parametrize(("today", "first"), [(date(2026, 11, 28), 2027), (date(2027, 1, 1), 2031)])
def test_the_year_is_to_come_and_holds_a_leap_day(today: date, first: int) -> None:
    assert first_day(today) == date(first, 3, 5)
