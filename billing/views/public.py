"""What customers open by an unguessable link: an invoice, its PDF, and the page that takes its payment."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from billing import clock, documents
from billing.documents import NoPdf
from billing.models import Attempt, Invoice, Payment
from billing.models.guard import Refused
from billing.models.visiting import TooManyDeclines
from billing.statuses import AttemptState, InvoiceStatus
from billing.views.client import client_of

T = TypeVar("T")
Page = Callable[[HttpRequest, str], HttpResponse]


def by_link(find: Callable[[str], T | None]) -> Callable[[Callable[[HttpRequest, T], HttpResponse]], Page]:
    """A customer's page about what the link's secret finds, stored and listed nowhere.

    The referrer policy stays ``same-origin``: under ``no-referrer`` a browser sends ``Origin: null`` with its
    forms, which the CSRF check refuses.
    """

    def wrap(view: Callable[[HttpRequest, T], HttpResponse]) -> Page:
        @never_cache
        @functools.wraps(view)
        def page(request: HttpRequest, token: str) -> HttpResponse:
            found = find(token)
            if found is None:
                raise Http404
            response = view(request, found)
            response["X-Robots-Tag"] = "noindex, nofollow"
            return response

        return page

    return wrap


def _invoice_of(token: str) -> Invoice | None:
    """A draft's link and one that never was are answered alike."""
    issued = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).select_related("contact")
    return issued.filter(token=token).first()


def say_when(response: HttpResponse, refusal: Refused | None) -> HttpResponse:
    """Let a page that is closed for a while say until when (429)."""
    if isinstance(refusal, TooManyDeclines):
        response.status_code = 429
        response["Retry-After"] = str(math.ceil((refusal.until - clock.now()).total_seconds()))
    return response


def note(request: HttpRequest, invoice: Invoice, action: str) -> None:
    """Tell the timeline that a customer came; the desk's own staff are no news."""
    if request.method == "GET" and not request.user.is_authenticated:
        invoice.note_opened(action, at=clock.now())


@require_safe
@by_link(_invoice_of)
def public_invoice(request: HttpRequest, invoice: Invoice) -> HttpResponse:
    note(request, invoice, "invoice_opened")
    paper = documents.document(invoice, today=clock.today())
    return render(request, "public/invoice.html", {"invoice": invoice, "paper": paper})


@require_safe
@by_link(_invoice_of)
def public_pdf(request: HttpRequest, invoice: Invoice) -> HttpResponse:
    note(request, invoice, "invoice_opened")
    paper = documents.document(invoice, today=clock.today())
    try:
        response = HttpResponse(documents.pdf(paper), content_type="application/pdf")
    except NoPdf:
        return render(request, "public/no_pdf.html", {"invoice": invoice}, status=503)
    name = documents.file_name(invoice)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@by_link(_invoice_of)
def pay(request: HttpRequest, invoice: Invoice) -> HttpResponse:
    """One button that leads to the gateway's own page: a card's number is never typed here."""
    client = client_of(request)
    if request.method != "POST":
        note(request, invoice, "pay_page_opened")
        return _pay_page(request, invoice, client)
    come_back = request.build_absolute_uri(reverse("billing:pay_return", args=[invoice.token]))
    come_back += "?attempt={attempt}"
    try:
        page = invoice.open_page(
            return_url=come_back,
            cancel_url=come_back,
            remember="remember" in request.POST,
            at=clock.now(),
            opened_from=client,
        )
    except Refused as refusal:
        invoice.refresh_from_db()
        return _pay_page(request, invoice, client, refusal)
    return HttpResponseRedirect(page.url)


def _pay_page(
    request: HttpRequest, invoice: Invoice, client: str, refusal: Refused | None = None
) -> HttpResponse:
    """``refusal`` is why the button that was pressed did not help; another press may."""
    now = clock.now()
    closed = invoice.refusal_to_pay(at=now, opened_from=client)
    begun = invoice.attempts.open_pages().exclude(page_ref="").last()
    context = {
        "invoice": invoice,
        "standing": documents.standing(invoice, today=clock.day_of(now)),
        "refusal": (refusal or closed) if invoice.is_owing else None,
        "takes_money": closed is None,
        "begun": begun,
    }
    return say_when(render(request, "public/pay.html", context, status=409 if refusal else 200), closed)


@require_safe
@by_link(_invoice_of)
def pay_return(request: HttpRequest, invoice: Invoice) -> HttpResponse:
    """How the payment ended, as the gateway says. The address only names which payment is meant."""
    attempt = _attempt_of(invoice, request.GET.get("attempt", ""))
    if attempt is None:
        return redirect("billing:pay", invoice.token)
    attempt.invoice = invoice
    attempt.ask(at=clock.now())
    invoice.refresh_from_db()
    payment = Payment.objects.filter(attempt=attempt).last()
    context = {
        "invoice": invoice,
        "attempt": attempt,
        "payment": payment,
        "standing": documents.standing(invoice, today=clock.today()),
    }
    return render(request, f"public/{RESULTS[AttemptState(attempt.state)]}.html", context)


RESULTS = {
    AttemptState.APPROVED: "paid",
    AttemptState.DECLINED: "declined",
    AttemptState.NOT_CHARGED: "not_finished",
    AttemptState.PAGE_OPEN: "not_finished",
    AttemptState.STARTED: "processing",
    AttemptState.PENDING: "processing",
    AttemptState.UNKNOWN: "processing",
    AttemptState.NEEDS_ACTION: "processing",
}


def _attempt_of(invoice: Invoice, key: str) -> Attempt | None:
    """The payment that a customer began on a page of the gateway, and no other."""
    try:
        began = Attempt.objects.filter(invoice=invoice, key=UUID(key))
    except ValueError:
        return None
    return began.exclude(page_ref="").first()
