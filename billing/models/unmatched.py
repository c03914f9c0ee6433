"""Money that a gateway moved for nobody whom the desk knows: kept until a person says whose it is."""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, money
from billing.actions import MONEY_ACTIONS, permissions_of
from billing.gateways import Movement, fit
from billing.models.base import amount_field
from billing.models.dispute import Dispute
from billing.models.event import Event
from billing.models.guard import Actor, Deed, Invalid, name_of, once, tell
from billing.models.payment import Payment
from billing.models.record import Record
from billing.statuses import UnmatchedKind, UnmatchedState

if TYPE_CHECKING:
    from billing.models.invoice import Invoice

log = logging.getLogger(__name__)
OPEN = Q(state=UnmatchedState.OPEN)


class UnmatchedMoneyQuerySet(models.QuerySet["UnmatchedMoney"]):
    def open(self) -> UnmatchedMoneyQuerySet:
        """What waits for a person, the longest waiting first."""
        return self.filter(OPEN).order_by("happened_at", "id")

    def naming(self, gateway: str, charge_ref: str) -> UnmatchedMoneyQuerySet:
        """What was done to that charge and waits for it to be matched, in the order in which it happened."""
        return self.open().filter(gateway=gateway, charge_ref=charge_ref)


class UnmatchedMoney(Record):
    """``amount`` is positive; of a refund that is more than came, only the part above it.

    ``charge_ref`` is the charge that a refund or a dispute is about. ``payment`` is what it was matched to.
    """

    TABLE = MONEY_ACTIONS

    gateway = models.CharField(_("gateway"), max_length=20)
    ref = models.CharField(_("gateway reference"), max_length=255)
    kind = models.CharField(_("kind"), max_length=7, choices=UnmatchedKind)
    charge_ref = models.CharField(_("charge"), max_length=255)
    amount = amount_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    card_brand = models.CharField(_("card"), max_length=20, blank=True)
    card_last4 = models.CharField(_("card's last four"), max_length=4, blank=True)
    description = models.CharField(_("the gateway's words"), max_length=255, blank=True)
    happened_at = models.DateTimeField(_("happened"))
    noted_at = models.DateTimeField(_("noted"))
    state = models.CharField(_("state"), max_length=9, choices=UnmatchedState, default=UnmatchedState.OPEN)
    payment = models.OneToOneField(Payment, models.PROTECT, null=True, related_name="matched_money")
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    settled_at = models.DateTimeField(_("settled"), null=True)

    objects = UnmatchedMoneyQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = permissions_of(MONEY_ACTIONS, "unmatched money")
        verbose_name = _("unmatched money")
        verbose_name_plural = _("unmatched money")
        indexes: ClassVar = [
            models.Index(fields=["happened_at", "id"], name="unmatched_open", condition=OPEN),
            models.Index(fields=["gateway", "charge_ref"], name="unmatched_by_charge"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "ref", "kind"], name="unmatched_one_per_ref_and_kind"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="unmatched_amount_positive"),
            models.CheckConstraint(condition=Q(kind__in=UnmatchedKind.values), name="unmatched_kind_known"),
            models.CheckConstraint(
                condition=Q(state=UnmatchedState.OPEN, settled_at__isnull=True)
                | Q(state__in=[UnmatchedState.MATCHED, UnmatchedState.SET_ASIDE], settled_at__isnull=False),
                name="unmatched_settled_has_its_moment",
            ),
            models.CheckConstraint(
                condition=Q(payment__isnull=True) | Q(state=UnmatchedState.MATCHED),
                name="unmatched_payment_was_matched",
            ),
        ]

    def __str__(self) -> str:
        shown = money.show(self.amount, self.currency)
        return _now("%(kind)s of %(amount)s") % {"kind": self.get_kind_display(), "amount": shown}

    @property
    def state_label(self) -> str:
        return str(self.get_state_display())

    @property
    def card_label(self) -> str:
        return f"{self.card_brand} •• {self.card_last4}" if self.card_last4 else ""

    # -- noting

    @classmethod
    def note(
        cls,
        gateway: str,
        kind: UnmatchedKind,
        made: Movement,
        *,
        at: datetime,
        amount: Decimal | None = None,
    ) -> UnmatchedMoney:
        """Write the movement down, once however often it is told. ``amount``: when not all of it is meant."""
        card = made.card
        row, is_new = cls.objects.get_or_create(
            gateway=gateway,
            ref=fit(made.ref, 255),
            kind=kind,
            defaults={
                "charge_ref": fit(made.charge_ref, 255),
                "amount": made.amount if amount is None else amount,
                "currency": made.currency,
                "card_brand": fit(card.brand, 20) if card else "",
                "card_last4": fit(card.last4, 4) if card else "",
                "description": fit(made.description, 255),
                "happened_at": made.at,
                "noted_at": at,
            },
        )
        if is_new:
            log.warning("%s %s at %s belongs to nothing here: a person must match it", kind, row.ref, gateway)
        return row

    @classmethod
    def note_dispute(cls, dispute: Dispute, *, at: datetime) -> UnmatchedMoney:
        """A dispute of a charge that the desk does not know."""
        row, _is_new = cls.objects.get_or_create(
            gateway=dispute.gateway,
            ref=dispute.ref,
            kind=UnmatchedKind.DISPUTE,
            defaults={
                "charge_ref": dispute.charge_ref,
                "amount": dispute.amount,
                "currency": dispute.currency,
                "description": dispute.reason,
                "happened_at": dispute.opened_at,
                "noted_at": at,
            },
        )
        return row

    @classmethod
    def drop_refund(cls, gateway: str, made: Movement) -> None:
        """The refund that waits for a person failed: nothing went back, so nothing is to be booked."""
        with transaction.atomic():
            waiting = cls.objects.open().filter(gateway=gateway, ref=fit(made.ref, 255))
            for each in waiting.filter(kind=UnmatchedKind.REFUND).select_for_update(of=("self",)):
                words = _now("The gateway made this refund not after all. %(words)s")
                reason = (words % {"words": made.outcome.message}).strip()
                each.settle(None, UnmatchedState.SET_ASIDE, reason=reason[:255])

    # -- what can be done

    @property
    def not_matchable(self) -> str:
        """The reason why it cannot be matched, or nothing."""
        if self.kind == UnmatchedKind.DISPUTE:
            return _now("A dispute follows its charge: match the payment %(ref)s instead.") % {
                "ref": self.charge_ref
            }
        return ""

    def match(self, by: Actor, *, invoice: Invoice, key: UUID | None = None) -> Event:
        """Record it as money of ``invoice``: a payment, or a refund of the payment that it names.

        What is above the balance is kept as overpaid. What waits for a matched payment, refunds and disputes,
        is recorded with it. Raises NotAllowed, NotOffered, AlreadyDone, and Invalid for a draft, another
        currency, or an invoice that has not the payment.
        """
        action = MONEY_ACTIONS["match"]
        used_once = self.one_time_key(key, by, action.name)
        used_once.refuse_used()
        refusal = self.refusal(action, by)
        if refusal:
            raise refusal
        self.check_fits(invoice)
        invoice.close_pages()  # a customer must not pay at the same time what is paid already

        def work() -> Event:
            used_once.refuse_used()
            invoice.lock()
            self.lock_for(action, by)
            self.check_fits(invoice)
            before = invoice.balance
            payment = self.book(invoice, by)
            return tell(invoice, by, action.name, self._matched(payment, invoice, before), key=key)

        return once(used_once, work)

    def check_fits(self, invoice: Invoice) -> None:
        """Raise Invalid unless this can be money of ``invoice``."""
        if invoice.is_draft:
            raise Invalid(_now("Invoice is a draft: a draft takes no payments."), field="invoice")
        if invoice.currency != self.currency:
            raise Invalid(
                _now("Invoice is in %(other)s: money in %(currency)s cannot be matched to it.")
                % {"other": invoice.currency, "currency": self.currency},
                field="invoice",
            )
        if self.kind == UnmatchedKind.REFUND:
            self._returned(invoice)

    def _returned(self, invoice: Invoice) -> Payment:
        """The payment of ``invoice`` that this refund returns. Raises Invalid."""
        charged = Payment.objects.received().filter(invoice=invoice, gateway=self.gateway)
        payment = charged.filter(gateway_ref=self.charge_ref).first()
        if payment is None:
            words = _now("%(invoice)s has no payment %(ref)s, which this refund returns.")
            raise Invalid(words % {"invoice": invoice, "ref": self.charge_ref}, field="invoice")
        if payment.refundable < self.amount:
            words = _now("Only %(left)s of the payment %(ref)s are left: %(amount)s cannot go back of it.")
            figures = {"left": payment.show(payment.refundable), "amount": payment.show(self.amount)}
            raise Invalid(words % {**figures, "ref": self.charge_ref}, field="invoice")
        return payment

    def book(self, invoice: Invoice, by: Actor) -> Payment:
        """Record it on the locked invoice, and then what waits for it."""
        now = clock.now()
        if self.kind == UnmatchedKind.REFUND:
            payment = invoice.book_refund_elsewhere(self._returned(invoice), self, by, at=now)
        else:
            payment = invoice.book_payment_elsewhere(self, by, at=now)
        self.settle(by, UnmatchedState.MATCHED, payment=payment)
        if self.kind == UnmatchedKind.CHARGE:
            self._book_what_waited(payment, by)
        return payment

    def _book_what_waited(self, payment: Payment, by: Actor) -> None:
        invoice = payment.invoice
        Dispute.objects.filter(gateway=self.gateway, charge_ref=self.ref, payment=None).update(
            payment=payment
        )
        waiting = type(self).objects.naming(self.gateway, self.ref).select_for_update(of=("self",))
        for each in waiting.exclude(pk=self.pk):
            payment.refresh_from_db(fields=["refunded_amount"])
            if each.kind == UnmatchedKind.DISPUTE:
                each.settle(by, UnmatchedState.MATCHED)
            elif each.currency == self.currency and each.amount <= payment.refundable:
                each.book(invoice, by)

    def _matched(self, payment: Payment, invoice: Invoice, before: Decimal) -> Deed:
        words = {
            "what": self,
            "ref": self.ref,
            "before": invoice.show(before),
            "after": invoice.show(invoice.balance),
        }
        text = _now("%(what)s matched (%(ref)s): balance %(before)s → %(after)s.") % words
        if payment.excess:
            excess = {"excess": invoice.show(payment.excess)}
            text += " " + _now("%(excess)s of it was not owed.") % excess
        figures: dict[str, str | int | None] = {
            "unmatchedmoney": self.pk,
            "amount": str(payment.amount),
            "currency": self.currency,
            "balance_before": str(before),
            "balance_after": str(invoice.balance),
            "status": invoice.status,
        }
        return Deed(text, figures, {"payment": payment})

    def set_aside(self, by: Actor, *, reason: str, key: UUID | None = None) -> Event:
        """Say why nothing is to be recorded. Raises NotAllowed, NotOffered, AlreadyDone, Invalid."""
        action = MONEY_ACTIONS["set_aside"]
        used_once = self.one_time_key(key, by, action.name)
        used_once.refuse_used()

        def work() -> Event:
            used_once.refuse_used()
            self.lock_for(action, by)
            if not reason.strip():
                raise Invalid(_now("Reason is missing: say why nothing is recorded."), field="reason")
            self.settle(by, UnmatchedState.SET_ASIDE, reason=reason[:255])
            words = {"what": self, "ref": self.ref, "reason": reason}
            return Event.objects.create(
                subject=str(self)[:120],
                actor=by,
                actor_name=name_of(by),
                action=action.name,
                text=_now("%(what)s (%(ref)s) set aside. Reason: %(reason)s") % words,
                figures={"unmatchedmoney": self.pk},
                key=key,
                at=clock.now(),
            )

        return once(used_once, work)

    def settle(
        self, by: Actor, state: UnmatchedState, *, payment: Payment | None = None, reason: str = ""
    ) -> None:
        """Take it off the list, on the locked row."""
        self.state, self.payment, self.reason = state.value, payment, reason
        self.settled_by, self.settled_at = by, clock.now()
        self.save(update_fields=["state", "payment", "reason", "settled_by", "settled_at"])
