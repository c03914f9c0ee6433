"""Refusing what cannot be read, and signing out whoever left the desk."""

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

TOUCH_SECONDS = 60


class LegibleRequest(WSGIRequest):
    """Django reads the query string in the encoding that a request names before anything can answer for it;
    one that cannot be used is left for :class:`LegibleMiddleware` to refuse.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        try:
            super().__init__(environ)
        except (LookupError, ValueError, SuspiciousOperation):
            self._encoding = None
            super().__init__({**environ, "CONTENT_TYPE": "text/plain; charset=unknown"})


class LegibleMiddleware:
    """Answers 400 to what no browser sends and PostgreSQL cannot store: a null character in a header or a
    cookie, and a form in another encoding than UTF-8, which may even hold halves of characters.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        charset = (request.content_params or {}).get("charset", "utf-8")
        if charset.lower() != "utf-8":
            raise BadRequest(f"The request is in {charset[:40]!r}: it must be UTF-8.")
        headers = (value for name, value in request.META.items() if name.startswith("HTTP_"))
        if any("\0" in value for value in (*headers, *request.COOKIES.values())):
            raise BadRequest("A header or a cookie holds a null character.")
        return self.get_response(request)


class InactivityMiddleware:
    """Puts the end of a session SESSION_COOKIE_AGE seconds after the last request, give or take a minute, and
    has browsers keep no page of somebody signed in: *Back* shows nothing after they have signed out.

    SESSION_SAVE_EVERY_REQUEST would do the first to the second, with a write to the database for every page.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        session = request.session
        # A page that never looked at its session is a customer's: asking it now would cost that page a query.
        if session.accessed and SESSION_KEY in session:
            now = int(time.time())
            if now - session.get("seen_at", 0) >= TOUCH_SECONDS:
                session["seen_at"] = now
            add_never_cache_headers(response)
        return response
