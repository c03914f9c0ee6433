"""Signing out whoever left the desk."""

import time
from collections.abc import Callable

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse

TOUCH_SECONDS = 60


class InactivityMiddleware:
    """Puts the end of a session SESSION_COOKIE_AGE seconds after the last request, give or take a minute.

    SESSION_SAVE_EVERY_REQUEST would do it to the second, with a write to the database for every page.
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
        return response
