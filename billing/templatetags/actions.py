"""The row menu: what may be done with a record, read from the table through the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django import template
from django.urls import reverse

from billing.actions import Action
from billing.forms.actions import FORMS
from billing.models import Invoice, Payment

register = template.Library()

LINKS = {"copy_invoice_link": "invoice_link", "copy_pay_link": "pay_link"}
KEYS = {"pay": "p"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a menu. ``dialog``: opens in place; ``copy``: the text that goes to the clipboard."""

    action: Action
    url: str
    dialog: bool
    copy: str = ""
    key: str = ""


def invoice_entries(invoice: Invoice, user: Any) -> list[Entry]:
    base = reverse("billing:invoice", args=[invoice.pk])
    return [
        Entry(
            action,
            f"{base}{action.name}/",
            dialog=action.name in FORMS,
            copy=getattr(invoice, LINKS[action.name]) if action.name in LINKS else "",
            key=KEYS.get(action.name, ""),
        )
        for action in invoice.available_actions(user)
    ]


def payment_entries(payment: Payment, user: Any) -> list[Entry]:
    urls = {
        "refund": reverse("billing:payment_refund", args=[payment.pk]),
        "export": f"{reverse('billing:payments_export')}?ids={payment.pk}",
    }
    return [
        Entry(action, urls[action.name], dialog=action.name == "refund")
        for action in payment.available_actions(user)
    ]


def _menu(context: Any, entries: list[Entry], **more: Any) -> dict[str, Any]:
    return {"entries": entries, "next": quote(context["request"].get_full_path(), safe="/"), **more}


@register.inclusion_tag("billing/_menu.html", takes_context=True)
def invoice_menu(context: Any, invoice: Invoice) -> dict[str, Any]:
    entries = invoice_entries(invoice, context["request"].user)
    why = reverse("billing:why_not", args=[invoice.pk])
    return _menu(context, entries, id=f"invoice-{invoice.pk}", about=str(invoice), why=why)


@register.inclusion_tag("billing/_menu.html", takes_context=True)
def payment_menu(context: Any, payment: Payment) -> dict[str, Any]:
    entries = payment_entries(payment, context["request"].user)
    return _menu(context, entries, id=f"payment-{payment.pk}", about=str(payment), why="")


@register.inclusion_tag("billing/_buttons.html", takes_context=True)
def invoice_buttons(context: Any, invoice: Invoice) -> dict[str, Any]:
    """The same actions as a row of buttons: the first ones in sight, the others in a menu."""
    entries = invoice_entries(invoice, context["request"].user)
    why = reverse("billing:why_not", args=[invoice.pk])
    return _menu(
        context, entries[3:], first=entries[:3], id=f"invoice-{invoice.pk}", about=str(invoice), why=why
    )
