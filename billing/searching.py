"""What somebody means who types a few characters into the one search box: a number, a reference, four digits
of a card, an amount, or a name. Each question is answered from an index.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from itertools import chain
from typing import TypeVar

from django.db.models import Model, QuerySet

from billing import money
from billing.models import Card, Invoice, Payment

AMOUNT = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d{1,3})?|\d{1,12}(?:\.\d{1,3})?", re.ASCII)
AROUND_AMOUNT = re.compile(r"^-?\s*(?:[A-Z]{3}|[^\w\s.,-])?\s*|\s*(?:[A-Z]{3}|[^\w\s.,-])?$")
"""A sign, and a currency's sign or code on either side."""
LAST_FOUR = re.compile("[0-9]{4}")
LARGEST_SEQUENCE = 2**63 - 1
LONGEST = 200

Row = TypeVar("Row", bound=Model)


def tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).replace("\0", " ").split())[:LONGEST]


def invoices(text: str, most: int) -> list[Invoice]:
    """By number, with or without what stands before it; by external reference; by total."""
    rows = Invoice.objects.select_related("contact").order_by("-id")
    asked = [rows.filter(number__startswith=spelt) for spelt in dict.fromkeys((text.upper(), text))]
    asked.append(rows.filter(external_ref=text))
    if text.isascii() and text.isdigit() and int(text) <= LARGEST_SEQUENCE:
        asked.append(rows.filter(sequence=int(text)))
    if amount := amount_of(text):
        asked.append(rows.filter(total=amount))
    return _first(asked, most)


def payments(text: str, most: int) -> list[Payment]:
    """By the gateway's reference; by the last four digits of the card; by amount, refunds too."""
    rows = Payment.objects.select_related("invoice__contact").order_by("-id")
    asked = [rows.filter(gateway_ref=text)]
    if LAST_FOUR.fullmatch(text):
        asked.append(rows.filter(card_last4=text))
    if amount := amount_of(text):
        asked.append(rows.filter(amount__in=[amount, -amount]))
    return _first(asked, most)


def cards(text: str, most: int) -> list[Card]:
    """Cards on file by their last four digits."""
    if not LAST_FOUR.fullmatch(text):
        return []
    rows = Card.objects.filter(last4=text, removed_at=None).select_related("contact")
    return list(rows.order_by("-id")[:most])


def amount_of(text: str) -> Decimal | None:
    """``$1,234.50``, ``1234.5 EUR`` and ``-49`` as the amount they name, above 0; None for anything else."""
    bare = AROUND_AMOUNT.sub("", text.upper())
    if not AMOUNT.fullmatch(bare):
        return None
    amount = Decimal(bare.replace(",", ""))
    return amount if 0 < amount <= money.LARGEST else None


def _first(asked: Iterable[QuerySet[Row]], most: int) -> list[Row]:
    """The first of each question's rows, each row once."""
    found = chain.from_iterable(rows[:most] for rows in asked)
    return list({row.pk: row for row in found}.values())[:most]
