"""Whose turn a job is: once in a period for all workers, again after a failure, and after a death."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from billing.models import Job, JobRun
from billing.models.job import LEASE, JobRunQuerySet, start_of_period
from billing.tasks import rounds, tick
from tests.attempts.locks import no_locks

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NOW = datetime(2026, 3, 2, 12, 3, tzinfo=UTC)
TICKERS = 8


def claim(at: datetime = NOW, every: timedelta = DAY) -> JobRun | None:
    return JobRun.objects.claim("housekeeping", every=every, at=at)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """When the one job that there is has run."""
    moments: list[datetime] = []

    def job(now: datetime, proceed: object) -> Counter[str]:
        moments.append(now.replace(microsecond=0))
        return Counter()

    monkeypatch.setattr(rounds, "JOBS", {"housekeeping": job})
    return moments


# -- periods


@pytest.mark.parametrize(
    ("every", "start"),
    [
        (timedelta(minutes=5), datetime(2026, 3, 2, 12, 0, tzinfo=UTC)),
        (timedelta(hours=1), datetime(2026, 3, 2, 12, 0, tzinfo=UTC)),
        (DAY, datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
def test_a_period_begins_at_a_whole_multiple(every: timedelta, start: datetime) -> None:
    assert start_of_period(every, NOW) == start


def test_a_day_begins_at_midnight_here() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    with timezone.override(tokyo):
        assert start_of_period(DAY, NOW.replace(hour=16)) == datetime(2026, 3, 3, tzinfo=tokyo)


@pytest.mark.django_db
def test_a_job_runs_once_in_each_period(ran: list[datetime]) -> None:
    for hours in range(0, 48, 6):
        tick(NOW + timedelta(hours=hours))
    assert ran == [NOW, NOW + 12 * timedelta(hours=1), NOW + 36 * timedelta(hours=1)]


# -- who dies, and who fails


@pytest.mark.django_db
def test_what_a_dead_worker_took_on_is_anybodys_after_its_lease() -> None:
    assert claim()
    assert claim(NOW + LEASE - MINUTE) is None
    again = claim(NOW + LEASE)
    assert again
    again.mark_done(NOW + LEASE)
    assert claim(NOW + 2 * LEASE) is None


@pytest.mark.django_db
def test_one_that_was_taken_for_dead_hands_nothing_back_that_is_not_its_own() -> None:
    slow = claim()
    assert slow
    assert claim(NOW + LEASE)
    slow.give_back(NOW + LEASE)
    assert claim(NOW + LEASE) is None


@pytest.mark.django_db
def test_a_job_that_fails_is_left_alone_for_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def fails(now: datetime, proceed: object) -> Any:
        tried.append((now - NOW) // MINUTE)
        raise RuntimeError("the disk is full")

    for name in ("housekeeping", "send_due_mail"):
        monkeypatch.setattr(rounds, "JOBS", {name: fails})
        for minutes in range(50):
            tick(NOW + minutes * MINUTE)
        assert tried == [0, 1, 3, 7, 15, 31, 47]
        tried.clear()
        job = Job.objects.get(name=name)
        assert (job.failures, job.error) == (7, "RuntimeError: the disk is full")
        assert job.next_try_at == NOW + 63 * MINUTE


@pytest.mark.django_db
def test_a_check_that_fails_rests_no_longer_than_its_period(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(now: datetime, proceed: object) -> Any:
        raise ConnectionError("nobody there")

    monkeypatch.setattr(rounds, "JOBS", {"check_gateways": fails})
    for minutes in range(40):
        tick(NOW + minutes * MINUTE)
    job = Job.objects.get(name="check_gateways")
    assert job.next_try_at
    assert job.next_try_at - job.ran_at == timedelta(minutes=5)


# -- who comes at the same time


def go_round() -> None:
    try:
        tick(NOW)
    finally:
        connection.close()


def claims_of_two() -> int:
    """How many have the same run, when both have written it down and each waits for the other to take it."""
    inserted, taking = Barrier(2), Barrier(2)
    insert, save = JobRunQuerySet.bulk_create, JobRun.save

    def insert_together(self: JobRunQuerySet, *args: Any, **kwargs: Any) -> Any:
        made = insert(self, *args, **kwargs)
        inserted.wait(20)
        return made

    def save_together(self: JobRun, *args: Any, **kwargs: Any) -> None:
        with suppress(BrokenBarrierError):  # where the row is locked, nobody else comes as far as this
            taking.wait(0.5)
        save(self, *args, **kwargs)

    def take() -> JobRun | None:
        try:
            return claim()
        finally:
            connection.close()

    with (
        patch.object(JobRunQuerySet, "bulk_create", insert_together),
        patch.object(JobRun, "save", save_together),
        ThreadPoolExecutor(2) as pool,
    ):
        taken = [pool.submit(take) for _ in range(2)]
        return sum(1 for run in taken if run.result())


@pytest.mark.django_db
def test_whoever_looked_before_another_took_it_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    insert, found = JobRunQuerySet.bulk_create, list[JobRun | None]()

    def too_late(self: JobRunQuerySet, *args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(JobRunQuerySet, "bulk_create", insert)
        found.append(claim())
        return insert(self, *args, **kwargs)

    monkeypatch.setattr(JobRunQuerySet, "bulk_create", too_late)
    found.append(claim())
    assert [bool(run) for run in found] == [True, False]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_it_at_the_same_time_one_has_it() -> None:
    assert claims_of_two() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_both_would_have_it() -> None:
    with no_locks(JobRunQuerySet):
        assert claims_of_two() == 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_eight_tickers_make_one_run(ran: list[datetime], monkeypatch: pytest.MonkeyPatch) -> None:
    ready = Barrier(TICKERS)
    insert = JobRunQuerySet.bulk_create

    def together(self: JobRunQuerySet, *args: Any, **kwargs: Any) -> Any:
        ready.wait(20)
        return insert(self, *args, **kwargs)

    monkeypatch.setattr(JobRunQuerySet, "bulk_create", together)
    with ThreadPoolExecutor(TICKERS) as pool:
        for done in [pool.submit(go_round) for _ in range(TICKERS)]:
            done.result()
    assert ran == [NOW]
    assert JobRun.objects.count() == 1
