from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from billing.mail import InvoiceFacts, LineFacts, PaymentFacts

OPEN = InvoiceFacts(
    name="INV-000017",
    status="open",
    status_label="Open",
    contact_name="Ada Lovelace",
    currency="USD",
    invoice_date=date(2026, 3, 2),
    due_on=date(2026, 3, 16),
    total=Decimal(100),
    paid=Decimal(0),
    refunded=Decimal(0),
    balance=Decimal(100),
    overpaid=Decimal(0),
    written_off=Decimal(0),
    lines=[LineFacts("Lantern", Decimal("2.500"), Decimal(100))],
    more_lines=0,
    note="",
    invoice_link="https://desk.example.com/i/abc/",
    pay_link="https://desk.example.com/pay/abc/",
)


def facts(status: str = "open", *, paid: int = 0, refunded: int = 0, **more: Any) -> InvoiceFacts:
    """An invoice over 100 dollars; ``paid`` is what is left of what came, as in the column."""
    owing = status in ("open", "collections")
    amounts = {
        "paid": Decimal(paid),
        "refunded": Decimal(refunded),
        "balance": Decimal(100 - paid if owing else 0),
        "pay_link": OPEN.pay_link if owing else "",
    }
    label = {"written_off": "Write off"}.get(status, status.capitalize())
    return replace(OPEN, status=status, status_label=label, **{**amounts, **more})


def paid_by_card(amount: int) -> PaymentFacts:
    return PaymentFacts("payment", date(2026, 3, 3), "Visa •• 4242", Decimal(amount), recorded_only=False)


def back_to_card(amount: int) -> PaymentFacts:
    return PaymentFacts("refund", date(2026, 3, 5), "Visa •• 4242", Decimal(-amount), recorded_only=False)


def back_in_cash(amount: int) -> PaymentFacts:
    return PaymentFacts("refund", date(2026, 3, 5), "Cash", Decimal(-amount), recorded_only=True)
