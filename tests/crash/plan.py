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
from tests.crash.blows import NETWORK, Blow, Fault, at_a_point, mishap
from tests.crash.points import (
    CHARGING,
    COMING_BACK,
    LOOKING_AFTER,
    OPENING,
    REFUNDING,
    RESOLVING,
    Points,
)
from tests.crash.selling import MOST_OF_ONE, Beside, Item, Message, Place, Selling, Staff, drawn_selling

CURRENCIES = ("USD", "JPY", "KWD")
MOST_COINS = 99_999
"""So much of the currency's smallest coin is the largest amount of a trial."""


class Deed(StrEnum):
    CHARGE = "charge a card on file"
    PAGE = "pay on a hosted page"
    REFUND = "refund"
    ORDER = "order on a form"
    LEAVE_CARD = "leave a card on a form"


FORMS = (Deed.ORDER, Deed.LEAVE_CARD)
"""What visitors do on an order form. Here a whole sale is one trial, from the form to its refund."""
ITEMS: dict[Deed, tuple[Item, ...]] = {
    Deed.ORDER: (Item.CLUB, Item.CLUB, Item.LANTERN, Item.LANTERN, Item.GIFT),
    Deed.LEAVE_CARD: (Item.TRIAL,),
}
"""What they order there at first."""


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
class Trial:
    """``amount`` is asked for, of what the ``shares`` add up to: more than that must never move.

    ``first`` hits the deed, ``back`` the customer's return from a page, ``resolver`` the first resolver; on
    an order form the blow falls where ``selling`` says. ``sleeps`` is how many hours pass before the resolver
    asks; a stopped process sleeps as long.
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
    selling: Selling | None


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
WHILE_ASKING: dict[Deed, Points] = {Deed.ORDER: RESOLVING | LOOKING_AFTER, Deed.LEAVE_CARD: LOOKING_AFTER}
WHEN_ASKING: dict[Deed, tuple[str, ...]] = {
    Deed.CHARGE: ("retrieve", "cancel"),
    Deed.PAGE: ("page_result", "expire_page"),
    Deed.REFUND: ("find_refund", "refund"),
    Deed.ORDER: ("page_result", "expire_page"),
    Deed.LEAVE_CARD: ("page_result",),
}


def drawn(
    seed: int, number: int, behaviours: Mapping[str, int] = BEHAVIOURS, steps: Mapping[str, int] = ONE_COIN
) -> Trial:
    """Trial ``number`` of the seed: always the same one, whichever trials run before it. ``steps``: of how
    many coins the amounts of a currency must be multiples.
    """
    at_random = Random(f"{seed}/{number}")  # noqa: S311  # drawn so that it can be drawn again
    deed = at_random.choices(list(Deed), [34, 15, 26, 17, 8])[0]
    fault = at_random.choices(list(Fault), [8, 34, 12, *[6] * 8])[0]
    currency = at_random.choice(CURRENCIES)
    coin = money.quantum(currency) * steps.get(currency, 1)
    shares = _shares(at_random, deed, coin)
    struck = _blow(at_random, fault, deed, len(shares)) if deed not in FORMS else None
    returns = deed is Deed.PAGE and at_random.random() < 0.5
    back = _returning(at_random, fault) if returns else None
    names = list(behaviours)
    behaviour = "approves" if deed is Deed.REFUND else at_random.choices(names, list(behaviours.values()))[0]
    selling = drawn_selling(at_random, fault, behaviour, ITEMS[deed]) if deed in FORMS else None
    returns = returns or bool(selling and selling.place is Place.RETURNING)
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
        resolver=mishap(at_random, WHILE_ASKING.get(deed, RESOLVING), WHEN_ASKING[deed]),
        resolvers=at_random.choices([1, 2], [85, 15])[0],
        again=(at_random.choice(list(Again)), at_random.choice(list(Again))),
        sleeps=at_random.choice([0.05, 0.05, 1, 20, 30]),
        letting=at_random.choice(list(Letting)),
        customer_pays=at_random.random() < 0.85,
        customer_comes_back=returns or at_random.random() < 0.6,
        customer_confirms=at_random.random() < 0.7,
        receipt=at_random.random() < 0.25,
        key=UUID(int=at_random.getrandbits(128), version=4),
        selling=selling,
    )


def quiet(deed: Deed, *, number: int, steps: Mapping[str, int]) -> Trial:
    """A trial in which all goes well, and whoever waits for an answer gets it at once."""
    drawn_ones = (drawn(0, each, steps=steps) for each in count())
    trial = next(trial for trial in drawn_ones if trial.deed is deed and trial.behaviour == "approves")
    selling = trial.selling
    if selling:
        first = replace(selling.first, item=ITEMS[deed][0], with_code=True)
        selling = replace(
            selling,
            first=first,
            changed=replace(first, quantity=MOST_OF_ONE),
            beside=Beside.RIVAL,
            left=2,
            with_link=True,
            cards=("approves",),
            pays_late=False,
            message=Message.TWICE,
            is_paid_out=True,
            staff=Staff.REFUND,
            blow=None,
        )
    return replace(
        trial,
        number=number,
        fault=Fault.NOTHING,
        first=None,
        back=None,
        resolver=None,
        resolvers=1,
        again=(Again.NO, Again.NO),
        customer_pays=True,
        customer_comes_back=True,
        selling=selling,
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
    return at_a_point(at_random, fault, POINTS[deed], nth)


def _returning(at_random: Random, fault: Fault) -> Blow | None:
    if fault in NETWORK:
        return Blow(fault, call="page_result")
    return at_a_point(at_random, fault, COMING_BACK, 1)
