"""Whether the desk is well: what runs by itself, what waits, and who can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing import clock, gateways, mail
from billing.models import Attempt, EmailTemplate, GatewayEvent, Job, Mail
from billing.models.job import VERIFY_BOOKS
from billing.statuses import MailState
from billing.views.access import DeskRequest, desk


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits: how much, and since when the first of it should have been done."""

    label: str
    waiting: int
    overdue_since: datetime | None
    failed: int = 0


@require_safe
@desk("billing.view_job")
def health(request: DeskRequest) -> HttpResponse:
    now = clock.now()
    jobs = {job.name: job for job in Job.objects.of_the_worker()}
    checked = jobs.get("check_gateways")
    context = {
        "jobs": [(job, job.is_late(now)) for job in jobs.values()],
        "stands_still": Job.objects.stand_still(now),
        "books": Job.objects.filter(name=VERIFY_BOOKS).first(),
        "gateways": gateways.installed(),
        "gateway_trouble": checked.error if checked else "",
        "gateways_checked_at": checked.ran_at if checked else None,
        "queues": [_mails(now), _attempts(now), _notices(now)],
        "mail_server": mail.has_server(),
        "templates": EmailTemplate.objects.exclude(error="").order_by("kind"),
    }
    return render(request, "billing/health.html", context)


def _mails(now: datetime) -> Queue:
    queued = Q(state=MailState.QUEUED)
    found = Mail.objects.filter(queued | Q(state=MailState.FAILED)).aggregate(
        waiting=Count("id", filter=queued),
        failed=Count("id", filter=~queued),
        since=Min("next_try_at", filter=queued & Q(next_try_at__lte=now)),
    )
    since = found["since"] if mail.has_server() else None  # without one they are kept to be read
    return Queue(_("E-mails"), found["waiting"], since, found["failed"])


def _attempts(now: datetime) -> Queue:
    found = Attempt.objects.in_flight().aggregate(
        waiting=Count("id"), since=Min("due_at", filter=Q(due_at__lte=now))
    )
    return Queue(_("Charges and refunds without an answer"), found["waiting"], found["since"])


def _notices(now: datetime) -> Queue:
    waiting = GatewayEvent.objects.waiting().aggregate(
        count=Count("id"), since=Min("due_at", filter=Q(due_at__lte=now))
    )
    failed = GatewayEvent.objects.given_up().count()
    return Queue(_("Messages of gateways"), waiting["count"], waiting["since"], failed)
