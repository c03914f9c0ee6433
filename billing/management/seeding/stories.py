"""What can become of an invoice, as shares of its total: the plots that data at scale is made of."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random

from billing.statuses import InvoiceStatus as S

ALL = Decimal(1)
REST = Decimal(-1)
"""Stands for what the receipts before left open."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One try to get money. ``share`` is of the invoice's total, ``back`` of this receipt."""

    share: Decimal = ALL
    card: bool = False
    declined: bool = False
    back: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Story:
    status: S
    receipts: tuple[Receipt, ...] = ()

    @property
    def needs_card(self) -> bool:
        return any(receipt.card for receipt in self.receipts)


CARD = Receipt(card=True)
REFUSED = Receipt(card=True, declined=True)
OFFLINE = Receipt()

WEIGHTS = {
    Story(S.CLOSED, (OFFLINE,)): 30,
    Story(S.CLOSED, (CARD,)): 22,
    Story(S.CLOSED, (Receipt(Decimal("0.4")), Receipt(REST))): 4,
    Story(S.CLOSED, (REFUSED, CARD)): 3,
    Story(S.CLOSED, (Receipt(card=True, back=Decimal("0.25")),)): 3,
    Story(S.CLOSED, (Receipt(back=Decimal("0.5")),)): 2,
    Story(S.OPEN): 10,
    Story(S.OPEN, (Receipt(Decimal("0.3")),)): 3,
    Story(S.OPEN, (Receipt(Decimal("0.5"), card=True), REFUSED)): 2,
    Story(S.COLLECTIONS, (REFUSED,)): 4,
    Story(S.COLLECTIONS, (Receipt(Decimal("0.2")), Receipt(REST, card=True, declined=True))): 1,
    Story(S.REFUNDED, (Receipt(card=True, back=ALL),)): 3,
    Story(S.REFUNDED, (Receipt(back=ALL),)): 2,
    Story(S.VOIDED): 3,
    Story(S.VOIDED, (OFFLINE,)): 1,
    Story(S.WRITTEN_OFF): 3,
    Story(S.WRITTEN_OFF, (Receipt(Decimal("0.3")), REFUSED)): 1,
    Story(S.DECLINED, (REFUSED,)): 1,
    Story(S.DRAFT): 3,
}
WITH_CARD = (list(WEIGHTS), list(WEIGHTS.values()))
WITHOUT_CARD = (
    [story for story in WEIGHTS if not story.needs_card],
    [weight for story, weight in WEIGHTS.items() if not story.needs_card],
)


def tell(random: Random, *, has_card: bool) -> Story:
    stories, weights = WITH_CARD if has_card else WITHOUT_CARD
    return random.choices(stories, weights)[0]
