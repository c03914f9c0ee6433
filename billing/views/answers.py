"""What a page answers after a deed: a toast and a refresh in place, or a redirect for browsers without
scripts.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from billing.models import Event
from billing.views.access import DeskRequest, HtmxRequest

ELSEWHERE = frozenset({"delete", "pay_out"})
"""After these another page is shown: that of the record may be gone with it, or a new one is there."""


def came_from(request: DeskRequest, fallback: str) -> str:
    """Where the person goes back to: ``?next=`` when it is an address of this desk."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    here = {request.get_host()}
    allowed = url_has_allowed_host_and_scheme(wanted, allowed_hosts=here, require_https=request.is_secure())
    return wanted if allowed else fallback


def done(request: DeskRequest, event: Event, *, back: str) -> HttpResponse:
    """Say what was done, with the way to its line in the timeline."""
    if event.action == "pay_out":  # the next thing wanted is the file of the batch
        back = reverse("billing:payout", args=[event.figures["payout"]])
    if not request.htmx:
        messages.success(request, event.text)
        return HttpResponseRedirect(back)
    if event.action in ELSEWHERE:
        messages.success(request, event.text)
        return HttpResponseClientRedirect(back)
    response = HttpResponse(status=204)
    page = page_of(event)
    href = f"{page}#event-{event.pk}" if page else ""
    detail = {"text": event.text, "href": href, "label": _("Timeline")}
    return trigger_client_event(response, "done", detail)


def page_of(event: Event) -> str:
    """The page whose timeline holds the event, or nothing."""
    if event.invoice_id:
        return reverse("billing:invoice", args=[event.invoice_id])
    return reverse("billing:order", args=[event.order_id]) if event.order_id else ""


def go(request: HtmxRequest, url: str) -> HttpResponse:
    """Lead the browser on to another page."""
    return HttpResponseClientRedirect(url) if request.htmx else HttpResponseRedirect(url)
