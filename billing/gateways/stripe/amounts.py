"""Amounts as Stripe counts them: whole numbers of a small unit of the currency.

Stripe's units are ISO 4217's, but for what https://docs.stripe.com/currencies says under *Zero-decimal
currencies*, *Three-decimal currencies* and *Special cases*.
"""

from __future__ import annotations

from decimal import Decimal

from billing.money import EXPONENTS, LARGEST, is_too_fine, plain, show

PLACES = {
    "ISK": 2,  # no decimals since, and still sent with two, which must be 00
    "UGX": 2,  # the same
    "MGA": 0,  # two by ISO 4217, though an ariary has five iraimbilanja
}
"""Decimals of currencies that Stripe counts in another unit than ISO 4217 does."""
STEPS = {
    **dict.fromkeys(("ISK", "UGX"), 100),
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 10),  # the card networks take two of the three
}
"""Units of which an amount must be a multiple; of the others any number will do."""


def units(amount: Decimal, currency: str) -> int:
    """The amount as Stripe is told. Raises ValueError, with a sentence, for what cannot be said exactly."""
    if currency not in EXPONENTS:
        raise ValueError(f"{currency!r} is not a currency.")
    if not amount.is_finite() or not 0 < amount <= LARGEST or is_too_fine(amount, currency):
        raise ValueError(f"{amount} {currency} cannot be charged or returned.")
    places, step = _places(currency), STEPS.get(currency, 1)
    counted = amount.scaleb(places)
    if counted % step:
        smallest = plain(Decimal(step).scaleb(-places), currency)
        raise ValueError(
            f"Stripe takes {currency} in steps of {smallest}: {show(amount, currency)} cannot be charged or"
            " returned by card."
        )
    return int(counted)


def amount_of(counted: int, currency: str) -> Decimal:
    """What Stripe counted, in the currency's major unit."""
    return Decimal(counted).scaleb(-_places(currency))


def _places(currency: str) -> int:
    return PLACES.get(currency, EXPONENTS.get(currency, 2))
