"""What is done without anybody asking, as far as people want to know: when it ran last and how that went."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

NOTED_EVERY = timedelta(minutes=1)
"""A run with nothing to do is news only so often: a worker goes round every few seconds."""
STANDS_STILL_AFTER = timedelta(minutes=5)
LATE_AFTER = timedelta(minutes=10)
DAILY = {"tell_of_expiring_cards": timedelta(days=1)}
"""Jobs that rest for longer than that between two runs."""
VERIFY_BOOKS = "verify_books"
"""Run by hand or by cron, whenever somebody likes: it is never late."""


class JobQuerySet(models.QuerySet["Job"]):
    def of_the_worker(self) -> JobQuerySet:
        return self.exclude(name=VERIFY_BOOKS).order_by("name")

    def stand_still(self, at: datetime) -> bool:
        """Whether no worker has gone round for a while."""
        return not self.of_the_worker().filter(ran_at__gt=at - STANDS_STILL_AFTER).exists()

    def is_due(self, name: str, *, every: timedelta, at: datetime) -> bool:
        return not self.filter(name=name, ran_at__gt=at - every).exists()

    def note(self, name: str, *, at: datetime, counts: Mapping[str, int], error: str = "") -> None:
        """Write down how a run ended. At most two queries, mostly one that finds nothing to write."""
        told = {"ran_at": at, "counts": dict(counts), "error": error[:500]}
        rows = self.filter(name=name)
        news = rows if counts or error else rows.filter(~Q(error="") | Q(ran_at__lte=at - NOTED_EVERY))
        if not news.update(**told, failures=F("failures") + 1 if error else 0):
            self.get_or_create(name=name, defaults={**told, "failures": int(bool(error))})


class Job(models.Model):
    """``counts`` is what the last run came to; ``failures`` how many times in a row it has failed by now."""

    name = models.CharField(_("job"), max_length=60, unique=True)
    ran_at = models.DateTimeField(_("last run"))
    counts = models.JSONField(_("came to"), default=dict)
    error = models.CharField(_("error"), max_length=500, blank=True)
    failures = models.PositiveIntegerField(_("failed in a row"), default=0)

    objects = JobQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("job")

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """``Resolve attempts``."""
        return self.name.replace("_", " ").capitalize()

    @property
    def came_to(self) -> str:
        """``3 approved, 1 unknown``, or nothing."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))

    def is_late(self, at: datetime) -> bool:
        return at - self.ran_at > LATE_AFTER + DAILY.get(self.name, timedelta(0))
