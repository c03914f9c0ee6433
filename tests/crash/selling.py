"""What becomes of one sale on an order form, drawn before anything happens: who orders what, what the gateway
tells of it and when, and what staff make of it afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from uuid import UUID

from tests.crash.blows import NETWORK, Blow, Fault, at_a_point
from tests.crash.points import (
    CHANGING,
    COMING_BACK,
    GIVING_AWAY,
    LEAVING_A_CARD,
    OPENING,
    OPENING_FOR_A_CARD,
    REFUNDING,
    SENDING,
    VOIDING,
    Points,
)

DECLINES = ("declines", "insufficient", "stolen")
MOST_OF_ONE = 3


class Item(StrEnum):
    """What every form sells, in this order."""

    LANTERN = "sold once"
    CLUB = "a subscription"
    TRIAL = "a subscription with a free trial"
    GIFT = "given away"


PAID = (Item.LANTERN, Item.CLUB)
AFTER_SENDING: dict[Item, Points] = {
    Item.LANTERN: OPENING,
    Item.CLUB: OPENING,
    Item.TRIAL: OPENING_FOR_A_CARD,
    Item.GIFT: GIVING_AWAY,
}


class Beside(StrEnum):
    """What happens in the moment in which the order is sent."""

    NOTHING = "nothing"
    SECOND_CLICK = "the same is sent once more"
    RIVAL = "another visitor orders with the same code"


class Message(StrEnum):
    """When the gateway tells that the page was used."""

    NEVER = "never"
    SOON = "before the visitor comes back"
    MEANWHILE = "while the visitor comes back"
    TWICE = "twice at once"
    LATE = "late, and twice"


class Staff(StrEnum):
    LEAVE = "leave it"
    REFUND = "refund"
    VOID = "void"
    RERUN = "re-run commissions"


class Place(StrEnum):
    """Who is struck."""

    SENDING = "whoever takes the order down"
    CHANGING = "whoever changes it"
    RETURNING = "whoever asks as the visitor comes back"
    HEARING = "whoever hears the gateway's message"
    STAFF = "whoever refunds or voids"


@dataclass(frozen=True, slots=True)
class Basket:
    item: Item
    quantity: int
    with_code: bool


@dataclass(frozen=True, slots=True)
class Selling:
    """``visits``: the keys of the visitor's page, of a rival's, and of the visitor's next page.

    ``cards`` are typed one after the other, until one is taken. ``left`` is how often the coupon can be
    redeemed. ``part``: so many percent of the price are refunded. ``pays_late``: after the first resolver.
    """

    visits: tuple[UUID, UUID, UUID]
    first: Basket
    changed: Basket | None
    changes_while_paying: bool
    beside: Beside
    left: int
    with_link: bool
    cards: tuple[str, ...]
    pays_late: bool
    message: Message
    is_paid_out: bool
    staff: Staff
    part: int
    place: Place
    blow: Blow | None

    @property
    def last(self) -> Basket:
        return self.changed or self.first

    def blow_at(self, place: Place) -> Blow | None:
        return self.blow if place is self.place else None


def drawn_selling(at_random: Random, fault: Fault, behaviour: str, items: Sequence[Item]) -> Selling:
    """A sale that begins with one of ``items`` and in the end is paid with a card of this behaviour."""
    first = _basket(at_random, items)
    changed = _basket(at_random, list(Item)) if at_random.random() < 0.3 else None
    message = at_random.choice(list(Message))
    staff = at_random.choices(list(Staff), [3, 4, 2, 1])[0]
    place = _place(at_random, fault, changed=bool(changed), message=message, staff=staff)
    points = _points(place, first.item, (changed or first).item, staff)
    calls = _calls(place, first.item, (changed or first).item)
    network = Blow(fault, call=at_random.choice(calls)) if fault in NETWORK else None
    was_declined = at_random.random() < 0.15
    return Selling(
        visits=(_key(at_random), _key(at_random), _key(at_random)),
        first=first,
        changed=changed,
        changes_while_paying=at_random.random() < 0.3,
        beside=at_random.choices(list(Beside), [5, 2, 3])[0],
        left=at_random.choice([1, 1, 2, 3]),
        with_link=at_random.random() < 0.6,
        cards=(at_random.choice(DECLINES), behaviour) if was_declined else (behaviour,),
        pays_late=at_random.random() < 0.1,
        message=message,
        is_paid_out=at_random.random() < 0.5,
        staff=staff,
        part=at_random.choice([100, 100, 1, 33, 50, 99]),
        place=place,
        blow=network or at_a_point(at_random, fault, points),
    )


def _key(at_random: Random) -> UUID:
    return UUID(int=at_random.getrandbits(128), version=4)


def _basket(at_random: Random, items: Sequence[Item]) -> Basket:
    item = at_random.choice(items)
    return Basket(item, at_random.randint(1, MOST_OF_ONE), with_code=at_random.random() < 0.6)


def _place(at_random: Random, fault: Fault, *, changed: bool, message: Message, staff: Staff) -> Place:
    """Somewhere where this sale comes by. What staff do without the gateway cannot be cut off from it."""
    by_staff = staff is Staff.REFUND or (staff is Staff.VOID and fault not in NETWORK)
    possible = {
        Place.SENDING: True,
        Place.CHANGING: changed,
        Place.RETURNING: True,
        Place.HEARING: message is not Message.NEVER,
        Place.STAFF: by_staff,
    }
    return at_random.choice([place for place, comes_by in possible.items() if comes_by])


def _calls(place: Place, first: Item, last: Item) -> tuple[str, ...]:
    match place:
        case Place.SENDING:
            return (_opens(first),)
        case Place.CHANGING:
            return ("expire_page", _opens(last))
        case Place.STAFF:
            return ("refund",)
        case _:
            return ("page_result",)


def _opens(item: Item) -> str:
    return "pay_page" if item in PAID else "card_page"


def _points(place: Place, first: Item, last: Item, staff: Staff) -> Points:
    match place:
        case Place.SENDING:
            return SENDING | AFTER_SENDING[first]
        case Place.CHANGING:
            return CHANGING | AFTER_SENDING[last]
        case Place.STAFF:
            return REFUNDING if staff is Staff.REFUND else VOIDING
        case _:
            return COMING_BACK if last in PAID else LEAVING_A_CARD
