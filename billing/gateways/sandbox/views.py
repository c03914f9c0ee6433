"""What a customer sees at the card company: no sign-in, no script, addresses that cannot be guessed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from billing import clock
from billing.gateways.sandbox import pages
from billing.gateways.sandbox.checks import is_switched_on
from billing.gateways.sandbox.forms import CardForm
from billing.gateways.sandbox.models import HostedPage, Stage
from billing.gateways.sandbox.models.keys import UnknownRef
from billing.gateways.sandbox.numbers import NUMBERS
from billing.money import show

TEMPLATES = {
    Stage.BANK: "sandbox/bank.html",
    Stage.FINISHED: "sandbox/finished.html",
    Stage.EXPIRED: "sandbox/expired.html",
}


def _found_or_404(act: Callable[..., HostedPage], ref: str, *, now: datetime) -> HostedPage:
    if not is_switched_on():
        raise Http404
    try:
        return act(ref, now=now)
    except UnknownRef as unknown:
        raise Http404(str(unknown)) from None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("number", "cvc")
@sensitive_variables("form")
def page(request: HttpRequest, ref: str) -> HttpResponse:
    now = clock.now()
    hosted = _found_or_404(pages.look, ref, now=now)
    if request.method == "POST" and hosted.stage is Stage.FINISHED:
        return HttpResponseRedirect(hosted.return_url)
    if hosted.stage is not Stage.CARD:
        return _show(request, TEMPLATES[hosted.stage], hosted)
    if request.method != "POST":
        return _card_form(request, hosted, CardForm(today=clock.day_of(now)))
    form = CardForm(request.POST, today=clock.day_of(now))
    if not form.is_valid():
        return _card_form(request, hosted, form, status=422)
    return _after_card(
        request, pages.take_card(ref, form.card, now=now), loses_answer=form.card.behaviour.loses_answer
    )


def _show(
    request: HttpRequest, template: str, hosted: HostedPage, *, status: int = 200, **more: object
) -> HttpResponse:
    charge = hosted.charge
    amount = show(charge.amount, charge.currency) if charge else ""
    context = {"page": hosted, "amount": amount, "test_gateway": _("TEST – no real cards"), **more}
    return render(request, template, context, status=status)


def _card_form(
    request: HttpRequest, hosted: HostedPage, form: CardForm, *, status: int = 200
) -> HttpResponse:
    return _show(request, "sandbox/card.html", hosted, status=status, form=form, numbers=NUMBERS.values())


def _after_card(request: HttpRequest, hosted: HostedPage, *, loses_answer: bool) -> HttpResponse:
    if loses_answer and hosted.charge is not None:
        return _show(request, "sandbox/lost.html", hosted)
    return _onwards(hosted)


def _onwards(hosted: HostedPage) -> HttpResponse:
    """Back to the shop once finished, as hosted checkout does; before that the page says what is next."""
    if hosted.stage is Stage.FINISHED:
        return HttpResponseRedirect(hosted.return_url)
    return redirect("sandbox:page", hosted.ref)


@require_POST
def bank_approve(request: HttpRequest, ref: str) -> HttpResponse:
    return _onwards(_found_or_404(pages.approve_at_bank, ref, now=clock.now()))


@require_POST
def bank_refuse(request: HttpRequest, ref: str) -> HttpResponse:
    return _onwards(_found_or_404(pages.refuse_at_bank, ref, now=clock.now()))
