"""Whether the desk is well: what runs by itself, what waits, and who can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Min, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing import clock, gateways, mail
from billing.actions import RUNNING
from billing.models import Attempt, EmailTemplate, GatewayEvent, Invoice, Job, Mail, Order
from billing.models.job import ROUND, STANDS_STILL_AFTER, VERIFY_BOOKS
from billing.statuses import MailState
from billing.views.access import DeskRequest, desk


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits: how much, since when the first of it should have been done, and how often the worst of it
    has been tried in vain.
    """

    label: str
    waiting: int
    overdue_since: datetime | None
    tries: int = 0
    failed: int = 0


@require_safe
@desk("billing.view_job")
def health(request: DeskRequest) -> HttpResponse:
    now = clock.now()
    rows = {job.name: job for job in Job.objects.order_by("-failures", "name")}
    jobs = [job for name, job in rows.items() if name not in (VERIFY_BOOKS, ROUND)]
    last_round = max((job.ran_at for name, job in rows.items() if name != VERIFY_BOOKS), default=None)
    context = {
        "jobs": [(job, job.is_late(now)) for job in jobs],
        "last_round": last_round,
        "stands_still": last_round is None or last_round <= now - STANDS_STILL_AFTER,
        "books": rows.get(VERIFY_BOOKS),
        "gateways": gateways.installed(),
        "gateway_check": rows.get("check_gateways"),
        "mail_server": mail.has_server(),
        "templates": EmailTemplate.objects.exclude(error="").order_by("kind"),
        "mail_check": rows.get("check_mail_server"),
        "queues": [_mails(now), _attempts(now), _notices(now), _orders(now), _charges(now)],
    }
    return render(request, "billing/health.html", context)


def _mails(now: datetime) -> Queue:
    queued = Q(state=MailState.QUEUED)
    found = Mail.objects.filter(queued | Q(state=MailState.FAILED)).aggregate(
        waiting=Count("id", filter=queued),
        failed=Count("id", filter=~queued),
        since=Min("next_try_at", filter=queued & Q(next_try_at__lte=now)),
        tries=Max("tries", filter=queued),
    )
    since = found["since"] if mail.has_server() else None  # without one they are kept to be read
    return Queue(_("E-mails"), found["waiting"], since, found["tries"] or 0, found["failed"])


def _attempts(now: datetime) -> Queue:
    found = Attempt.objects.in_flight().aggregate(
        waiting=Count("id"), since=Min("due_at", filter=Q(due_at__lte=now)), tries=Max("asked")
    )
    label = _("Charges and refunds without an answer")
    return Queue(label, found["waiting"], found["since"], found["tries"] or 0)


def _notices(now: datetime) -> Queue:
    waiting = GatewayEvent.objects.waiting().aggregate(
        count=Count("id"), since=Min("due_at", filter=Q(due_at__lte=now)), tries=Max("tries")
    )
    failed = GatewayEvent.objects.given_up().count()
    label = _("Messages of gateways")
    return Queue(label, waiting["count"], waiting["since"], waiting["tries"] or 0, failed)


def _orders(now: datetime) -> Queue:
    due = Q(next_charge_at__lte=now)
    found = Order.objects.filter(due, status__in=sorted(RUNNING)).aggregate(
        waiting=Count("id"), since=Min("next_charge_at")
    )
    return Queue(_("Orders to bill"), found["waiting"], found["since"])


def _charges(now: datetime) -> Queue:
    found = Invoice.objects.filter(charge_due_at__isnull=False).aggregate(
        waiting=Count("id"), since=Min("charge_due_at", filter=Q(charge_due_at__lte=now))
    )
    return Queue(_("Invoices to charge"), found["waiting"], found["since"])
