"""The clock of a desk that is being tried out: it can be moved on, and never back.

The rows of the desk hold moments that were *now* when they were written. Back in time they would lie in the
future, and wait for it; whoever wants an earlier desk makes a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from time import monotonic
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _now

from billing import clock, gateways, periods
from billing.gateways.sandbox.checks import is_switched_on
from billing.gateways.sandbox.models import DeskClock

FRESH_FOR = 1.0
"""Seconds after which a process looks again how far ahead the others are: at most one query a second, and
none where the clock cannot be moved.
"""
FARTHEST = timedelta(days=3660)

_known: tuple[float, timedelta] = (float("-inf"), timedelta())


class ClockRefused(Exception):
    """The clock was not moved; ``str()`` is the sentence for the person who asked."""


def can_be_moved() -> bool:
    return is_switched_on() and settings.GATEWAY == "sandbox" and gateways.installed() == ["sandbox"]


def refusal() -> str:
    """Why the clock of this desk cannot be moved, or nothing."""
    if can_be_moved():
        return ""
    if settings.GATEWAY == "sandbox" and is_switched_on():
        return _now(
            "STRIPE_API_KEY is set, and cards that are saved at Stripe live by the real clock: only a desk"
            " whose one gateway is the sandbox can have its own."
        )
    return _now(
        "This desk is no sandbox: its clock is the real one. Only with GATEWAY=sandbox, and DEBUG=1 or"
        " SANDBOX_GATEWAY=1, can it be moved."
    )


def ahead() -> timedelta:
    """How far the desk's time is ahead of the real one, as this process knows it."""
    if not can_be_moved():
        return timedelta()
    read_at, known = _known
    if monotonic() - read_at < FRESH_FOR or connection.needs_rollback:
        return known
    return look()


def look() -> timedelta:
    """Ask the database, whenever it was last asked."""
    return _keep(DeskClock.objects.ahead())


def _keep(known: timedelta) -> timedelta:
    global _known  # noqa: PLW0603  # what this process knows
    _known = (monotonic(), known)
    return known


def move(to: datetime) -> None:
    """Let it be that moment at the desk. Several may move it there together: the moment that it was moved to
    last, and those that have gone by since, are where it is already. Raises ClockRefused.
    """
    if why_not := refusal():
        raise ClockRefused(why_not)
    look()
    words = {"to": _written(to), "now": _written(timezone.localtime(clock.now()))}
    if to - timezone.now() > FARTHEST:
        rule = _now("%(to)s is too far ahead: it must be within ten years from today.")
        raise ClockRefused(rule % words)
    if not DeskClock.objects.advance(to, real=timezone.now()):
        moved_to = DeskClock.objects.moved_to()
        if moved_to is None or to < moved_to:
            raise ClockRefused(
                _now("%(to)s is past: the desk's clock says %(now)s, and it can only be moved on.") % words
            )
    look()


# -- a day at a time


@dataclass(frozen=True, slots=True)
class Journey:
    """Time that somebody wants to see pass.

    ``events_before`` and ``mails_before``: the last of these rows when it set out.
    """

    set_out_at: datetime
    bound_for: datetime
    events_before: int
    mails_before: int

    @property
    def stops(self) -> int:
        """Days from beginning to end."""
        return max(1, (clock.day_of(self.bound_for) - clock.day_of(self.set_out_at)).days)

    @property
    def days_left(self) -> int:
        return max(0, (clock.day_of(self.bound_for) - clock.today()).days)

    @property
    def days_done(self) -> int:
        return self.stops - self.days_left


def journey() -> Journey | None:
    """The last one, whether or not it has arrived."""
    row = DeskClock.objects.exclude(bound_for=None).first()
    if row is None or row.set_out_at is None or row.bound_for is None:
        return None
    return Journey(row.set_out_at, row.bound_for, row.events_before, row.mails_before)


def set_out(day: date, *, events_before: int, mails_before: int) -> None:
    """Want the clock moved to the beginning of that day; asked for twice, the first time counts."""
    going = Journey(clock.now(), _beginning(day), events_before, mails_before)
    DeskClock.objects.set_out(**asdict(going))


def go_on(run_jobs: Callable[[datetime], object], *, proceed: Callable[[], bool]) -> None:
    """Move the clock to the beginning of each day on its way, and let the jobs run there.

    ``proceed`` is asked before each day but the first. Whoever goes on later, or at the same time, takes it
    from where it is.
    """
    while stop := _next_stop():
        with suppress(ClockRefused):  # somebody else has gone beyond
            move(stop)
        run_jobs(clock.now())
        if not proceed():
            break


def _next_stop() -> datetime | None:
    going = journey()
    look()
    if going is None or clock.now() >= going.bound_for:
        return None
    return min(going.bound_for, _beginning(clock.today() + date.resolution))


def _beginning(day: date) -> datetime:
    return periods.begins_at(day, ZoneInfo(settings.TIME_ZONE))


def _written(at: datetime) -> str:
    return at.isoformat(" ", "minutes")
