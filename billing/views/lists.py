"""Invoices, payments, orders, commissions of all contacts: what the address asks for, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django.core.paginator import Page, Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import replace_url

from billing import clock
from billing.actions import ACTIONS, COMMISSION_ACTIONS, PAYMENT_ACTIONS
from billing.filters import CommissionFilter, InvoiceFilter, ListFilter, OrderFilter, PaymentFilter
from billing.models import Bulk, PartnerProgram, SavedFilter
from billing.views.access import DeskRequest, desk
from billing.views.paging import PER_PAGE, Section
from contacts.models import Contact

if TYPE_CHECKING:
    from billing.actions import Action
    from billing.models.partners.commission import CommissionQuerySet
    from billing.models.payment import PaymentQuerySet


@dataclass(frozen=True, slots=True)
class Heading:
    """A column by which the list can be put in order. ``direction``: how it is now, if by this one."""

    url: str
    direction: str


class Pages(Paginator[Any]):
    """Finds the ids of a page first and only then its rows, so that the last page of many costs little more
    than the first.
    """

    def page(self, number: int | str) -> Page[Any]:
        number = self.validate_number(number)
        rows: Any = self.object_list
        first = (number - 1) * self.per_page
        ids = list(rows.values_list("pk", flat=True)[first : first + self.per_page]) if self.count else []
        found = rows.in_bulk(ids)
        return Page([found[pk] for pk in ids if pk in found], number, self)


def headings(asked: ListFilter) -> dict[str, Heading]:
    """By column. Its link turns the order round, or begins with the natural one."""
    found = {}
    for name in (sort for sort in asked.sorts if not sort.startswith("-")):
        other = f"-{name}" if asked.sort != f"-{name}" else name
        direction = {name: "ascending", f"-{name}": "descending"}.get(asked.sort, "")
        found[name] = Heading(_address(asked.query, sort=other), direction)
    return found


def _address(query: QueryDict, **changes: str) -> str:
    changed = query.copy()
    for name, value in changes.items():
        changed[name] = value
    return f"?{changed.urlencode()}"


@require_safe
@desk("billing.view_invoice")
def invoices(request: DeskRequest) -> HttpResponse:
    asked = InvoiceFilter(request.GET)
    bulk = _bulk_of(ACTIONS, request)
    last_run = Bulk.objects.filter(made_by=request.user).order_by("-made_at").first()
    more = {
        "bulk_actions": bulk,
        "today": clock.today(),
        "show_contact": True,
        "unfinished": last_run if last_run and not last_run.is_finished else None,
    }
    return _list(request, asked, asked.rows.select_related("contact"), "invoices", more)


@require_safe
@desk("billing.view_payment")
def payments(request: DeskRequest) -> HttpResponse:
    asked = PaymentFilter(request.GET)
    bulk = _bulk_of(PAYMENT_ACTIONS, request)
    rows = cast("PaymentQuerySet", asked.rows).with_disputes().select_related("invoice", "contact")
    return _list(request, asked, rows, "payments", {"bulk_actions": bulk})


@require_safe
@desk("billing.view_order")
def orders(request: DeskRequest) -> HttpResponse:
    asked = OrderFilter(request.GET)
    return _list(request, asked, asked.rows.select_related("card", "contact"), "orders", {})


@require_safe
@desk("billing.view_commission")
def commissions(request: DeskRequest) -> HttpResponse:
    asked = CommissionFilter(request.GET)
    rows = cast("CommissionQuerySet", asked.rows).with_names()
    more = {
        "bulk_actions": _bulk_of(COMMISSION_ACTIONS, request),
        "bulk_base": reverse("billing:commissions"),
        "programs": PartnerProgram.objects.order_by("name"),
    }
    return _list(request, asked, rows, "commissions", more)


def _bulk_of(table: dict[str, Action], request: DeskRequest) -> list[Action]:
    return [action for action in table.values() if action.bulk and request.user.has_perm(action.codename)]


def _list(
    request: DeskRequest, asked: ListFilter, rows: Any, name: str, more: dict[str, Any]
) -> HttpResponse:
    query = asked.query
    place = query.copy()
    if "page" in request.GET:
        place["page"] = request.GET["page"]
    # A form sends its empty fields too: the links of the page lead back here without them.
    request.META["QUERY_STRING"] = place.urlencode()
    contact = asked.form.cleaned_data.get("contact") if asked.is_valid() else None
    saved = list(SavedFilter.objects.of(request.user, name))
    context = {
        "list_name": name,
        "saved": saved,
        "is_saved": any(each.query == query.urlencode() for each in saved),
        "filter": asked,
        "form": asked.form,
        "section": Section("page", Pages(rows, PER_PAGE).get_page(place.get("page")), place),
        "headings": headings(asked),
        "filter_query": query.urlencode(),
        "contact": Contact.objects.filter(pk=contact).first() if contact else None,
        **more,
    }
    response = render(request, f"billing/lists/{name}.html", context)
    if request.htmx.trigger == "filters":
        replace_url(response, request.get_full_path())
    return response
