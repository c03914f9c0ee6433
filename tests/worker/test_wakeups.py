"""Work that is written down and due wakes a worker; the rows stay the truth."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from billing import wakeups
from billing.models import Invoice, Mail, Order, Payment
from billing.statuses import MailState
from billing.tasks import tick
from tests.factories import InvoiceFactory, OrderFactory

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def request_payment() -> None:
    InvoiceFactory.create().request_payment(None, recipient="ada@example.com", message="")


def waiting() -> list[str]:
    return [row.task_name for row in DBTaskResult.objects.ready()]


def test_a_mail_wakes_a_worker_that_sends_it() -> None:
    request_payment()
    assert waiting() == ["send"]
    assert wakeups.answer() == 1
    assert Mail.objects.get().state == MailState.SENT
    assert waiting() == []


def test_what_is_rolled_back_wakes_nobody() -> None:
    request_payment()
    mail = Mail.objects.get()
    DBTaskResult.objects.all().delete()
    with transaction.atomic():
        mail.send_again(timezone.now())
        assert waiting() == ["send"]
        transaction.set_rollback(True)
    assert waiting() == []


def test_nobody_is_woken_for_mails_that_stay_here(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    request_payment()
    assert waiting() == []


def test_an_order_that_is_due_is_billed_charged_and_its_receipt_sent() -> None:
    order = OrderFactory.create(payments=1)
    DBTaskResult.objects.all().delete()
    order.save(update_fields=["next_charge_at"])
    assert waiting() == ["bill"]
    assert wakeups.answer() == 1
    assert Invoice.objects.get().status == "closed"
    assert Payment.objects.count() == 1
    assert Mail.objects.get().state == MailState.SENT
    assert waiting() == []  # what a round leaves to do is done before it ends


def test_a_charge_that_falls_due_is_made() -> None:
    order = OrderFactory.create()
    DBTaskResult.objects.all().delete()
    Order.bill_next(timezone.now())
    invoice = Invoice.objects.get(order=order)
    assert "charge" in waiting()
    wakeups.answer()
    invoice.refresh_from_db()
    assert invoice.status == "closed"


def test_what_is_due_later_wakes_nobody() -> None:
    order = OrderFactory.create()
    DBTaskResult.objects.all().delete()
    order.next_charge_at = timezone.now() + MINUTE
    order.save(update_fields=["next_charge_at"])
    assert waiting() == []


def test_one_answer_is_for_all_who_asked_before() -> None:
    for _ in range(3):
        request_payment()
    assert len(waiting()) == 3
    assert wakeups.answer() == 1
    assert DBTaskResult.objects.get().status == TaskResultStatus.SUCCESSFUL
    assert Mail.objects.filter(state=MailState.SENT).count() == 3


def test_a_wake_up_that_is_lost_loses_nothing() -> None:
    request_payment()
    DBTaskResult.objects.update(status=TaskResultStatus.RUNNING)  # its worker was killed
    assert wakeups.answer() == 0
    tick(timezone.now())
    assert Mail.objects.get().state == MailState.SENT


def test_a_wake_up_that_runs_twice_does_nothing_the_second_time() -> None:
    request_payment()
    wakeups.answer()
    DBTaskResult.objects.update(status=TaskResultStatus.READY)
    assert wakeups.answer() == 1
    assert (Mail.objects.get().state, Mail.objects.get().tries) == (MailState.SENT, 1)


def test_whoever_is_told_to_stop_answers_no_more() -> None:
    request_payment()
    assert wakeups.answer(proceed=lambda: False) == 0
    assert waiting() == ["send"]


def test_a_whole_round_has_done_what_was_asked_before_it_began() -> None:
    request_payment()
    began = timezone.now()
    request_payment()
    wakeups.forget(before=began)
    assert waiting() == ["send"]
