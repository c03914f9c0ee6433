"""The steps of a charge, a refund, an order on a form and a resolver at which a process can be struck, and
how to do it there.

``Gateway`` as an owner stands for the class of whichever gateway is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from billing.gateways import Gateway
from billing.models import Attempt, Card, CardPage, Invoice, Submission


@dataclass(frozen=True, slots=True)
class Point:
    """Just before or just after a call. ``inside``: a transaction is open there."""

    owner: type
    call: str
    is_after: bool
    inside: bool = False


def before(owner: type, call: str) -> Point:
    return Point(owner, call, is_after=False)


def after(owner: type, call: str, *, inside: bool = False) -> Point:
    return Point(owner, call, is_after=True, inside=inside)


Points = dict[str, Point]

CHARGING: Points = {
    "inside the first transaction": after(Attempt, "start", inside=True),
    "after the attempt was written down": before(Attempt, "run"),
    "before the gateway heard of it": before(Gateway, "prepare"),
    "after the gateway took it down": after(Gateway, "prepare"),
    "after the reference was written down": after(Attempt, "_write_down"),
    "before the money moved": before(Gateway, "confirm"),
    "after the money moved": after(Gateway, "confirm"),
    "inside the last transaction": after(Invoice, "book", inside=True),
    "after all of it": after(Attempt, "settle"),
}
REFUNDING: Points = {
    "inside the first transaction": after(Attempt, "start", inside=True),
    "after the attempt was written down": before(Attempt, "run"),
    "before the gateway heard of it": before(Gateway, "refund"),
    "after the money went back": after(Gateway, "refund"),
    "inside the last transaction": after(Invoice, "book", inside=True),
    "after all of it": after(Attempt, "settle"),
}
OPENING: Points = {
    "inside the first transaction": after(Attempt, "start", inside=True),
    "before the gateway heard of the page": before(Gateway, "pay_page"),
    "after the gateway opened the page": after(Gateway, "pay_page"),
    "after the page was written down": after(Attempt, "_write_page_down"),
}
COMING_BACK: Points = {
    "before the gateway was asked about the page": before(Gateway, "page_result"),
    "after the gateway showed the page": after(Gateway, "page_result"),
    "inside the last transaction": after(Invoice, "book", inside=True),
    "after all of it": after(Attempt, "settle"),
}
SENDING: Points = {
    "inside the transaction that takes the order down": after(Invoice, "redeem_coupon", inside=True),
    "after the order was taken down": after(Submission, "send"),
}
CHANGING: Points = {
    "before the gateway was asked to close the page": before(Gateway, "expire_page"),
    "after the gateway closed the page": after(Gateway, "expire_page"),
    "inside the transaction that changes the order": after(Invoice, "order_otherwise", inside=True),
    "after the order was changed": after(Submission, "change"),
}
OPENING_FOR_A_CARD: Points = {
    "before the gateway heard of the page": before(Gateway, "card_page"),
    "after the gateway opened the page": after(Gateway, "card_page"),
    "after the page was written down": after(CardPage, "open"),
}
GIVING_AWAY: Points = {
    "inside the transaction that takes it": after(Invoice, "accept_order", inside=True),
    "inside the transaction that tells the customer": after(Invoice, "queue_receipt", inside=True),
}
LEAVING_A_CARD: Points = {
    "before the gateway was asked about the page": before(Gateway, "page_result"),
    "after the gateway showed the page": after(Gateway, "page_result"),
    "after the card was put on file": after(Card, "add"),
    "inside the last transaction": after(Invoice, "accept_order", inside=True),
    "after all of it": after(Submission, "take_card"),
}
VOIDING: Points = {
    "inside the transaction": after(Invoice, "follow_commissions", inside=True),
    "after all of it": after(Invoice, "void"),
}
LOOKING_AFTER: Points = {
    "before an order was looked after": before(Submission, "look_after"),
    "after the gateway showed the page": after(Gateway, "page_result"),
    "inside the transaction that ends the order": after(Submission, "finish", inside=True),
}
RESOLVING: Points = {
    "before the gateway was asked": before(Attempt, "ask"),
    "after the gateway answered": after(Gateway, "retrieve"),
    "after the gateway called it off": after(Gateway, "cancel"),
    "after the gateway found the refund": after(Gateway, "find_refund"),
    "after the money went back": after(Gateway, "refund"),
    "after the gateway showed the page": after(Gateway, "page_result"),
    "after the gateway closed the page": after(Gateway, "expire_page"),
    "inside the last transaction": after(Invoice, "book", inside=True),
}


@contextmanager
def struck_at(point: Point, gateway: type, strike: Callable[[], None], *, nth: int = 1) -> Iterator[None]:
    """Call ``strike`` as the point is reached for the ``nth`` time while the block runs, and only then."""
    owner = gateway if point.owner is Gateway else point.owner
    original, calls = getattr(owner, point.call), [0]

    def struck(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        is_here = calls[0] == nth
        if is_here and not point.is_after:
            strike()
        answer = original(*args, **kwargs)
        if is_here and point.is_after:
            strike()
        return answer

    with patch.object(owner, point.call, struck):
        yield
