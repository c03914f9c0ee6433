"""One stay of an invoice in Collections: when its card is charged again, and what happens at the end."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import periods
from billing.models.base import LEASE
from billing.models.card import Card
from billing.models.recharging.settings import RechargeTerms, constraints_of
from billing.retries import Retries
from billing.statuses import InvoiceStatus, Stopped


def here() -> ZoneInfo:
    """Where the desk is: the days of every schedule begin at its midnight."""
    return ZoneInfo(timezone.get_default_timezone_name())


class ScheduleQuerySet(models.QuerySet["RechargeSchedule"]):
    def running(self) -> ScheduleQuerySet:
        """Of the invoices that are in Collections, each has one."""
        return self.filter(left_at=None)

    def ending(self, at: datetime) -> ScheduleQuerySet:
        """Those whose end is to be carried out now, the longest waiting first.

        A charge that is due or in the air comes first: its outcome may change everything.
        """
        quiet = self.running().filter(invoice__charge_due_at=None, invoice__awaiting_gateway=False)
        return quiet.filter(end_due_at__lte=at).order_by("end_due_at", "id")

    def claim_end(self, at: datetime) -> RechargeSchedule | None:
        """The first that nobody else is claiming, for the caller alone to end until the lease does."""
        with transaction.atomic(durable=True):
            due = self.ending(at).select_related("invoice__contact")
            schedule = due.select_for_update(skip_locked=True, of=("self",)).first()
            if schedule:
                schedule.end_due_at = at + LEASE
                schedule.save(update_fields=["end_due_at"])
        return schedule


class RechargeSchedule(RechargeTerms):
    """``declined`` is the charge that led into Collections, ``card`` the one that is retried, and no other is
    by itself. ``end_due_at``: when the end is carried out, empty once it was. ``left_at`` and ``left_as``:
    when the invoice left Collections, and as what.

    The next retry is the invoice's ``charge_due_at``. Whoever changes a schedule holds its invoice's lock and
    stores the invoice too, so that whoever looked at either notices.
    """

    invoice = models.ForeignKey("billing.Invoice", models.PROTECT, related_name="schedules")
    card = models.ForeignKey(
        Card, models.PROTECT, null=True, related_name="schedules", verbose_name=_("card")
    )
    declined = models.ForeignKey(
        "billing.Attempt", models.PROTECT, null=True, related_name="+", db_index=False
    )
    entered_at = models.DateTimeField(_("entered Collections"))
    entered_on = models.DateField(_("counted from"))
    stopped = models.CharField(_("retries stopped"), max_length=7, choices=Stopped, blank=True)
    end_due_at = models.DateTimeField(_("the end is due"), null=True)
    left_at = models.DateTimeField(_("left Collections"), null=True)
    left_as = models.CharField(_("left as"), max_length=12, choices=InvoiceStatus, blank=True)

    objects = ScheduleQuerySet.as_manager()

    if TYPE_CHECKING:
        card_id: int | None
        declined_id: int | None
        invoice_id: int

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("recharge schedule")
        indexes: ClassVar = [
            models.Index(
                fields=["end_due_at", "id"],
                name="schedule_end_due",
                condition=Q(end_due_at__isnull=False),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(left_at=None), name="schedule_one_running_per_invoice"
            ),
            models.CheckConstraint(
                condition=Q(stopped__in=["", *Stopped.values]), name="schedule_stop_known"
            ),
            models.CheckConstraint(
                condition=Q(left_at__isnull=True, left_as="")
                | Q(left_at__isnull=False, left_as__in=InvoiceStatus.values, end_due_at__isnull=True),
                name="schedule_left_as_something",
            ),
            *constraints_of("schedule"),
        ]

    def __str__(self) -> str:
        return _now("Retries of %(invoice)s") % {"invoice": self.invoice}

    # -- the calendar

    @property
    def retries(self) -> Retries:
        return Retries(self.entered_on, self.every_days, self.for_days, self.most_retries)

    @property
    def ends_on(self) -> date:
        return self.retries.ends_on

    def ends_at(self) -> datetime:
        return periods.begins_at(self.ends_on, here())

    def next_at(self, at: datetime, *, made: int) -> datetime | None:
        """When the card is charged next if it was tried just now; None when it is not."""
        on = None if self.stopped else self.retries.next(periods.day_at(at, here()), made=made)
        return periods.begins_at(on, here()) if on else None

    # -- words

    def outlook(self, next_at: datetime | None, *, made: int = 0) -> str:
        """What happens by itself from now on, in one or two sentences."""
        if next_at:
            return f"{self._next_words(next_at, made)} {self._end_words()}"
        if self.stopped == Stopped.OVER or not self.end_due_at:
            return _now("Nothing is charged by itself any more.")
        return f"{self.why_stopped} {self._end_words()}".strip()

    def _next_words(self, next_at: datetime, made: int) -> str:
        first = periods.day_at(next_at, here())
        later = self.retries.after(first, made=made + 1)
        words = {"card": self.card, "first": _day(first), "rhythm": self.rhythm}
        if not later:
            return _now("%(card)s is charged again on %(first)s, for the last time.") % words
        text = _now("%(card)s is charged again on %(first)s, then %(rhythm)s until %(last)s.")
        return text % {**words, "last": _day(later[-1])}

    @property
    def why_stopped(self) -> str:
        if self.stopped == Stopped.HARD:
            return _now("%(card)s is not charged again: its bank refused it for good.") % {"card": self.card}
        if self.stopped == Stopped.NO_CARD:
            return _now("Nothing is charged by itself: there is no card that can be charged.")
        return _now("Nothing is charged by itself any more.") if self.stopped else ""

    def _end_words(self) -> str:
        on = {"on": _day(self.ends_on)}
        if not self.is_written_off:
            return _now("The retries end on %(on)s at the latest; the invoice stays in Collections.") % on
        if self.stopped:
            return _now("What is owed is written off on %(on)s.") % on
        return _now("If none succeeds, what is owed is written off: on %(on)s at the latest.") % on


def _day(day: date) -> str:
    return date_format(day, "j M Y")
