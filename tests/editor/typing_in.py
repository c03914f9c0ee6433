"""What an agent types into the editor, as a browser sends it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from billing.models import Invoice
from contacts.models import Contact

KEY = UUID("0a6a2b6e-0000-4000-8000-000000000001")
COLUMNS = {
    "product": "",
    "sku": "",
    "description": "",
    "quantity": "1",
    "unit_price": "",
    "discount": "",
    "tax": "",
}

Typed = dict[str, Any]


def lantern(**changed: str) -> dict[str, str]:
    """A line over 49.00."""
    return {"description": "Lantern", "unit_price": "49.00", **changed}


def typed(*lines: dict[str, str], mode: str = "draft", key: UUID | str = KEY, **fields: Any) -> Typed:
    """The page with these lines. ``fields`` are named as in the form, ``__`` standing for a hyphen."""
    header = {"currency": "USD", "invoice_date": "2026-03-02", "due_in": "14", "mode": mode, "key": str(key)}
    named = {name.replace("__", "-"): value for name, value in fields.items()}
    columns = {f"line-{name}": [line.get(name, usual) for line in lines] for name, usual in COLUMNS.items()}
    return {**header, "do": "save", **columns, **named}


def new_url(contact: Contact) -> str:
    return f"/contacts/{contact.pk}/invoices/new/"


def edit_url(invoice: Invoice) -> str:
    return f"/invoices/{invoice.pk}/edit/"
