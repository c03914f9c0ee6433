"""What is too old to matter goes, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from billing import wakeups
from billing.housekeeping import tidy_up
from billing.models import JobRun
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_only_what_is_too_old_goes() -> None:
    now = timezone.now()
    for age in (0, 40):
        client = Client()
        client.force_login(UserFactory.create())
        Session.objects.filter(pk=client.session.session_key).update(expire_date=now + DAY - age * DAY)
        AccessAttempt.objects.create(username=f"ada{age}", failures_since_start=1)
        AccessAttempt.objects.filter(username=f"ada{age}").update(attempt_time=now - age * DAY)
        JobRun.objects.create(name="done", period=now - age * DAY, due_at=now, done_at=now - age * DAY)
        JobRun.objects.create(name="given up", period=now - age * DAY, due_at=now)
        wake_up = wakeups.send.enqueue()
        DBTaskResult.objects.filter(pk=wake_up.id).update(enqueued_at=now - age * DAY)
    assert tidy_up(now) == {"refused sign-ins": 1, "runs": 1, "runs given up": 1, "wake-ups": 1}
    assert AccessAttempt.objects.get().username == "ada0"
    assert Session.objects.count() == 1
    assert (JobRun.objects.count(), DBTaskResult.objects.count()) == (2, 1)
    assert tidy_up(now) == {}
