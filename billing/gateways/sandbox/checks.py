"""The sandbox takes nobody's money: an installation with real customers must not run on it by accident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error


def is_switched_on() -> bool:
    return bool(settings.DEBUG or settings.SANDBOX_GATEWAY)


def sandbox_is_meant(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    if settings.GATEWAY != "sandbox" or is_switched_on():
        return []
    return [
        Error(
            "GATEWAY is sandbox while DEBUG is off: customers would seem to pay and no money would move.",
            hint="Set GATEWAY to a real gateway, or SANDBOX_GATEWAY=1 where trying out is meant.",
            id="sandbox.E001",
        )
    ]
