"""The worker: goes round every few seconds, answers wake-ups in between, and outlives its database's
absence.
"""

from __future__ import annotations

import logging
from threading import Event
from time import monotonic

from django.db import Error, close_old_connections, connection

from billing import clock, wakeups
from billing.tasks import tick

log = logging.getLogger(__name__)

LOOKS_EVERY = 0.5
"""Seconds between two looks for wake-ups."""
LONGEST_WAIT = 30.0
"""Seconds between two tries to reach a database that is away."""


def work(stopping: Event, *, every: float) -> None:
    """Go round every so many seconds until told to stop; the item in hand is finished first."""

    def proceed() -> bool:
        return not stopping.is_set()

    next_round, failures = monotonic(), 0
    while proceed():
        try:
            if monotonic() >= next_round:
                close_old_connections()
                tick(clock.now(), proceed=proceed)
                next_round = monotonic() + every
            wakeups.answer(proceed=proceed)
            failures = 0
        except Error as error:
            connection.close()
            wait = min(2.0**failures, LONGEST_WAIT)
            failures += 1
            log.error("The database cannot be used; next try in %.0f s. %s", wait, str(error).strip())  # noqa: TRY400
            stopping.wait(wait)
        stopping.wait(min(LOOKS_EVERY, every))
    connection.close()
