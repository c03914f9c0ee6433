"""Checkout: sessions, and what a customer does on their pages."""

from __future__ import annotations

import secrets
import time
from html import escape
from typing import Any

from tests.stripe.cards import CARDS
from tests.stripe.company import WORKS, Company, Form, missing
from tests.stripe.keys import Answer, error

LIVES = 24 * 60 * 60
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Checkout</title></head><body>
<h1>{title}</h1><p role="alert">{alert}</p>
<form method="post">{fields}</form>
<p><a href="{cancel}">Cancel</a></p></body></html>"""
CARD_FIELDS = """<label>Card <select name="number">{options}</select></label>
<button name="do" value="pay">{button}</button>"""
BANK_FIELDS = (
    """<button name="do" value="approve">Approve</button><button name="do" value="refuse">Refuse</button>"""
)


class Checkout:
    def __init__(self, company: Company, origin: str) -> None:
        self._company = company
        self._origin = origin
        self._sessions: dict[str, dict[str, Any]] = {}
        self._orders: dict[str, Form] = {}
        self._alerts: dict[str, str] = {}
        self._at_bank: dict[str, str] = {}

    # -- what the desk asks

    def create(self, form: Form) -> Answer:
        price = form.get("line_items", {}).get("0", {}).get("price_data", {})
        is_payment = form.get("mode") == "payment"
        refusal = self._company.why_not(
            form, price.get("unit_amount", "") if is_payment else "0", price.get("currency", "")
        )
        if refusal:
            return refusal
        if not form.get("success_url"):
            return error(400, "Missing required param: success_url.", param="success_url")
        ref = f"cs_test_{secrets.token_hex(16)}"
        self._orders[ref] = form
        self._sessions[ref] = {
            "id": ref,
            "object": "checkout.session",
            "mode": form["mode"],
            "status": "open",
            "payment_status": "unpaid",
            "livemode": False,
            "created": int(time.time()),
            "expires_at": int(time.time()) + LIVES,
            "url": f"{self._origin}/c/pay/{ref}",
            "customer": form.get("customer"),
            "payment_intent": None,
            "setup_intent": None,
            "metadata": form.get("metadata", {}),
            "client_reference_id": form.get("client_reference_id"),
            "amount_total": int(price["unit_amount"]) if is_payment else None,
            "currency": price.get("currency"),
            "success_url": form["success_url"],
            "cancel_url": form.get("cancel_url"),
        }
        return 200, {**self._sessions[ref]}

    def retrieve(self, ref: str, form: Form) -> Answer:
        session = self._sessions.get(ref)
        if session is None:
            return missing("checkout.session", ref)
        shown = {**session}
        wanted = str(form.get("expand", ""))
        if "payment_intent" in wanted and session["payment_intent"]:
            expanded = {"expand": "payment_method"}
            shown["payment_intent"] = self._company.intent(session["payment_intent"], expanded)[1]
        if "setup_intent" in wanted and session["setup_intent"]:
            setup = self._company.behind.get(f"/v1/setup_intents/{session['setup_intent']}")[1]
            setup["payment_method"] = self._company.method(setup["payment_method"])[1]
            shown["setup_intent"] = setup
        return 200, shown

    def expire(self, ref: str, form: Form) -> Answer:
        session = self._sessions.get(ref)
        if session is None:
            return missing("checkout.session", ref)
        if session["status"] != "open":
            return error(400, f"Only open Checkout Sessions can be expired. This one is {session['status']}.")
        session |= {"status": "expired", "url": None}
        if session["payment_intent"]:
            self._company.cancel(session["payment_intent"], {})
        self._company.tell("checkout.session.expired", {**session})
        return 200, {**session}

    # -- what the customer does

    def page(self, ref: str) -> tuple[int, str]:
        session = self._sessions.get(ref)
        if session is None or session["status"] == "expired":
            return 410, PAGE.format(title="This page has expired", alert="", fields="", cancel="#")
        pays = session["mode"] == "payment"
        title = f"Pay {session['amount_total']} {session['currency']}" if pays else "Save a card"
        options = "".join(f'<option value="{card.number}">{card.name}</option>' for card in CARDS.values())
        card = CARD_FIELDS.format(options=options, button="Pay" if pays else "Save")
        fields = BANK_FIELDS if ref in self._at_bank else card
        alert = escape(self._alerts.get(ref, ""))
        cancel = escape(session["cancel_url"] or "")
        return 200, PAGE.format(title=title, alert=alert, fields=fields, cancel=cancel)

    def act(self, ref: str, form: Form) -> str:
        """Where the browser goes next: back to the desk, or to this page again."""
        session = self._sessions.get(ref)
        here = f"{self._origin}/c/pay/{ref}"
        if session is None:
            return here
        if session["status"] == "open":
            self._alerts.pop(ref, None)
            step = {"approve": self._approve, "refuse": self._refuse}.get(form.get("do", ""), self._card)
            step(session, form.get("number", WORKS))
        return str(session["success_url"]) if session["status"] == "complete" else here

    def _card(self, session: dict[str, Any], number: str) -> None:
        if session["mode"] == "setup":
            self._save(session, number)
            return
        ref, card = session["id"], CARDS[number]
        method = self._company.new_card(number)
        if card.wants_customer:
            self._at_bank[ref] = method
        elif card.error:
            self._company.decline(self._intent(session), card)
            self._alerts[ref] = card.message
        else:
            self._pay(session, method)

    def _save(self, session: dict[str, Any], number: str) -> None:
        card = CARDS[number]
        if not card.saves:
            self._alerts[session["id"]] = card.message
            return
        method, behind = self._company.new_card(number), self._company.behind
        session["customer"] = self._customer(session)
        behind.made(f"/v1/payment_methods/{method}/attach", customer=session["customer"])
        setup = behind.made("/v1/setup_intents", customer=session["customer"])
        session["setup_intent"] = setup["id"]
        behind.made(f"/v1/setup_intents/{setup['id']}/confirm", payment_method=method)
        self._end(session, "no_payment_required")

    def _approve(self, session: dict[str, Any], number: str) -> None:
        method = self._at_bank.pop(session["id"], "")
        if method:
            self._pay(session, method)

    def _refuse(self, session: dict[str, Any], number: str) -> None:
        if self._at_bank.pop(session["id"], ""):
            self._alerts[session["id"]] = "We are unable to authenticate your payment method."

    def _pay(self, session: dict[str, Any], method: str) -> None:
        behind, intent = self._company.behind, self._intent(session)
        behind.made(f"/v1/payment_intents/{intent}", payment_method=method)
        if self._remembers(session):
            behind.made(f"/v1/payment_methods/{method}/attach", customer=session["customer"])
        self._company.charge(intent)
        self._end(session, "paid")

    def _intent(self, session: dict[str, Any]) -> str:
        """The session's payment intent, which Stripe writes down once the customer has sent a card."""
        if not session["payment_intent"]:
            if self._remembers(session):
                session["customer"] = self._customer(session)
            data = self._orders[session["id"]].get("payment_intent_data", {})
            order = {"amount": str(session["amount_total"]), "currency": session["currency"], **data}
            status, intent = self._company.create({**order, "customer": session["customer"]})
            assert status == 200, intent
            session["payment_intent"] = intent["id"]
        return str(session["payment_intent"])

    def _remembers(self, session: dict[str, Any]) -> bool:
        data = self._orders[session["id"]].get("payment_intent_data", {})
        return bool(data.get("setup_future_usage"))

    def _customer(self, session: dict[str, Any]) -> str:
        return session["customer"] or str(self._company.behind.made("/v1/customers", name="Walk-in")["id"])

    def _end(self, session: dict[str, Any], payment_status: str) -> None:
        session |= {"status": "complete", "payment_status": payment_status, "url": None}
        self._company.tell("checkout.session.completed", {**session})
