"""Words of the e-mails: one function each, from plain values to a subject, a text and an HTML part. Sends
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.template.loader import render_to_string


@dataclass(frozen=True, slots=True)
class Message:
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class LineFacts:
    description: str
    quantity: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """``amount`` is negative for a refund, in the invoice's currency."""

    type: str
    received_on: date
    method: str
    amount: Decimal
    recorded_only: bool


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """What a mail may say about an invoice. ``pay_link`` is empty when nothing can be paid."""

    name: str
    status: str
    status_label: str
    contact_name: str
    currency: str
    invoice_date: date
    due_on: date
    total: Decimal
    paid: Decimal
    refunded: Decimal
    balance: Decimal
    written_off: Decimal
    lines: Sequence[LineFacts]
    more_lines: int
    note: str
    invoice_link: str
    pay_link: str


def unpaid_invoice(facts: InvoiceFacts, *, personal: str) -> Message:
    return _compose("unpaid_invoice", {"invoice": facts, "personal": personal})


def receipt(facts: InvoiceFacts, *, payments: Sequence[PaymentFacts], personal: str) -> Message:
    """States the true status and amounts; never claims money that did not come."""
    return _compose("receipt", {"invoice": facts, "payments": payments, "personal": personal})


def refund_receipt(facts: InvoiceFacts, *, refunds: Sequence[PaymentFacts]) -> Message:
    return _compose("refund_receipt", {"invoice": facts, "refunds": refunds})


def _compose(name: str, context: dict[str, Any]) -> Message:
    """A subject is one line, whatever a name in it holds: a line break there would start a header."""
    subject = render_to_string(f"email/{name}.subject.txt", context)
    return Message(
        subject=" ".join(subject.split())[:255],
        text=render_to_string(f"email/{name}.txt", context),
        html=render_to_string(f"email/{name}.html", context),
    )
