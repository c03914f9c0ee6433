"""What one trial does and what goes wrong in it: drawn from the seed, before anything happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import count
from random import Random
from uuid import UUID

from billing import money
from tests.crash.points import CHARGING, COMING_BACK, OPENING, REFUNDING, RESOLVING, Point, Points

CURRENCIES = ("USD", "JPY", "KWD")
MOST_COINS = 99_999
"""So much of the currency's smallest coin is the largest amount of a trial."""


class Deed(StrEnum):
    CHARGE = "charge a card on file"
    PAGE = "pay on a hosted page"
    REFUND = "refund"


class Fault(StrEnum):
    """What goes wrong. The last eight happen to one call on its way to the gateway or back."""

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


class Again(StrEnum):
    """What a person does who sees no answer: whoever is told that it is safe tries again, and only they."""

    NO = "waits"
    RESENDS = "sends the same form again"
    NEW_FORM = "opens the form again"


class Letting(StrEnum):
    """When a call that was slower than its caller's patience acts."""

    FIRST = "before the resolver"
    MEANWHILE = "while the resolver asks"
    LAST = "after the resolver"


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


@dataclass(frozen=True, slots=True)
class Trial:
    """``amount`` is asked for, of what the ``shares`` add up to: more than that must never move.

    ``first`` hits the deed, ``back`` the customer's return from a page, ``resolver`` the first resolver.
    ``sleeps`` is how many hours pass before the resolver asks; a stopped process sleeps as long.
    """

    number: int
    deed: Deed
    fault: Fault
    currency: str
    amount: Decimal
    shares: tuple[Decimal, ...]
    behaviour: str
    first: Blow | None
    back: Blow | None
    resolver: Blow | None
    resolvers: int
    again: tuple[Again, Again]
    sleeps: float
    letting: Letting
    customer_pays: bool
    customer_comes_back: bool
    customer_confirms: bool
    receipt: bool
    key: UUID


BEHAVIOURS = {
    "approves": 70,
    "declines": 4,
    "insufficient": 4,
    "expired": 2,
    "stolen": 4,
    "authenticates": 16,
}
"""How often each kind of card is used; every gateway knows these."""
ONE_COIN: Mapping[str, int] = {}
CALLS: dict[Deed, tuple[str, ...]] = {
    Deed.CHARGE: ("prepare", "confirm", "confirm"),
    Deed.PAGE: ("pay_page",),
    Deed.REFUND: ("refund",),
}
POINTS: dict[Deed, Points] = {Deed.CHARGE: CHARGING, Deed.PAGE: OPENING, Deed.REFUND: REFUNDING}
WHEN_ASKING: dict[Deed, tuple[str, ...]] = {
    Deed.CHARGE: ("retrieve", "cancel"),
    Deed.PAGE: ("page_result", "expire_page"),
    Deed.REFUND: ("find_refund", "refund"),
}


def drawn(
    seed: int, number: int, behaviours: Mapping[str, int] = BEHAVIOURS, steps: Mapping[str, int] = ONE_COIN
) -> Trial:
    """Trial ``number`` of the seed: always the same one, whichever trials run before it. ``steps``: of how
    many coins the amounts of a currency must be multiples.
    """
    at_random = Random(f"{seed}/{number}")  # noqa: S311  # drawn so that it can be drawn again
    deed = at_random.choices(list(Deed), [45, 20, 35])[0]
    fault = at_random.choices(list(Fault), [8, 34, 12, *[6] * 8])[0]
    currency = at_random.choice(CURRENCIES)
    coin = money.quantum(currency) * steps.get(currency, 1)
    shares = _shares(at_random, deed, coin)
    struck = _blow(at_random, fault, deed, len(shares))
    returns = deed is Deed.PAGE and at_random.random() < 0.5
    back = _returning(at_random, fault) if returns else None
    names = list(behaviours)
    behaviour = "approves" if deed is Deed.REFUND else at_random.choices(names, list(behaviours.values()))[0]
    return Trial(
        number=number,
        deed=deed,
        fault=fault,
        currency=currency,
        amount=_part(at_random, sum(shares), coin) if deed is not Deed.PAGE else shares[0],
        shares=shares,
        behaviour=behaviour,
        first=None if returns else struck,
        back=back,
        resolver=_mishap(at_random, deed),
        resolvers=at_random.choices([1, 2], [85, 15])[0],
        again=(at_random.choice(list(Again)), at_random.choice(list(Again))),
        sleeps=at_random.choice([0.05, 0.05, 1, 20, 30]),
        letting=at_random.choice(list(Letting)),
        customer_pays=at_random.random() < 0.85,
        customer_comes_back=returns or at_random.random() < 0.6,
        customer_confirms=at_random.random() < 0.7,
        receipt=at_random.random() < 0.25,
        key=UUID(int=at_random.getrandbits(128), version=4),
    )


def quiet(deed: Deed, *, number: int, steps: Mapping[str, int]) -> Trial:
    """A trial in which all goes well, and whoever waits for an answer gets it at once."""
    drawn_ones = (drawn(0, each, steps=steps) for each in count())
    return replace(
        next(trial for trial in drawn_ones if trial.deed is deed and trial.behaviour == "approves"),
        number=number,
        fault=Fault.NOTHING,
        first=None,
        back=None,
        resolver=None,
        resolvers=1,
        again=(Again.NO, Again.NO),
        customer_pays=True,
        customer_comes_back=True,
    )


def _shares(at_random: Random, deed: Deed, coin: Decimal) -> tuple[Decimal, ...]:
    """The payments that a refund is taken from; one amount that is owed, for the other deeds."""
    many = at_random.choices([1, 2, 3], [7, 2, 1])[0] if deed is Deed.REFUND else 1
    return tuple(at_random.randint(1, MOST_COINS) * coin for _ in range(many))


def _part(at_random: Random, whole: Decimal | int, coin: Decimal) -> Decimal:
    """All of it, or any part of it."""
    coins = int(whole / coin)
    return coin * (coins if at_random.random() < 0.5 else at_random.randint(1, coins))


def _blow(at_random: Random, fault: Fault, deed: Deed, shares: int) -> Blow | None:
    nth = at_random.randint(1, shares)
    if fault in NETWORK:
        return Blow(fault, call=at_random.choice(CALLS[deed]), nth=nth)
    return _at_a_point(at_random, fault, POINTS[deed], nth)


def _returning(at_random: Random, fault: Fault) -> Blow | None:
    if fault in NETWORK:
        return Blow(fault, call="page_result")
    return _at_a_point(at_random, fault, COMING_BACK, 1)


def _at_a_point(at_random: Random, fault: Fault, points: Points, nth: int) -> Blow | None:
    """None for no fault. A process that is stopped inside a transaction keeps everybody waiting until it is
    woken, as it should: nobody could resolve anything meanwhile, so it is stopped elsewhere.
    """
    if fault is Fault.NOTHING:
        return None
    reachable = [point for point in points.values() if not (fault is Fault.STOPPED and point.inside)]
    return Blow(fault, point=at_random.choice(reachable), nth=nth)


def _mishap(at_random: Random, deed: Deed) -> Blow | None:
    """Most resolvers run through; some are killed, and some do not reach the gateway either."""
    what = at_random.choices(["nothing", "killed", "network"], [6, 2, 2])[0]
    if what == "killed":
        point = at_random.choice(list(RESOLVING.values()))
        return Blow(Fault.KILLED, point=point, whom="the resolver")
    if what == "network":
        call = at_random.choice(WHEN_ASKING[deed])
        return Blow(at_random.choice(NETWORK), call=call, whom="the resolver")
    return None
