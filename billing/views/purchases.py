"""The Purchases tab: everything one contact bought, owes and paid, in one request with a constant number of
queries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.actions import ACTIONS
from billing.models import Attempt, Card, Event, Invoice, InvoiceLine, Payment
from billing.statuses import InvoiceStatus
from billing.views.access import DeskRequest, desk
from contacts.models import Contact

PER_PAGE = 25
PAGE_NUMBER = re.compile("-?[0-9]{1,18}")


class CountedPaginator(Paginator[Any]):
    """A paginator that is told the count, so that it need not ask for it."""

    def __init__(self, rows: QuerySet[Any] | list[Any], count: int) -> None:
        super().__init__(rows, PER_PAGE)
        self.known = count

    @cached_property
    def count(self) -> int:
        return self.known


@dataclass(frozen=True, slots=True)
class Section:
    """One list of a page: ``name`` is its anchor and the name of its page's number in ``query``, which
    keeps the others.
    """

    name: str
    page: Page[Any]
    query: QueryDict

    @property
    def count(self) -> int:
        return self.page.paginator.count

    @property
    def previous_url(self) -> str:
        return self._url(self.page.number - 1) if self.page.has_previous() else ""

    @property
    def next_url(self) -> str:
        return self._url(self.page.number + 1) if self.page.has_next() else ""

    def _url(self, number: int) -> str:
        query = self.query.copy()
        query[self.name] = str(number)
        return f"?{query.urlencode()}#{self.name}"


Rows = QuerySet[Any] | list[Any]


def section(name: str, rows: Rows, query: QueryDict, count: int | None = None) -> Section:
    """The page of ``rows`` that the query string asks for; a page that does not exist is the nearest that
    does.
    """
    paginator: Paginator[Any] = Paginator(rows, PER_PAGE) if count is None else CountedPaginator(rows, count)
    asked = query.get(name, "")
    number = int(asked) if PAGE_NUMBER.fullmatch(asked) else 1
    return Section(name, paginator.page(min(max(number, 1), paginator.num_pages)), query)


def contact_figures(contact: Contact) -> dict[str, Any]:
    """The *Invoice info* block: per currency, never added across currencies. Three queries.

    Only the two counts, which are those of the lists, know of voided invoices.
    """
    currencies = Invoice.objects.of(contact).figures_by_currency()
    last = (
        Invoice.objects.of(contact)
        .sales()
        .for_list()
        .only("number", "total", "currency", "invoice_date")
        .first()
    )
    charge = (
        Payment.objects.of(contact)
        .received()
        .exclude(invoice__status=InvoiceStatus.VOIDED)
        .order_by("-made_at", "-id")
        .only("amount", "currency", "made_at")
        .first()
    )
    firsts = [row["first_on"] for row in currencies if row["first_on"]]
    lasts = [row["last_on"] for row in currencies if row["last_on"]]
    return {
        "currencies": [row for row in currencies if row["first_on"]],
        "first_on": min(firsts, default=None),
        "last_on": max(lasts, default=None),
        "last_invoice": last,
        "last_charge": charge,
        "unpaid_count": sum(row["unpaid_count"] for row in currencies),
        "invoice_count": sum(row["count"] for row in currencies),
        "line_count": sum(row["line_sum"] or 0 for row in currencies),
    }


@require_safe
@desk("contacts.view_contact", "billing.view_invoice")
def purchases(request: DeskRequest, pk: int) -> HttpResponse:
    contact = get_object_or_404(Contact, pk=pk)
    info = contact_figures(contact)
    last_card = Payment.objects.of(contact).card_charges().first()
    cards = list(Card.objects.on_file(contact))
    context = {
        "contact": contact,
        "info": info,
        "last_card": last_card,
        "history": section(
            "history", InvoiceLine.objects.history_of(contact), request.GET, info["line_count"]
        ),
        "invoices": section(
            "invoices", Invoice.objects.of(contact).for_list(), request.GET, info["invoice_count"]
        ),
        "payments": section("payments", Payment.objects.of(contact).for_list(), request.GET),
        "attempts": Attempt.objects.in_flight().filter(invoice__contact=contact).for_list(),
        "cards": section("cards", cards, request.GET),
        "default_card": next((card for card in cards if card.is_default), None),
        "today": timezone.localdate(),
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
    return render(request, "billing/timeline.html", {"contact": contact, "events": events})
