"""Cards on file: added on the gateway's own page, made default, removed, and what a new one may pay."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import trigger_client_event

from billing import clock
from billing.actions import STEPS
from billing.forms.retrying import RetryAllForm
from billing.gateways import reason_of
from billing.models import Card, CardPage, Event, Invoice
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
        page, url = CardPage.open(
            request.user,
            contact=contact,
            key=key,
            return_url=request.build_absolute_uri(come_back),
            cancel_url=request.build_absolute_uri(back),
            at=clock.now(),
        )
    except Exception as error:
        log.exception("The gateway opened no page for a card")
        silent = _("The gateway did not answer, so no card can be added just now. Please try again.")
        return refused(request, reason_of(error) or silent, status=409, back=back)
    opened = request.session.get(PAGES, {})
    request.session[PAGES] = {**dict(list(opened.items())[-9:]), str(key): [page.page_ref, back, pk]}
    return go(request, url)


@require_safe
@desk("billing.add_card")
def come_back(request: DeskRequest, pk: int, key: uuid.UUID) -> HttpResponse:
    """The gateway is asked what was stored; what the address says is not believed."""
    get_object_or_404(Contact, pk=pk)
    home = reverse("billing:purchases", args=[pk])
    _ref, back, typed_for = request.session.get(PAGES, {}).get(str(key), ("", home, None))
    page = CardPage.objects.filter(key=key, contact=pk).select_related("contact", "opened_by").first()
    if typed_for != pk or page is None:
        return redirect(home)
    try:
        card = page.take(at=clock.now())
    except Refused as refusal:
        return refused(request, str(refusal), status=409, back=back)
    except Exception as error:
        log.exception("The gateway did not say which card was stored")
        silent = _("The gateway did not answer. Reload this page to see whether the card was stored.")
        return refused(request, reason_of(error) or silent, status=409, back=back)
    if card is None:
        messages.info(request, _("No card was added."))
        return redirect(back)
    messages.success(request, _("%(card)s was added.") % {"card": card})
    if _is_a_dialog(back):
        chosen = {"source": f"card:{card.pk}"} if "/pay/" in back else {"card": str(card.pk)}
        return redirect(f"{back}{'&' if '?' in back else '?'}{urlencode(chosen)}")
    return redirect(_retry_url(card, back) if _may_be_retried(request, card) else back)


def _is_a_dialog(path: str) -> bool:
    """Whether a card was asked for in the middle of something else, which goes on with it."""
    try:
        return resolve(urlsplit(path).path).url_name in ("act", "order_act", "order_new")
    except Resolver404:
        return False


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.change_card")
def make_default(request: DeskRequest, pk: int) -> HttpResponse:
    return _change(request, pk, "default", lambda card, key: card.make_default(request.user, key=key))


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.change_card")
def remove(request: DeskRequest, pk: int) -> HttpResponse:
    now = clock.now()
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
    if card.is_default and _may_be_retried(request, card):
        return _offer_to_retry(request, card, event, back)
    return done(request, event, back=back)


# -- what waits in Collections for another card


def _may_be_retried(request: DeskRequest, card: Card) -> bool:
    if not request.user.has_perm(STEPS["retry"].codename):
        return False
    return Invoice.objects.in_collections_of(card.contact).filter(awaiting_gateway=False).exists()


def _retry_url(card: Card, back: str) -> str:
    return f"{reverse('billing:card_retry', args=[card.pk])}?{urlencode({'next': back})}"


def _offer_to_retry(request: DeskRequest, card: Card, event: Event, back: str) -> HttpResponse:
    """What was done, and the question whether the card is charged now for what is in Collections."""
    if not request.htmx:
        messages.success(request, event.text)
        return redirect(_retry_url(card, back))
    form = RetryAllForm(card=card, user=request.user)
    return trigger_client_event(_ask_to_retry(request, form, back, told=event.text), "changed", {})


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_card", STEPS["retry"].codename)
def retry(request: DeskRequest, pk: int) -> HttpResponse:
    """*Retry now?* asks which of the invoices in Collections the card is charged for."""
    card = get_object_or_404(Card.objects.select_related("contact"), pk=pk)
    back = came_from(request, reverse("billing:purchases", args=[card.contact_id]))
    if request.htmx.target == "preview":
        form = RetryAllForm(request.GET, card=card, user=request.user)
        context = {"preview": form.preview(), "action": STEPS["retry"]}
        return render(request, "billing/invoices/_preview.html", context)
    if request.method != "POST":
        return _ask_to_retry(request, RetryAllForm(card=card, user=request.user), back)
    form = RetryAllForm(request.POST, card=card, user=request.user)
    try:
        if not form.is_valid():
            return _ask_to_retry(request, form, back, status=422)
        return done(request, form.do(), back=back)
    except AlreadyDone as already:
        return done(request, already.event, back=back)
    except Refused as refusal:
        return refused(request, str(refusal), status=409, back=back)


def _ask_to_retry(
    request: DeskRequest, form: RetryAllForm, back: str, *, told: str = "", status: int = 200
) -> HttpResponse:
    if not form.ready:
        words = _("%(name)s has nothing in Collections that could be retried now.")
        return refused(request, words % {"name": form.card.contact.name}, status=409, back=back)
    context = {
        "form": form,
        "card": form.card,
        "preview": form.preview(),
        "action": STEPS["retry"],
        "told": told,
        "back": back,
        "here": reverse("billing:card_retry", args=[form.card.pk]),
    }
    return render(request, "billing/cards/retry.html", context, status=status)
