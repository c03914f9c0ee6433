"""The Purchases tab: everything one contact bought, owes and paid, in one request with a constant number of
queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.paginator import EmptyPage, Page, PageNotAnInteger, Paginator
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.actions import ACTIONS
from billing.models import Attempt, Card, Event, Invoice, InvoiceLine, Payment
from billing.views.access import DeskRequest, desk
from contacts.models import Contact

PER_PAGE = 25


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
    try:
        page = paginator.page(int(query.get(name, "1")[:6]))
    except (ValueError, PageNotAnInteger):
        page = paginator.page(1)
    except EmptyPage:
        page = paginator.get_page(query.get(name))
    return Section(name, page, query)


def contact_figures(contact: Contact) -> dict[str, Any]:
    """The *Invoice info* block: per currency, never added across currencies. Three queries."""
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
        .order_by("-made_at", "-id")
        .only("amount", "currency", "made_at")
        .first()
    )
    firsts = [row["first_on"] for row in currencies if row["first_on"]]
    lasts = [row["last_on"] for row in currencies if row["last_on"]]
    return {
        "currencies": currencies,
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
    cards = section("cards", list(Card.objects.on_file(contact)), request.GET)
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
        "cards": cards,
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
