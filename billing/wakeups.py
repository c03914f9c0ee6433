"""Wake-ups: what has just been written down and is due is done within a second, not in the next round.

They are tasks of Django's Tasks API, written in the transaction that makes the work. A wake-up says only that
there is something to do; what, stands in the rows themselves, each with its due time. So one that is lost or
whose worker dies loses nothing, since every round finds the same rows, and one that runs twice finds nothing
the second time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save
from django_tasks import task
from django_tasks.base import DEFAULT_TASK_BACKEND_ALIAS, DEFAULT_TASK_QUEUE_NAME, Task
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from billing import clock, mail
from billing.actions import RUNNING
from billing.models import Invoice, Mail, Order
from billing.statuses import MailState
from billing.tasks import Proceed, always, is_at_work, tick

_proceed: ContextVar[Proceed] = ContextVar("proceed", default=always)


# -- the tasks


@task()
def send() -> None:
    _answer(send, "send_due_mail")


@task()
def charge() -> None:
    _answer(charge, "charge_due_invoices", "send_due_mail")


@task()
def bill() -> None:
    _answer(bill, "bill_due_orders", "charge_due_invoices", "send_due_mail")


def _answer(woken_by: Task[Any, Any], *jobs: str) -> None:
    """One run answers all who have asked for it by now; whoever asks from here on gets another."""
    DBTaskResult.objects.ready().filter(task_path=woken_by.module_path).delete()
    tick(clock.now(), proceed=_proceed.get(), only=jobs)


# -- asking for them


def listen() -> None:
    """Wake a worker whenever something is written down that is due at once."""
    for model, receiver in LISTENERS.items():
        post_save.connect(receiver, sender=model, dispatch_uid=f"billing.wakeups.{model.__name__}")


def _mail_was_written(instance: Mail, **kwargs: Any) -> None:
    if instance.state == MailState.QUEUED and mail.has_server():
        _wake(send, instance.next_try_at)


def _invoice_was_written(instance: Invoice, **kwargs: Any) -> None:
    _wake(charge, instance.charge_due_at)


def _order_was_written(instance: Order, **kwargs: Any) -> None:
    if instance.status in RUNNING:
        _wake(bill, instance.next_charge_at)


def _wake(wake_up: Task[Any, Any], due_at: datetime | None) -> None:
    """In the caller's transaction, if it has one: nobody is woken for what is then rolled back."""
    if due_at and not is_at_work() and due_at <= clock.now():
        wake_up.enqueue()


LISTENERS: dict[type[Mail | Invoice | Order], Callable[..., None]] = {
    Mail: _mail_was_written,
    Invoice: _invoice_was_written,
    Order: _order_was_written,
}


# -- answering them


def answer(*, proceed: Proceed = always) -> int:
    """Run the tasks that wait, one after the other, until there are none; how many."""
    token, answered = _proceed.set(proceed), 0
    try:
        while proceed() and (waiting := _claim_next()):
            WORKER.run_task(waiting)
            answered += 1
    finally:
        _proceed.reset(token)
    return answered


def _claim_next() -> DBTaskResult[Any, Any] | None:
    if not DBTaskResult.objects.ready().exists():
        return None  # as nearly always, without a lock
    with transaction.atomic(durable=True):
        waiting = DBTaskResult.objects.ready().get_locked()
        if waiting:
            waiting.claim(WORKER.worker_id)
    return waiting


WORKER = Worker(
    queue_names=[DEFAULT_TASK_QUEUE_NAME],
    excluded_queue_names=[],
    backend_name=DEFAULT_TASK_BACKEND_ALIAS,
    worker_id="work",
    interval=0,
    batch=True,
    max_tasks=None,
    startup_delay=False,
)
"""What runs a task and notes how it ended, as ``manage.py db_worker`` does. Its own loop would open a
connection for each look, end the process at once on SIGTERM, and know of no rounds.
"""


def forget(*, before: datetime) -> None:
    """A whole round that began at ``before`` has done what these asked for."""
    DBTaskResult.objects.ready().filter(enqueued_at__lt=before).delete()
