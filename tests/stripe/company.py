"""Charges and refunds, as Stripe answers about them: localstripe's objects with what it leaves out."""

from __future__ import annotations

import secrets
import time
from typing import Any

from tests.stripe.behind import Behind
from tests.stripe.cards import CARDS, Card
from tests.stripe.keys import Answer, error

Form = dict[str, Any]
WORKS = "4242424242424242"
TENS = dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 10)
HUNDREDS = dict.fromkeys(("isk", "ugx"), 100)
"""Currencies whose amounts Stripe takes in such steps only."""
OURS = ("description", "off_session", "allowed_payment_method_types", "setup_future_usage", "expand")
"""Parameters that localstripe refuses."""


def missing(what: str, ref: str) -> Answer:
    return error(404, f"No such {what}: '{ref}'", code="resource_missing", param=what)


class Company:
    """Everything that Stripe knows. The caller holds the lock of the whole company."""

    def __init__(self, behind: Behind) -> None:
        self.behind = behind
        self.cards: dict[str, Card] = {}
        self.intents: dict[str, dict[str, Any]] = {}
        self.declines: dict[str, dict[str, Any]] = {}
        self.charged: dict[str, dict[str, Any]] = {}
        self.refunds: list[dict[str, Any]] = []
        self.next_refund: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []

    def tell(self, type_: str, about: dict[str, Any]) -> dict[str, Any]:
        event = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "type": type_,
            "created": int(time.time()),
            "livemode": False,
            "data": {"object": about},
        }
        self.events.append(event)
        return event

    # -- cards

    def customer(self, form: Form) -> Answer:
        return self.behind.post("/v1/customers", **form)

    def new_card(self, number: str) -> str:
        """A payment method that behaves as its number, known to localstripe as one that works."""
        card = {"number": WORKS, "exp_month": 12, "exp_year": 2040, "cvc": "918"}
        made = self.behind.made("/v1/payment_methods", type="card", card=card)
        self.cards[made["id"]] = CARDS[number]
        return str(made["id"])

    def method(self, ref: str) -> Answer:
        status, method = self.behind.get(f"/v1/payment_methods/{ref}")
        if status != 200:
            return missing("payment_method", ref)
        card = self.cards.get(ref)
        if card:
            method["card"] |= {"last4": card.number[-4:], "brand": card.brand}
        return 200, method

    def attach(self, ref: str, form: Form) -> Answer:
        status, answer = self.behind.post(f"/v1/payment_methods/{ref}/attach", **form)
        return self.method(ref) if status == 200 else (status, answer)

    def detach(self, ref: str, form: Form) -> Answer:
        status, method = self.method(ref)
        if status != 200:
            return status, method
        if method["customer"] is None:
            words = (
                "The payment method you provided is not attached to a customer so detachment is impossible."
            )
            return error(400, words)
        self.behind.made(f"/v1/payment_methods/{ref}/detach")
        return self.method(ref)

    def is_attached(self, method: str, customer: str | None) -> bool:
        status, known = self.behind.get(f"/v1/payment_methods/{method}")
        return status == 200 and bool(known["customer"] == customer)

    # -- charges

    def create(self, form: Form) -> Answer:
        refusal = self.why_not(form, form.get("amount", ""), form.get("currency", ""))
        if refusal:
            return refusal
        method, customer = form.get("payment_method"), form.get("customer")
        if method and not self.is_attached(method, customer):
            words = f"The customer does not have a payment method with the ID {method}."
            return error(400, words, code="resource_missing", param="payment_method")
        rest = {name: value for name, value in form.items() if name not in OURS}
        status, intent = self.behind.post("/v1/payment_intents", **rest)
        if status != 200:
            return status, intent
        self.intents[intent["id"]] = {name: form.get(name) for name in ("description", "setup_future_usage")}
        return 200, self.shown(intent)

    def why_not(self, form: Form, amount: str, currency: str) -> Answer | None:
        if "payment_method_types" in form:
            words = "The payment_method_types parameter is no longer supported."
            return error(400, words, code="payment_method_types_no_longer_supported")
        step = {**TENS, **HUNDREDS}.get(currency, 1)
        if not str(amount).isdigit() or int(amount) % step:
            return error(400, f"Invalid integer: {amount} of {currency}", param="amount")
        return None

    def intent(self, ref: str, form: Form) -> Answer:
        status, intent = self.behind.get(f"/v1/payment_intents/{ref}")
        if status != 200:
            return missing("payment_intent", ref)
        return 200, self.shown(intent, expand="payment_method" in str(form.get("expand", "")))

    def shown(self, intent: dict[str, Any], *, expand: bool = False) -> dict[str, Any]:
        charge = intent.pop("latest_charge", None)
        intent.pop("charges", None)
        ref = intent["id"]
        intent |= self.intents.get(ref, {"description": None, "setup_future_usage": None})
        intent["latest_charge"] = charge["id"] if charge else None
        intent["amount_received"] = intent["amount"] if intent["status"] == "succeeded" else 0
        intent["last_payment_error"] = self.declines.get(ref)
        if ref in self.declines and intent["status"] != "canceled":
            intent["status"] = "requires_payment_method"
        if expand and intent["payment_method"]:
            intent["payment_method"] = self.method(intent["payment_method"])[1]
        return intent

    def confirm(self, ref: str, form: Form) -> Answer:
        status, intent = self.intent(ref, {})
        if status != 200:
            return status, intent
        method = intent["payment_method"]
        if intent["status"] != "requires_confirmation":
            words = f"This PaymentIntent could not be confirmed because its status is {intent['status']}."
            return error(400, words, code="payment_intent_unexpected_state")
        if not self.is_attached(method, intent["customer"]):
            words = (
                "The provided PaymentMethod was previously used with a PaymentIntent without Customer"
                " attachment, or was detached from a Customer. It may not be used again."
            )
            return error(400, words)
        card = self.cards.get(method, CARDS[WORKS])
        return self.decline(ref, card) if card.error else self.charge(ref)

    def decline(self, ref: str, card: Card) -> Answer:
        self.declines[ref] = {**card.error}
        intent = self.intent(ref, {})[1]
        self.tell("payment_intent.payment_failed", intent)
        return 402, {"error": {**card.error, "payment_intent": intent}}

    def charge(self, ref: str) -> Answer:
        self.declines.pop(ref, None)
        intent = self.shown(self.behind.made(f"/v1/payment_intents/{ref}/confirm"))
        self.charged[ref] = {
            "id": ref,
            "attempt": intent["metadata"].get("attempt"),
            "amount": intent["amount"],
            "currency": intent["currency"],
            "refunded": 0,
        }
        self.tell("payment_intent.succeeded", intent)
        return 200, intent

    def cancel(self, ref: str, form: Form) -> Answer:
        status, intent = self.intent(ref, {})
        if status != 200:
            return status, intent
        status, canceled = self.behind.post(f"/v1/payment_intents/{ref}/cancel")
        if status != 200:
            words = f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
            return error(400, words, code="payment_intent_unexpected_state")
        shown = self.shown(canceled)
        self.tell("payment_intent.canceled", shown)
        return 200, shown

    # -- refunds

    def refund(self, form: Form) -> Answer:
        ref = form.get("payment_intent", "")
        if self.intent(ref, {})[0] != 200:
            return missing("payment_intent", ref)
        charged = self.charged.get(ref)
        if charged is None:
            return error(400, f"This PaymentIntent ({ref}) does not have a successful charge to refund.")
        left = charged["amount"] - charged["refunded"]
        amount = int(form.get("amount", left))
        if not left:
            words = "Charge has already been refunded."
            return error(400, words, code="charge_already_refunded")
        if amount > left:
            return error(
                400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            )
        end = self.next_refund.pop(ref, "succeeded")
        if end == "refused":
            return error(400, "This charge cannot be refunded.", code="charge_not_refundable")
        return self._returned(charged, {**form, "amount": amount}, end)

    def _returned(self, charged: dict[str, Any], form: Form, end: str) -> Answer:
        refund = {
            **self.behind.made("/v1/refunds", **form),
            "payment_intent": charged["id"],
            "status": end,
            "reason": form.get("reason"),
        }
        if end != "failed":
            charged["refunded"] += form["amount"]
        self.refunds.insert(0, refund)
        self.tell("refund.created", refund)
        return 200, refund

    def refund_by(self, ref: str, form: Form) -> Answer:
        found = next((one for one in self.refunds if one["id"] == ref), None)
        return (200, found) if found else missing("refund", ref)

    def refunds_of(self, form: Form) -> Answer:
        of = [one for one in self.refunds if _is_about(one, form)]
        after = form.get("starting_after")
        if after:
            of = of[[one["id"] for one in of].index(after) + 1 :]
        limit = int(form.get("limit", 10))
        listed = {"object": "list", "url": "/v1/refunds", "data": of[:limit], "has_more": len(of) > limit}
        return 200, listed

    def end_refund(self, ref: str, status: str) -> dict[str, Any]:
        """A refund that was pending or made comes to another end; ``failed`` brings the money back."""
        refund = self.refund_by(ref, {})[1]
        refund["status"] = status
        if status == "failed":
            refund["failure_reason"] = "lost_or_stolen_card"
            self.charged[refund["payment_intent"]]["refunded"] -= refund["amount"]
        return self.tell("refund.failed" if status == "failed" else "refund.updated", refund)

    def ledger(self) -> dict[str, Any]:
        """What moved, in the currency's small units: nothing here was only tried."""
        fields = ("id", "payment_intent", "amount", "currency", "status")
        refunds = [
            {name: one[name] for name in fields} | {"attempt": one["metadata"].get("attempt")}
            for one in reversed(self.refunds)
        ]
        return {"charges": list(self.charged.values()), "refunds": refunds}


def _is_about(refund: dict[str, Any], form: Form) -> bool:
    return all(refund[name] == form[name] for name in ("payment_intent", "charge") if name in form)
