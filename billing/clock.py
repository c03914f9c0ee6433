"""What time it is at the desk: the one place that asks.

Where trying out is meant, the desk's time runs ahead of the real one by as much as the sandbox's clock says:
real time and a distance, not a moment that stands still. So time goes on at its own pace wherever it was
moved to, and whatever compares two moments, a lease, a schedule, the age of an attempt, compares two of the
same clock: all of the desk's rows are stamped by this one, in every process. A moment handed down by a
command would not reach the pages and workers beside it, which would then live months apart from the rows
that it left behind.

To a process that is at work meanwhile, a jump is as if it had been frozen for as long.

What browsers and people's sign-ins live by, sessions and locks at the door, stays with the real clock.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from django.utils import timezone


def _together() -> timedelta:
    return timedelta()


_ahead: Callable[[], timedelta] = _together


def runs_ahead_by(ahead: Callable[[], timedelta]) -> None:
    """Called by the sandbox's AppConfig.ready; nothing else moves the desk's time."""
    global _ahead  # noqa: PLW0603  # one clock for the process, as one list of gateways
    _ahead = ahead


def now() -> datetime:
    return timezone.now() + _ahead()


def today() -> date:
    """In the installation's time zone."""
    return day_of(now())


def day_of(at: datetime) -> date:
    """The day that it is at that moment in the installation's time zone."""
    return timezone.localdate(at)


def is_ahead() -> bool:
    return bool(_ahead())
