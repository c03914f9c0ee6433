"""What customers left half done or will soon have to see to: order forms, card pages, expiring cards."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime

from billing import clock
from billing.models import (
    CardPage,
    Submission,
)
from billing.models.orders import expiring
from billing.tasks.batches import MOST_AT_ONCE, Batch, Proceed, always

log = logging.getLogger(__name__)


def look_after_forms(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> Counter[str]:
    """Find out about cards that were typed for orders and not told of, and end what nobody pays any more."""
    counts, batch = Counter[str](), Batch(limit, proceed)
    for submission in Submission.objects.due(now)[:limit]:
        if not batch.goes_on():
            break
        try:
            submission.look_after(at=now)
        except Exception:
            log.exception("%s: its end could not be found out", submission.invoice)
            counts["failed"] += 1
        else:
            counts["ended" if submission.is_finished else "waiting"] += 1
    counts["forgotten"] += Submission.objects.forget(now)
    return +counts


def take_cards(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> Counter[str]:
    """Ask the gateways about the pages on which customers replace their cards, in case that a browser never
    came back; how many brought one.
    """
    counts, batch = Counter[str](), Batch(limit, proceed)
    while batch.goes_on():
        page = CardPage.objects.claim_next(now)
        if page is None:
            break
        try:
            counts["stored" if page.ask(at=now) else "waiting"] += 1
        except Exception:
            log.exception("The card page %s could not be asked about", page.pk)
            counts["failed"] += 1
    return counts


def tell_of_expiring_cards(
    now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always
) -> Counter[str]:
    """Tell customers of the cards that their orders cannot charge next time; how many."""
    counts, batch, failed = Counter[str](), Batch(limit, proceed), set[int]()
    while batch.goes_on():
        found = expiring.tell_of_next(clock.day_of(now), leave_out=failed)
        if found is None:
            break
        card, was_told = found
        counts["told" if was_told else "failed"] += 1
        if not was_told:
            failed.add(card.pk)
    return counts
