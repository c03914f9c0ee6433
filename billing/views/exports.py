"""The export: ask which rows and columns, then stream the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.http import QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from billing import clock
from billing.actions import ACTIONS, CODE_STEPS, COMMISSION_ACTIONS, PAYMENT_ACTIONS, Action
from billing.export import CODES, COMMISSIONS, INVOICES, LINES, PAYMENTS, PAYOUT, Table, stream
from billing.filters import CommissionFilter, InvoiceFilter, ListFilter, PaymentFilter, Selection, Unreadable
from billing.forms.export import ExportForm
from billing.models import Coupon, CouponCode, Invoice, Payout
from billing.models.offering import role_sentence
from billing.views.access import DeskRequest, desk, refused
from billing.views.answers import came_from

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.http.response import HttpResponseBase


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be exported: the list it stands in, its files, and who may."""

    title: Any
    filter: type[ListFilter]
    tables: Sequence[Table]
    action: Action


OF_INVOICES = Kind(_("Export invoices"), InvoiceFilter, (INVOICES, LINES), ACTIONS["export"])
OF_PAYMENTS = Kind(_("Export payments"), PaymentFilter, (PAYMENTS,), PAYMENT_ACTIONS["export"])
OF_COMMISSIONS = Kind(_("Export commissions"), CommissionFilter, (COMMISSIONS,), COMMISSION_ACTIONS["export"])


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_invoice")
def invoices(request: DeskRequest) -> HttpResponseBase:
    return _export(request, OF_INVOICES, _given(request), back=reverse("billing:invoices"))


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_invoice")
def invoice(request: DeskRequest, pk: int) -> HttpResponseBase:
    """One invoice, from its own menu."""
    get_object_or_404(Invoice.objects.only("pk"), pk=pk)
    data = _given(request).copy()
    data["ids"] = str(pk)
    return _export(request, OF_INVOICES, data, back=reverse("billing:invoice", args=[pk]))


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_payment")
def payments(request: DeskRequest) -> HttpResponseBase:
    return _export(request, OF_PAYMENTS, _given(request), back=reverse("billing:payments"))


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_commission")
def commissions(request: DeskRequest) -> HttpResponseBase:
    return _export(request, OF_COMMISSIONS, _given(request), back=reverse("billing:commissions"))


@require_http_methods(["GET", "HEAD"])
@desk("billing.view_payout", "billing.export_commission")
def payout(request: DeskRequest, pk: int) -> HttpResponseBase:
    """The file of a batch: whom to pay what."""
    batch = get_object_or_404(Payout, pk=pk)
    columns = PAYOUT.named([column.name for column in PAYOUT.columns])
    return _csv(f"payout-{batch.pk}.csv", stream(PAYOUT, batch.shares(), columns, user=request.user))


@require_http_methods(["GET", "HEAD"])
@desk("billing.view_couponcode", CODE_STEPS["export_codes"].codename)
def codes(request: DeskRequest, pk: int) -> HttpResponseBase:
    """The personal codes of a coupon: whom to tell which."""
    coupon = get_object_or_404(Coupon, pk=pk)
    columns = CODES.named([column.name for column in CODES.columns])
    rows = CouponCode.objects.filter(coupon=coupon).for_export()
    return _csv(f"codes-{coupon.pk}.csv", stream(CODES, rows, columns, user=request.user))


def _given(request: DeskRequest) -> QueryDict:
    return request.POST if request.method == "POST" else request.GET


def _export(request: DeskRequest, kind: Kind, data: QueryDict, *, back: str) -> HttpResponseBase:
    back = came_from(request, back)
    if not request.user.has_perm(kind.action.codename):
        return refused(request, role_sentence(kind.action), status=403, back=back)
    try:
        selection = Selection.read(data, kind.filter)
        if request.method != "POST" and not selection.ids:
            selection = replace(selection, everything=True)
        selection.check()
    except Unreadable as unreadable:
        return refused(request, str(unreadable), status=422, back=back)
    asked = "columns" in request.POST
    form = ExportForm(
        data if asked else None,
        tables=kind.tables,
        selected=selection.filter.among(selection.ids).count() if selection.ids else None,
        matching=selection.filter.rows.count() if "filter" in data or selection.everything else None,
    )
    if asked and form.is_valid():
        return _file(request, form, selection)
    return _ask(request, form, kind, selection, back)


def _ask(request: DeskRequest, form: ExportForm, kind: Kind, selection: Selection, back: str) -> HttpResponse:
    context = {
        "form": form,
        "kind": kind,
        "selection": selection,
        "query": selection.filter.query.urlencode(),
        "back": back,
    }
    return render(request, "billing/export/wizard.html", context, status=422 if form.errors else 200)


def _file(request: DeskRequest, form: ExportForm, selection: Selection) -> StreamingHttpResponse:
    name = f"{form.table.name}-{clock.today():%Y-%m-%d}.csv"
    return _csv(name, stream(form.table, selection.rows, form.chosen(), user=request.user))


def _csv(name: str, pieces: Iterator[bytes]) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        pieces,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",  # a proxy that collects the whole file first would undo the streaming
        },
    )
