"""Cards on file: added on the gateway's own page, made default, removed."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing import gateways
from billing.models import Card, Customer, Event
from billing.models.guard import AlreadyDone, NotAllowed, Refused
from billing.views.access import DeskRequest, desk, refused
from billing.views.answers import came_from, done, go
from contacts.models import Contact

log = logging.getLogger(__name__)

PAGES = "card_pages"
"""Session key: hosted pages that this person opened, each with its contact and the way back."""


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.add_card")
def add(request: DeskRequest, pk: int) -> HttpResponse:
    """Lead to the gateway's page: a card's number is typed there, never here."""
    contact = get_object_or_404(Contact, pk=pk)
    back = came_from(request, reverse("billing:purchases", args=[pk]))
    if request.method != "POST":
        return render(request, "billing/cards/add.html", {"contact": contact, "back": back})
    key = uuid.uuid4()
    come_back = reverse("billing:card_return", args=[pk, key])
    try:
        page = gateways.get(settings.GATEWAY).card_page(
            key=key,
            customer=Customer.ref_of(contact, gateway=settings.GATEWAY),
            return_url=request.build_absolute_uri(come_back),
            cancel_url=request.build_absolute_uri(back),
        )
    except Exception:
        log.exception("The gateway opened no page for a card")
        words = _("The gateway did not answer, so no card can be added just now. Please try again.")
        return refused(request, words, status=409, back=back)
    opened = request.session.get(PAGES, {})
    request.session[PAGES] = {**dict(list(opened.items())[-9:]), str(key): [page.ref, back, pk]}
    return go(request, page.url)


@require_safe
@desk("billing.add_card")
def come_back(request: DeskRequest, pk: int, key: uuid.UUID) -> HttpResponse:
    """The gateway is asked what was stored; what the address says is not believed."""
    contact = get_object_or_404(Contact, pk=pk)
    home = reverse("billing:purchases", args=[pk])
    ref, back, typed_for = request.session.get(PAGES, {}).get(str(key), ("", home, None))
    if typed_for != pk:
        return redirect(home)
    try:
        result = gateways.get(settings.GATEWAY).page_result(ref)
    except Exception:
        log.exception("The gateway did not say which card was stored")
        words = _("The gateway did not answer. Reload this page to see whether the card was stored.")
        return refused(request, words, status=409, back=back)
    if not result.card:
        messages.info(request, _("No card was added."))
        return redirect(back)
    try:
        card = _stored(request, contact, result.card, key)
    except Refused as refusal:
        return refused(request, str(refusal), status=409, back=back)
    messages.success(request, _("%(card)s was added.") % {"card": card})
    joint = "&" if "?" in back else "?"
    return redirect(f"{back}{joint}{urlencode({'source': f'card:{card.pk}'})}" if "/pay/" in back else back)


def _stored(request: DeskRequest, contact: Contact, details: gateways.CardDetails, key: uuid.UUID) -> Card:
    try:
        return Card.add(request.user, contact=contact, details=details, gateway=settings.GATEWAY, key=key)
    except AlreadyDone:
        return Card.objects.get(gateway=settings.GATEWAY, token=details.token)


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.change_card")
def make_default(request: DeskRequest, pk: int) -> HttpResponse:
    return _change(request, pk, "default", lambda card, key: card.make_default(request.user, key=key))


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.change_card")
def remove(request: DeskRequest, pk: int) -> HttpResponse:
    now = timezone.now()
    return _change(request, pk, "remove", lambda card, key: card.remove(request.user, at=now, key=key))


def _change(
    request: DeskRequest, pk: int, verb: str, do: Callable[[Card, uuid.UUID | None], Event]
) -> HttpResponse:
    card = get_object_or_404(Card.objects.select_related("contact"), pk=pk)
    back = came_from(request, reverse("billing:purchases", args=[card.contact_id]) + "#cards")
    if request.method != "POST":
        context = {"card": card, "verb": verb, "back": back, "key": uuid.uuid4()}
        return render(request, "billing/cards/change.html", context)
    try:
        key = uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        key = None
    try:
        event = do(card, key)
    except AlreadyDone as already:
        event = already.event
    except Refused as refusal:
        status = 403 if isinstance(refusal, NotAllowed) else 409
        return refused(request, str(refusal), status=status, back=back)
    return done(request, event, back=back)
