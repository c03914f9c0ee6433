"""The page on which customers order, and the one that tells them what became of it.

A card is typed at the gateway's own page. Nobody is told whether an e-mail address is known here, and nothing
of what is on file about a contact is shown.
"""

from __future__ import annotations

import functools
import math
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from billing import clock, documents, money
from billing.documents import Pair
from billing.forms.checkout import CheckoutForm
from billing.models import OrderForm, Payment, Submission
from billing.models.guard import Invalid, NotOffered, Refused, Stale
from billing.models.selling.form import Basket, Offer
from billing.models.selling.submission import Sent
from billing.models.visiting import HOUR, ComeBackLater
from billing.views import answers, referrals
from billing.views.access import HtmxRequest
from billing.views.client import client_of

VISIT = "visit"
"""Cookie: the order that this browser has begun, so that its Back button finds what was typed."""


def for_visitors(
    view: Callable[..., HttpResponse],
) -> Callable[..., HttpResponse]:
    """A customer's page, stored and listed nowhere."""

    @never_cache
    @functools.wraps(view)
    def page(request: HttpRequest, slug: str, **more: Any) -> HttpResponse:
        response = view(request, get_object_or_404(OrderForm, slug=slug), **more)
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return page


@require_http_methods(["GET", "HEAD", "POST"])
@for_visitors
def order(request: HtmxRequest, form: OrderForm) -> HttpResponse:
    now = clock.now()
    try:
        offers = form.offers()
    except NotOffered as refusal:
        return render(request, "public/order_closed.html", {"form": form, "refusal": refusal}, status=404)
    if request.method == "POST":
        return _sent(request, form, offers, now)
    led_here = referrals.referrals_of(request, form, at=now)
    response = _opened(request, form, offers, now)
    if request.GET.get("ref") and led_here:
        referrals.remember(response, led_here, form)
    return response


def _opened(request: HttpRequest, form: OrderForm, offers: list[Offer], now: datetime) -> HttpResponse:
    closed = Submission.refusal(form, email="", opened_from=client_of(request), at=now)
    if closed:
        return _later(render(request, "public/order_closed.html", {"form": form, "refusal": closed}), closed)
    begun = _begun(request, form, now)
    if begun is None:
        return _page(request, CheckoutForm(form, offers))
    asked = CheckoutForm(form, offers, typed=begun.typed, visit=begun.visit)
    return _page(request, asked, begun=begun)


def _begun(request: HttpRequest, form: OrderForm, now: datetime) -> Submission | None:
    """The order that this browser left unpaid within the hour."""
    try:
        visit = uuid.UUID(request.get_signed_cookie(VISIT, "", salt=form.slug))
    except ValueError:
        return None
    found = Submission.of(form, visit)
    return found if found and not found.finished_at and now - found.sent_at < HOUR else None


def _sent(request: HtmxRequest, form: OrderForm, offers: list[Offer], now: datetime) -> HttpResponse:
    if request.POST.get("do") == "totals":
        return _page(request, CheckoutForm(form, offers, typed=request.POST.dict()))
    asked = CheckoutForm(form, offers, data=request.POST)
    if "visit" in asked.errors:
        return _with_another_key(request, form, offers)
    if not asked.is_valid() or asked.basket is None:
        return _page(request, asked, status=422)
    try:
        return _order(request, asked, asked.basket, now)
    except Invalid as invalid:
        asked.refuse(invalid)
        return _page(request, asked, status=422)
    except Refused as refusal:
        response = _page(request, asked, status=409, refusal=refusal)
        return _later(response, refusal) if isinstance(refusal, ComeBackLater) else response


def _with_another_key(request: HtmxRequest, form: OrderForm, offers: list[Offer]) -> HttpResponse:
    """The one-time key came back broken, and nobody types that: the rest stays, the next press counts."""
    again = CheckoutForm(form, offers, typed=request.POST.dict(), visit=uuid.uuid4())
    words = _("Nothing was ordered: the page came back incomplete. Please press the button again.")
    return _page(request, again, status=422, refusal=words)


