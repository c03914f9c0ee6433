"""What a partner earns on one line of an invoice, and what is taken back of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Count, Q, Sum
from django.db.models.functions import Abs
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing import money
from billing.actions import COMMISSION_ACTIONS, permissions_of
from billing.commissions import Rate
from billing.models.base import amount_field
from billing.models.event import Event
from billing.models.guard import Actor, NotAllowed, NotOffered, OneTimeKey, may, name_of, once
from billing.models.offering import role_sentence
from billing.models.record import Record
from billing.money import ZERO
from billing.statuses import CommissionKind, CommissionStatus, RateKind

if TYPE_CHECKING:
    from billing.models.invoice import Invoice
    from billing.models.line import InvoiceLine
    from billing.models.partners.partner import Partner
    from billing.models.partners.payout import Payout

UNPAID = frozenset({CommissionStatus.PENDING, CommissionStatus.APPROVED})
"""Still to be paid, or taken off: these may change with the invoice's money. A paid row never does."""
BORN = {
    CommissionKind.COMMISSION: CommissionStatus.PENDING,
    CommissionKind.CLAWBACK: CommissionStatus.APPROVED,
}
"""Nobody need approve a clawback: it is taken off the partner's next payout for certain."""
MOST_AT_ONCE = 20_000
"""Commissions that one approval takes."""
AT_A_TIME = 5000
"""Rows that one statement names; SQLite takes no more than 32,766 values."""


class CommissionQuerySet(models.QuerySet["Commission"]):
    def locked(self) -> CommissionQuerySet:
        """Rows that nobody else may change until the transaction ends, once the query has run. Everybody
        takes them in the same order.
        """
        return self.order_by("pk").select_for_update(of=("self",))

    def counted(self) -> CommissionQuerySet:
        """All that a partner has earned, was paid or owes back: everything but what was cancelled."""
        return self.exclude(status=CommissionStatus.CANCELLED)

    def approved(self) -> CommissionQuerySet:
        return self.filter(status=CommissionStatus.APPROVED)

    def for_list(self) -> CommissionQuerySet:
        """Newest first, with what a row shows."""
        return self.with_names().order_by("-earned_on", "-id")

    def with_names(self) -> CommissionQuerySet:
        return self.select_related("partner__contact", "partner__program", "invoice", "line")

    def figures_by_currency(self) -> list[dict[str, Any]]:
        """One row per currency: what is pending, approved, to be taken back, and paid. One query."""

        def sum_of(**which: Any) -> Sum:
            return Sum("amount", filter=Q(**which), default=ZERO)

        earned = CommissionKind.COMMISSION
        rows = (
            self.counted()
            .values("currency")
            .annotate(
                count=Count("id"),
                pending=sum_of(status=CommissionStatus.PENDING),
                approved=sum_of(status=CommissionStatus.APPROVED, kind=earned),
                to_claw_back=sum_of(status=CommissionStatus.APPROVED, kind=CommissionKind.CLAWBACK),
                paid=sum_of(status=CommissionStatus.PAID),
            )
            .order_by("currency")
        )
        return [dict(row) for row in rows]


