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
    """A line of a menu. ``href`` knows the way back, ``dialog`` opens in place, ``copy`` is copied."""

    action: Action
    url: str
    href: str
    dialog: bool
    copy: str = ""
    key: str = ""


def invoice_entries(invoice: Invoice, user: Any, way_back: str) -> list[Entry]:
    base = reverse("billing:invoice", args=[invoice.pk])
    return [
        Entry(
            action,
            f"{base}{action.name}/",
            f"{base}{action.name}/?next={way_back}",
            dialog=action.name in FORMS,
            copy=getattr(invoice, LINKS[action.name]) if action.name in LINKS else "",
            key=KEYS.get(action.name, ""),
        )
        for action in invoice.available_actions(user)
    ]


def payment_entries(payment: Payment, user: Any, way_back: str) -> list[Entry]:
    urls = {
        "refund": f"{reverse('billing:payment_refund', args=[payment.pk])}?",
        "export": f"{reverse('billing:payments_export')}?ids={payment.pk}&",
    }
    return [
        Entry(
            action,
            urls[action.name][:-1],
            f"{urls[action.name]}next={way_back}",
            dialog=action.name == "refund",
        )
        for action in payment.available_actions(user)
    ]


def _way_back(context: Any) -> str:
    return quote(context["request"].get_full_path(), safe="/")


def _invoice(context: Any, invoice: Invoice) -> dict[str, Any]:
    way_back = _way_back(context)
    return {
        "entries": invoice_entries(invoice, context["request"].user, way_back),
        "id": f"invoice-{invoice.pk}",
        "about": str(invoice),
        "why": reverse("billing:why_not", args=[invoice.pk]),
        "next": way_back,
    }


@register.inclusion_tag("billing/_menu.html", takes_context=True)
def invoice_menu(context: Any, invoice: Invoice) -> dict[str, Any]:
    return _invoice(context, invoice)


@register.inclusion_tag("billing/_menu.html", takes_context=True)
def payment_menu(context: Any, payment: Payment) -> dict[str, Any]:
    entries = payment_entries(payment, context["request"].user, _way_back(context))
    return {"entries": entries, "id": f"payment-{payment.pk}", "about": str(payment), "why": ""}


@register.inclusion_tag("billing/_buttons.html", takes_context=True)
def invoice_buttons(context: Any, invoice: Invoice) -> dict[str, Any]:
    """The same actions as a row of buttons: the first ones in sight, the others in a menu."""
    menu = _invoice(context, invoice)
    return {**menu, "first": menu["entries"][:3], "entries": menu["entries"][3:]}
