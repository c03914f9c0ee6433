"""What a card gateway must be able to do, in plain values.

A gateway moves money; it never touches an invoice, a payment or a card row. Every call is made with no
database transaction open, and takes a key of ours so that asking twice moves money once. A gateway that
cannot answer raises :class:`NoAnswer`: the caller must then treat the outcome as *unknown*, never as
declined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

from billing.statuses import AttemptState, DisputeState


class NoAnswer(Exception):
    """Time-out, lost connection, 5xx, 409 or 429: the money may or may not have moved."""


class NotOurGateway(Exception):
    """The gateway does not know this installation: a wrong key. Nothing was done; the message is a sentence
    for staff.
    """


class NotSigned(Exception):
    """A message that says it is the gateway's and cannot prove it, or cannot be read."""


class CardRefused(Exception):
    """The gateway will not store this card; the message is the gateway's, fit to show."""


def reason_of(error: Exception) -> str:
    """Why nothing was done, in the gateway's words; empty when it did not answer and nobody knows."""
    return str(error) if isinstance(error, (NotOurGateway, ValueError)) else ""


def fit(words: str, most: int) -> str:
    """A gateway's words as far as a column holds them: PostgreSQL stores no NUL."""
    return words.replace("\0", "")[:most]


@dataclass(frozen=True, slots=True)
class CardDetails:
    """A gateway's token and what may be shown of the card: never the number, never the CVC."""

    token: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one charge or refund. `hard` means: retrying this card is pointless."""

    state: AttemptState
    ref: str = ""
    code: str = ""
    message: str = ""
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page at the gateway's own address on which the customer types a card."""

    ref: str
    url: str


@dataclass(frozen=True, slots=True)
class PageResult:
    """How a hosted page ended; `outcome` is set when money was asked for.

    `card` shows what may be shown of the card used; its token is empty unless the card was stored.
    ``done`` False: the customer has not finished; the page is still open unless ``expired``.
    """

    done: bool
    expired: bool = False
    card: CardDetails | None = None
    outcome: Outcome | None = None


class NoticeKind(Enum):
    """What a gateway's message is about; ``OTHER`` is nothing that the desk acts on."""

    CARD = auto()
    CHARGE = auto()
    REFUND = auto()
    DISPUTE = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Notice:
    """A message of the gateway: that something happened to ``ref``, never how it stands now.

    Messages come twice, late and out of order, so whoever reads one asks the gateway for the facts. ``id``
    and ``type`` are the gateway's own; ``key`` is that of our attempt, where the gateway knows it;
    ``page_ref`` the hosted page, where one ended.
    """

    id: str
    type: str
    kind: NoticeKind
    ref: str = ""
    key: UUID | None = None
    page_ref: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """A charge or a refund in the gateway's own books, whoever made it. ``amount`` is positive.

    ``key`` is None for what was done without us, such as in the gateway's dashboard. ``charge_ref`` is the
    charge that a refund returns, and ``ref`` itself for a charge.
    """

    ref: str
    charge_ref: str
    key: UUID | None
    outcome: Outcome
    amount: Decimal
    currency: str
    at: datetime
    card: CardDetails | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A customer's bank took ``amount`` of the charge back, for good or until it has decided.

    ``respond_by`` is the bank's deadline for evidence; ``url`` the page at the gateway where it is given.
    """

    ref: str
    charge_ref: str
    amount: Decimal
    currency: str
    state: DisputeState
    reason: str
    respond_by: datetime | None
    url: str


class Gateway(Protocol):
    """Amounts are positive, in the currency's major unit (``Decimal("49.00")`` USD), already exact.

    What a gateway refuses to be asked (an amount that it cannot take, a key that served another call) raises
    ValueError, with a sentence for staff: nothing was done.
    """

    name: str

    def check(self) -> None:
        """Make sure that the gateway answers and knows us. Raises NoAnswer, NotOurGateway."""

    def customer(self, *, key: UUID, name: str, email: str) -> str:
        """Open a file for a customer, to whom cards can then be stored; its reference, or nothing where the
        gateway keeps none.
        """

    def card_page(self, *, key: UUID, return_url: str, cancel_url: str, customer: str = "") -> Page:
        """Open a page that stores a card for ``customer`` and moves no money."""

    def pay_page(
        self,
        *,
        key: UUID,
        amount: Decimal,
        currency: str,
        description: str,
        remember: bool,
        return_url: str,
        cancel_url: str,
        customer: str = "",
    ) -> Page:
        """Open a page that charges once under ``key``; ``remember`` also stores the card for ``customer``."""

    def page_result(self, ref: str) -> PageResult:
        """How the page stands now, asked at the gateway (a query string is never trusted)."""

    def expire_page(self, ref: str) -> PageResult:
        """Close the page; if the customer was quicker, the result says what happened instead."""

    def prepare(self, *, key: UUID, amount: Decimal, currency: str, token: str) -> str:
        """Write the charge down at the gateway, unconfirmed, and return its reference. No money moves."""

    def confirm(self, ref: str, *, key: UUID) -> Outcome:
        """Charge. The only call that takes money."""

    def retrieve(self, ref: str) -> Outcome:
        """How the charge stands; state ``started`` when it was prepared and never confirmed."""

    def cancel(self, ref: str) -> Outcome:
        """Make sure an unconfirmed charge never happens; the answer decides (it may say approved)."""

    def refund(self, ref: str, *, key: UUID, amount: Decimal, currency: str) -> Outcome:
        """Return ``amount`` of the charge ``ref``. The same key again returns the first answer."""

    def find_refund(self, ref: str, *, key: UUID) -> Outcome | None:
        """The refund made of charge ``ref`` under ``key``, or None when the gateway never saw it."""

    def detach_card(self, token: str) -> None:
        """Forget a stored card. Forgetting twice is no error."""

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """What the gateway's message is about. Raises NotSigned."""

    def charge_made(self, ref: str) -> Movement:
        """The charge of this reference, whoever made it."""

    def refund_made(self, ref: str) -> Movement:
        """The refund of this reference, whoever made it."""

    def dispute(self, ref: str) -> DisputeFacts:
        """The dispute of this reference as it stands."""


_makers: dict[str, Callable[[], Gateway]] = {}


def register(name: str, make: Callable[[], Gateway]) -> None:
    """Called by each gateway's AppConfig.ready."""
    _makers[name] = make


def get(name: str) -> Gateway:
    """The gateway that a card or payment was made with. Raises KeyError for a name that is not installed."""
    return _makers[name]()


def installed() -> list[str]:
    """The names of the gateways that can be used now."""
    return sorted(name for name, make in _makers.items() if _works(make))


def _works(make: Callable[[], Gateway]) -> bool:
    try:
        make()
    except KeyError:
        return False
    return True
