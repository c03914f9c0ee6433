"""What nobody needs any more: signed-out sessions, old refusals at the door, and the marks of work done."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from importlib import import_module

from axes.models import AccessAttempt
from django.conf import settings
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from billing.models import JobRun

RUNS_KEPT = timedelta(days=30)
WAKE_UPS_KEPT = timedelta(days=1)
"""A day after it was asked for, a wake-up has been answered, or its worker has died; each round since then
has done what it asked for. The Tasks API itself would keep one whose worker died for ever.
"""


def tidy_up(at: datetime) -> Counter[str]:
    """Delete what is too old to matter; how many rows of what. Nothing here says anything about money."""
    real = timezone.now()  # noqa: TID251  # the door and the Tasks API know no other clock
    session_store = import_module(settings.SESSION_ENGINE).SessionStore
    session_store.clear_expired()
    found = {
        # a newer refusal at the same door would have renewed the row: this one locks nobody out
        "refused sign-ins": AccessAttempt.objects.filter(attempt_time__lte=real - settings.AXES_COOLOFF_TIME),
        "runs": JobRun.objects.filter(done_at__lte=at - RUNS_KEPT),
        "runs given up": JobRun.objects.filter(done_at=None, period__lte=at - RUNS_KEPT),
        "wake-ups": DBTaskResult.objects.filter(enqueued_at__lte=real - WAKE_UPS_KEPT),
    }
    counts = {what: rows.delete()[0] for what, rows in found.items()}
    return Counter({what: count for what, count in counts.items() if count})
