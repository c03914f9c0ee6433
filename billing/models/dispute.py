"""A customer's bank took money back: what the gateway says of it, and what is left to do here."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.actions import DISPUTE_ACTIONS, permissions_of
from billing.gateways import DisputeFacts, fit
from billing.models.base import amount_field
from billing.models.guard import Actor, Deed, Stale, once, tell
from billing.models.record import Record
from billing.statuses import DisputeState

if TYPE_CHECKING:
    from billing.models.event import Event
    from billing.models.invoice import Invoice
    from billing.models.payment import Payment

OPEN = Q(state=DisputeState.OPEN)
LOST = Q(state=DisputeState.LOST, refund=None)
"""The bank kept the money, and nobody has written that down yet."""


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def open(self) -> DisputeQuerySet:
        return self.filter(OPEN)

    def for_a_person(self) -> DisputeQuerySet:
        """Those to be answered or, once lost, to be written down; the first deadline first."""
        left = Q(payment__refunded_amount__lt=F("payment__amount"))
        waiting = self.filter(OPEN | LOST & left, payment__isnull=False)
        return waiting.order_by(F("respond_by").asc(nulls_last=True), "id")

    def for_list(self) -> DisputeQuerySet:
        return self.select_related("payment__invoice__contact")


class Dispute(Record):
    """``amount`` is positive, in the payment's currency. ``payment`` is None while the desk knows of none.

    ``refund`` is the record of a lost one: the money went back without anybody here sending it.
    """

    TABLE = DISPUTE_ACTIONS

    payment = models.ForeignKey("billing.Payment", models.PROTECT, null=True, related_name="disputes")
    gateway = models.CharField(_("gateway"), max_length=20)
    ref = models.CharField(_("gateway reference"), max_length=255)
    charge_ref = models.CharField(_("charge"), max_length=255, blank=True)
    amount = amount_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.CharField(_("reason"), max_length=60, blank=True)
    state = models.CharField(_("state"), max_length=4, choices=DisputeState, default=DisputeState.OPEN)
    respond_by = models.DateTimeField(_("answer by"), null=True)
    url = models.TextField(_("page at the gateway"), blank=True)
    refund = models.OneToOneField(
        "billing.Payment", models.PROTECT, null=True, related_name="refund_of_dispute"
    )
    opened_at = models.DateTimeField(_("opened"))
    closed_at = models.DateTimeField(_("closed"), null=True)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = permissions_of(DISPUTE_ACTIONS, "disputes")
        verbose_name = _("dispute")
        indexes: ClassVar = [
            models.Index(fields=["respond_by", "id"], name="dispute_for_a_person", condition=OPEN | LOST),
            models.Index(fields=["payment", "respond_by"], name="dispute_open_by_payment", condition=OPEN),
            models.Index(
                fields=["gateway", "charge_ref"], name="dispute_of_unknown", condition=Q(payment=None)
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "ref"], name="dispute_one_per_ref"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="dispute_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=DisputeState.values), name="dispute_state_known"),
            models.CheckConstraint(
                condition=Q(state=DisputeState.OPEN, closed_at__isnull=True)
                | (~Q(state=DisputeState.OPEN) & Q(closed_at__isnull=False)),
                name="dispute_closed_has_its_moment",
            ),
            models.CheckConstraint(
                condition=Q(refund__isnull=True) | Q(state=DisputeState.LOST),
                name="dispute_recorded_was_lost",
            ),
        ]

    def __str__(self) -> str:
        return _now("Dispute over %(amount)s") % {"amount": money.show(self.amount, self.currency)}

    @property
    def state_label(self) -> str:
        return str(self.get_state_display())

    @property
    def is_open(self) -> bool:
        return self.state == DisputeState.OPEN

    # -- what the gateway says

    @classmethod
    def learn(cls, gateway: str, facts: DisputeFacts, payment: Payment | None, *, at: datetime) -> Dispute:
        """Write down how it stands, once, and say in the timeline what is new. No transaction may be open.

        Of two that asked the gateway at once the slower one may bring older news: what is closed stays so.
        """
        with transaction.atomic(durable=True):
            if payment:
                payment.invoice.lock()  # first, as :meth:`record` does: the timeline's line needs it too
            dispute, is_new = cls.objects.get_or_create(
                gateway=gateway, ref=fit(facts.ref, 255), defaults=_first(facts, payment, at)
            )
            dispute.lock()
            if dispute.take(facts, payment, at) or is_new:
                dispute.tell()
        return dispute

    def take(self, facts: DisputeFacts, payment: Payment | None, at: datetime) -> bool:
        """Bring the locked row up to date; whether the timeline should hear of it."""
        news = self.payment_id is None and payment is not None
        self.payment = self.payment or payment
        if self.is_open:
            news = news or facts.state != DisputeState.OPEN
            self.state, self.closed_at = facts.state.value, _closing(facts, at)
            self.respond_by = facts.respond_by
            self.url, self.reason = fit(facts.url, 2000), fit(facts.reason, 60)
        self.save(update_fields=["payment", "state", "closed_at", "respond_by", "url", "reason"])
        return news

    def tell(self) -> None:
        """Say in the timeline how it stands, in the caller's transaction."""
        if self.payment is None:
            return
        words = {"amount": money.show(self.amount, self.currency), "reason": self.why or _now("no reason")}
        text = str(TOLD[DisputeState(self.state)]) % words
        if self.is_open and self.respond_by:
            text += " " + _now("Answer at the gateway by %(day)s.") % {"day": self.deadline}
        deed = Deed(text, self._figures, {"payment": self.payment})
        tell(self.payment.invoice, None, f"dispute_{self.state}", deed)

    @property
    def why(self) -> str:
        """The bank's reason, as words."""
        return self.reason.replace("_", " ")

    @property
    def deadline(self) -> str:
        return date_format(timezone.localtime(self.respond_by), "j M Y") if self.respond_by else ""

    # -- what is left to do

    @property
    def nothing_to_record(self) -> str:
        """The reason why no refund is to be recorded, or nothing."""
        if self.payment is None:
            return _now("The desk knows no payment that this dispute is about: match it first.")
        if self.refund_id:
            return _now("The refund of this dispute has been recorded already.")
        if not self.recordable:
            return _now("All of the payment has been refunded, so there is nothing left to record.")
        return ""

    @property
    def recordable(self) -> Decimal:
        """What a lost dispute took back and no refund tells of yet."""
        return min(self.amount, self.payment.refundable) if self.payment else money.ZERO

    def record(self, by: Actor, *, key: UUID | None = None, seen: int | None = None) -> Event:
        """Write down that the bank gave the money back: a refund that is recorded only.

        Raises NotAllowed, NotOffered, Stale, AlreadyDone.
        """
        action = DISPUTE_ACTIONS["record"]
        used_once = self.one_time_key(key, by, action.name)
        used_once.refuse_used()

        def work() -> Event:
            used_once.refuse_used()
            invoice = self._lock_invoice(seen)
            payment = self.payment
            self.lock_for(action, by)
            assert payment is not None  # or there would be nothing to record
            assert invoice is not None
            self.payment = payment  # the one that was read under the lock
            reason = _now("Dispute %(ref)s was lost") % {"ref": self.ref}
            self.refund = invoice.record_returned(self.payment, self.recordable, by, reason)
            self.save(update_fields=["refund"])
            return tell(invoice, by, action.name, self._deed(self.refund), key=key)

        return once(used_once, work)

    def _lock_invoice(self, seen: int | None) -> Invoice | None:
        """The invoice of the payment, locked before this row, as whoever else changes it locks it."""
        if self.payment is None:
            return None
        invoice = self.payment.invoice
        invoice.lock()
        self.payment.refresh_from_db(fields=["refunded_amount"])
        if seen is not None and seen != invoice.version:
            raise Stale(
                _now("%(invoice)s has changed since you opened it. Nothing was done; please look again.")
                % {"invoice": invoice}
            )
        return invoice

    def _deed(self, refund: Payment) -> Deed:
        words = {"amount": money.show(-refund.amount, self.currency)}
        text = _now("%(amount)s recorded as refunded: the customer's bank took it back.")
        return Deed(text % words, self._figures, {"payment": refund})

    @property
    def _figures(self) -> dict[str, str | int | None]:
        return {"amount": str(self.amount), "currency": self.currency, "dispute": self.pk}


TOLD = {
    DisputeState.OPEN: _("The customer's bank disputes %(amount)s (%(reason)s)."),
    DisputeState.WON: _("The dispute over %(amount)s was won: the money stays."),
    DisputeState.LOST: _("The dispute over %(amount)s was lost: the customer's bank took the money back."),
}


def _first(facts: DisputeFacts, payment: Payment | None, at: datetime) -> dict[str, object]:
    return {
        "payment": payment,
        "charge_ref": fit(facts.charge_ref, 255),
        "amount": facts.amount,
        "currency": facts.currency,
        "reason": fit(facts.reason, 60),
        "state": facts.state.value,
        "respond_by": facts.respond_by,
        "url": fit(facts.url, 2000),
        "opened_at": at,
        "closed_at": _closing(facts, at),
    }


def _closing(facts: DisputeFacts, at: datetime) -> datetime | None:
    return None if facts.state == DisputeState.OPEN else at
