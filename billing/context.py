"""What every page is told, besides what its view says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext as _

from billing import clock
from billing.gateways.sandbox import clock as desk_clock
from billing.models import Job
from billing.models.job import STANDS_STILL_AFTER

WORKER_IS_AWAY = "worker_is_away"
FIRST_PAGE_AT = "first_page_at"
ASKED_EVERY = 30
"""Seconds for which all pages of a process believe what one of them found out about the worker."""


def desk(request: HttpRequest) -> dict[str, Any]:
    """Whether this installation moves only play money, sends its mail and has a worker, which edition it is,
    and what time it has where that is not the real one.
    """
    return {
        "test_gateway": test_mark(),
        "mail_server": "dummy" not in settings.EMAIL_BACKEND,
        "edition": settings.EDITION,
        "worker_is_away": worker_is_away,  # called by pages of staff only
        "can_move_clock": desk_clock.can_be_moved(),
        "own_time": clock.now() if clock.is_ahead() else None,
    }


def worker_is_away() -> bool:
    """Whether no worker has gone round for five minutes; a query now and then, mostly none."""
    known: bool | None = cache.get(WORKER_IS_AWAY)
    if known is None:
        known = _look(clock.now())
        cache.set(WORKER_IS_AWAY, known, ASKED_EVERY)
    return known


def _look(now: datetime) -> bool:
    """A new desk, where none has gone round yet, gets five minutes from its first page to start one."""
    last = Job.objects.last_round() or cache.get_or_set(FIRST_PAGE_AT, now, timeout=None)
    return last is not None and last <= now - STANDS_STILL_AFTER


def test_mark() -> str:
    """The words over every page of a desk that moves no money, and nothing for one that does."""
    is_real = settings.STRIPE_API_KEY.startswith(("sk_live_", "rk_live_"))
    if not is_real:
        return _("TEST – no real cards")
    if settings.GATEWAY == "sandbox":
        return _("TEST – new cards are not real, but charging one that was saved at Stripe moves real money")
    return ""
