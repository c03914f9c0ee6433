"""What two versions of an invoice say differently, for the agent whose save came second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _now

from billing import money
from billing.forms.header import HeaderForm
from billing.forms.preview import Change
from billing.models import Header, Invoice, LineInput

MOST_SHOWN = 40
DUE_ON = "due_on"


def differences(invoice: Invoice, header: Header, lines: Sequence[LineInput]) -> list[Change]:
    """What is stored now (``before``) against what was typed (``after``), field by field and line by line."""
    stored = [line.given for line in invoice.lines.all()]
    theirs = Header.of(invoice)
    found = list(islice(_differing_lines(stored, lines, (theirs.currency, header.currency)), MOST_SHOWN + 1))
    if len(found) > MOST_SHOWN:
        found[-1] = Change(_now("More lines"), "…", "…")
    return [*_differing_fields(theirs, header), *found]


def _differing_fields(theirs: Header, yours: Header) -> Iterator[Change]:
    for each in fields(Header):
        before, after = getattr(theirs, each.name), getattr(yours, each.name)
        if before != after:
            label = _now("Due") if each.name == DUE_ON else str(HeaderForm.base_fields[each.name].label)
            yield Change(label, _shown(before, theirs.currency), _shown(after, yours.currency))


def _shown(value: Any, currency: str) -> str:
    if isinstance(value, date):
        return date_format(value)
    return money.show(value, currency) if isinstance(value, Decimal) else str(value)


def _differing_lines(
    theirs: Sequence[LineInput], yours: Sequence[LineInput], currencies: tuple[str, str]
) -> Iterator[Change]:
    for tag, from_, to, at, end in SequenceMatcher(None, theirs, yours).get_opcodes():
        if tag == "equal":
            continue
        pairs = zip_longest(theirs[from_:to], yours[at:end])
        for number, (before, after) in enumerate(pairs, start=at + 1):
            yield Change(
                _now("Line %(number)s") % {"number": number},
                line_words(before, currencies[0]),
                line_words(after, currencies[1]),
            )


def line_words(line: LineInput | None, currency: str) -> str:
    """``2 × LANTERN at $5.00, less $0.50, 20 % tax``, or nothing for no line."""
    if line is None:
        return ""
    words = [f"{line.quantity.normalize():f} × {line.description}"]
    words.append(_now("at %(price)s") % {"price": money.show(line.unit_price, currency)})
    if line.discount:
        words.append(_now("less %(discount)s") % {"discount": money.show(line.discount, currency)})
    if line.tax_percent:
        words.append(_now("%(percent)s %% tax") % {"percent": f"{line.tax_percent.normalize():f}"})
    return ", ".join([" ".join(words[:2]), *words[2:]])
