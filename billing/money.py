"""Rounding and showing of amounts: pure Decimal, one currency at a time.

How many decimals a currency has is ISO 4217's word (the ``iso4217`` package); how an amount is written for
people is CLDR's (Babel).
"""

from __future__ import annotations

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
    *, quantity: Decimal, unit_price: Decimal, discount: Decimal, tax_percent: Decimal, currency: str
) -> LineAmounts:
    """``quantity * unit_price - discount``, then tax, rounded half up once at the currency's precision."""
    exact = quantity * unit_price - discount
    net = round_half_up(exact, currency)
    total = round_half_up(exact * (HUNDRED + tax_percent) / HUNDRED, currency)
    return LineAmounts(net=net, tax=total - net, total=total)


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
