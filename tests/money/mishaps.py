"""What may go wrong in the middle of a deed: its process dies, or an answer of the gateway gets lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any
from unittest.mock import patch

from billing.gateways import NoAnswer
from billing.gateways.sandbox.gateway import SandboxGateway
from tests.crash.points import (
    CHARGING,
    COMING_BACK,
    OPENING,
    REFUNDING,
    RESOLVING,
    Point,
    Points,
    struck_at,
)

Mishap = Callable[[], AbstractContextManager[None]]


class Death(BaseException):
    """The process ends here: no ``except Exception`` may take it for an answer."""


def die() -> None:
    raise Death


@contextmanager
def dying(point: Point) -> Iterator[None]:
    """The one who works in this block dies on reaching the point; the story goes on with others."""
    try:
        with struck_at(point, SandboxGateway, die):
            yield
    except Death:
        pass


@contextmanager
def losing(call: str, *, acted: bool) -> Iterator[None]:
    """The gateway is not heard: what it was asked for it did, or it never heard of it."""
    original = getattr(SandboxGateway, call)

    def unheard(*args: Any, **kwargs: Any) -> Any:
        if acted:
            original(*args, **kwargs)
        raise NoAnswer(call)

    with patch.object(SandboxGateway, call, unheard):
        yield


def mishaps(points: Points, calls: Sequence[str]) -> dict[str, Mishap]:
    """By their names, for the story to print; the one without a name is that nothing goes wrong."""
    deaths: dict[str, Mishap] = {f"dies {name}": partial(dying, point) for name, point in points.items()}
    lost: dict[str, Mishap] = {
        f"{call} is lost {'after' if acted else 'before'} it acted": partial(losing, call, acted=acted)
        for call in calls
        for acted in (False, True)
    }
    return {"": nullcontext, **deaths, **lost}


WITH_PAGES = mishaps({}, ["expire_page"])
IN_CHARGES = mishaps(CHARGING, ["prepare", "confirm"])
IN_REFUNDS = mishaps(REFUNDING, ["refund"])
ON_PAGES = mishaps(OPENING, ["pay_page", "page_result", "expire_page", "cancel"])
ON_RETURN = mishaps(COMING_BACK, ["page_result"])
WHEN_ASKING = mishaps(RESOLVING, ["retrieve", "cancel", "find_refund", "refund", "page_result"])
