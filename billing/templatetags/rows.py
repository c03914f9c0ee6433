"""Rows of the long tables, and the menus in them: drawn with Jinja, in a fifth of the time.

Everything around the rows is a template of Django's. A menu reads from the model what may be done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext
from jinja2 import Environment

from billing.actions import CODE_STEPS, Action
from billing.forms.actions import FORMS, PAYMENT_FORMS
from billing.forms.coupons import CODE_FORMS
from billing.forms.orders import ORDER_FORMS
from billing.models import Commission, Coupon, CouponCode, Invoice, Order, Payment
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


def invoice_entries(invoice: Invoice, user: Any, way_back: str) -> list[Entry]:
    return _of_invoice(invoice, invoice.available_actions(user), way_back)


def payment_entries(payment: Payment, user: Any, way_back: str) -> list[Entry]:
    return _of_payment(payment, payment.available_actions(user), way_back)


def order_entries(order: Order, user: Any, way_back: str) -> list[Entry]:
    return _of_order(order, order.available_actions(user), way_back)


def commission_entries(commission: Commission, user: Any, way_back: str) -> list[Entry]:
    base = reverse("billing:commissions")
    return [
        _entry(action, f"{base}{action.name}/?ids={commission.pk}", way_back, dialog=True)
        for action in commission.available_actions(user)
    ]


def _of_order(order: Any, actions: Iterable[Action], way_back: str) -> list[Entry]:
    base = f"{reverse('billing:orders')}{order.pk}/"
    return [
        _entry(action, f"{base}{action.name}/", way_back, dialog=action.name in ORDER_FORMS)
        for action in actions
    ]


def _of_invoice(invoice: Any, actions: Iterable[Action], way_back: str) -> list[Entry]:
    base = f"{reverse('billing:invoices')}{invoice.pk}/"
    return [
        _entry(
            action,
            f"{base}{action.name}/",
            way_back,
            dialog=action.name in FORMS,
            copy=getattr(invoice, LINKS[action.name]) if action.name in LINKS else "",
        )
        for action in actions
    ]


def _of_payment(payment: Any, actions: Iterable[Action], way_back: str) -> list[Entry]:
    base = reverse("billing:payments")
    urls = {"refund": f"{base}{payment.pk}/refund/", "export": f"{base}export/?ids={payment.pk}"}
    return [
        _entry(action, urls[action.name], way_back, dialog=action.name in PAYMENT_FORMS) for action in actions
    ]


def code_entries(code: CouponCode, user: Any, way_back: str) -> list[Entry]:
    """A personal code's; a public one is switched off with its coupon."""
    urls = {"copy_code": "billing:code_copy", "withdraw": "billing:code_withdraw"}
    return [
        _entry(
            action,
            reverse(urls[action.name], args=[code.pk]),
            way_back,
            dialog=action.name in CODE_FORMS,
            copy=code.shown if action.name == "copy_code" else "",
        )
        for action in code.available_actions(user)
        if code.is_personal
    ]


def coupon_entries(coupon: Coupon, user: Any) -> list[Entry]:
    """What is done with its personal codes together; a public one is not issued."""
    issue, url = CODE_STEPS["issue_code"], f"{reverse('billing:coupon_issue')}?coupon={coupon.pk}"
    may = coupon.is_personal and user.has_perm(issue.codename)
    return [*([Entry(issue, url, url, dialog=False)] if may else []), *files_of_codes(coupon, user)]


@register.simple_tag
def files_of_codes(coupon: Coupon, user: Any) -> list[Entry]:
    """One, or none for who may not have it."""
    export, url = CODE_STEPS["export_codes"], reverse("billing:codes_export", args=[coupon.pk])
    may = coupon.is_personal and user.has_perm(export.codename)
    return [Entry(export, url, url, dialog=False)] if may else []


@dataclass(frozen=True, slots=True)
class Blank:
    """Stands for any record and page while a menu is drawn: characters that nobody types, to be filled in."""

    pk: str = "\ue000"
    name: str = "\ue001"
    invoice_link: str = "\ue002"
    pay_link: str = "\ue003"
    way_back: str = "\ue004"

    def __str__(self) -> str:
        return self.name


BLANK = Blank()


Entries = Callable[[Any, Iterable[Action], str], list[Entry]]


@lru_cache(maxsize=1024)
def _blank_menu(
    template: str, entries: Entries, actions: tuple[Action, ...], language: str | None, **roots: str
) -> str:
    """The menu of :data:`BLANK`, drawn once by each process, since it holds nothing of any record or page."""
    context = {
        "entries": entries(BLANK, actions, BLANK.way_back),
        "record": BLANK,
        "way_back": BLANK.way_back,
    }
    drawn: str = engines["rows"].get_template(template).render({**roots, **context})
    return drawn


class Menus:
    """The menus in the rows of one list.

    Those of records with the same actions differ by number, name and links alone: each kind is drawn once.
    """

    def __init__(self, template: str, entries: Entries, *, user: Any, way_back: str, **roots: str) -> None:
        self._template, self._entries, self._roots = template, entries, roots
        self._user, self._way_back = user, escape(way_back)
        self._of: dict[tuple[Action, ...], str] = {}

    def __call__(self, record: Invoice | Payment | Order) -> SafeString:
        actions = tuple(record.available_actions(self._user))
        if actions not in self._of:
            blank = _blank_menu(self._template, self._entries, actions, get_language(), **self._roots)
            self._of[actions] = blank.replace(BLANK.way_back, self._way_back)
        text = self._of[actions].replace(BLANK.pk, str(record.pk)).replace(BLANK.name, escape(str(record)))
        if isinstance(record, Invoice):
            text = text.replace(BLANK.invoice_link, record.invoice_link).replace(
                BLANK.pay_link, record.pay_link
            )
        return mark_safe(text)  # noqa: S308  # Jinja escaped the kind, and the rest is escaped above


