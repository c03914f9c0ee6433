"""Stripe's objects in the desk's words.

The library reads a field that Stripe left out as an AttributeError, so those that come and go are read with
``getattr``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import stripe

from billing.gateways import CardDetails, DisputeFacts, Movement, Outcome, PageResult
from billing.gateways.stripe.amounts import amount_of
from billing.gateways.stripe.declines import declined
from billing.statuses import AttemptState, DisputeState

ATTEMPT = "attempt"
"""Under this name the key of our attempt stands in Stripe's metadata."""
STATE_OF_INTENT = {
    "succeeded": AttemptState.APPROVED,
    "processing": AttemptState.PENDING,
    "requires_capture": AttemptState.PENDING,
    "requires_action": AttemptState.NEEDS_ACTION,
    "requires_confirmation": AttemptState.STARTED,
    "canceled": AttemptState.NOT_CHARGED,
}
STATE_OF_REFUND = {
    "succeeded": AttemptState.APPROVED,
    "failed": AttemptState.DECLINED,
    "canceled": AttemptState.DECLINED,
}
"""Of the rest Stripe will tell how they end."""
STATE_OF_DISPUTE = {
    "won": DisputeState.WON,
    "warning_closed": DisputeState.WON,
    "prevented": DisputeState.WON,
    "lost": DisputeState.LOST,
}
"""The others are still open."""
BRANDS = {"amex": "American Express", "diners": "Diners Club", "jcb": "JCB", "unionpay": "UnionPay"}


def id_of(what: object) -> str:
    """The reference of something that Stripe names or, where asked to, spells out."""
    if what is None or isinstance(what, str):
        return what or ""
    return str(getattr(what, "id", ""))


def key_of(metadata: object) -> UUID | None:
    """The key of our attempt, or None for what was done without us."""
    given = metadata.get(ATTEMPT) if isinstance(metadata, dict) else getattr(metadata, ATTEMPT, None)
    try:
        return UUID(given) if isinstance(given, str) else None
    except ValueError:
        return None


def charge_outcome(intent: stripe.PaymentIntent) -> Outcome:
    if intent.status in STATE_OF_INTENT:
        return Outcome(STATE_OF_INTENT[intent.status], intent.id)
    error = getattr(intent, "last_payment_error", None)
    if error is None:  # it waits for its first card
        return Outcome(AttemptState.STARTED, intent.id)
    return declined(
        intent.id,
        code=getattr(error, "code", None) or "",
        decline_code=getattr(error, "decline_code", None) or "",
        message=getattr(error, "message", None) or "",
    )


def refund_outcome(refund: stripe.Refund) -> Outcome:
    state = STATE_OF_REFUND.get(refund.status or "", AttemptState.PENDING)
    if state != AttemptState.DECLINED:
        return Outcome(state, refund.id)
    reason = getattr(refund, "failure_reason", None) or str(refund.status)
    return Outcome(state, refund.id, reason, f"Stripe: {reason.replace('_', ' ')}.")


def card_details(method: object, token: str = "") -> CardDetails | None:
    """What may be shown of a card; None for a payment method of another kind."""
    if not isinstance(method, stripe.PaymentMethod) or getattr(method, "card", None) is None:
        return None
    card = method.card
    assert card is not None
    brand = BRANDS.get(card.brand, card.brand.capitalize())
    return CardDetails(token, brand[:20], card.last4, card.exp_month, card.exp_year)


def stored_card(method: object, customer: object) -> CardDetails | None:
    """A card with the token under which it can be charged again."""
    return card_details(method, token_of(id_of(customer), id_of(method)))


def token_of(customer: str, method: str) -> str:
    return f"{customer}/{method}"


def page_result(session: stripe.checkout.Session) -> PageResult:
    """How a hosted page stands.

    Declines leave it open, since the customer may try another card there; Stripe itself keeps cards from
    being tried out on it, so they do not count here.
    """
    if session.status == "open":
        return PageResult(done=False)
    done = session.status == "complete"
    intent, setup = session.payment_intent, session.setup_intent
    if isinstance(setup, stripe.SetupIntent):
        return PageResult(
            done=done,
            expired=not done,
            card=stored_card(setup.payment_method, session.customer) if done else None,
        )
    if not isinstance(intent, stripe.PaymentIntent):
        return PageResult(done=done, expired=not done)
    remembered = getattr(intent, "setup_future_usage", None) == "off_session"
    read = stored_card(intent.payment_method, intent.customer) if remembered else None
    outcome = charge_outcome(intent)
    return PageResult(
        done=done,
        expired=not done,
        card=read or card_details(intent.payment_method),
        outcome=outcome if outcome.state != AttemptState.STARTED else None,
    )


def charge_movement(intent: stripe.PaymentIntent) -> Movement:
    currency = intent.currency.upper()
    return Movement(
        ref=intent.id,
        charge_ref=intent.id,
        key=key_of(intent.metadata),
        outcome=charge_outcome(intent),
        amount=amount_of(getattr(intent, "amount_received", 0) or intent.amount, currency),
        currency=currency,
        at=_moment(intent.created),
        card=card_details(intent.payment_method),
        description=intent.description or "",
    )


def bare_charge_movement(charge: stripe.Charge) -> Movement:
    """A charge that was made without a payment intent, by a way older than those."""
    state = {"succeeded": AttemptState.APPROVED, "failed": AttemptState.DECLINED}
    currency = charge.currency.upper()
    return Movement(
        ref=charge.id,
        charge_ref=charge.id,
        key=key_of(charge.metadata),
        outcome=Outcome(
            state.get(charge.status, AttemptState.PENDING),
            charge.id,
            charge.failure_code or "",
            charge.failure_message or "",
        ),
        amount=amount_of(charge.amount, currency),
        currency=currency,
        at=_moment(charge.created),
        description=charge.description or "",
    )


def refund_movement(refund: stripe.Refund) -> Movement:
    currency = refund.currency.upper()
    return Movement(
        ref=refund.id,
        charge_ref=id_of(refund.payment_intent) or id_of(refund.charge),
        key=key_of(refund.metadata),
        outcome=refund_outcome(refund),
        amount=amount_of(refund.amount, currency),
        currency=currency,
        at=_moment(refund.created),
        description=(getattr(refund, "reason", None) or "").replace("_", " "),
    )


def dispute_facts(dispute: stripe.Dispute) -> DisputeFacts:
    currency = dispute.currency.upper()
    due = getattr(dispute.evidence_details, "due_by", None)
    room = "" if dispute.livemode else "test/"
    return DisputeFacts(
        ref=dispute.id,
        charge_ref=id_of(dispute.payment_intent) or id_of(dispute.charge),
        amount=amount_of(dispute.amount, currency),
        currency=currency,
        state=STATE_OF_DISPUTE.get(dispute.status, DisputeState.OPEN),
        reason=dispute.reason,
        respond_by=_moment(due) if due else None,
        url=f"https://dashboard.stripe.com/{room}disputes/{dispute.id}",
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
