"""The Purchases tab: everything one contact bought, owes and paid, in one request with a constant number of
queries.
"""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, PositiveIntegerField, QuerySet, Subquery
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from billing import clock
from billing.actions import ACTIONS
from billing.models import Attempt, Card, CouponCode, Event, Invoice, InvoiceLine, Mail, Order, Payment
from billing.views.access import DeskRequest, desk
from billing.views.invoices import LATEST
from billing.views.paging import Section, newest, section
from contacts.models import Contact


def contact_figures(contact: Contact) -> dict[str, Any]:
    """The sums of the *Invoice info* block: per currency, never added across currencies. One query.

    Only the two counts, which are those of the lists, and ``waiting`` know of voided invoices.
    """
    currencies = Invoice.objects.of(contact).figures_by_currency()
    firsts = [row["first_on"] for row in currencies if row["first_on"]]
    lasts = [row["last_on"] for row in currencies if row["last_on"]]
    return {
        "currencies": [row for row in currencies if row["first_on"]],
        "first_on": min(firsts, default=None),
        "last_on": max(lasts, default=None),
        "unpaid_count": sum(row["unpaid_count"] for row in currencies),
        "invoice_count": sum(row["count"] for row in currencies),
        "line_count": sum(row["line_sum"] or 0 for row in currencies),
        "waiting_count": sum(row["waiting"] for row in currencies),
    }


class CountOf(Subquery):
    """How many rows there are, counted by themselves: joined to one another they would multiply."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = PositiveIntegerField()


COUNTS = {
    f"{name}_count": CountOf(model._default_manager.filter(contact=OuterRef("pk")).order_by().values("pk"))
    for name, model in (("payment", Payment), ("order", Order), ("code", CouponCode))
}
"""What is counted with the contact."""


def lists(contact: Contact, info: dict[str, Any], query: QueryDict) -> dict[str, Section]:
    return {
        "history": section("history", InvoiceLine.objects.history_of(contact), query, info["line_count"]),
        "invoices": section("invoices", Invoice.objects.of(contact).for_list(), query, info["invoice_count"]),
        "payments": section("payments", Payment.objects.of(contact).for_list(), query, info["payment_count"]),
        "orders": section("orders", Order.objects.of(contact).for_list(), query, info["order_count"]),
        "coupons": section("coupons", CouponCode.objects.of(contact).for_list(), query, info["code_count"]),
    }


def latest(contact: Contact, shown: dict[str, Section]) -> dict[str, Any]:
    """The last purchase, the last charge and the last card charged. At most three queries, mostly none."""
    payments = Payment.objects.of(contact)
    return {
        "last_invoice": newest(
            shown["invoices"],
            lambda invoice: invoice.is_sale,
            lambda: Invoice.objects.of(contact).sales().for_list(),
        ),
        "last_charge": newest(
            shown["payments"],
            lambda payment: payment.counts_as_charge,
            lambda: payments.counting_as_charges().for_list(),
        ),
        "last_card": newest(
            shown["payments"],
            lambda payment: payment.is_card_charge,
            lambda: payments.card_charges().for_list(),
        ),
    }


def _waiting(contact: Contact) -> QuerySet[Attempt]:
    return Attempt.objects.in_flight().filter(invoice__contact=contact).for_list()


@require_safe
@desk("contacts.view_contact", "billing.view_invoice")
def purchases(request: DeskRequest, pk: int) -> HttpResponse:
    contact = get_object_or_404(Contact.objects.annotate(**COUNTS), pk=pk)
    info = {**contact_figures(contact), **{name: vars(contact)[name] for name in COUNTS}}
    shown = lists(contact, info, request.GET)
    cards = list(Card.objects.on_file(contact))
    context = {
        "contact": contact,
        "info": info,
        **shown,
        **latest(contact, shown),
        "attempts": _waiting(contact) if info["waiting_count"] else [],
        "cards": section("cards", cards, request.GET),
        "default_card": next((card for card in cards if card.is_default), None),
        "today": clock.today(),
        "bulk_actions": [
            action for action in ACTIONS.values() if action.bulk and request.user.has_perm(action.codename)
        ],
    }
    return render(request, "billing/purchases/tab.html", context)


@require_safe
@desk("contacts.view_contact", "billing.view_event")
def contact_timeline(request: DeskRequest, pk: int) -> HttpResponse:
    contact = get_object_or_404(Contact, pk=pk)
    events = section("page", Event.objects.filter(contact=contact).for_timeline(), request.GET)
    mails = Mail.objects.filter(contact=contact).for_list().select_related("invoice", "order", "card")
    context = {"contact": contact, "events": events, "mails": mails[:LATEST]}
    return render(request, "billing/timeline.html", context)