def _order(request: HtmxRequest, asked: CheckoutForm, basket: Basket, now: datetime) -> HttpResponse:
    form = asked.order_form
    if not asked.is_what_was_seen:
        words = _("The total is %(total)s. Please look at your order and press the button again.")
        if form.terms:
            words = _(
                "The total is %(total)s. Please look at your order and the terms, and press the button again."
            )
        raise Stale(words % {"total": money.show(basket.total, basket.currency)})
    sent = Sent(
        asked.typed,
        basket,
        at=now,
        opened_from=client_of(request),
        referrals=referrals.referrals_of(request, form, at=now),
    )
    submission = Submission.send(form, asked.cleaned_data["visit"], sent)
    path = reverse("billing:ordered", args=[form.slug, submission.visit])
    page = submission.lead_on(back=request.build_absolute_uri(path), at=now)
    response = answers.go(request, page or path)
    response.set_signed_cookie(
        VISIT,
        str(submission.visit),
        salt=form.slug,
        path=form.get_absolute_url(),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _later(response: HttpResponse, refusal: ComeBackLater) -> HttpResponse:
    response.status_code = 429
    response["Retry-After"] = str(max(1, math.ceil((refusal.until - clock.now()).total_seconds())))
    return response


def _page(request: HttpRequest, asked: CheckoutForm, *, status: int = 200, **context: Any) -> HttpResponse:
    basket = asked.basket
    words = {
        "form": asked.order_form,
        "asked": asked,
        "sums": _sums(basket) if basket else [],
        "deed": _deed(basket),
        **context,
    }
    return render(request, "public/order.html", words, status=status)


def _sums(basket: Basket) -> list[Pair]:
    sums = basket.totals()
    rows = [(_("Subtotal"), sums["subtotal"] + sums["coupon"])]
    if basket.discount:
        rows.append((basket.discount.words, -sums["coupon"]))
    rows.append((_("Tax"), sums["tax"]))
    pairs = [Pair(label, money.show(amount, basket.currency)) for label, amount in rows if amount]
    total = Pair(_("Total today"), money.show(sums["total"], basket.currency), is_sum=True)
    return [*pairs, total] if len(pairs) > 1 else [total]


def _deed(basket: Basket | None) -> str:
    if basket is None:
        return _("Order")
    if basket.total:
        return _("Order and pay %(total)s") % {"total": money.show(basket.total, basket.currency)}
    return _("Order and leave a card") if basket.recurs else _("Order, nothing to pay")


@require_safe
@for_visitors
def ordered(request: HttpRequest, form: OrderForm, visit: uuid.UUID) -> HttpResponse:
    """What became of an order, as the gateway says; told to whoever has its key, which its visitor made."""
    now = clock.now()
    submission = Submission.of(form, visit)
    if submission is None:
        raise Http404
    submission.look(at=now)
    if submission.is_accepted:
        return _thanks(request, submission)
    attempt = submission.last_attempt()
    if attempt and (attempt.is_in_flight or attempt.is_approved):
        context = {"form": form, "attempt": attempt}
        return render(request, "public/order_processing.html", context)
    try:
        offers = form.offers()
    except NotOffered as refusal:
        closed = {"form": form, "refusal": refusal, "attempt": attempt}
        return render(request, "public/order_closed.html", closed, status=404)
    going_on = (_begun(request, form, now) or submission) if submission.was_refused else submission
    visit_again = None if going_on.was_refused else going_on.visit
    asked = CheckoutForm(form, offers, typed=going_on.typed, visit=visit_again)
    return _page(request, asked, ended=submission, attempt=attempt)


def _thanks(request: HttpRequest, submission: Submission) -> HttpResponse:
    invoice = submission.invoice
    context = {
        "form": submission.form,
        "invoice": invoice,
        "payment": Payment.objects.received().filter(invoice=invoice).last(),
        "orders": invoice.started_orders.order_by("pk"),
        "standing": documents.standing(invoice, today=clock.today()),
    }
    response = render(request, "public/order_thanks.html", context)
    response.delete_cookie(VISIT, path=submission.form.get_absolute_url(), samesite="Lax")
    return response
