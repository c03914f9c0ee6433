"""Acting on the gateways' messages, and finding out whether a gateway can be reached."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol, runtime_checkable

from django.conf import settings

from billing import gateways
from billing.gateways import NoAnswer, NotOurGateway
from billing.models import (
    GatewayEvent,
)
from billing.tasks.batches import MOST_AT_ONCE, Batch, Proceed, always

log = logging.getLogger(__name__)


@runtime_checkable
class KeepsMessages(Protocol):
    """A gateway that cannot post its messages to the desk, as the sandbox: they are fetched from it."""

    def undelivered(self, *, now: datetime) -> Iterator[tuple[bytes, dict[str, str]]]: ...


def act_on_notices(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> Counter[str]:
    """Act on the gateways' messages that are due; how many ended in which state. Failed means: tried again
    later, until it is given up.
    """
    counts: Counter[str] = Counter()
    batch = Batch(limit, proceed)
    _fetch_messages(now, batch, counts)
    while batch.goes_on():
        event = GatewayEvent.objects.claim_next(now)
        if event is None:
            break
        event.act(at=now)
        counts[event.state] += 1
    return counts


def _fetch_messages(now: datetime, batch: Batch, counts: Counter[str]) -> None:
    """Take in what waits at a gateway that posts nothing, by the same door as what others post."""
    try:
        gateway = gateways.get(settings.GATEWAY)
    except KeyError:
        return
    if not isinstance(gateway, KeepsMessages):
        return
    for body, headers in gateway.undelivered(now=now):
        event = GatewayEvent.receive(gateway, body, headers, at=now)
        counts[event.state] += 1
        if not batch.goes_on():
            break


def check_gateways() -> Counter[str]:
    """Find out whether each installed gateway answers and knows us.

    Raises ConnectionError, with a sentence for each that does not.
    """
    troubles = {name: trouble for name in gateways.installed() if (trouble := _trouble_with(name))}
    if troubles:
        raise ConnectionError(" ".join(f"{name}: {words}" for name, words in troubles.items()))
    return Counter({"reached": len(gateways.installed())})


def _trouble_with(name: str) -> str:
    try:
        gateways.get(name).check()
    except (NoAnswer, NotOurGateway, ValueError) as error:
        log.warning("The gateway %s is not to be used: %s", name, error)
        return gateways.reason_of(error) or str(error) or type(error).__name__
    return ""
