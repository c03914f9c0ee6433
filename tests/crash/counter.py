"""A gateway as the harness meets it: where faults are injected, and where its own books are read.

One file for each gateway implements it; nothing else in this package knows which one is in use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from billing.gateways import CardDetails
from tests.crash.blows import Blow
from tests.crash.scene import Scene


@dataclass(frozen=True, slots=True)
class Moved:
    """Money that moved, as the gateway has it: a charge, or a refund when ``is_refund``; ``amount`` is
    positive. ``key`` is None where the gateway was given none.
    """

    key: UUID | None
    is_refund: bool
    amount: Decimal
    currency: str


class Counter(Protocol):
    name: str
    gateway: type
    """Its class: its methods are the calls at which a process is struck."""
    behaviours: Mapping[str, int]
    """The kinds of cards that it knows, and how often a trial uses each."""

    steps: Mapping[str, int]
    """In so many of the smallest coins the amounts of a currency must be, where that is more than one."""

    def start_over(self, done: int) -> bool:
        """Asked between two trials, ``done`` of which are over. True if the gateway forgot its cards; what
        moved is never forgotten.
        """

    def card(self, behaviour: str) -> CardDetails:
        """A new card on file."""

    def trouble(self, blow: Blow, scene: Scene) -> AbstractContextManager[None]:
        """While the block runs, the call of the blow goes wrong when it is made the ``nth`` time.

        A call that is slower than the time-out acts when the scene lets it.
        """

    def pay(self, page: str, behaviour: str, *, confirms: bool, at: datetime) -> None:
        """The customer types a card on a hosted page, and confirms to the bank if it asks."""

    def ledger(self) -> Iterator[Moved]:
        """Everything that moved, from the gateway's own books."""
