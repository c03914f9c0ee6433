"""Money in: Pay by card or offline, and what the gateway brings."""

from __future__ import annotations

import logging
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _now

from billing import clock, money
from billing.gateways import CardDetails
from billing.models.attempt import Attempt
from billing.models.base import InvoiceBase
from billing.models.card import Card
from billing.models.guard import Actor, Deed, Invalid, guarded, tell
from billing.models.payment import Payment, snapshot, words_of
from billing.money import ZERO
from billing.statuses import (
    AttemptKind,
    AttemptState,
    InvoiceStatus,
    PaymentMethod,
    PaymentStatus,
    PaymentType,
)

if TYPE_CHECKING:
    from billing.models.event import Event

log = logging.getLogger(__name__)


class Charging(InvoiceBase):
    class Meta:
        abstract = True

    def pay(
        self,
        by: Actor,
        *,
        source: Card | PaymentMethod,
        amount: Decimal,
        reference: str = "",
        received_on: date | None = None,
        send_receipt: bool = False,
        key: UUID | None = None,
        seen: int | None = None,
    ) -> Event:
        """Charge a card on file, or record money that came by another way.

        The event's ``attempt`` says how a charge ended. Raises NotAllowed, NotOffered, Stale, AlreadyDone,
        and Invalid for an amount that is not above 0, too fine for the currency, or above the balance.
        """
        if isinstance(source, Card):
            event = self._start_charge(
                by, card=source, amount=amount, send_receipt=send_receipt, key=key, seen=seen
            )
            assert event.attempt is not None
            event.attempt.invoice = self.row
            event.attempt.run()
            return event
        return self._record_payment(
            by,
            method=source,
            amount=amount,
            reference=reference,
            received_on=received_on or clock.today(),
            send_receipt=send_receipt,
            key=key,
            seen=seen,
        )

    @guarded("pay")
    def _start_charge(self, by: Actor, *, card: Card, amount: Decimal, send_receipt: bool) -> Deed:
        """TX1: freeze what will be charged, before the gateway hears of it."""
        self.check_amount(amount, limit=self.balance)
        card = Card.objects.locked_on_file(card, self.contact, field="source")
        attempt = Attempt.start(
            self.row,
            by,
            kind=AttemptKind.CHARGE,
            gateway=card.gateway,
            amount=amount,
            card=card,
            card_token=card.token,
            send_receipt=send_receipt,
        )
        self.awaiting_gateway, self.charge_due_at = True, None
        self.store("awaiting_gateway")
        text = _now("Charge of %(amount)s to %(card)s started.")
        return Deed(
            text % {"amount": self.show(amount), "card": card},
            {"amount": str(amount), "currency": self.currency, "balance": str(self.balance)},
            {"attempt": attempt},
        )

    @guarded("pay")
    def _record_payment(
        self,
        by: Actor,
        *,
        method: PaymentMethod,
        amount: Decimal,
        reference: str,
        received_on: date,
        send_receipt: bool,
    ) -> Deed:
        self.check_amount(amount, limit=self.balance)
        before = self.balance
        payment = self._add_money(
            amount,
            method=method,
            reference=reference,
            received_on=received_on,
            recorded_only=True,
            made_by=by,
            made_at=clock.now(),
        )
        self._money_came()
        if send_receipt:
            self.row.queue_receipt(by)
        text = _now("%(amount)s by %(method)s recorded: balance %(before)s → %(after)s.")
        words = {"method": payment.method_label, **self._change(amount, before)}
        return Deed(text % words, self._figures_of(payment, before), {"payment": payment})

    def check_amount(self, amount: Decimal, *, limit: Decimal, field: str = "amount") -> None:
        """Raise Invalid unless ``amount`` is above 0, exact in the currency and within ``limit``."""
        if amount <= 0:
            raise Invalid(
                _now("Amount is %(amount)s: it must be more than 0.") % {"amount": amount}, field=field
            )
        if money.is_too_fine(amount, self.currency):
            raise Invalid(
                _now("Amount is %(amount)s: %(currency)s has %(places)s decimals.")
                % {
                    "amount": amount,
                    "currency": self.currency,
                    "places": money.exponent(self.currency),
                },
                field=field,
            )
        if amount > limit:
            raise Invalid(
                _now("Amount is %(amount)s: at most %(limit)s is possible.")
                % {"amount": self.show(amount), "limit": self.show(limit)},
                field=field,
            )

    def _add_money(self, amount: Decimal, *, status: str = PaymentStatus.APPLIED, **more: Any) -> Payment:
        """A payment row. What comes above the balance is kept too, marked as not owed."""
        applied = status == PaymentStatus.APPLIED
        return Payment.objects.create(
            invoice=self.row,
            contact_id=self.contact_id,
            type=PaymentType.PAYMENT,
            status=status,
            amount=amount,
            currency=self.currency,
            excess=max(ZERO, amount - self.balance) if applied else ZERO,
            **more,
        )

    def _money_came(self) -> None:
        """Count the new payment; an invoice that owes nothing more is Closed."""
        names = self.recompute()
        if self.is_owing and not self.balance:
            self.become(InvoiceStatus.CLOSED)
        self.store("status", "awaiting_gateway", *names)

    def book(self, attempt: Attempt, *, card: CardDetails | None, at: datetime) -> None:
        """Write down what a finished attempt came to, in the caller's transaction, with this row locked."""
        if not type(attempt).objects.in_flight().filter(invoice=self.row).exists():
            self.awaiting_gateway = False
        ordered = self.is_being_ordered
        if ordered and attempt.is_approved:
            self.row.accept_order(at=at)
        if attempt.kind == AttemptKind.REFUND:
            self.row.book_refund(attempt, at=at)
        elif attempt.state == AttemptState.NOT_CHARGED:
            self.row.charge_again(attempt, at=at)
            self.store("awaiting_gateway")
            self._tell_not_charged(attempt)
        else:
            self._book_charge(attempt, card=card, at=at)
            self.row.take_charge_over(attempt, at=at)
        if ordered and attempt.state == AttemptState.DECLINED:
            self.row.refuse_order(at=at)

    def _tell_not_charged(self, attempt: Attempt) -> None:
        if attempt.page_ref and not attempt.gateway_ref:
            return  # a payment page that nobody used is no news
        words = attempt.message or _now("The card was not charged; it is safe to try again.")
        deed = Deed(words, attempt.evidence, {"attempt": attempt})
        tell(self.row, attempt.started_by, "charge_not_made", deed)

    def _book_charge(self, attempt: Attempt, *, card: CardDetails | None, at: datetime) -> None:
        approved = attempt.state == AttemptState.APPROVED
        before = self.balance
        payment = self._add_money(
            attempt.amount,
            status=PaymentStatus.APPLIED if approved else PaymentStatus.DECLINED,
            method=PaymentMethod.CARD,
            attempt=attempt,
            gateway=attempt.gateway,
            gateway_ref=attempt.gateway_ref,
            received_on=clock.day_of(at),
            decline_code="" if approved else attempt.code,
            decline_reason="" if approved else attempt.message,
            made_by=attempt.started_by,
            made_at=at,
            **self._card_words(attempt, card),
        )
        if attempt.card:
            Card.objects.filter(pk=attempt.card.pk).update(last_used_at=at)
        self._money_came()
        self._tell_charge(attempt, payment, before)
        if approved and attempt.send_receipt:
            self.row.queue_receipt(attempt.started_by)

    def _card_words(self, attempt: Attempt, details: CardDetails | None) -> dict[str, Any]:
        if attempt.card or details is None:
            return snapshot(attempt.card)
        kept = self._kept(attempt, details) if details.token and attempt.remember_card else None
        return snapshot(kept) if kept else words_of(details)

    def _kept(self, attempt: Attempt, details: CardDetails) -> Card | None:
        """The card put on file, or None: money that has moved is booked even if its card cannot be kept."""
        try:
            with transaction.atomic():
                card = Card.keep(self.contact, details, gateway=attempt.gateway)
                Card.objects.filter(pk=card.pk).update(last_used_at=clock.now())
        except Exception:
            log.exception("Attempt %s: the card could not be kept", attempt.key)
            return None
        return card

    def _tell_charge(self, attempt: Attempt, payment: Payment, before: Decimal) -> None:
        if payment.status == PaymentStatus.DECLINED:
            text = _now("%(card)s was declined for %(amount)s: %(reason)s").strip()
            words = {
                "card": payment.method_label,
                "amount": self.show(payment.amount),
                "reason": payment.decline_reason or payment.decline_code or _now("no reason given"),
            }
            action = "charge_declined"
        else:
            text = _now("%(amount)s charged to %(card)s: balance %(before)s → %(after)s.")
            if payment.excess:
                text += " " + _now("%(excess)s of it was not owed.")
            words = {
                "card": payment.method_label,
                "excess": self.show(payment.excess),
                **self._change(payment.amount, before),
            }
            action = "charge_approved"
        related = {"attempt": attempt, "payment": payment}
        tell(
            self.row,
            attempt.started_by,
            action,
            Deed(text % words, self._figures_of(payment, before) | attempt.evidence, related),
        )

    def _change(self, amount: Decimal, before: Decimal) -> dict[str, str]:
        return {
            "amount": self.show(amount),
            "before": self.show(before),
            "after": self.show(self.balance),
        }

    def _figures_of(self, payment: Payment, before: Decimal) -> dict[str, str | int | None]:
        return {
            "amount": str(payment.amount),
            "currency": payment.currency,
            "balance_before": str(before),
            "balance_after": str(self.balance),
            "status": self.status,
        }

    def ask_overdue(self, *, at: datetime) -> int:
        """Ask the gateway about each attempt whose time has come, as the resolver does; how many there were.

        Raises what :meth:`Attempt.ask` raises.
        """
        asked = 0
        while attempt := Attempt.objects.due(at).filter(invoice=self.row).claim_first(at):
            attempt.ask(at=at)
            asked += 1
        return asked

    def wait_for(self, attempt: Attempt) -> None:
        """Note that there is no final answer yet, in the caller's transaction, with this row locked."""
        self.awaiting_gateway = True
        self.store("awaiting_gateway")
        deed = Deed(
            f"{attempt}: {attempt.message or attempt.get_state_display()}",
            attempt.evidence,
            {"attempt": attempt},
        )
        tell(self.row, attempt.started_by, f"attempt_{attempt.state}", deed)
        self.row.ask_to_confirm(attempt)
