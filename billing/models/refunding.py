"""Money back: through the gateway that took it, or recorded only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext as _now

from billing import clock
from billing.actions import ACTIONS, PAYMENT_ACTIONS
from billing.models.attempt import Attempt
from billing.models.charging import Charging
from billing.models.guard import Actor, Deed, NotOffered, Refused, Stale, once, tell
from billing.models.payment import Payment
from billing.money import ZERO
from billing.statuses import (
    AttemptKind,
    AttemptState,
    InvoiceStatus,
    PaymentStatus,
    PaymentType,
    RefundRoute,
)

if TYPE_CHECKING:
    from billing.models.event import Event


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a refund that goes back from one payment."""

    payment: Payment
    amount: Decimal
    moves: bool
    """Through the gateway; otherwise it is only recorded."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What every share of one refund has in common."""

    reason: str
    send_receipt: bool


class Refunding(Charging):
    class Meta:
        abstract = True

    def refund(
        self,
        by: Actor,
        *,
        amount: Decimal,
        route: str,
        reason: str,
        send_receipt: bool,
        key: UUID | None = None,
        seen: int | None = None,
    ) -> Event:
        """Return ``amount`` of what was paid, from the latest payment backwards.

        Payments that no gateway took are recorded only, whatever ``route`` says. Gateway refunds run one
        after the other and stop at the first that is not approved; each tells its own end in the timeline.
        Returns the event of the start. Raises NotAllowed, NotOffered, Stale, AlreadyDone, Invalid.
        """

        def shares() -> list[Share]:
            self.require(ACTIONS["refund"], by, seen=seen)
            self.check_amount(amount, limit=self.paid)
            return self.shares_of(amount, route)

        return self._give_back(by, shares, Terms(reason, send_receipt), key)

    def refund_payment(
        self,
        by: Actor,
        *,
        payment: Payment,
        amount: Decimal,
        route: str,
        reason: str,
        send_receipt: bool,
        key: UUID | None = None,
        seen: int | None = None,
    ) -> Event:
        """Return ``amount`` of one payment, whatever the invoice's status. Raises as :meth:`refund` does."""

        def shares() -> list[Share]:
            fresh = self.payments.select_for_update().get(pk=payment.pk)
            fresh.invoice = self.row
            refusal = fresh.refusal(PAYMENT_ACTIONS["refund"], by)
            if refusal:
                raise refusal
            if seen is not None and seen != self.version:
                raise Stale(
                    _now("%(invoice)s has changed since you opened it. Nothing was done; please look again.")
                    % {"invoice": self}
                )
            self.check_amount(amount, limit=fresh.refundable)
            return [Share(fresh, amount, moves(fresh, route))]

        return self._give_back(by, shares, Terms(reason, send_receipt), key)

    def shares_of(self, amount: Decimal, route: str) -> list[Share]:
        """Which payments ``amount`` would come from, the latest first. One query."""
        left, shares = amount, []
        for payment in Payment.objects.refundable().filter(invoice=self.row):
            part = min(left, payment.refundable)
            if part:
                shares.append(Share(payment, part, moves(payment, route)))
            left -= part
        return shares

    def _give_back(self, by: Actor, shares: Any, terms: Terms, key: UUID | None) -> Event:
        """First what is only recorded, with the start of the first gateway refund; then the calls, one
        after the other.
        """
        waiting: list[Share] = []
        used_once = self.one_time_key(key, by, "refund")

        def work() -> Event:
            self.lock()
            used_once.refuse_used()
            planned: Sequence[Share] = shares()
            waiting.extend(share for share in planned if share.moves)
            return self._start_refund(by, [s for s in planned if not s.moves], waiting[:1], terms, key)

        event = once(used_once, work)
        while waiting:
            waiting.pop(0)
            if not self._finish_share(event.attempt) or not waiting:
                break
            unkeyed = self.one_time_key(None, by, "refund")
            try:
                event.attempt = once(unkeyed, lambda: self._next_share(by, waiting[:1], terms)).attempt
            except Refused as refusal:  # what went back before stays; the rest was not even tried
                tell(self.row, by, "refund_stopped", Deed(str(refusal)))
                break
        return event

    def _next_share(self, by: Actor, moving: Sequence[Share], terms: Terms) -> Event:
        self.lock()
        if self.attempt_in_flight:
            raise NotOffered(self.attempt_in_flight)
        fresh = self.payments.select_for_update().get(pk=moving[0].payment.pk)
        self.check_amount(moving[0].amount, limit=fresh.refundable)
        return self._start_refund(by, [], moving, terms, None)

    def _finish_share(self, attempt: Attempt | None) -> bool:
        """Make the call that was written down; False when it did not end in a refund."""
        if attempt is None:
            return True
        attempt.invoice = self.row
        attempt.run()
        return attempt.state == AttemptState.APPROVED

    def _start_refund(
        self, by: Actor, recorded: Sequence[Share], moving: Sequence[Share], terms: Terms, key: UUID | None
    ) -> Event:
        now = clock.now()
        before = self.balance
        rows = [self._record_refund(share, by, terms.reason, at=now) for share in recorded]
        attempt = self._announce_refund(by, moving[0], terms) if moving else None
        if attempt:
            self.awaiting_gateway = True
        self.money_went()
        if rows and terms.send_receipt:
            self.row.queue_refund_receipt(by, rows)
        total = sum((share.amount for share in (*recorded, *moving)), ZERO)
        text = (
            _now("Refund of %(amount)s to %(cards)s started.")
            if moving
            else _now("Refund of %(amount)s recorded; no money was moved by a gateway.")
        )
        words = {
            "amount": self.show(total),
            "cards": ", ".join(share.payment.method_label for share in moving),
        }
        deed = Deed(
            _with_reason(text % words, terms.reason),
            {
                "amount": str(total),
                "currency": self.currency,
                "balance_before": str(before),
                "balance_after": str(self.balance),
                "status": self.status,
            },
            {
                name: row
                for name, row in (("attempt", attempt), ("payment", rows[0] if rows else None))
                if row
            },
        )
        return tell(self.row, by, "refund", deed, key=key)

    def _announce_refund(self, by: Actor, share: Share, terms: Terms) -> Attempt:
        return Attempt.start(
            self.row,
            by,
            kind=AttemptKind.REFUND,
            gateway=share.payment.gateway,
            amount=share.amount,
            card=share.payment.card,
            refund_of=share.payment,
            reason=terms.reason[:255],
            send_receipt=terms.send_receipt,
        )

    def _record_refund(self, share: Share, by: Actor, reason: str, *, at: datetime) -> Payment:
        return self._refund_row(
            share.payment,
            share.amount,
            PaymentStatus.APPLIED,
            recorded_only=True,
            gateway="offline",
            reference=reason[:100],
            made_by=by,
            made_at=at,
            received_on=clock.day_of(at),
        )

    def _refund_row(self, payment: Payment, amount: Decimal, status: PaymentStatus, **more: Any) -> Payment:
        """The negative payment, and the count of what has gone back of the payment it returns."""
        row = Payment.objects.create(
            invoice=self.row,
            contact_id=self.contact_id,
            type=PaymentType.REFUND,
            status=status,
            method=payment.method,
            amount=-amount,
            currency=self.currency,
            card_id=payment.card_id,
            card_brand=payment.card_brand,
            card_last4=payment.card_last4,
            card_exp_month=payment.card_exp_month,
            card_exp_year=payment.card_exp_year,
            refund_of=payment,
            **more,
        )
        if status == PaymentStatus.APPLIED:
            Payment.objects.filter(pk=payment.pk).update(refunded_amount=F("refunded_amount") + amount)
        return row

    def money_went(self) -> None:
        """Count the refund; a Closed invoice that holds nothing more of what was paid is Refunded."""
        names = self.recompute()
        if self.status == InvoiceStatus.CLOSED and self.refunded and not self.paid:
            self.become(InvoiceStatus.REFUNDED)
        self.store("status", "awaiting_gateway", *names)

    def book_refund(self, attempt: Attempt, *, at: datetime) -> None:
        """Write down how a refund attempt ended, in the caller's transaction, with this row locked."""
        assert attempt.refund_of is not None  # a constraint of the table
        if attempt.state == AttemptState.NOT_CHARGED:
            self.store("awaiting_gateway")
            self._tell_refund(attempt, "refund_not_made", attempt.message, None)
            return
        fits = self._bookable(attempt, attempt.refund_of, at=at)
        row = self._ended_row(attempt, attempt.refund_of, fits, at=at) if fits else None
        self.money_went()
        if row and attempt.is_approved and attempt.send_receipt:
            self.row.queue_refund_receipt(attempt.started_by, [row])
        action, text = _end_of(attempt, has_rest=fits < attempt.amount)
        words = {
            "amount": self.show(attempt.amount),
            "rest": self.show(attempt.amount - fits),
            "card": attempt.refund_of.method_label,
            "words": attempt.message or attempt.code,
        }
        self._tell_refund(attempt, action, text % words, row)

    def _bookable(self, attempt: Attempt, payment: Payment, *, at: datetime) -> Decimal:
        """How much of the attempt fits its payment; what was returned beyond waits for a person.

        A gateway can return money long after it seemed that it never would, and meanwhile the same money was
        recorded as returned another way.
        """
        payment = self.payments.select_for_update().get(pk=payment.pk)
        if not attempt.is_approved or attempt.amount <= payment.refundable:
            return attempt.amount
        self.row.note_beyond(attempt, payment, attempt.amount - payment.refundable, at=at)
        return payment.refundable

    def _ended_row(self, attempt: Attempt, payment: Payment, amount: Decimal, *, at: datetime) -> Payment:
        return self._refund_row(
            payment,
            amount,
            PaymentStatus.APPLIED if attempt.is_approved else PaymentStatus.DECLINED,
            attempt=attempt,
            gateway=attempt.gateway,
            gateway_ref=attempt.gateway_ref,
            reference=attempt.reason[:100],
            decline_code="" if attempt.is_approved else attempt.code,
            decline_reason="" if attempt.is_approved else attempt.message,
            made_by=attempt.started_by,
            made_at=at,
            received_on=clock.day_of(at),
        )

    def _tell_refund(self, attempt: Attempt, action: str, text: str, row: Payment | None) -> None:
        related: dict[str, Any] = {"attempt": attempt, **({"payment": row} if row else {})}
        deed = Deed(
            text,
            {
                "amount": str(attempt.amount),
                "currency": self.currency,
                "paid_after": str(self.paid),
                "status": self.status,
                **attempt.evidence,
            },
            related,
        )
        tell(self.row, attempt.started_by, action, deed)


def _end_of(attempt: Attempt, *, has_rest: bool) -> tuple[str, str]:
    """The action and the sentence for the timeline."""
    if not attempt.is_approved:
        return "refund_refused", _now("The gateway refused to return %(amount)s to %(card)s: %(words)s")
    text = _now("%(amount)s went back to %(card)s.")
    if has_rest:
        text += " " + _now("%(rest)s of it is more than was left of the payment: a person must look.")
    return "refund_approved", text


def moves(payment: Payment, route: str) -> bool:
    """Whether this payment goes back through its gateway on this route."""
    return route == RefundRoute.GATEWAY and payment.moves_by_gateway


def _with_reason(text: str, reason: str) -> str:
    return f"{text} {_now('Reason: %(reason)s') % {'reason': reason}}" if reason else text
