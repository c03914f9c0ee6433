"""What goes wrong in a trial, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from tests.crash.points import Point, Points


class Fault(StrEnum):
    """The last eight happen to one call on its way to the gateway or back."""

    NOTHING = "nothing"
    KILLED = "kill -9"
    STOPPED = "SIGSTOP, woken later"
    REFUSED = "connection refused"
    DROPPED_BEFORE = "dropped before"
    DROPPED_AFTER = "dropped after it acted"
    ERROR_BEFORE = "500 before"
    ERROR_AFTER = "500 after it acted"
    SLOWER = "slower than the time-out"
    CONFLICT = "409"
    TOO_MANY = "429"


NETWORK = tuple(Fault)[3:]


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault with its place: at ``point``, or in the ``call`` to the gateway, when reached the ``nth``
    time.
    """

    fault: Fault
    point: Point | None = None
    call: str = ""
    nth: int = 1
    whom: str = "the deed"


def at_a_point(at_random: Random, fault: Fault, points: Points, nth: int = 1) -> Blow | None:
    """None for no fault. A process that is stopped inside a transaction keeps everybody waiting until it is
    woken, as it should: nobody could resolve anything meanwhile, so it is stopped elsewhere.
    """
    if fault is Fault.NOTHING:
        return None
    reachable = [point for point in points.values() if not (fault is Fault.STOPPED and point.inside)]
    return Blow(fault, point=at_random.choice(reachable), nth=nth)


def mishap(at_random: Random, points: Points, calls: tuple[str, ...]) -> Blow | None:
    """Most resolvers run through; some are killed, and some do not reach the gateway either."""
    what = at_random.choices(["nothing", "killed", "network"], [6, 2, 2])[0]
    if what == "killed":
        point = at_random.choice(list(points.values()))
        return Blow(Fault.KILLED, point=point, whom="the resolver")
    if what == "network":
        call = at_random.choice(calls)
        return Blow(at_random.choice(NETWORK), call=call, whom="the resolver")
    return None
