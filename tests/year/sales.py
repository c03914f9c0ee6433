"""What is sold to each contact, on which terms, and what befalls it in the year: drawn from the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from random import Random
from typing import TypeVar

from billing.statuses import Missed

T = TypeVar("T")

BESIDE_THE_YEAR = timedelta(days=75)
"""How far into the year, at most, an order asks for its first payment."""


class Befalls(StrEnum):
    PAUSE = "paused"
    RESUME = "resumed"
    CANCEL = "cancelled"
    FORGIVE = "cancelled and forgiven"
    MOVE = "next charge moved"
    NEW_CARD = "given another card"
    NEW_CARD_AT_ONCE = "given another card, charged at once"
    BANK = "the bank's mind changed"


@dataclass(frozen=True, slots=True)
class Fate:
    """``day`` counts from the first of the year. ``detail``: how a card behaves from then on, or days."""

    day: int
    what: Befalls
    detail: str | int = ""


@dataclass(frozen=True, slots=True)
class Sale:
    """``first_on``: when the order asks first; of one that an invoice sells, the day of that invoice, with
    ``wait`` days of a trial or a delay after it. ``card``: how it behaves at first, or nothing for no card.
    """

    number: int
    by_invoice: bool
    first_on: date
    every: int
    unit: str
    payments: int | None
    trial_payments: int
    setup_fee: int
    trial_days: int
    delay_days: int
    zone: str
    missed: str
    currency: str
    price: int
    sends: bool
    card: str
    expires: date
    fates: tuple[Fate, ...]

    @property
    def wait(self) -> int:
        return self.trial_days + self.delay_days

    @property
    def payments_total(self) -> int | None:
        return self.payments + self.trial_payments if self.payments else None

    @property
    def kind(self) -> str:
        return f"{'plan' if self.payments else 'subscription'} by the {self.unit}"


RHYTHMS = {
    ("month", 1): 40, ("month", 2): 6, ("month", 3): 3, ("month", 5): 2,
    ("week", 1): 4, ("week", 2): 6, ("week", 4): 5,
    ("day", 7): 2, ("day", 10): 3, ("day", 17): 3, ("day", 30): 5, ("day", 45): 3,
    ("quarter", 1): 8, ("quarter", 2): 2, ("year", 1): 8,
}  # fmt: skip
ZONES = {
    "UTC": 8,
    "Europe/London": 5,
    "America/New_York": 5,
    "Asia/Tokyo": 3,
    "Australia/Sydney": 4,
    "Pacific/Auckland": 4,
    "Pacific/Honolulu": 3,
    "America/Santiago": 4,  # the clocks go forward at midnight
    "Asia/Beirut": 4,
    "America/Havana": 4,  # and there they go back at one
}
CARDS = {
    "approves": 56,
    "": 9,
    "insufficient": 5,
    "declines": 4,
    "stolen": 5,
    "expired": 3,
    "charged-lost": 7,
    "uncharged-lost": 5,
    "authenticates": 6,
}
LATER_CARDS = {"approves": 6, "insufficient": 2, "stolen": 1, "charged-lost": 1, "authenticates": 1}
CURRENCIES = {"USD": 6, "EUR": 3, "JPY": 1, "KWD": 1}
FATES = {"none": 55, "pause": 12, "cancel": 8, "move": 7, "card": 8, "bank": 10}
NEVER = date(2040, 12, 31)


def drawn(seed: int, number: int, first: date, days: int) -> Sale:
    """The same whichever others are drawn."""
    dice = Random(f"{seed}/{number}")  # noqa: S311  # a draw that can be repeated
    by_invoice = dice.random() < 0.25
    (unit, every) = chosen(dice, RHYTHMS)
    first_on, card = _first_on(dice, first, days), chosen(dice, CARDS)
    waits = chosen(dice, {(0, 0): 5, (14, 0): 2, (0, 10): 2, (7, 3): 1}) if by_invoice else (0, 0)
    trial_payments = 0 if waits[0] else chosen(dice, {0: 6, 1: 1, 2: 1})
    payments = dice.choice([1, 2, 3, 6, 12]) if dice.random() < 0.35 else None
    return Sale(
        number=number,
        by_invoice=by_invoice,
        first_on=first_on,
        every=every,
        unit=unit,
        payments=payments,
        trial_payments=trial_payments,
        setup_fee=chosen(dice, {0: 4, 15: 1}),
        trial_days=waits[0],
        delay_days=waits[1],
        zone="UTC" if by_invoice else chosen(dice, ZONES),
        missed=Missed.EVERY if by_invoice else chosen(dice, {Missed.EVERY: 3, Missed.CURRENT: 2}),
        currency=chosen(dice, CURRENCIES),
        price=dice.randint(3, 400),
        sends=by_invoice or dice.random() < 0.8,
        card=card,
        expires=first + timedelta(days=dice.randrange(days)) if dice.random() < 0.05 else NEVER,
        fates=tuple(sorted(_fates(dice, card, first, first_on, days), key=lambda fate: fate.day)),
    )


def _first_on(dice: Random, first: date, days: int) -> date:
    """Every other one on one of the last days of a month, which shorter months do not have."""
    reach = min(BESIDE_THE_YEAR.days, days - 1)
    day = first + timedelta(days=dice.randrange(1, reach + 1))
    late = [first + timedelta(days=n) for n in range(1, reach + 1)]
    late = [each for each in late if each.day >= 29]
    return dice.choice(late) if late and dice.random() < 0.5 else day


def _fates(dice: Random, card: str, first: date, first_on: date, days: int) -> Iterator[Fate]:
    if card == "uncharged-lost":  # the desk tries it again every hour
        yield Fate((first_on - first).days + dice.randint(1, 9), Befalls.BANK, "approves")
    day = dice.randrange(1, days)
    match chosen(dice, FATES):
        case "pause":
            yield Fate(day, Befalls.PAUSE)
            yield Fate(day + dice.randint(1, 70), Befalls.RESUME)
        case "cancel":
            yield Fate(day, dice.choice([Befalls.CANCEL, Befalls.FORGIVE]))
        case "move":
            yield Fate(day, Befalls.MOVE, dice.randint(0, 40))
        case "card":
            what = dice.choice([Befalls.NEW_CARD, Befalls.NEW_CARD_AT_ONCE])
            yield Fate(day, what, chosen(dice, LATER_CARDS))
        case "bank":
            worse = dice.choice(["insufficient", "declines", "stolen", "uncharged-lost"])
            yield Fate(day, Befalls.BANK, worse)
            longest = 9 if worse == "uncharged-lost" else 60
            yield Fate(day + dice.randint(2, longest), Befalls.BANK, "approves")


def chosen(dice: Random, weights: dict[T, int]) -> T:
    return dice.choices(list(weights), list(weights.values()))[0]


def all_drawn(seed: int, count: int, first: date, days: int) -> Sequence[Sale]:
    return [drawn(seed, number, first, days) for number in range(count)]
