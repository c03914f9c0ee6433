from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

ONLY = 1


class DeskClockQuerySet(models.QuerySet["DeskClock"]):
    def ahead(self) -> timedelta:
        """How far the desk's time is ahead. One query."""
        return self.filter(pk=ONLY).values_list("ahead", flat=True).first() or timedelta()

    def moved_to(self) -> datetime | None:
        """The moment that it was last moved to."""
        return self.filter(pk=ONLY).values_list("moved_to", flat=True).first()

    def advance(self, to: datetime, *, real: datetime) -> bool:
        """Move it to that moment, in one statement, unless it is there or beyond; whether it moved."""
        ahead = to - real
        if ahead < timedelta():
            return False
        row, is_new = self.get_or_create(pk=ONLY, defaults={"ahead": ahead, "moved_to": to})
        return is_new or bool(self.filter(pk=row.pk, ahead__lt=ahead).update(ahead=ahead, moved_to=to))

    def set_out(self, *, set_out_at: datetime, bound_for: datetime, **before: int) -> None:
        """Write down where it is taken, unless it is on its way there or has arrived."""
        row, _is_new = self.get_or_create(pk=ONLY, defaults={"ahead": timedelta(), "moved_to": set_out_at})
        elsewhere = self.filter(Q(bound_for=None) | ~Q(bound_for=bound_for), pk=row.pk)
        elsewhere.update(set_out_at=set_out_at, bound_for=bound_for, **before)


class DeskClock(models.Model):
    """How far the desk's clock runs ahead of the real one: one row, and none while it has never been moved.

    ``moved_to``: the moment that it was last moved to, from which time has gone on since. ``bound_for``:
    where a page is taking it, a day at a time. ``events_before`` and ``mails_before``: the last of these rows
    when the page set out, so that it can tell what has happened since.
    """

    ahead = models.DurationField(_("ahead by"))
    moved_to = models.DateTimeField(_("moved to"))
    bound_for = models.DateTimeField(_("on its way to"), null=True)
    set_out_at = models.DateTimeField(_("set out at"), null=True)
    events_before = models.PositiveBigIntegerField(default=0)
    mails_before = models.PositiveBigIntegerField(default=0)

    objects = DeskClockQuerySet.as_manager()

    class Meta:
        default_permissions = ("change",)
        verbose_name = _("desk's clock")
        constraints = (
            models.CheckConstraint(condition=Q(id=ONLY), name="sandbox_clock_one"),
            models.CheckConstraint(condition=Q(ahead__gte=timedelta()), name="sandbox_clock_runs_ahead"),
        )

    def __str__(self) -> str:
        return str(self.ahead)
