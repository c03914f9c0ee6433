"""What became of a call to a gateway, and what can be done about it."""

from __future__ import annotations

import uuid

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from billing import clock
from billing.actions import ACTIONS, DECLINE_CHOICES, Action, named
from billing.forms.actions import FORMS, ActionForm
from billing.models import Attempt
from billing.models.guard import Refused
from billing.statuses import AttemptKind, AttemptState
from billing.views.access import DeskRequest, desk, refused
from billing.views.answers import came_from


@require_safe
@desk("billing.view_attempt")
def attempt(request: DeskRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Attempt.objects.select_related("invoice__contact", "card"), pk=pk)
    return _page(request, found, came_from(request, reverse("billing:invoice", args=[found.invoice_id])))


@require_POST
@desk("billing.pay_invoice")
def ask(request: DeskRequest, pk: int) -> HttpResponse:
    """*Ask the gateway*: how did it end? Charges nothing."""
    found = get_object_or_404(Attempt.objects.select_related("invoice__contact", "card"), pk=pk)
    back = came_from(request, reverse("billing:invoice", args=[found.invoice_id]))
    found.ask(at=clock.now())
    return show_attempt(request, found, back=back)


@require_POST
@desk("billing.pay_invoice")
def cancel(request: DeskRequest, pk: int) -> HttpResponse:
    """Call off a charge that waits for the customer."""
    found = get_object_or_404(Attempt.objects.select_related("invoice__contact", "card"), pk=pk)
    back = came_from(request, reverse("billing:invoice", args=[found.invoice_id]))
    try:
        found.cancel(request.user, at=clock.now())
    except Refused as refusal:
        return refused(request, str(refusal), status=409, back=back)
    return show_attempt(request, found, back=back)


def show_attempt(request: DeskRequest, found: Attempt, *, back: str) -> HttpResponse:
    """In the dialog, with the page behind it refreshed; without scripts, as a page of its own."""
    if not request.htmx:
        page = reverse("billing:attempt", args=[found.pk])
        return HttpResponseRedirect(f"{page}?{urlencode({'next': back})}")
    return trigger_client_event(_page(request, found, back), "changed", {})


def _page(request: DeskRequest, found: Attempt, back: str) -> HttpResponse:
    invoice = found.invoice
    context = {
        "attempt": found,
        "invoice": invoice,
        "back": back,
        "choices": _choices(request, found),
        "retry": _retry(request, found),
        "needs_a_person": found.needs_a_person(clock.now()),
    }
    return render(request, "billing/attempts/attempt.html", context)


def _choices(request: DeskRequest, found: Attempt) -> list[tuple[Action, ActionForm]]:
    """After a declined charge: what may become of the invoice, each with its own one-time key."""
    if found.kind != AttemptKind.CHARGE or found.state != AttemptState.DECLINED:
        return []
    invoice = found.invoice
    actions = [named(name) for name in DECLINE_CHOICES]
    return [
        (action, FORMS[action.name](invoice=invoice, user=request.user, initial={"key": uuid.uuid4()}))
        for action in actions
        if invoice.refusal(action, request.user) is None
    ]


def _retry(request: DeskRequest, found: Attempt) -> Action | None:
    """Pay once more, or refund once more, when that is possible now."""
    action = ACTIONS["pay" if found.kind == AttemptKind.CHARGE else "refund"]
    ended_badly = found.state in {AttemptState.DECLINED, AttemptState.NOT_CHARGED}
    return action if ended_badly and found.invoice.can(action.name, request.user) else None
