"""Asking the gateways how charges and refunds ended."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from billing.models import (
    Attempt,
)
from billing.tasks.batches import MOST_AT_ONCE, Batch, Proceed, always, error_words

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """One attempt after the gateway was asked; ``error`` is what kept it from being asked or settled."""

    attempt: Attempt
    error: str = ""


def resolve_attempts(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> list[Asked]:
    """Ask the gateways how the attempts that are due ended, and settle them. Never charges again.

    One that fails is asked again later and does not keep the others waiting.
    """
    asked, batch = [], Batch(limit, proceed)
    while batch.goes_on():
        attempt = Attempt.objects.due(now).claim_first(now)
        if attempt is None:
            break
        asked.append(_ask(attempt, now))
    return asked


def _ask(attempt: Attempt, now: datetime) -> Asked:
    try:
        attempt.ask(at=now)
    except Exception as error:
        log.exception("Attempt %s could not be settled", attempt.key)
        return Asked(attempt, error_words(error))
    if attempt.needs_a_person(now):
        log.error("Attempt %s has had no answer for days: a person must ask the gateway", attempt.key)
    return Asked(attempt)


def ends(asked: list[Asked]) -> Counter[str]:
    """How many ended, or still wait, in which state."""
    return Counter("failed" if each.error else str(each.attempt.state) for each in asked)
