"""The resolver, the tick and the worker that runs them."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing import tasks
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Mail
from billing.models.attempts.base import GIVE_UP_AFTER, GRACE
from billing.statuses import AttemptState, MailState
from billing.tasks import resolve_attempts, tick
from tests.attempts.desk import (
    AUTHENTICATES,
    CHARGED_LOST,
    UNCHARGED_LOST,
    assert_books_agree,
    no_answer,
    owing,
    pay,
)
from tests.factories import InvoiceFactory

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def lost(number: str = CHARGED_LOST) -> Attempt:
    return pay(*owing(number))


def said(command: str, *options: str) -> str:
    out = StringIO()
    call_command(command, *options, stdout=out)
    return out.getvalue()


# -- asking about what is due


def test_only_what_is_due_is_asked_about() -> None:
    attempt = lost()
    assert resolve_attempts(attempt.due_at - MINUTE) == []
    assert [each.attempt for each in resolve_attempts(attempt.due_at)] == [attempt]


def test_one_attempt_that_fails_keeps_none_of_the_others_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, other = lost(), lost()
    settle = Attempt.settle

    def fails(self: Attempt, *args: Any, **kwargs: Any) -> None:
        if self.pk == broken.pk:
            raise RuntimeError("a row that nobody can read")
        settle(self, *args, **kwargs)

    at = other.due_at
    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "settle", fails)
        asked = resolve_attempts(at)
    assert [(each.attempt, each.error) for each in asked] == [
        (broken, "RuntimeError: a row that nobody can read"),
        (other, ""),
    ]
    assert Attempt.objects.get(pk=other.pk).state == AttemptState.APPROVED
    assert [each.error for each in resolve_attempts(at + GRACE)] == [""]
    assert_books_agree()


def test_a_worker_that_is_told_to_stop_asks_about_no_more() -> None:
    lost()
    attempt = lost()
    assert resolve_attempts(attempt.due_at, proceed=lambda: False) == []


def test_a_page_is_looked_at_and_closed_after_a_day() -> None:
    invoice, _ = owing()
    now = timezone.now()
    url = "https://desk.example.com/pay/"
    invoice.open_page(return_url=url, cancel_url=url, remember=False, at=now)
    (asked,) = resolve_attempts(now + 3 * MINUTE)
    assert asked.attempt.state == AttemptState.PAGE_OPEN
    (asked,) = resolve_attempts(now + timedelta(hours=25))
    assert asked.attempt.state == AttemptState.NOT_CHARGED


# -- commands


def test_resolve_attempts_says_what_became_of_each() -> None:
    found, none, waiting = lost(), lost(UNCHARGED_LOST), lost(AUTHENTICATES)
    Attempt.objects.update(due_at=timezone.now() - MINUTE)
    text = said("resolve_attempts")
    assert f"{found.key} {found.invoice} Charge $100.00: Approved\n" in text
    assert f"{none.key} {none.invoice} Charge $100.00: Not charged\n" in text
    assert f"{waiting.key} {waiting.invoice} Charge $100.00: The bank asks the customer" in text
    assert "Asked about 3: 1 approved, 1 needs_action, 1 not_charged.\n" in text


def test_resolve_attempts_with_nothing_to_do_says_so() -> None:
    lost()
    assert said("resolve_attempts") == "Asked about 0: nothing was due.\n"


def test_resolve_attempts_of_all_leaves_those_alone_that_have_just_started() -> None:
    old, young = lost(), lost()
    Attempt.objects.filter(pk=old.pk).update(started_at=timezone.now() - GRACE)
    text = said("resolve_attempts", "--all")
    assert str(old.key) in text
    assert str(young.key) not in text


def test_resolve_attempts_calls_for_a_person_after_days_without_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SandboxGateway, "retrieve", no_answer)
    attempt = lost()
    Attempt.objects.update(started_at=timezone.now() - GIVE_UP_AFTER - MINUTE)
    text = said("resolve_attempts", "--all")
    assert "1 without an answer for days: a person must look." in text
    assert Attempt.objects.get(pk=attempt.pk).state == AttemptState.UNKNOWN


def test_tick_settles_and_sends_in_one_go() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card, send_receipt=True)
    at = timezone.now() + timedelta(minutes=5)
    assert tick(at) == {
        "act_on_notices": {},
        "resolve_attempts": {"approved": 1},
        "check_gateways": {"reached": 1},
        "take_cards": {},
        "bill_due_orders": {},
        "charge_due_invoices": {},
        "end_collections": {},
        "tell_of_expiring_cards": {},
        "send_due_mail": {"sent": 1},
    }
    assert Attempt.objects.get(pk=attempt.pk).state == AttemptState.APPROVED
    assert Mail.objects.get().state == MailState.SENT


def test_a_job_that_fails_keeps_none_of_the_others_from_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(now: object, proceed: object) -> Any:
        raise RuntimeError("no connection")

    monkeypatch.setitem(tasks.JOBS, "resolve_attempts", fails)
    InvoiceFactory.create().request_payment(None, recipient="ada@example.com", message="")
    out = StringIO()
    with pytest.raises(CommandError, match="the log says why"):
        call_command("tick", stdout=out)
    ends = dict(line.split(": ", 1) for line in out.getvalue().splitlines())
    assert list(ends) == list(tasks.JOBS)
    told = {"resolve_attempts": "failed", "check_gateways": "1 reached", "send_due_mail": "1 sent"}
    assert ends == dict.fromkeys(tasks.JOBS, "nothing was due") | told


def test_tick_with_nothing_to_do_says_so() -> None:
    said("tick")  # what is done every few minutes, or daily, is done now and not again for a while
    assert said("tick") == "".join(
        f"{job}: nothing was due\n" for job in tasks.JOBS if job not in tasks.PERIODS
    )


@pytest.mark.parametrize("value", ["0", "-1", "soon", "1e9", "nan"])
def test_a_pause_that_makes_no_sense_is_refused(value: str) -> None:
    with pytest.raises(CommandError, match="--every"):
        call_command("work", "--every", value)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_worker_works_and_stops_when_it_is_told_to(
    environment: dict[str, str], how: signal.Signals
) -> None:
    attempt = lost()
    Attempt.objects.update(due_at=timezone.now() - MINUTE)
    worker = subprocess.Popen(
        [sys.executable, "-u", "manage.py", "work", "--every", "0.05"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stdout
        assert worker.stdout.readline().startswith("Working:")
        while Attempt.objects.get(pk=attempt.pk).state != AttemptState.APPROVED:
            assert worker.poll() is None
        worker.send_signal(how)
        out, err = worker.communicate(timeout=60)
    finally:
        worker.kill()
        worker.wait()
    assert (worker.returncode, out.strip()) == (0, "Stopped."), err
    assert_books_agree()
