"""What every page is told, besides what its view says."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from billing import clock
from billing.gateways.sandbox import clock as desk_clock


def desk(request: HttpRequest) -> dict[str, Any]:
    """Whether this installation moves only play money, sends its mail, which edition it is, and what time it
    has where that is not the real one.
    """
    return {
        "test_gateway": test_mark(),
        "mail_server": "dummy" not in settings.EMAIL_BACKEND,
        "edition": settings.EDITION,
        "can_move_clock": desk_clock.can_be_moved(),
        "own_time": clock.now() if clock.is_ahead() else None,
    }


def test_mark() -> str:
    """The words over every page of a desk that moves no money, and nothing for one that does."""
    is_real = settings.STRIPE_API_KEY.startswith(("sk_live_", "rk_live_"))
    if not is_real:
        return _("TEST – no real cards")
    if settings.GATEWAY == "sandbox":
        return _("TEST – new cards are not real, but charging one that was saved at Stripe moves real money")
    return ""
