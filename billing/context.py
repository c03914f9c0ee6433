"""What every page is told, besides what its view says."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def desk(request: HttpRequest) -> dict[str, Any]:
    """Whether this installation moves only play money, sends its mail, and which edition it is."""
    return {
        "test_gateway": settings.GATEWAY == "sandbox",
        "mail_server": "dummy" not in settings.EMAIL_BACKEND,
        "edition": settings.EDITION,
    }
