"""Races that always go the same way, and locks that only a test can take out, to show what they are for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, get_ident
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.db.models import QuerySet

from billing.models import Invoice
from billing.models.guard import Refused

PATIENCE = 20.0
"""Seconds after which a race is taken to hang."""
WAITS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

Deed = Callable[[], Any]


@contextmanager
def no_locks(of: type[QuerySet[Any]] = QuerySet) -> Iterator[None]:
    """Rows are read without being locked: all of them, or those of one kind."""
    with patch.object(of, "select_for_update", lambda self, **how: self.all()):
        yield


@contextmanager
def no_fresh_look() -> Iterator[None]:
    """Whoever should lock the invoice and read it again goes on with the copy that it has."""
    with patch.object(Invoice, "lock", lambda self: None):
        yield


def race(first: Deed, second: Deed, *, owner: type, call: str) -> tuple[str, str]:
    """What both are told: ``first`` stands still after its ``call`` until ``second`` is done, or is kept
    waiting by a lock that the first one holds.
    """
    is_there, is_done, runner = Event(), Event(), [0]
    original = getattr(owner, call)

    def standing_still(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        if get_ident() == runner[0] and not is_there.is_set():
            is_there.set()
            _wait_for(lambda: is_done.is_set() or _somebody_waits())
        return answer

    def runs_first() -> str:
        runner[0] = get_ident()
        return told(first)

    def runs_second() -> str:
        assert is_there.wait(PATIENCE)
        try:
            return told(second)
        finally:
            is_done.set()

    with patch.object(owner, call, standing_still), ThreadPoolExecutor(2) as pool:
        both = pool.submit(runs_first), pool.submit(runs_second)
        return both[0].result(), both[1].result()


def told(deed: Deed) -> str:
    """``done``, or the sentence of the refusal; in a thread that takes its connection along."""
    try:
        deed()
    except Refused as refusal:
        return str(refusal)
    finally:
        connection.close()
    return "done"


def _wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "The race hangs."
        time.sleep(0.005)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # or a transaction sees what it saw before
        cursor.execute(WAITS)
        waiting: int = cursor.fetchone()[0]
    return bool(waiting)
