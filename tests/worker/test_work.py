"""The worker outlives what goes wrong around it, and ends when it is told to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from billing import tasks, wakeups, worker
from billing.models import Job, Mail
from billing.models.job import ROUND
from billing.statuses import MailState
from billing.worker import work
from tests.factories import InvoiceFactory

PATIENCE = 20.0
THROW_OUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


@contextmanager
def working(*, every: float) -> Iterator[None]:
    stopping = Event()
    thread = Thread(target=work, args=[stopping], kwargs={"every": every})
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def request_payment() -> None:
    InvoiceFactory.create().request_payment(None, recipient="ada@example.com", message="")


def all_sent() -> bool:
    return not Mail.objects.exclude(state=MailState.SENT).exists()


@pytest.mark.django_db(transaction=True)
def test_a_mail_leaves_long_before_the_next_round() -> None:
    with working(every=3600):
        wait_for(Job.objects.filter(name="housekeeping").exists)  # the last of the first round
        request_payment()
        wait_for(all_sent)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_database_that_throws_it_out_is_asked_again() -> None:
    with working(every=3600):
        wait_for(Job.objects.filter(name="housekeeping").exists)
        with connection.cursor() as cursor:
            cursor.execute(THROW_OUT)
        request_payment()
        wait_for(all_sent)
    assert not Job.objects.exclude(error="").exists()


def test_a_database_that_is_away_is_waited_for_longer_each_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stopping, rounds = Event(), iter([OperationalError("the connection is closed\n")] * 3 + [None])
    waited: list[float] = []

    def go_round(now: datetime, proceed: Any) -> None:
        error = next(rounds)
        if error:
            raise error
        stopping.set()

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return stopping.is_set()

    monkeypatch.setattr(worker, "tick", go_round)
    monkeypatch.setattr(wakeups, "answer", lambda proceed: 0)
    monkeypatch.setattr(stopping, "wait", wait)
    with caplog.at_level(logging.ERROR):
        work(stopping, every=0.25)
    assert waited == [1, 0.25, 2, 0.25, 4, 0.25, 0.25]
    assert caplog.messages[0] == "The database cannot be used; next try in 1 s. the connection is closed"


@pytest.mark.django_db
def test_each_round_is_noted_although_all_jobs_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(Job.objects.none().__class__, "resting", lambda self, at: set(tasks.JOBS))
    tasks.tick(now + timedelta(minutes=1))
    assert Job.objects.get().name == ROUND
    assert Job.objects.last_round() == now + timedelta(minutes=1)


@pytest.mark.django_db
def test_a_round_that_did_something_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    request_payment()
    tasks.tick(timezone.now(), only=["resolve_attempts", "send_due_mail"])
    tasks.tick(timezone.now(), only=["resolve_attempts", "send_due_mail"])
    assert [message.split(": ")[1] for message in caplog.messages] == ["send_due_mail 1 sent"]
