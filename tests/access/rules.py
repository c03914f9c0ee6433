"""Who may open what, written out a second time on purpose: an address that is not here fails a test."""

from __future__ import annotations

from dataclasses import dataclass

from tests.access.addresses import Address, addresses

CHANGES = frozenset({"PUT", "PATCH", "DELETE", "TRACE"})
"""Methods that no address of the desk takes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``methods`` besides HEAD and OPTIONS. ``is_public``: opened without signing in, by design.

    ``is_own``: it changes what is the person's own, so every role may. ``is_signed``: sent by a program that
    proves itself, so that no form's mark can be asked of it.
    """

    methods: frozenset[str]
    is_public: bool = False
    is_own: bool = False
    needs_role: bool = True
    is_signed: bool = False


READ, POST, BOTH = (
    Rule(frozenset({"GET"})),
    Rule(frozenset({"POST"})),
    Rule(frozenset({"GET", "POST"})),
)
RULES = {
    "login": Rule(frozenset({"GET", "POST"}), is_public=True),
    "login_code": Rule(frozenset({"GET", "POST"}), is_public=True),  # whose password was right a moment ago
    "two_factor": Rule(frozenset({"GET", "POST"}), is_own=True, needs_role=False),
    "logout": Rule(frozenset({"POST"}), is_public=True),  # whoever is signed out already is led to the door
    "home": READ,
    "contacts:list": READ,
    "contacts:new": BOTH,
    "contacts:detail": READ,
    "contacts:edit": BOTH,
    "billing:purchases": READ,
    "billing:contact_timeline": READ,
    "billing:invoice_new": BOTH,
    "billing:order_new": BOTH,
    "billing:orders": READ,
    "billing:order": READ,
    "billing:order_why_not": READ,
    "billing:order_act": BOTH,
    "billing:card_add": BOTH,
    "billing:card_return": READ,
    "billing:code_new": BOTH,
    "billing:code_copy": READ,
    "billing:code_withdraw": BOTH,
    "billing:coupon_issue": BOTH,
    "billing:codes_export": READ,
    "billing:card_default": BOTH,
    "billing:card_remove": BOTH,
    "billing:card_retry": BOTH,
    "billing:invoices": READ,
    "billing:invoices_export": BOTH,
    "billing:act_many": POST,
    "billing:bulk": BOTH,
    "billing:invoice": READ,
    "billing:invoice_export": BOTH,
    "billing:invoice_edit": BOTH,
    "billing:ask_overdue": POST,
    "billing:why_not": READ,
    "billing:act": BOTH,
    "billing:filter_save": Rule(frozenset({"POST"}), is_own=True),
    "billing:filter_forget": Rule(frozenset({"POST"}), is_own=True),
    "billing:referrals": READ,
    "billing:enrol": BOTH,
    "billing:referrers": BOTH,
    "billing:partner": READ,
    "billing:pay_out": BOTH,
    "billing:commissions": READ,
    "billing:commissions_approve": BOTH,
    "billing:commissions_export": BOTH,
    "billing:payouts": READ,
    "billing:payout": READ,
    "billing:payout_export": READ,
    "billing:totals": POST,
    "billing:product_search": READ,
    "billing:payments": READ,
    "billing:payments_export": BOTH,
    "billing:payment_refund": BOTH,
    "billing:health": READ,
    "billing:clock": BOTH,
    "billing:attempt": READ,
    "billing:attempt_ask": POST,
    "billing:attempt_cancel": POST,
    "billing:attention": READ,
    "billing:search": READ,
    "billing:unmatched_match": BOTH,
    "billing:unmatched_set_aside": BOTH,
    "billing:dispute_record": BOTH,
    "billing:notice_replay": BOTH,
    "billing:webhook": Rule(frozenset({"POST"}), is_public=True, is_signed=True),
    "billing:mail": READ,
    "billing:mail_again": POST,
    "billing:public_invoice": Rule(frozenset({"GET"}), is_public=True),
    "billing:public_pdf": Rule(frozenset({"GET"}), is_public=True),
    "billing:pay": Rule(frozenset({"GET", "POST"}), is_public=True),
    "billing:pay_return": Rule(frozenset({"GET"}), is_public=True),
    "billing:order_form": Rule(frozenset({"GET", "POST"}), is_public=True),
    "billing:ordered": Rule(frozenset({"GET"}), is_public=True),
    "billing:card_replace": Rule(frozenset({"GET", "POST"}), is_public=True),
    "billing:card_replace_return": Rule(frozenset({"GET"}), is_public=True),
    "sandbox:page": Rule(frozenset({"GET", "POST"}), is_public=True),
    "sandbox:bank_approve": Rule(frozenset({"POST"}), is_public=True),
    "sandbox:bank_refuse": Rule(frozenset({"POST"}), is_public=True),
}
"""Every address outside the back office, which has Django's own door in front of all of it."""

OF_THE_DESK = [address for address in addresses() if not address.is_of_the_back_office]
OF_THE_BACK_OFFICE = [address for address in addresses() if address.is_of_the_back_office]


def rule_of(address: Address) -> Rule:
    return RULES[address.name]


def taking(method: str) -> list[Address]:
    """The addresses of the desk that take this method."""
    return [address for address in OF_THE_DESK if method in RULES.get(address.name, READ).methods]
