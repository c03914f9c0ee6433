"""Filters of a list that somebody keeps under a name; each person has their own."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.views.decorators.http import require_POST

from billing.filters import CommissionFilter, InvoiceFilter, ListFilter, OrderFilter, PaymentFilter
from billing.forms.saving import SaveFilterForm
from billing.models import SavedFilter
from billing.models.guard import Invalid
from billing.views.access import DeskRequest, desk

LISTS: dict[str, tuple[str, type[ListFilter]]] = {
    "invoices": ("billing.view_invoice", InvoiceFilter),
    "payments": ("billing.view_payment", PaymentFilter),
    "commissions": ("billing.view_commission", CommissionFilter),
    "orders": ("billing.view_order", OrderFilter),
}
"""By name: who may see the list, and what it can be asked for."""


@require_POST
@desk("billing.view_invoice")
def save(request: DeskRequest, page: str) -> HttpResponse:
    """Keep what the list was asked for, and show it."""
    if page not in LISTS:
        raise Http404
    permission, kind = LISTS[page]
    if not request.user.has_perm(permission):
        raise PermissionDenied
    form = SaveFilterForm(request.POST)
    query = kind.of(request.POST.get("query", "")).query.urlencode()
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(map(str, errors)))
        return redirect(_address(page, query))
    try:
        kept = SavedFilter.objects.keep(request.user, page, name=form.cleaned_data["name"], query=query)
    except Invalid as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _now("Saved as “%(name)s”.") % {"name": kept})
    return redirect(_address(page, query))


@require_POST
@desk("billing.view_invoice")
def forget(request: DeskRequest, pk: int) -> HttpResponse:
    kept = get_object_or_404(SavedFilter, pk=pk, user=request.user)
    kept.delete()
    messages.success(request, _now("“%(name)s” is no longer saved.") % {"name": kept})
    return redirect(_address(kept.page, kept.query))


def _address(page: str, query: str) -> str:
    return f"{reverse(f'billing:{page}')}?{query}".rstrip("?")
