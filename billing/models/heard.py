"""What a gateway's message leads to: the gateway is asked for the facts, and the verb that they are for books
them.

Every step may be taken again: what has been booked is not booked twice.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _now

from billing.gateways import Gateway, Movement, Notice, NoticeKind
from billing.models.attempt import Attempt
from billing.models.attempts.base import AttemptQuerySet
from billing.models.card_page import CardPage
from billing.models.dispute import Dispute
from billing.models.payment import Payment
from billing.models.unmatched import UnmatchedMoney
from billing.statuses import AttemptKind, AttemptState, UnmatchedKind

log = logging.getLogger(__name__)

UNMADE = frozenset({AttemptState.DECLINED, AttemptState.NOT_CHARGED})


def act_on(gateway: Gateway, notice: Notice, *, at: datetime) -> None:
    """Do what the message asks for. No transaction may be open. Raises what the gateway raises."""
    match notice.kind:
        case NoticeKind.CARD:
            _hear_of_card_page(gateway, notice.page_ref, at)
        case NoticeKind.CHARGE:
            if notice.page_ref:
                _hear_of_page(gateway, notice.page_ref, at)
            if notice.ref:
                _hear_of_charge(gateway, notice.ref, notice.key, at)
        case NoticeKind.REFUND:
            _hear_of_refund(gateway, notice.ref, notice.key, at)
        case NoticeKind.DISPUTE:
            _hear_of_dispute(gateway, notice.ref, at)


def _hear_of_page(gateway: Gateway, page_ref: str, at: datetime) -> None:
    attempt = _attempts(gateway).filter(page_ref=page_ref).first()
    if attempt:
        attempt.settle_page(gateway.page_result(page_ref), at)


def _hear_of_card_page(gateway: Gateway, page_ref: str, at: datetime) -> None:
    page = CardPage.objects.filter(gateway=gateway.name, page_ref=page_ref).first()
    if page:
        page.take(at=at)


def _hear_of_charge(gateway: Gateway, ref: str, key: UUID | None, at: datetime) -> None:
    made = gateway.charge_made(ref)
    attempt = _ours(gateway, AttemptKind.CHARGE, made.key or key)
    if attempt and attempt.page_ref and not attempt.is_final:  # its customer may try another card there
        attempt.settle_page(gateway.page_result(attempt.page_ref), at)
    elif attempt:
        _settle(attempt, made, at)
    explained = attempt and (not attempt.is_final or attempt.gateway_ref == made.ref)
    if made.outcome.state == AttemptState.APPROVED and not explained:
        _note_charge(gateway, made, at)


def _note_charge(gateway: Gateway, made: Movement, at: datetime) -> None:
    """Money that none of our attempts brought. A key that we do not have, or one that serves two charges,
    is an alarm.
    """
    if _payment(gateway, made.ref):
        return
    if made.key:
        log.error("%s charged %s under %s, which no attempt explains", gateway.name, made.ref, made.key)
    UnmatchedMoney.note(gateway.name, UnmatchedKind.CHARGE, made, at=at)


def _hear_of_refund(gateway: Gateway, ref: str, key: UUID | None, at: datetime) -> None:
    made = gateway.refund_made(ref)
    attempt = _ours(gateway, AttemptKind.REFUND, made.key or key)
    if made.outcome.state in UNMADE:
        UnmatchedMoney.drop_refund(gateway.name, made)
    if made.outcome.state in UNMADE and Payment.objects.refunded_as(gateway.name, made.ref).exists():
        _note_returned(gateway, made, at)
    elif attempt:
        _settle(attempt, made, at)
    elif made.outcome.state == AttemptState.APPROVED:
        _take_refund(gateway, made, at)


def _note_returned(gateway: Gateway, made: Movement, at: datetime) -> None:
    """A bank can send a refund back days after it was made. Payments are final, so a person must say what
    becomes of the money.
    """
    log.error("%s took back the refund %s, which is on the books", gateway.name, made.ref)
    words = _now("A refund that had been made failed: the money came back. %(words)s")
    told = replace(made, description=(words % {"words": made.outcome.message}).strip())
    UnmatchedMoney.note(gateway.name, UnmatchedKind.CHARGE, told, at=at)


def _take_refund(gateway: Gateway, made: Movement, at: datetime) -> None:
    """Book it on its payment, unless it waits for a person, or a person has dealt with it."""
    noted = UnmatchedMoney.objects.filter(gateway=gateway.name, ref=made.ref, kind=UnmatchedKind.REFUND)
    if noted.exists():
        return
    if made.key:
        log.error("%s refunded %s under %s, which is none of ours", gateway.name, made.ref, made.key)
    payment = _charged(gateway, made.charge_ref, at)
    if payment is None or payment.currency != made.currency:
        UnmatchedMoney.note(gateway.name, UnmatchedKind.REFUND, made, at=at)
        return
    rest = payment.invoice.take_refund(payment, made, at=at)
    if rest > 0:
        UnmatchedMoney.note(gateway.name, UnmatchedKind.REFUND, made, at=at, amount=rest)


def _hear_of_dispute(gateway: Gateway, ref: str, at: datetime) -> None:
    facts = gateway.dispute(ref)
    payment = _charged(gateway, facts.charge_ref, at)
    dispute = Dispute.learn(gateway.name, facts, payment, at=at)
    if payment is None:
        UnmatchedMoney.note_dispute(dispute, at=at)


def _charged(gateway: Gateway, charge_ref: str, at: datetime) -> Payment | None:
    """The payment that this charge brought. Messages come out of order: that it was made may be news."""
    payment = _payment(gateway, charge_ref)
    if payment is None:
        _hear_of_charge(gateway, charge_ref, None, at)
        payment = _payment(gateway, charge_ref)
    return payment


def _payment(gateway: Gateway, charge_ref: str) -> Payment | None:
    received = Payment.objects.received().filter(gateway=gateway.name, gateway_ref=charge_ref)
    return received.select_related("invoice").order_by("id").first()


def _attempts(gateway: Gateway) -> AttemptQuerySet:
    return Attempt.objects.filter(gateway=gateway.name).select_related("invoice")


def _ours(gateway: Gateway, kind: AttemptKind, key: UUID | None) -> Attempt | None:
    return _attempts(gateway).filter(kind=kind, key=key).first() if key else None


def _settle(attempt: Attempt, made: Movement, at: datetime) -> None:
    """Settle it, unless the gateway has written it down and not begun: whoever started it is about to."""
    if made.outcome.state != AttemptState.STARTED:
        attempt.settle(made.outcome, card=made.card, at=at)
