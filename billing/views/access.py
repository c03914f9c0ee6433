"""Who may open a page of the desk, and how a refusal is answered."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.middleware import get_user
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.vary import vary_on_headers
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase


class HtmxRequest(HttpRequest):
    """What the middleware makes of every request."""

    htmx: HtmxDetails


class DeskRequest(HtmxRequest):
    """A request of a signed-in member of staff."""

    user: User


def has_purchases() -> bool:
    """Whether this edition has the Purchases features: every one above *basic*."""
    return str(settings.EDITION) != "basic"


View = Callable[..., "HttpResponseBase"]


def desk(*permissions: str) -> Callable[[View], View]:
    """A staff page: sign-in first, then the permissions (403), then the edition (403 below *plus*)."""

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not has_purchases():
                return render(request, "billing/edition.html", status=403)
            request.user = get_user(request)  # not a proxy for it, which a list asks hundreds of times
            return view(request, *args, **kwargs)

        allowed: View = permission_required(permissions, raise_exception=True)(page)
        return login_required(vary_on_headers("HX-Request", "HX-Target")(allowed))

    return wrap


def refused(request: HttpRequest, sentence: str, *, status: int, back: str) -> HttpResponse:
    """A refusal in words: 403 for the role, 409 for the state."""
    return render(request, "billing/refused.html", {"sentence": sentence, "back": back}, status=status)
