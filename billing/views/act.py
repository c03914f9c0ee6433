"""One action on one record: ask, show what will happen, do it once, answer."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable

from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.actions import ACTIONS, PAYMENT_ACTIONS, STEPS, Action, named
from billing.forms.actions import FORMS, MailForm, RefundPaymentForm
from billing.forms.dialog import Dialog
from billing.models import Event, Invoice, Payment
from billing.models.guard import AlreadyDone, Invalid, NotAllowed, Refused, Stale
from billing.statuses import AttemptState
from billing.views.access import DeskRequest, desk, refused
from billing.views.answers import came_from, done
from billing.views.attempts import show_attempt

MakeForm = Callable[..., Dialog]
"""The dialog's form, already told what it is about."""

LINKS = {"copy_invoice_link": "invoice_link", "copy_pay_link": "pay_link"}
"""Actions that the browser does by itself; without scripts their address shows the link to be copied."""


class ActionConverter:
    """The part of an address that names an action: exactly the names that the table and the dialogs know."""

    regex = "|".join([*ACTIONS, *(name for name in STEPS if name in FORMS)])

    def to_python(self, value: str) -> Action:
        return named(value)

    def to_url(self, value: Action | str) -> str:
        return value if isinstance(value, str) else value.name


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_invoice")
def act(request: DeskRequest, pk: int, action: Action) -> HttpResponse:
    """The dialog of an action (GET) and the action itself (POST)."""
    invoice = Invoice.objects.select_related("contact").filter(pk=pk).first()
    if invoice is None:
        return _after_it_was_deleted(request, pk, action)
    back = came_from(request, _home_of(invoice, action))
    if action.name in FORMS:
        make = functools.partial(FORMS[action.name], invoice=invoice, user=request.user)
        return dialog(request, make, action, back)
    refusal = invoice.refusal(action, request.user)
    if refusal:
        return refuse(request, refusal, back)
    if action.name in LINKS:
        link = getattr(invoice, LINKS[action.name])
        return render(
            request, "billing/invoices/link.html", {"invoice": invoice, "action": action, "link": link}
        )
    raise Http404


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_payment")
def refund_payment(request: DeskRequest, pk: int) -> HttpResponse:
    payment = get_object_or_404(Payment.objects.select_related("invoice__contact"), pk=pk)
    back = came_from(request, reverse("billing:invoice", args=[payment.invoice_id]))
    make = functools.partial(RefundPaymentForm, invoice=payment.invoice, user=request.user, payment=payment)
    return dialog(request, make, PAYMENT_ACTIONS["refund"], back)


@require_http_methods(["GET", "HEAD"])
@desk("billing.view_invoice")
def why_not(request: DeskRequest, pk: int) -> HttpResponse:
    """Every action that is not offered now, each with the reason."""
    invoice = get_object_or_404(Invoice, pk=pk)
    reasons = invoice.unavailable_actions(request.user)
    context = {"about": invoice, "reasons": reasons, "back": came_from(request, _home_of(invoice))}
    return render(request, "billing/invoices/why_not.html", context)


def _home_of(invoice: Invoice, action: Action | None = None) -> str:
    """Where to go after an action: the invoice, or the contact's purchases when there is no invoice any
    more.
    """
    if action and action.name == "delete":
        return reverse("billing:purchases", args=[invoice.contact_id])
    return reverse("billing:invoice", args=[invoice.pk])


def dialog(request: DeskRequest, make: MakeForm, action: Action, back: str) -> HttpResponse:
    """Any action that a form asks for: the question (GET), and the deed with its answer (POST)."""
    if request.method == "POST":
        try:
            make().about.one_time_key(_key(request), request.user, action.name).refuse_used()
        except AlreadyDone as already:
            return answer(request, already.event, back)
        except Refused as used_up:
            return refuse(request, used_up, back)
        return _do(request, make, action, back)
    form = make()
    refusal = form.subject.refusal(action, request.user)
    if refusal:
        return refuse(request, refusal, back)
    if request.htmx.target == "preview":
        return render(request, "billing/invoices/_preview.html", _context(make(request.GET), action, back))
    offered = {name: request.GET[name] for name in form.fields if name in request.GET}
    return _ask(request, make(initial=offered), action, back)


def _do(request: DeskRequest, make: MakeForm, action: Action, back: str) -> HttpResponse:
    form = make(request.POST)
    refusal = form.subject.refusal(action, request.user)
    if refusal:
        return refuse(request, refusal, back)
    if not form.is_valid():
        return _ask(request, form, action, back, status=422)
    try:
        event = form.do()
    except AlreadyDone as already:
        event = already.event
    except Invalid as invalid:
        form.add_error(invalid.field if invalid.field in form.fields else None, str(invalid))
        return _ask(request, form, action, back, status=422)
    except Stale as stale:
        return _ask_again(request, make, action, back, str(stale))
    except Refused as refused_now:
        return refuse(request, refused_now, back)
    return answer(request, event, back)


def _ask(
    request: DeskRequest, form: Dialog, action: Action, back: str, *, status: int = 200, notice: str = ""
) -> HttpResponse:
    context = {**_context(form, action, back), "notice": notice}
    return render(request, "billing/invoices/act.html", context, status=status)


def _context(form: Dialog, action: Action, back: str) -> dict[str, object]:
    return {
        "form": form,
        "about": form.about,
        "action": action,
        "preview": form.preview(),
        "mail": form.mail() if isinstance(form, MailForm) else None,
        "back": back,
    }


def _ask_again(request: DeskRequest, make: MakeForm, action: Action, back: str, notice: str) -> HttpResponse:
    """The record changed meanwhile: the same dialog on the new state, with everything that was typed."""
    subject = make().subject
    subject.refresh_from_db()
    data = request.POST.copy()
    data["key"], now = str(uuid.uuid4()), make()
    for name in now.of_state:
        data[name] = str(now.get_initial_for_field(now.fields[name], name))
    return _ask(request, make(data), action, back, status=409, notice=notice)


def refuse(request: DeskRequest, refusal: Refused, back: str) -> HttpResponse:
    status = 403 if isinstance(refusal, NotAllowed) else 409
    return refused(request, str(refusal), status=status, back=back)


def _key(request: DeskRequest) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        return None  # the form says so in its own words


def _after_it_was_deleted(request: DeskRequest, pk: int, action: Action) -> HttpResponse:
    """A second click on Delete shows the first result; anything else about a record that is gone is not
    found.
    """
    try:
        Invoice(pk=pk).one_time_key(_key(request), request.user, action.name).refuse_used()
    except AlreadyDone as already:
        home = reverse("billing:purchases", args=[already.event.contact_id])
        return answer(request, already.event, came_from(request, home))
    except Refused:
        pass
    raise Http404(_("This invoice does not exist."))


def answer(request: DeskRequest, event: Event, back: str) -> HttpResponse:
    """What the deed came to. A gateway call that did not end well is shown with what can be done about it."""
    attempt = event.attempt
    if attempt is None:
        return done(request, event, back=back)
    attempt.refresh_from_db()
    if attempt.state != AttemptState.APPROVED:
        return show_attempt(request, attempt, back=back)
    last = attempt.events.order_by(F("id").desc()).first()
    return done(request, last or event, back=back)
