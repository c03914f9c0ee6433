"""Rounding and showing of amounts: pure Decimal, one currency at a time.

How many decimals a currency has is ISO 4217's word (the ``iso4217`` package); how an amount is written for
people is CLDR's (Babel).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel import Locale
from babel.numbers import NumberPattern, parse_pattern
from iso4217 import Currency

MAX_DIGITS = 15
"""Digits of a stored amount, three of them after the point: exact even where SQLite adds in binary floating
point.
"""
DECIMAL_PLACES = 3
LARGEST = Decimal(10) ** (MAX_DIGITS - DECIMAL_PLACES) - Decimal("0.001")
ZERO = Decimal(0)
HUNDRED = Decimal(100)

EXPONENTS: dict[str, int] = {c.code: c.exponent for c in Currency if c.exponent in (0, 2, 3)}
"""Currencies that people pay with.

Metals, funds codes and test codes have no such exponent and are left out.
"""


@dataclass(frozen=True, slots=True)
class LineAmounts:
    """What a line comes to: ``total`` is rounded once, ``tax`` is what it holds above ``net``, so the parts
    add up.
    """

    net: Decimal
    tax: Decimal
    total: Decimal


def exponent(currency: str) -> int:
    """Decimals of the currency: 0 for JPY, 2 for USD, 3 for KWD. Raises KeyError for a code that is no
    currency.
    """
    return EXPONENTS[currency]


@lru_cache(maxsize=256)
def quantum(currency: str) -> Decimal:
    """The smallest amount of the currency: ``Decimal("0.01")`` for USD."""
    return Decimal(1).scaleb(-EXPONENTS[currency])


def round_half_up(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(quantum(currency), rounding=ROUND_HALF_UP)


def is_too_fine(amount: Decimal, currency: str) -> bool:
    """Whether the amount has more decimals than its currency (trailing zeros do not count)."""
    return amount != round_half_up(amount, currency)


def line_amounts(
    *,
    quantity: Decimal,
    unit_price: Decimal,
    discount: Decimal,
    tax_percent: Decimal,
    currency: str,
    coupon: Decimal = ZERO,
) -> LineAmounts:
    """``quantity * unit_price - discount``, then tax, rounded half up once at the currency's precision.

    ``coupon`` is the line's share of a coupon, already rounded: it comes off the rounded net, and the tax is
    on what remains. What rounds to 0 is 0, even where a discount of whole cents is a fraction above it; and
    where a coupon takes all of the net, no fraction of a cent remains for a tax to round up.
    """
    exact = quantity * unit_price - discount
    net = round_half_up(exact, currency) - coupon + ZERO
    remains = exact - coupon if net < 0 else max(ZERO, exact - coupon)
    if coupon and not net:
        remains = ZERO
    total = round_half_up(remains * (HUNDRED + tax_percent) / HUNDRED, currency)
    return LineAmounts(net=net, tax=total - net, total=total)


def percent_of(amount: Decimal, percent: Decimal, currency: str) -> Decimal:
    """So many hundredths of the amount, rounded half up once."""
    return round_half_up(amount * percent / HUNDRED, currency)


def spread(amount: Decimal, over: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Parts of ``amount`` in proportion to ``over``, by largest remainder, so that they sum to it exactly.

    What a part loses to rounding goes to those that lose most, the first of equals first. No part is above
    its own of ``over`` as long as the amount is not above their sum. Raises ValueError when there is nothing
    to spread it over.
    """
    unit = quantum(currency)
    whole, weights = int(amount / unit), [int(weight / unit) for weight in over]
    in_all = sum(weights)
    if in_all <= 0 or min(weights) < 0:
        raise ValueError("An amount is spread over amounts of which none is below 0 and one is above.")
    parts = [divmod(whole * weight, in_all) for weight in weights]
    missing = whole - sum(part for part, _rest in parts)
    lucky = set(sorted(range(len(parts)), key=lambda at: (-parts[at][1], at))[:missing])
    return [unit * (part + (at in lucky)) for at, (part, _rest) in enumerate(parts)]


@lru_cache(maxsize=512)
def _pattern(currency: str, language: str) -> tuple[NumberPattern, Locale]:
    locale = Locale.parse(language, sep="-")
    pattern = parse_pattern(locale.currency_formats["standard"].pattern)
    places = EXPONENTS.get(currency, 2)
    pattern.frac_prec = (places, places)
    return pattern, locale


@lru_cache(maxsize=8192)
def show(amount: Decimal, currency: str, language: str = "en") -> str:
    """The amount for people, with its currency: ``$1,234.50``, ``¥1,234``, ``-KWD 1.500`` by the language's
    rules.
    """
    pattern, locale = _pattern(currency, language)
    text: str = pattern.apply(amount, locale, currency=currency, currency_digits=False)
    return text


def plain(amount: Decimal, currency: str) -> str:
    """The amount for machines and form fields: ``1234.50``, never grouped, never with an exponent."""
    return f"{amount:.{EXPONENTS.get(currency, 2)}f}"
