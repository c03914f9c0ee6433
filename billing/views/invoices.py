"""The page of one invoice: everything about it, and everything that can be done."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from billing import clock
from billing.actions import STEPS
from billing.models import Invoice, Mail
from billing.views.access import DeskRequest, desk
from billing.views.answers import came_from, go
from billing.views.paging import section

LATEST = 100
"""Attempts and mails shown on the page of an invoice, the latest first."""


@require_safe
@desk("billing.view_invoice")
def invoice(request: DeskRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Invoice.objects.select_related("contact", "order"), pk=pk)
    now, attempts = clock.now(), list(found.attempts.for_list()[:LATEST])
    context = {
        "invoice": found,
        "contact": found.contact,
        "started": found.started_orders.order_by("pk"),
        "lines": section("lines", found.lines.order_by("position", "id"), request.GET, found.line_count),
        "payments": section("payments", found.payments.for_list(), request.GET),
        "attempts": attempts,
        "has_overdue": any(attempt.is_due(now) for attempt in attempts),
        "mails": found.mails.for_list()[:LATEST],
        "events": section("events", found.events.for_timeline(), request.GET),
        "actions": found.available_actions(request.user),
        "stay": found.stay(),
        "can_retry": found.refusal(STEPS["retry"], request.user) is None,
        "today": clock.day_of(now),
    }
    return render(request, "billing/invoices/invoice.html", context)


@require_POST
@desk("billing.pay_invoice")
def ask_overdue(request: DeskRequest, pk: int) -> HttpResponse:
    """What the page of an invoice asks for by itself, so that the gateway does not keep the page waiting."""
    found = get_object_or_404(Invoice, pk=pk)
    if found.ask_overdue(at=clock.now()) and request.htmx:
        return trigger_client_event(HttpResponse(status=204), "changed", {})
    return go(request, reverse("billing:invoice", args=[pk]))


@require_safe
@desk("billing.view_mail")
def mail(request: DeskRequest, pk: int) -> HttpResponse:
    """A mail as it was written, and what became of it."""
    found = get_object_or_404(Mail.objects.select_related("invoice", "order", "card", "contact"), pk=pk)
    return render(request, "billing/mail.html", {"mail": found, "place": _place_of(found)})


def _place_of(mail: Mail) -> str:
    """The page of what the mail is about; cards stand on the tab of their contact."""
    if mail.invoice_id:
        return reverse("billing:invoice", args=[mail.invoice_id]) + "#mails"
    if mail.order_id:
        return reverse("billing:order", args=[mail.order_id]) + "#mails"
    return reverse("billing:purchases", args=[mail.contact_id]) + "#cards"


@require_POST
@desk("billing.request_payment_invoice")
def mail_again(request: DeskRequest, pk: int) -> HttpResponse:
    """Put a failed mail back into the queue."""
    found = get_object_or_404(Mail, pk=pk)
    found.send_again(clock.now())
    return go(request, came_from(request, reverse("billing:mail", args=[pk])))