def environment(**options: Any) -> Environment:
    """Jinja's environment of the row templates; named in the settings."""
    made = Environment(**options, trim_blocks=True, lstrip_blocks=True)  # noqa: S701  # Django's backend escapes
    made.globals["_"] = gettext
    made.filters |= {"day": day, "moment_day": moment_day, "moment": moment, "money": money, "normal": normal}
    return made


@lru_cache(maxsize=4096)
def day(value: date) -> str:
    return write_date(value, "j M Y")


def moment_day(value: datetime) -> str:
    """The day of a moment, here."""
    return day(localtime(value).date())


def moment(value: datetime) -> str:
    """As the template filter ``date:"j F Y, H:i T"`` writes it, in a third of the time."""
    local = localtime(value)
    return f"{local.day} {month(local.month)} {local:%Y, %H:%M} {local.tzname()}"


@lru_cache(maxsize=12)
def month(number: int) -> str:
    return write_date(date(2000, number, 1), "F")


def draw(context: Any, name: str, **more: Any) -> SafeString:
    """A row template filled in for the person who looks. Jinja has escaped what came from people."""
    return mark_safe(engines["rows"].get_template(name).render({**_roots(context), **more}))  # noqa: S308


def _roots(context: Any) -> dict[str, Any]:
    """What every row asks for, looked up once for a page."""
    request = context["request"]
    known: dict[str, Any] | None = getattr(request, "_roots", None)
    if known is None:
        known = request._roots = {  # noqa: SLF001  # kept beside what Django keeps there
            "invoices_url": reverse("billing:invoices"),
            "orders_url": reverse("billing:orders"),
            "contacts_url": reverse("contacts:list"),
            "user": request.user,
            "way_back": quote(request.get_full_path(), safe="/"),
        }
    return known


def _home_of_invoices() -> dict[str, str]:
    """What the menus of invoices are named by, and where their *Why not?* stands."""
    return {"kind": "invoice", "home": reverse("billing:invoices")}


def _home_of_orders() -> dict[str, str]:
    return {"kind": "order", "home": reverse("billing:orders")}


@register.simple_tag(takes_context=True)
def invoice_rows(context: Any, invoices: Iterable[Model], *, contact: bool = False) -> SafeString:
    """``contact``: with a column for whom the invoice is."""
    shown = {"today": context["today"], "boxes": bool(context.get("bulk_actions")), "contact": contact}
    menu = Menus("menu.jinja", _of_invoice, **_home_of_invoices(), **_roots(context))
    return draw(context, "invoices.jinja", invoices=invoices, menu=menu, **shown)


@register.simple_tag(takes_context=True)
def payment_rows(
    context: Any, payments: Iterable[Model], *, invoice: bool = True, contact: bool = False
) -> SafeString:
    """``invoice``, ``contact``: with a column for what was paid, and by whom."""
    shown = {"boxes": contact and bool(context.get("bulk_actions")), "invoice": invoice, "contact": contact}
    links = Menus("links.jinja", _of_payment, **_roots(context))
    return draw(context, "payments.jinja", payments=payments, links=links, **shown)


@register.simple_tag(takes_context=True)
def order_rows(context: Any, orders: Iterable[Model], *, contact: bool = False) -> SafeString:
    """``contact``: with a column for whom the order is."""
    menu = Menus("menu.jinja", _of_order, **_home_of_orders(), **_roots(context))
    return draw(context, "orders.jinja", orders=orders, menu=menu, contact=contact)


@register.simple_tag(takes_context=True)
def purchase_rows(context: Any, purchases: Iterable[Model]) -> SafeString:
    return draw(context, "purchases.jinja", purchases=purchases)


@register.simple_tag(takes_context=True)
def code_rows(context: Any, codes: Iterable[Model]) -> SafeString:
    roots = _roots(context)

    def entries(code: CouponCode) -> list[Entry]:
        return code_entries(code, roots["user"], roots["way_back"])

    return draw(context, "codes.jinja", codes=codes, entries=entries)


@register.simple_tag(takes_context=True)
def invoice_buttons(context: Any, invoice: Invoice) -> SafeString:
    """The same actions as a row of buttons: the first ones in sight, the others in a menu."""
    roots = _roots(context)
    entries = invoice_entries(invoice, roots["user"], roots["way_back"])
    return draw(context, "buttons.jinja", record=invoice, entries=entries, **_home_of_invoices())


@register.simple_tag(takes_context=True)
def order_buttons(context: Any, order: Order) -> SafeString:
    roots = _roots(context)
    entries = order_entries(order, roots["user"], roots["way_back"])
    return draw(context, "buttons.jinja", record=order, entries=entries, **_home_of_orders())


@register.simple_tag(takes_context=True)
def badges(context: Any, invoice: Invoice) -> SafeString:
    """The status in words, and what the status does not say."""
    return draw(context, "badges.jinja", invoice=invoice)
