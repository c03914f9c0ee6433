"""What people do at Stripe without us: payments and refunds in its dashboard, and banks' disputes."""

from __future__ import annotations

import secrets
import time
from typing import Any

from tests.stripe.cards import NUMBERS
from tests.stripe.company import Company, Form, missing
from tests.stripe.keys import Answer

WEEK = 7 * 24 * 60 * 60


class Dashboard:
    def __init__(self, company: Company) -> None:
        self._company = company
        self._disputes: dict[str, dict[str, Any]] = {}

    def card(self, asked: Form) -> Answer:
        """Store a card without a page: ``{"card": "approves"}``, a name of ``tests.stripe.cards``."""
        customer = self._company.behind.made("/v1/customers", name="Ada Lovelace")["id"]
        method = self._company.new_card(NUMBERS[asked["card"]])
        self._company.behind.made(f"/v1/payment_methods/{method}/attach", customer=customer)
        return 200, {"customer": customer, "payment_method": method, "token": f"{customer}/{method}"}

    def payment(self, asked: Form) -> Answer:
        """``{"amount": 4900, "currency": "usd", "description": …}``: taken without us, so without our key."""
        token = self.card({"card": "approves"})[1]
        method = {"customer": token["customer"], "payment_method": token["payment_method"]}
        _status, intent = self._company.create({**asked, "amount": str(asked["amount"]), **method})
        return self._company.charge(intent["id"])

    def refund(self, asked: Form) -> Answer:
        """``{"payment_intent": …, "amount": 100}``."""
        return self._company.refund(asked)

    def refunds_end(self, asked: Form) -> Answer:
        """``{"payment_intent": …, "next": "pending" | "failed" | "refused"}`` for the next refund of it, or
        ``{"refund": …, "status": "succeeded" | "failed" | "canceled"}`` for one that was made.
        """
        if "next" in asked:
            self._company.next_refund[asked["payment_intent"]] = asked["next"]
            return 200, {}
        return 200, self._company.end_refund(asked["refund"], asked["status"])

    def open_dispute(self, asked: Form) -> Answer:
        """``{"payment_intent": …}`` and, if wished, amount, reason and status; a ``dispute`` moves it on."""
        if "dispute" in asked:
            dispute = self._disputes[asked["dispute"]]
            dispute["status"] = asked["status"]
            is_over = asked["status"] in ("won", "lost")
            self._company.tell("charge.dispute.closed" if is_over else "charge.dispute.updated", {**dispute})
            return 200, dispute
        charged = self._company.charged[asked["payment_intent"]]
        charge = self._company.intent(charged["id"], {})[1]["latest_charge"]
        dispute = {
            "id": f"du_{secrets.token_hex(12)}",
            "object": "dispute",
            "charge": charge,
            "payment_intent": charged["id"],
            "amount": asked.get("amount", charged["amount"]),
            "currency": charged["currency"],
            "reason": asked.get("reason", "fraudulent"),
            "status": asked.get("status", "needs_response"),
            "livemode": False,
            "created": int(time.time()),
            "metadata": {},
            "evidence_details": {"due_by": asked.get("due_by", int(time.time()) + WEEK)},
        }
        self._disputes[dispute["id"]] = dispute
        self._company.tell("charge.dispute.created", {**dispute})
        return 200, dispute

    def dispute(self, ref: str, form: Form) -> Answer:
        return (200, self._disputes[ref]) if ref in self._disputes else missing("dispute", ref)
