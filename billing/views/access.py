"""Who may open a page of the desk, and how a refusal is answered."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.vary import vary_on_headers
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

P = ParamSpec("P")


class DeskRequest(HttpRequest):
    """A request of a signed-in member of staff."""

    htmx: HtmxDetails
    user: User


def has_purchases() -> bool:
    """Whether this edition has the Purchases features: every one above *basic*."""
    return str(settings.EDITION) != "basic"


def desk(
    *permissions: str,
) -> Callable[
    [Callable[Concatenate[DeskRequest, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """A staff page: sign-in first, then the permissions (403 without), then the edition (403 below *plus*)."""

    def wrap(
        view: Callable[Concatenate[DeskRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @functools.wraps(view)
        def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not has_purchases():
                return render(request, "billing/edition.html", status=403)
            return view(request, *args, **kwargs)  # type: ignore[arg-type]

        guarded = permission_required(permissions, raise_exception=True)(page)
        return login_required(vary_on_headers("HX-Request", "HX-Target")(guarded))

    return wrap


def refused(request: HttpRequest, sentence: str, *, status: int, back: str) -> HttpResponse:
    """A refusal in words: 403 for the role, 409 for the state."""
    return render(request, "billing/refused.html", {"sentence": sentence, "back": back}, status=status)
