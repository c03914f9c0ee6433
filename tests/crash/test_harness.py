"""The crash harness finds nothing wrong with the desk, and finds what is wrong once a bug is planted."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.crash.blows import Fault
from tests.crash.bugs import BUGS
from tests.crash.plan import BEHAVIOURS, Deed, drawn

ROOT = Path(__file__).parents[2]


needs_localstripe = pytest.mark.skipif(
    find_spec("localstripe") is None,
    reason='localstripe is not installed: pip install -e ".[dev,stripe-tests]"',
)


def harness(*arguments: str) -> tuple[int, str]:
    """Its exit code and what it printed. It works on databases of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def test_sixty_trials_end_with_the_gateways_books_equal_to_ours() -> None:
    code, said = harness("--trials", "60", "--seed", "7")
    assert code == 0, said
    assert said.startswith("Seed 7,")
    assert re.search(r"^all +60 ", said, re.MULTILINE)
    assert "charged twice: 0\ncharged and not recorded: 0\nrecorded and not charged: 0\n" in said
    assert "without a final answer: 0\n" in said
    assert "coupons miscounted: 0\ncommissions other than due: 0\n" in said


def test_each_job_does_a_trial_however_long_it_took_to_begin() -> None:
    code, said = harness("--trials", "40", "--seed", "7", "--minutes", "0", "--jobs", "1")
    assert code == 0, said
    assert re.search(r"^all +1 ", said, re.MULTILINE), said


@pytest.mark.parametrize(
    ("bug", "found"),
    [
        ("gateway-charges-twice", "charged twice"),
        ("settle-drops-the-payment", "charged and not recorded"),
        ("resolver-charges-again", "recorded and not charged"),
        ("no-answer-means-not-charged", "refunded and not recorded"),
        ("refunds-use-a-new-key", "refunded and not recorded"),
        ("resolver-never-comes", "without a final answer"),
        ("asks-inside-a-transaction", "errors and open transactions"),
    ],
)
def test_a_planted_bug_is_found_and_named_with_the_command_that_shows_it(bug: str, found: str) -> None:
    is_found(found, harness("--trials", "40", "--seed", "7", "--plant", bug))


@pytest.mark.parametrize(
    ("bug", "found", "deed"),
    [
        ("coupon-is-counted-without-a-lock", "coupons miscounted", Deed.ORDER),
        ("declined-order-keeps-its-coupon", "coupons miscounted", Deed.ORDER),
        ("order-is-taken-twice", "without a final answer", Deed.ORDER),
        ("card-that-was-left-is-not-taken", "cards left and orders not taken", Deed.LEAVE_CARD),
        ("subscription-begins-twice", "subscriptions begun other than once", Deed.LEAVE_CARD),
        ("subscription-goes-without-its-card", "subscriptions begun other than once", Deed.ORDER),
        ("commissions-are-worked-out-twice", "commissions other than due", Deed.ORDER),
        ("nobody-looks-after-orders", "without a final answer", Deed.LEAVE_CARD),
    ],
)
def test_a_bug_that_is_planted_where_forms_sell_is_found_and_named(bug: str, found: str, deed: Deed) -> None:
    trials = "200" if deed is Deed.ORDER else "400"  # of which the others are left out
    is_found(found, harness("--trials", trials, "--seed", "7", "--deed", deed, "--plant", bug))


def is_found(found: str, answer: tuple[int, str]) -> None:
    code, said = answer
    assert code == 1, said
    count = re.search(rf"^{found}: (\d+)$", said, re.MULTILINE)
    assert count, said
    assert int(count[1]) > 0, said
    assert "python -m tests.crash --gateway sandbox --seed 7 --only " in said


@needs_localstripe
def test_trials_at_stripe_end_with_its_books_equal_to_ours() -> None:
    code, said = harness("--gateway", "stripe", "--trials", "24", "--seed", "7")
    assert code == 0, said
    assert re.search(r"^all +24 ", said, re.MULTILINE), said
    assert "charged twice: 0\ncharged and not recorded: 0\nrecorded and not charged: 0\n" in said
    assert "without a final answer: 0\n" in said


@needs_localstripe
@pytest.mark.parametrize(
    ("bug", "found"),
    [
        ("gateway-charges-twice", "charged twice"),
        ("refunds-use-a-new-key", "refunded and not recorded"),
    ],
)
def test_a_bug_that_is_planted_at_stripe_is_found_too(bug: str, found: str) -> None:
    code, said = harness("--gateway", "stripe", "--trials", "16", "--seed", "7", "--plant", bug)
    assert code == 1, said
    assert re.search(rf"^{found}: [1-9]", said, re.MULTILINE), said
    assert "python -m tests.crash --gateway stripe --seed 7 --only " in said


def test_every_bug_is_planted_here() -> None:
    tests: list[Any] = [
        test_a_planted_bug_is_found_and_named_with_the_command_that_shows_it,
        test_a_bug_that_is_planted_where_forms_sell_is_found_and_named,
    ]
    assert sorted(bug for test in tests for bug, *_found in test.pytestmark[0].args[1]) == sorted(BUGS)


def test_a_trial_is_the_same_whichever_trials_come_before_it() -> None:
    assert drawn(3, 41, BEHAVIOURS) == drawn(3, 41, BEHAVIOURS)
    assert drawn(3, 41, BEHAVIOURS) != drawn(4, 41, BEHAVIOURS)


def test_a_few_hundred_trials_hold_every_deed_with_every_fault() -> None:
    held = {(trial.deed, trial.fault) for trial in (drawn(0, n, BEHAVIOURS) for n in range(1500))}
    assert held == {(deed, fault) for deed in Deed for fault in Fault}
