"""What a customer opens by the link of an order: the page on which its card is replaced."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from billing import clock
from billing.models import CardPage, Order
from billing.models.guard import Refused
from billing.views.client import client_of
from billing.views.public import by_link, say_when

log = logging.getLogger(__name__)

SOON = timedelta(minutes=15)


def _order_of(token: str) -> Order | None:
    return Order.objects.select_related("contact", "card").filter(token=token).first()


@require_http_methods(["GET", "HEAD", "POST"])
@by_link(_order_of)
def replace(request: HttpRequest, order: Order) -> HttpResponse:
    """One button that leads to the gateway's own page: a card's number is never typed here."""
    now, client = clock.now(), client_of(request)
    if request.method != "POST":
        if request.method == "GET" and not request.user.is_authenticated:
            order.note_card_page_opened(at=now)
        return _page(request, order, client, now)
    here = request.build_absolute_uri(reverse("billing:card_replace", args=[order.token]))
    try:
        url = CardPage.open_for(
            order, return_url=f"{here}return/?page={{page}}", cancel_url=here, opened_from=client, at=now
        )
    except Refused as refusal:
        order.refresh_from_db()
        return _page(request, order, client, now, refusal)
    return HttpResponseRedirect(url)


def _page(
    request: HttpRequest, order: Order, client: str, now: datetime, refusal: Refused | None = None
) -> HttpResponse:
    """``refusal`` is why the button that was pressed did not help; another press may."""
    closed = order.refusal_to_replace(at=now, opened_from=client)
    context = {
        "order": order,
        "stake": order.at_stake(),
        "refusal": refusal or closed,
        "takes_card": closed is None,
    }
    response = render(request, "public/replace.html", context, status=409 if refusal else 200)
    return say_when(response, closed)


@require_safe
@by_link(_order_of)
def replace_return(request: HttpRequest, order: Order) -> HttpResponse:
    """What became of the card, as the gateway says. The address only names which page is meant."""
    page, now = _page_of(order, request.GET.get("page", "")), clock.now()
    if page is None:
        return redirect("billing:card_replace", order.token)
    try:
        card, status = page.take(at=now), 200
    except Exception:
        log.exception("The gateway did not say which card was stored on page %s", page.pk)
        card, status = None, 409
    order.refresh_from_db()
    stake = order.at_stake()
    context = {
        "order": order,
        "card": card,
        "silent": status != 200,
        "stake": stake,
        "charged_now": [invoice for invoice in stake.owed if invoice.is_charged_before(now + SOON)],
    }
    return render(request, "public/replaced.html", context, status=status)


def _page_of(order: Order, key: str) -> CardPage | None:
    """A page that was opened by the link of this order, and no other."""
    try:
        return order.card_pages.filter(key=UUID(key)).exclude(page_ref="").first()
    except ValueError:
        return None
