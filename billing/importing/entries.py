"""One line of a purchase: read from the texts of its row, or refused with a reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import lru_cache

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now

from billing import money
from billing.importing.refusing import Reason, Rejected
from billing.importing.source import Row
from billing.money import ZERO
from contacts.models import one_line, tidy

NUMBER = re.compile(r"-?([0-9]{1,15}(\.[0-9]{0,12})?|\.[0-9]{1,12})")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{3,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
WHOLE_FLOAT = re.compile(r"([0-9]+)\.0+")
EARLIEST_YEAR = 1900
LONGEST = {"number": 40, "sku": 60, "description": 200, "contact": 100, "country": 100}
"""Characters that the columns of invoices, lines and contacts hold."""
MOST_QUANTITY = Decimal(10) ** 9
QUANTITY_STEP = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the file does not say of itself.

    ``zone`` is that of times without an offset; nothing may be dated after ``now``.
    """

    currency: str
    zone: tzinfo
    cancelled_prefix: str
    adjustment_prefix: str
    now: datetime

    def is_cancellation(self, number: str) -> bool:
        return bool(self.cancelled_prefix) and number.startswith(self.cancelled_prefix)

    def is_adjustment(self, number: str) -> bool:
        """Whether a digit follows the prefix, so that ``A563185`` is one and ``ACME-1`` is not."""
        prefix = self.adjustment_prefix
        return bool(prefix) and number.startswith(prefix) and number[len(prefix) :][:1].isdigit()


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that can be kept. ``contact`` is empty where the line names no customer.

    ``quantity`` and ``amount`` are positive, on cancellations too. A ``country`` that cannot be kept is left
    out: the purchase does not depend on it.
    """

    row: Row
    number: str
    sku: str
    description: str
    contact: str
    quantity: Decimal
    price: Decimal
    amount: Decimal
    moment: datetime
    country: str

    @property
    def product_key(self) -> str:
        return key_of(self.sku or self.description)


@lru_cache(maxsize=65536)
def key_of(sku: str) -> str:
    """What makes two SKUs the same product: all but the case."""
    return sku.casefold()


def entry_of(row: Row, terms: Terms) -> Entry:
    """Read one row. Raises Rejected."""
    number = _text(row, "number", Reason.NUMBER)
    if not number:
        raise Rejected(Reason.NUMBER, _now("The line has no document number."), row)
    if terms.is_adjustment(number):
        why = _now("%(number)s is an adjustment (its number begins with %(prefix)s): no sale, and no refund.")
        raise Rejected(Reason.ADJUSTMENT, why % {"number": number, "prefix": terms.adjustment_prefix}, row)
    sku = _text(row, "sku")
    description = _text(row, "description") or sku
    if not description:
        raise Rejected(Reason.TEXT, _now("The line has neither a SKU nor a description."), row)
    cancellation = terms.is_cancellation(number)
    quantity = _quantity(row, cancellation=cancellation)
    price = _price(row, terms.currency)
    amount = _amount(row, quantity, price, terms.currency)
    if cancellation and not amount:
        raise Rejected(Reason.PRICE, _now("The line comes to 0: there is no money to return."), row)
    return Entry(
        row=row,
        number=number,
        sku=sku,
        description=description,
        contact=_contact(row),
        quantity=quantity,
        price=price,
        amount=amount,
        moment=_moment(row, terms),
        country=_tidied(row.country, LONGEST["country"])[0],
    )


def signed_amount(row: Row) -> Decimal:
    """Quantity times price as they stand in the file, unrounded; 0 when one of them is no number."""
    quantity, price = _number(row.quantity), _number(row.price)
    return ZERO if quantity is None or price is None else quantity * price


def _text(row: Row, field: str, reason: Reason = Reason.TEXT) -> str:
    value, fault = _tidied(getattr(row, field), LONGEST[field])
    if fault:
        raise Rejected(reason, _now("%(field)s: %(fault)s") % {"field": field, "fault": fault}, row)
    return value


@lru_cache(maxsize=65536)
def _tidied(text: str, longest: int) -> tuple[str, str]:
    """The text as it is kept, or what is wrong with it."""
    value = tidy(text)
    if not value.isprintable():
        try:
            one_line(value)
        except ValidationError as error:
            return "", error.messages[0]
    if len(value) > longest:
        words = {"count": len(value), "longest": longest}
        return "", _now("%(count)s characters; at most %(longest)s can be kept.") % words
    return value, ""


def _contact(row: Row) -> str:
    """The customer's number, without the ``.0`` of one that went through a spreadsheet's floating point."""
    text = _text(row, "contact")
    whole = WHOLE_FLOAT.fullmatch(text)
    return whole[1] if whole else text


@lru_cache(maxsize=65536)
def _number(text: str) -> Decimal | None:
    text = text.strip()
    return Decimal(text) if NUMBER.fullmatch(text) else None


def _quantity(row: Row, *, cancellation: bool) -> Decimal:
    number = _number(row.quantity)
    if number is None:
        why = _now("quantity is “%(text)s”: it must be a plain number such as 12.")
    elif cancellation and number >= 0:
        why = _now("quantity is %(text)s: that of a cancellation must be below 0.")
    elif not cancellation and number <= 0:
        why = _now("quantity is %(text)s: that of a sale must be above 0.")
    elif abs(number) >= MOST_QUANTITY or number % QUANTITY_STEP:
        why = _now("quantity is %(text)s: at most 9 digits and 3 decimals can be kept.")
    else:
        return abs(number)
    raise Rejected(Reason.QUANTITY, why % {"text": row.quantity.strip()[:40]}, row)


def _price(row: Row, currency: str) -> Decimal:
    number = _number(row.price)
    words = {"text": row.price.strip()[:40], "currency": currency, "most": money.LARGEST}
    if number is None:
        why = _now("price is “%(text)s”: it must be a plain number such as 2.55.")
    elif number < 0:
        why = _now("price is %(text)s: it must be 0 or more.")
    elif number > money.LARGEST:
        why = _now("price is %(text)s: at most %(most)s can be kept.")
    elif money.is_too_fine(number, currency):
        words["places"] = money.exponent(currency)
        why = _now("price is %(text)s: %(currency)s has %(places)s decimals.")
    else:
        return number
    raise Rejected(Reason.PRICE, why % words, row)


def _amount(row: Row, quantity: Decimal, price: Decimal, currency: str) -> Decimal:
    amount = money.round_half_up(quantity * price, currency)
    if amount > money.LARGEST:
        why = _now("quantity times price is %(amount)s: at most %(most)s can be kept.")
        raise Rejected(Reason.PRICE, why % {"amount": amount, "most": money.LARGEST}, row)
    return amount


def _moment(row: Row, terms: Terms) -> datetime:
    moment = _read_moment(row.date.strip(), terms.zone)
    words = {"text": row.date.strip()[:40], "year": EARLIEST_YEAR}
    if moment is None:
        why = _now("date is “%(text)s”: it must be a day, or a day and time, such as 2010-12-01 08:26:00.")
    elif moment.year < EARLIEST_YEAR:
        why = _now("date is %(text)s: the year must be %(year)s or later.")
    elif moment > terms.now:
        why = _now("date is %(text)s: it lies in the future.")
    else:
        return moment
    raise Rejected(Reason.DATE, why % words, row)


@lru_cache(maxsize=65536)
def _read_moment(text: str, zone: tzinfo) -> datetime | None:
    if not MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        return None
