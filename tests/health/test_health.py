"""What the page about the desk itself says, and what the worker writes down for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from billing import tasks
from billing.gateways import NoAnswer, NotOurGateway
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Job, Payment
from billing.roles import ROLES
from billing.tasks import tick
from tests.attempts.desk import CHARGED_LOST, owing, pay
from tests.factories import InvoiceFactory, PaymentFactory, UserFactory

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def page(role: str = "Viewer") -> str:
    client = Client()
    client.force_login(UserFactory.create(role=role))
    response = client.get("/health/")
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("role", ROLES)
def test_before_anything_has_run_it_says_what_to_start(role: str) -> None:
    shown = page(role)
    assert "Nothing has been done by itself for five minutes or more" in shown
    assert "No job has run yet" in shown
    assert "Not verified yet" in shown


def test_a_round_of_the_worker_is_seen_with_what_each_job_came_to() -> None:
    pay(*owing(CHARGED_LOST))
    now = timezone.now()
    tick(now + 5 * MINUTE)
    Job.objects.update(ran_at=now)
    shown = page()
    assert "Nothing has been done by itself" not in shown
    assert "Resolve attempts" in shown
    assert "1 approved" in shown
    assert "Reached" in shown


def test_a_worker_that_stopped_is_noticed_after_five_minutes() -> None:
    tick(timezone.now() - 4 * MINUTE)
    assert "Nothing has been done by itself" not in page()
    Job.objects.update(ran_at=timezone.now() - 6 * MINUTE)
    assert "Nothing has been done by itself" in page()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoAnswer("The sandbox is asleep."), "The sandbox is asleep."),
        (NotOurGateway("The key is wrong."), "The key is wrong."),
    ],
)
def test_a_gateway_that_cannot_be_used_is_told_in_its_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fails(self: SandboxGateway) -> None:
        raise error

    monkeypatch.setattr(SandboxGateway, "check", fails)
    tick(timezone.now())
    assert f"sandbox: {words}" in page()


def test_gateways_are_asked_every_five_minutes_and_other_jobs_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: Counter[str] = Counter()

    def counting(name: str) -> Callable[[Any, Any], Counter[str]]:
        def job(now: Any, proceed: Any) -> Counter[str]:
            ran[name] += 1
            return Counter()

        return job

    for name in tasks.JOBS:
        monkeypatch.setitem(tasks.JOBS, name, counting(name))
    now = timezone.now()
    for minutes in range(11):
        tick(now + minutes * MINUTE)
    assert ran.pop("check_gateways") == 3
    assert ran.pop("tell_of_expiring_cards") == 1
    assert set(ran.values()) == {11}


def test_a_job_that_fails_is_counted_until_it_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(now: object, proceed: object) -> Any:
        raise RuntimeError("no connection")

    now = timezone.now()
    with monkeypatch.context() as patch:
        patch.setitem(tasks.JOBS, "send_due_mail", fails)
        for _ in range(2):
            tick(now)
    assert "Failed 2 times in a row: RuntimeError: no connection" in page()
    tick(now)
    job = Job.objects.get(name="send_due_mail")
    assert (job.error, job.failures) == ("", 0)


def test_a_round_with_nothing_to_do_is_written_down_once_a_minute() -> None:
    now = timezone.now()
    tick(now)
    tick(now + timedelta(seconds=30))
    assert Job.objects.get(name="send_due_mail").ran_at == now
    tick(now + 2 * MINUTE)
    assert Job.objects.get(name="send_due_mail").ran_at == now + 2 * MINUTE


def test_what_waits_is_counted_with_since_when_it_is_overdue() -> None:
    InvoiceFactory.create().request_payment(None, recipient="ada@example.com", message="")
    pay(*owing(CHARGED_LOST))
    shown = page()
    mails, attempts, _notices = shown.split('id="queues"')[1].split('<li class="row">')[1:4]
    assert "1 waiting" in mails
    assert "overdue since" in mails  # it is due at once
    assert "1 waiting" in attempts
    assert "nothing overdue" in attempts  # its own process is left alone with it for two minutes


def test_verified_books_are_told_with_the_day_and_the_difference() -> None:
    payment = PaymentFactory.create()
    call_command("verify_books")
    assert "They add up" in page()
    Payment.objects.filter(pk=payment.pk).update(amount=99)
    with pytest.raises(CommandError):
        call_command("verify_books")
    assert "disagreements in 1 invoices" in page()


def test_the_page_takes_as_many_queries_however_much_waits(django_assert_max_num_queries: Any) -> None:
    client = Client()
    client.force_login(UserFactory.create(role="Viewer"))
    for _ in range(3):
        pay(*owing(CHARGED_LOST))
    tick(timezone.now())
    client.get("/health/")
    with django_assert_max_num_queries(12):
        client.get("/health/")


def test_a_job_that_rests_for_a_day_is_late_after_a_day() -> None:
    now = timezone.now()
    daily = Job(name="tell_of_expiring_cards", ran_at=now - timedelta(hours=24))
    assert not daily.is_late(now)
    assert daily.is_late(now + timedelta(minutes=11))
    assert Job(name="send_due_mail", ran_at=now - timedelta(minutes=11)).is_late(now)
