"""Rows of the long tables, and the menus in them: drawn with Jinja, in a fifth of the time.

Everything around the rows is a template of Django's. A menu reads from the model what may be done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django import template
from django.db.models import Model
from django.template import engines
from django.urls import reverse
from django.utils.dateformat import format as write_date
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext
from jinja2 import Environment

from billing.actions import Action
from billing.forms.actions import FORMS, PAYMENT_FORMS
from billing.models import Invoice, Payment
from billing.templatetags.money import money, normal

register = template.Library()

LINKS = {"copy_invoice_link": "invoice_link", "copy_pay_link": "pay_link"}
KEYS = {"pay": "p"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of a menu. ``href`` knows the way back, ``dialog`` opens in place, ``copy`` is copied."""

    action: Action
    url: str
    href: str
    dialog: bool
    copy: str = ""
    key: str = ""


def _entry(action: Action, url: str, way_back: str, *, dialog: bool, copy: str = "") -> Entry:
    href = f"{url}{'&' if '?' in url else '?'}next={way_back}"
    return Entry(action, url, href, dialog, copy, KEYS.get(action.name, ""))


def invoice_entries(invoice: Invoice, user: Any, way_back: str, root: str = "") -> list[Entry]:
    """``root``: the address of all invoices, for whoever asks often and has looked it up already."""
    base = f"{root or reverse('billing:invoices')}{invoice.pk}/"
    return [
        _entry(
            action,
            f"{base}{action.name}/",
            way_back,
            dialog=action.name in FORMS,
            copy=getattr(invoice, LINKS[action.name]) if action.name in LINKS else "",
        )
        for action in invoice.available_actions(user)
    ]


def payment_entries(payment: Payment, user: Any, way_back: str, root: str = "") -> list[Entry]:
    """``root``: the address of all payments."""
    base = root or reverse("billing:payments")
    urls = {"refund": f"{base}{payment.pk}/refund/", "export": f"{base}export/?ids={payment.pk}"}
    return [
        _entry(action, urls[action.name], way_back, dialog=action.name in PAYMENT_FORMS)
        for action in payment.available_actions(user)
    ]


def environment(**options: Any) -> Environment:
    """Jinja's environment of the row templates; named in the settings."""
    made = Environment(**options, trim_blocks=True, lstrip_blocks=True)  # noqa: S701  # Django's backend escapes
    made.globals |= {
        "_": gettext,
        "money": money,
        "invoice_entries": invoice_entries,
        "payment_entries": payment_entries,
    }
    made.filters |= {"day": day, "moment": moment, "normal": normal}
    return made


@lru_cache(maxsize=4096)
def day(value: date) -> str:
    return write_date(value, "j M Y")


def moment(value: datetime) -> str:
    return write_date(localtime(value), "j F Y, H:i T")


def draw(context: Any, name: str, **more: Any) -> SafeString:
    """A row template filled in for the person who looks. Jinja has escaped what came from people."""
    request = context["request"]
    roots = {
        "invoices_url": reverse("billing:invoices"),
        "payments_url": reverse("billing:payments"),
        "contacts_url": reverse("contacts:list"),
        "user": request.user,
        "way_back": quote(request.get_full_path(), safe="/"),
    }
    return mark_safe(engines["rows"].get_template(name).render({**roots, **more}))  # noqa: S308


@register.simple_tag(takes_context=True)
def invoice_rows(context: Any, invoices: Iterable[Model], *, contact: bool = False) -> SafeString:
    """``contact``: with a column for whom the invoice is."""
    shown = {"today": context["today"], "boxes": bool(context.get("bulk_actions")), "contact": contact}
    return draw(context, "invoices.jinja", invoices=invoices, **shown)


@register.simple_tag(takes_context=True)
def payment_rows(
    context: Any, payments: Iterable[Model], *, invoice: bool = True, contact: bool = False
) -> SafeString:
    """``invoice``, ``contact``: with a column for what was paid, and by whom."""
    shown = {"boxes": contact and bool(context.get("bulk_actions")), "invoice": invoice, "contact": contact}
    return draw(context, "payments.jinja", payments=payments, **shown)


@register.simple_tag(takes_context=True)
def purchase_rows(context: Any, purchases: Iterable[Model]) -> SafeString:
    return draw(context, "purchases.jinja", purchases=purchases)


@register.simple_tag(takes_context=True)
def invoice_buttons(context: Any, invoice: Invoice) -> SafeString:
    """The same actions as a row of buttons: the first ones in sight, the others in a menu."""
    return draw(context, "buttons.jinja", invoice=invoice)


@register.simple_tag(takes_context=True)
def badges(context: Any, invoice: Invoice) -> SafeString:
    """The status in words, and what the status does not say."""
    return draw(context, "badges.jinja", invoice=invoice)