class Commission(Record):
    """Money for a partner, on one line and level, at the rate of the moment when it was first worked out.

    Only ``settling`` beside this file writes these rows and changes unpaid ones; approval and a payout
    change their status. The rows of a line, partner and level that are not cancelled add up to what is due.
    The amount of a clawback is negative.
    """

    TABLE = COMMISSION_ACTIONS

    invoice = models.ForeignKey("billing.Invoice", models.PROTECT, related_name="commissions")
    line = models.ForeignKey(
        "billing.InvoiceLine",
        models.PROTECT,
        related_name="commissions",
        db_index=False,
        verbose_name=_("product"),
    )
    partner = models.ForeignKey(
        "billing.Partner",
        models.PROTECT,
        related_name="commissions",
        db_index=False,
        verbose_name=_("partner"),
    )
    level = models.PositiveSmallIntegerField(_("level"))
    kind = models.CharField(_("kind"), max_length=10, choices=CommissionKind)
    status = models.CharField(_("status"), max_length=9, choices=CommissionStatus)
    rate_kind = models.CharField(_("rate is"), max_length=7, choices=RateKind)
    rate_value = models.DecimalField(_("rate"), max_digits=money.MAX_DIGITS, decimal_places=4)
    amount = amount_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    payout = models.ForeignKey(
        "billing.Payout", models.PROTECT, null=True, related_name="commissions", verbose_name=_("payout")
    )
    earned_on = models.DateField(_("date"))

    objects = CommissionQuerySet.as_manager()

    if TYPE_CHECKING:
        invoice_id: int
        line_id: int
        partner_id: int
        payout_id: int | None
        invoice: Invoice  # type: ignore[no-redef]
        line: InvoiceLine  # type: ignore[no-redef]
        partner: Partner  # type: ignore[no-redef]
        payout: Payout | None  # type: ignore[no-redef]

    class Meta:
        default_permissions = ("view",)
        permissions = permissions_of(COMMISSION_ACTIONS, "commissions")
        verbose_name = _("commission")
        indexes: ClassVar = [
            models.Index(fields=["-earned_on", "-id"], name="commission_by_day"),
            models.Index(fields=["status", "-earned_on", "-id"], name="commission_by_status"),
            models.Index(fields=["partner", "-earned_on", "-id"], name="commission_by_partner"),
            models.Index(fields=["line", "partner", "level"], name="commission_by_line"),
            models.Index(fields=["amount", "id"], name="commission_by_amount"),
            models.Index(Abs("amount"), "id", name="commission_by_size"),
            models.Index(fields=["currency", "-earned_on", "-id"], name="commission_by_currency"),
            models.Index(
                fields=["-earned_on", "-id"],
                name="commission_clawbacks",
                condition=Q(kind=CommissionKind.CLAWBACK),
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(level__in=[1, 2]), name="commission_level_1_or_2"),
            models.CheckConstraint(
                condition=Q(status__in=CommissionStatus.values), name="commission_status_known"
            ),
            models.CheckConstraint(
                condition=Q(kind=CommissionKind.COMMISSION, amount__gt=0)
                | Q(kind=CommissionKind.CLAWBACK, amount__lt=0),
                name="commission_sign_by_kind",
            ),
            models.CheckConstraint(
                condition=~Q(kind=CommissionKind.CLAWBACK, status=CommissionStatus.PENDING),
                name="commission_clawback_needs_no_approval",
            ),
            models.CheckConstraint(
                condition=Q(status=CommissionStatus.PAID, payout__isnull=False)
                | (~Q(status=CommissionStatus.PAID) & Q(payout__isnull=True)),
                name="commission_paid_by_a_payout",
            ),
            models.CheckConstraint(
                condition=Q(rate_kind=RateKind.PERCENT, rate_value__gte=0, rate_value__lte=100)
                | Q(rate_kind=RateKind.FLAT, rate_value__gte=0),
                name="commission_rate_possible",
            ),
            models.UniqueConstraint(
                fields=["line", "partner", "level"],
                condition=Q(status__in=sorted(UNPAID)),
                name="commission_one_unpaid_per_line_partner_and_level",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind_label} {money.show(self.amount, self.currency)}"

    @property
    def state(self) -> str:  # type: ignore[override]  # the status, as the guard of records calls it
        return self.status

    @property
    def state_label(self) -> str:
        return self.status_label

    @property
    def status_label(self) -> str:
        """As ``get_status_display``, which builds the list of all labels at every call."""
        return str(CommissionStatus(self.status).label)

    @property
    def kind_label(self) -> str:
        return str(CommissionKind(self.kind).label)

    @property
    def rate(self) -> Rate:
        return Rate(RateKind(self.rate_kind), self.rate_value)

    @property
    def rate_label(self) -> str:
        """``10 %``, or ``$2.50 each``."""
        if self.rate_kind == RateKind.PERCENT:
            return f"{self.rate_value.normalize():f} %"
        return _now("%(amount)s each") % {"amount": money.show(self.rate_value, self.currency)}

    @property
    def is_unpaid(self) -> bool:
        return self.status in UNPAID

    @property
    def is_pending(self) -> bool:
        return self.status == CommissionStatus.PENDING

    @property
    def is_clawback(self) -> bool:
        return self.kind == CommissionKind.CLAWBACK

    @property
    def is_counted(self) -> bool:
        return self.status != CommissionStatus.CANCELLED

    # -- what can be done by hand

    @classmethod
    def approve(cls, by: Actor, *, ids: Iterable[int], at: datetime, key: UUID | None = None) -> Event:
        """Approve those of ``ids`` that are pending.

        Raises NotAllowed, AlreadyDone, and NotOffered when none is.
        """
        action = COMMISSION_ACTIONS["approve"]
        if not may(by, action.codename):
            raise NotAllowed(role_sentence(action))
        used_once = OneTimeKey(key, by, action.name, Q(figures__has_key="commissions"))
        used_once.refuse_used()
        wanted = sorted(set(ids))

        def work() -> Event:
            used_once.refuse_used()
            rows = [
                row
                for part in parts(wanted)
                for row in cls.objects.filter(pk__in=part, status__in=action.on)
                .select_related("partner__contact")
                .locked()
            ]
            if not rows:
                raise NotOffered(_now("None of these commissions is pending any more: nothing was approved."))
            for part in parts([row.pk for row in rows]):
                cls.objects.filter(pk__in=part).update(status=CommissionStatus.APPROVED)
            return _note_approval(rows, by, at=at, key=key)

        return once(used_once, work)


def parts(ids: list[int]) -> list[list[int]]:
    """Ids in portions that one statement can name."""
    return [ids[first : first + AT_A_TIME] for first in range(0, len(ids), AT_A_TIME)]


def sums_of(rows: Iterable[Commission]) -> dict[str, Decimal]:
    """Per currency."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, ZERO) + row.amount
    return dict(sorted(sums.items()))


def _note_approval(rows: list[Commission], by: Actor, *, at: datetime, key: UUID | None) -> Event:
    """In the timeline of the partner, when all are of one.

    Not in an invoice's: its row would have to be locked before these, or a refund at the same moment, which
    takes them the other way round, would never end.
    """
    partners = {row.partner_id: row.partner for row in rows}
    sums = sums_of(rows)
    shown = ", ".join(money.show(amount, currency) for currency, amount in sums.items())
    words = ngettext(
        "%(count)s commission approved: %(sum)s.", "%(count)s commissions approved: %(sum)s.", len(rows)
    )
    one = next(iter(partners.values())) if len(partners) == 1 else None
    return Event.objects.create(
        contact_id=one.contact_id if one else None,
        subject=str(one or _now("Commissions"))[:120],
        actor=by,
        actor_name=name_of(by),
        action="approve",
        text=words % {"count": len(rows), "sum": shown},
        figures={
            "commissions": len(rows),
            **{currency: money.plain(amount, currency) for currency, amount in sums.items()},
        },
        key=key,
        at=at,
    )
