"""Money that moved at the gateway without the desk: booked once it is known whose it is."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from django.db import transaction
from django.utils.translation import gettext as _now

from billing import clock
from billing.gateways import Movement, Outcome, fit
from billing.models.guard import Actor, Deed, tell
from billing.models.payment import Payment
from billing.models.refunding import Refunding, Share
from billing.models.unmatched import UnmatchedMoney
from billing.statuses import AttemptState, InvoiceStatus, PaymentMethod, PaymentStatus, UnmatchedKind

if TYPE_CHECKING:
    from billing.models.attempt import Attempt


class Moved(Protocol):
    """A movement as it was noted. ``amount`` is positive, in the invoice's currency."""

    gateway: str
    ref: str
    amount: Decimal
    card_brand: str
    card_last4: str
    happened_at: datetime


class Matching(Refunding):
    class Meta:
        abstract = True

    @property
    def is_draft(self) -> bool:
        return self.status == InvoiceStatus.DRAFT

    def take_refund(self, payment: Payment, made: Movement, *, at: datetime) -> Decimal:
        """Book a refund of ``payment`` that was made at the gateway itself, once however often it is told.

        Never more than came: returns the part that is not booked. No transaction may be open.
        """
        ref = fit(made.ref, 255)
        with transaction.atomic(durable=True):
            self.lock()
            fresh = self.payments.select_for_update().get(pk=payment.pk)
            before = Payment.objects.refunded_as(fresh.gateway, ref).first()
            if before:
                return made.amount + before.amount
            amount = min(made.amount, fresh.refundable)
            if amount > 0:
                day = clock.day_of(made.at)
                row = self._returned_elsewhere(fresh, amount, ref, received_on=day, made_at=at)
                self._tell_returned(row)
        return made.amount - amount

    def note_beyond(self, attempt: Attempt, payment: Payment, rest: Decimal, *, at: datetime) -> None:
        """A part of a refund of ours that the payment has no room for, in the caller's transaction."""
        made = Movement(
            ref=attempt.gateway_ref or str(attempt.key),
            charge_ref=payment.gateway_ref,
            key=attempt.key,
            outcome=Outcome(AttemptState.APPROVED, attempt.gateway_ref),
            amount=attempt.amount,
            currency=attempt.currency,
            at=at,
            description=_now("More was refunded than was left of the payment."),
        )
        UnmatchedMoney.note(attempt.gateway, UnmatchedKind.REFUND, made, at=at, amount=rest)

    def _tell_returned(self, row: Payment) -> None:
        words = {"amount": self.show(-row.amount), "card": row.method_label}
        text = _now("%(amount)s went back to %(card)s: refunded at the gateway, not from here.") % words
        figures: dict[str, str | int | None] = {
            "amount": str(-row.amount),
            "currency": self.currency,
            "paid_after": str(self.paid),
            "status": self.status,
        }
        tell(self.row, None, "refunded_at_gateway", Deed(text, figures, {"payment": row}))

    def book_refund_elsewhere(self, payment: Payment, moved: Moved, by: Actor, *, at: datetime) -> Payment:
        """A refund that a person matched, in the caller's transaction, with this row locked."""
        fresh = self.payments.select_for_update().get(pk=payment.pk)
        day = clock.day_of(moved.happened_at)
        return self._returned_elsewhere(
            fresh, moved.amount, moved.ref, received_on=day, made_by=by, made_at=at
        )

    def _returned_elsewhere(self, payment: Payment, amount: Decimal, ref: str, **more: Any) -> Payment:
        row = self._refund_row(
            payment,
            amount,
            PaymentStatus.APPLIED,
            gateway=payment.gateway,
            gateway_ref=ref,
            **more,
        )
        self.money_went()
        return row

    def book_payment_elsewhere(self, moved: Moved, by: Actor, *, at: datetime) -> Payment:
        """A payment that a person matched, in the caller's transaction, with this row locked."""
        payment = self._add_money(
            moved.amount,
            method=PaymentMethod.CARD,
            gateway=moved.gateway,
            gateway_ref=moved.ref,
            card_brand=moved.card_brand,
            card_last4=moved.card_last4,
            received_on=clock.day_of(moved.happened_at),
            made_by=by,
            made_at=at,
        )
        self._money_came()
        return payment

    def record_returned(self, payment: Payment, amount: Decimal, by: Actor, reason: str) -> Payment:
        """Money that a bank took back: recorded only, in the caller's transaction, with this row locked."""
        row = self._record_refund(Share(payment, amount, moves=False), by, reason, at=clock.now())
        self.money_went()
        return row
