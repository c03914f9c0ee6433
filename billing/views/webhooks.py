"""What gateways tell the desk, at an address that never changes."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import clock, gateways
from billing.gateways import NotSigned
from billing.models import GatewayEvent

LARGEST = 256 * 1024
"""Bytes. A gateway's message is a few thousand."""


@csrf_exempt  # no browser and no session stands behind it: the gateway's signature over the body is the proof
@require_POST
def webhook(request: HttpRequest, gateway: str) -> HttpResponse:
    """200 once the message is written down, whatever becomes of it: the desk tries again by itself."""
    try:
        sender = gateways.get(gateway)
    except KeyError:
        raise Http404(_("No gateway of this name is installed.")) from None
    body = _body(request)
    if body is None:
        words = _("The message is larger than %(limit)s bytes.")
        return _plain(words % {"limit": LARGEST}, status=413)
    try:
        event = GatewayEvent.receive(sender, body, request.headers, at=clock.now())
    except NotSigned as reason:
        return _plain(str(reason), status=400)
    return _plain(event.state, status=200)


def _body(request: HttpRequest) -> bytes | None:
    """What was sent, as far as it came; None when it is too much, which is then not read."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > LARGEST:
        return None
    try:
        body = request.read(LARGEST + 1)
    except UnreadablePostError:
        return b""  # the sender hung up: it proves nothing, and comes again
    return body if len(body) <= LARGEST else None


def _plain(words: str, *, status: int) -> HttpResponse:
    return HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")
