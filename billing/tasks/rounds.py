"""One round of everything: each job whose turn it is."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from datetime import datetime, timedelta
from time import monotonic

from billing import housekeeping
from billing.models import (
    Job,
    JobRun,
)
from billing.models.job import LONGEST_REST, PERIODS, ROUND
from billing.tasks.attempts import ends, resolve_attempts
from billing.tasks.batches import Proceed, always, error_words
from billing.tasks.customers import look_after_forms, take_cards, tell_of_expiring_cards
from billing.tasks.mails import check_mail_server, send_due_mail
from billing.tasks.notices import act_on_notices, check_gateways
from billing.tasks.orders import bill_due_orders, charge_due_invoices, end_collections

log = logging.getLogger(__name__)


_at_work: ContextVar[bool] = ContextVar("at_work", default=False)


def is_at_work() -> bool:
    """Whether this is a round: what it leaves to do is done before it ends."""
    return _at_work.get()


def tick(
    now: datetime, *, proceed: Proceed = always, only: Iterable[str] | None = None
) -> dict[str, Counter[str] | None]:
    """Go round: run every job whose turn it is, or those named; what each came to, None for one that failed.

    A job that fails keeps no other from running. It is logged, shown, and left alone for longer each time.
    """
    began, token = monotonic(), _at_work.set(True)
    try:
        Job.objects.note(ROUND, at=now, counts={})
        results = dict(_results(now, proceed, JOBS if only is None else only))
    finally:
        _at_work.reset(token)
    if busy := ", ".join(f"{name} {_sum(counts)}" for name, counts in results.items() if counts != {}):
        log.info("Round of %.1f s: %s", monotonic() - began, busy)
    return results


def _sum(counts: Counter[str] | None) -> str:
    return (
        "failed" if counts is None else "/".join(f"{count} {what}" for what, count in sorted(counts.items()))
    )


def _results(
    now: datetime, proceed: Proceed, names: Iterable[str]
) -> Iterator[tuple[str, Counter[str] | None]]:
    began, resting = monotonic(), Job.objects.resting(now)
    for name in names:
        # later than the last job, so that what that one has written down is due for this one
        at = now + timedelta(seconds=monotonic() - began)
        if name in resting or not proceed():
            continue
        if name not in PERIODS:
            yield name, _run(name, now, at, proceed)
        elif run := JobRun.objects.claim(name, every=PERIODS[name], at=at):
            counts = _run(name, now, at, proceed)
            yield name, counts
            if counts is None:
                run.give_back(now)
            else:
                run.mark_done(at)


def _run(name: str, now: datetime, at: datetime, proceed: Proceed) -> Counter[str] | None:
    try:
        counts = JOBS[name](at, proceed)
    except Exception as error:
        log.exception("The job %s failed", name)
        rest = min(PERIODS.get(name, LONGEST_REST), LONGEST_REST)
        Job.objects.note_failure(name, at=now, error=error_words(error), longest_rest=rest)
        return None
    Job.objects.note(name, at=now, counts=counts)
    return counts


JOBS: dict[str, Callable[[datetime, Proceed], Counter[str]]] = {
    "act_on_notices": lambda now, proceed: act_on_notices(now, proceed=proceed),
    "resolve_attempts": lambda now, proceed: ends(resolve_attempts(now, proceed=proceed)),
    "look_after_forms": lambda now, proceed: look_after_forms(now, proceed=proceed),
    "check_gateways": lambda now, proceed: check_gateways(),
    "check_mail_server": lambda now, proceed: check_mail_server(),
    "take_cards": lambda now, proceed: take_cards(now, proceed=proceed),
    "bill_due_orders": lambda now, proceed: bill_due_orders(now, proceed=proceed),
    "charge_due_invoices": lambda now, proceed: charge_due_invoices(now, proceed=proceed),
    "end_collections": lambda now, proceed: end_collections(now, proceed=proceed),
    "tell_of_expiring_cards": lambda now, proceed: tell_of_expiring_cards(now, proceed=proceed),
    "send_due_mail": lambda now, proceed: send_due_mail(now, proceed=proceed),
    "housekeeping": lambda now, proceed: housekeeping.tidy_up(now),
}
"""In this order: what was replaced or billed is charged, and its receipt leaves, with the same tick."""
