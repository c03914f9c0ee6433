"""Every form of the desk with values that it takes, to be spoilt one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from tests.access.addresses import World
from tests.editor.typing_in import lantern, typed

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """Where it is sent, what it takes, and the label of each field that people type into."""

    name: str
    path: Callable[[World], str]
    data: Data
    amounts: dict[str, str]
    days: dict[str, str]
    texts: dict[str, str]
    choices: dict[str, str]

    def __str__(self) -> str:
        return self.name

    def fields(self) -> Iterator[str]:
        yield from {**self.data, **self.amounts, **self.days, **self.texts, **self.choices}

    def filled(self, **spoilt: Any) -> Data:
        """A new one-time key each time, if the form has one."""
        key = {"key": str(uuid4())} if "key" in self.data else {}
        return {**self.data, **key, **spoilt}


def form(name: str, path: Callable[[World], str], data: Data, **labels: dict[str, str]) -> Form:
    kinds = {kind: labels.get(kind, {}) for kind in ("amounts", "days", "texts", "choices")}
    return Form(name, path, data, **kinds)


def _action(name: str, data: Data, **labels: dict[str, str]) -> Form:
    return form(name, lambda world: f"/invoices/{world.invoice.pk}/{name}/", {"key": "", **data}, **labels)


EDITOR = typed(
    lantern(unit_price="49.00", discount="1.00"),
    shipping="2.00",
    note="Thank you",
    external_ref="PO-1",
)

FORMS = [
    _action(
        "pay",
        {"source": "cheque", "amount": "10.00", "reference": "17", "received_on": "2026-03-03"},
        amounts={"amount": "Amount"},
        days={"received_on": "Date received"},
        texts={"reference": "Reference"},
        choices={"source": "Pay with"},
    ),
    _action(
        "request_payment",
        {"recipient": "ada@example.com", "message": "Hello"},
        texts={"message": "Personal message"},
    ),
    _action("void", {"reason": "Ordered twice"}, texts={"reason": "Reason"}),
    _action("write_off", {"reason": "Moved abroad"}, texts={"reason": "Reason"}),
    form(
        "refund of a payment",
        lambda world: f"/payments/{world.payment.pk}/refund/",
        {"key": "", "amount": "10.00", "route": "recorded", "reason": "Broken"},
        amounts={"amount": "Amount"},
        texts={"reason": "Reason"},
        choices={"route": "How"},
    ),
    form(
        "new invoice",
        lambda world: f"/contacts/{world.contact.pk}/invoices/new/",
        EDITOR,
        amounts={"line-unit_price": "Unit price", "line-discount": "Discount", "shipping": "Shipping"},
        days={"invoice_date": "Invoice date"},
        texts={
            "line-description": "Description",
            "note": "Note to the customer",
            "external_ref": "External reference",
        },
        choices={"currency": "Currency", "line-tax": "Tax rate"},
    ),
    form(
        "new invoice with an offline payment",
        lambda world: f"/contacts/{world.contact.pk}/invoices/new/",
        {
            **EDITOR,
            "mode": "record",
            "record-method": "cash",
            "record-amount": "5.00",
            "record-reference": "17",
        },
        amounts={"record-amount": "Amount"},
        days={"record-received_on": "Date received"},
        texts={"record-reference": "Reference"},
        choices={"record-method": "Method"},
    ),
    form(
        "new invoice with a charge",
        lambda world: f"/contacts/{world.contact.pk}/invoices/new/",
        {**EDITOR, "mode": "charge", "charge-amount": "5.00"},
        amounts={"charge-amount": "Amount"},
        choices={"charge-card": "Card"},
    ),
    form(
        "new contact",
        lambda world: "/contacts/new/",
        {"name": "Grace Hopper", "city": "New York", "notes": "Navy"},
        texts={"name": "Name", "company": "Company", "city": "City", "notes": "Notes"},
        choices={"country": "Country"},
    ),
    form(
        "order form",
        lambda world: world.form.get_absolute_url(),
        {
            "visit": str(UUID(int=9)),
            "seen": "",
            "name": "Grace Hopper",
            "email": "grace@navy.example",
        },
        texts={"name": "Name", "company": "Company"},
    ),
    form(
        "withdraw a code",
        lambda world: f"/codes/{world.code.pk}/withdraw/",
        {"key": "", "reason": "Sent twice"},
        texts={"reason": "Reason"},
    ),
    form(
        "enrolment",
        lambda world: f"/contacts/{world.customer}/programs/{world.partner.program_id}/enrol/",
        {"key": "", "code": "GRACE"},
    ),
    form(
        "referrers",
        lambda world: f"/contacts/{world.contact.pk}/programs/{world.partner.program_id}/referrers/",
        {"key": "", "first": "", "last": "", "reason": "She said so"},
        texts={"reason": "Reason"},
        choices={"first": "First referrer", "last": "Last referrer"},
    ),
    form(
        "void of many",
        lambda world: "/invoices/void/",
        {"key": "", "ids": "1", "reason": "Ordered twice"},
        texts={"reason": "Reason"},
    ),
]
LISTS = [
    form(
        "invoices",
        lambda world: "/invoices/",
        {},
        amounts={"amount_min": "Total from", "amount_max": "Total to"},
        days={"date_from": "Date from", "date_to": "Date to"},
        choices={"currency": "Currency", "status": "Status"},
    ),
    form(
        "payments",
        lambda world: "/payments/",
        {},
        amounts={"amount_min": "Amount from", "amount_max": "Amount to"},
        days={"date_from": "Date from", "date_to": "Date to"},
        choices={"currency": "Currency", "method": "Method"},
    ),
    form(
        "commissions",
        lambda world: "/commissions/",
        {},
        amounts={"amount_min": "Amount from", "amount_max": "Amount to"},
        days={"date_from": "Date from", "date_to": "Date to"},
        choices={"currency": "Currency", "status": "Status"},
    ),
]
