"""What is done without anybody asking: when it ran last, how that went, and whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models, transaction
from django.db.models import F, Max, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

NOTED_EVERY = timedelta(minutes=1)
"""A run with nothing to do is news only so often: a worker goes round every few seconds."""
STANDS_STILL_AFTER = timedelta(minutes=5)
LATE_AFTER = timedelta(minutes=10)
LEASE = timedelta(minutes=10)
"""How long a worker that took a period's turn is believed to be alive."""
LONGEST_REST = timedelta(minutes=16)
"""After a failure a job rests for 1, 2, 4 … minutes, at most this long."""
VERIFY_BOOKS = "verify_books"
"""Run by hand or by cron, whenever somebody likes: it is never late."""
ROUND = "round"
"""A worker has begun to go round, whatever its jobs come to."""
DAY = timedelta(days=1)
PERIODS = {
    "check_gateways": timedelta(minutes=5),
    "check_mail_server": timedelta(minutes=5),
    "look_after_forms": timedelta(minutes=5),
    "tell_of_expiring_cards": timedelta(hours=1),
    "housekeeping": DAY,
}
"""How far two runs of a job are apart: whoever comes first in a period does it for all. The others run in
each round of each worker, since they claim row by row.
"""


class JobQuerySet(models.QuerySet["Job"]):
    def of_the_worker(self) -> JobQuerySet:
        """What the worker does in its rounds, without the rounds themselves."""
        return self.exclude(name__in=[VERIFY_BOOKS, ROUND]).order_by("name")

    def last_round(self) -> datetime | None:
        """When a worker was last seen to do something."""
        found: datetime | None = self.exclude(name=VERIFY_BOOKS).aggregate(last=Max("ran_at"))["last"]
        return found

    def failing(self) -> JobQuerySet:
        """Those whose last run failed, the longest failing first."""
        return self.of_the_worker().filter(failures__gt=0).order_by("-failures", "name")

    def resting(self, at: datetime) -> set[str]:
        """The names of those that failed and are left alone for now."""
        return set(self.filter(next_try_at__gt=at).values_list("name", flat=True))

    def note(self, name: str, *, at: datetime, counts: Mapping[str, int]) -> None:
        """Write down how a run ended. At most two queries, mostly one that finds nothing to write."""
        told = {"ran_at": at, "counts": dict(counts), "error": "", "failures": 0, "next_try_at": None}
        rows = self.filter(name=name)
        news = rows if counts else rows.filter(~Q(error="") | Q(ran_at__lte=at - NOTED_EVERY))
        if not news.update(**told):
            self.get_or_create(name=name, defaults=told)

    def note_failure(
        self, name: str, *, at: datetime, error: str, longest_rest: timedelta = LONGEST_REST
    ) -> None:
        """Write down that a run failed, and leave the job alone for longer each time."""
        self.get_or_create(name=name, defaults={"ran_at": at})
        rows = self.filter(name=name)
        rows.update(ran_at=at, counts={}, error=error[:500], failures=F("failures") + 1)
        rest = min(timedelta(minutes=2 ** min(rows.get().failures - 1, 10)), longest_rest)
        rows.update(next_try_at=at + rest)


class Job(models.Model):
    """``counts`` is what the last run came to; ``failures`` how many times in a row it has failed by now,
    and ``next_try_at`` until when it is left alone after that.
    """

    name = models.CharField(_("job"), max_length=60, unique=True)
    ran_at = models.DateTimeField(_("last run"))
    counts = models.JSONField(_("came to"), default=dict)
    error = models.CharField(_("error"), max_length=500, blank=True)
    failures = models.PositiveIntegerField(_("failed in a row"), default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True)

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
        return at - self.ran_at > PERIODS.get(self.name, timedelta(0)) + LATE_AFTER


def start_of_period(every: timedelta, at: datetime) -> datetime:
    """The moment at which the present run of ``every`` began: midnight here for a day, and for what is
    shorter the whole multiple of it.
    """
    if every >= DAY:
        return timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)
    return datetime.fromtimestamp(
        at.timestamp() // every.total_seconds() * every.total_seconds(), tz=at.tzinfo
    )


class JobRunQuerySet(models.QuerySet["JobRun"]):
    def claim(self, name: str, *, every: timedelta, at: datetime) -> JobRun | None:
        """This period's run of a job, for the caller alone until the lease ends; None when it is done or
        somebody else is at it. One whose worker died is claimed again after its lease.
        """
        period = start_of_period(every, at)
        rows = self.filter(name=name, period=period)
        if rows.filter(Q(done_at__isnull=False) | Q(due_at__gt=at)).exists():
            return None  # as nearly always, for one query
        self.bulk_create([JobRun(name=name, period=period, due_at=at)], ignore_conflicts=True)
        with transaction.atomic(durable=True):
            due = rows.filter(done_at=None, due_at__lte=at)
            run = due.select_for_update(skip_locked=True, of=("self",)).first()
            if run:
                run.due_at = at + LEASE
                run.save(update_fields=["due_at"])
        return run


class JobRun(models.Model):
    """The one run of a job in a period: an interval that begins at ``period``. ``due_at``: when it may be
    taken on, and the end of the lease of whoever did.
    """

    name = models.CharField(_("job"), max_length=60)
    period = models.DateTimeField(_("period"))
    due_at = models.DateTimeField(_("due"))
    done_at = models.DateTimeField(_("done"), null=True)

    objects = JobRunQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("run of a job")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "period"], name="job_run_one_per_period"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.period:%Y-%m-%d %H:%M}"

    def mark_done(self, at: datetime) -> None:
        """Nobody need do it again in this period."""
        type(self).objects.filter(pk=self.pk).update(done_at=at)

    def give_back(self, at: datetime) -> None:
        """It failed: whoever comes next may try, unless somebody else has taken it on since."""
        type(self).objects.filter(pk=self.pk, due_at=self.due_at).update(due_at=at)
