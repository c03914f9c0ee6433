"""The rejected lines as a CSV file: each with its number, the reason, and what stood on it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import gettext as _now

from billing.importing.plan import Plan
from billing.importing.refusing import ImportRefused, Rejected
from billing.importing.source import Row

HEADINGS = ("line", "reason", "explanation", "rest_of_document", *Row._fields[1:])
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that starts so as a formula."""


def save(plan: Plan, path: Path) -> None:
    """Raises ImportRefused when the file cannot be written."""
    try:
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADINGS)
            writer.writerows(_records(plan))
    except OSError as error:
        raise ImportRefused(
            _now("The report “%(file)s” cannot be written: %(why)s. Nothing was imported.")
            % {"file": path, "why": error.strerror or str(error)}
        ) from error


def _records(plan: Plan) -> Iterator[list[str]]:
    rest = _fates(plan)
    for rejected in plan.rejected:
        yield [harmless(cell) for cell in _cells(rejected, rest)]


def _cells(rejected: Rejected, rest: dict[str, str]) -> list[str]:
    row = rejected.row
    fate = rest.get(row.number.strip(), _now("none of it is imported")) if row.number.strip() else ""
    return [str(row.line), rejected.reason.value, rejected.why, fate, *row[1:]]


def _fates(plan: Plan) -> dict[str, str]:
    """What becomes of the other lines of each document of which something is, or was, imported."""
    imported, earlier = _now("is imported"), _now("was imported before")
    return {
        **dict.fromkeys((document.number for document in plan.known), earlier),
        **dict.fromkeys((document.number for document in plan.sales), imported),
        **dict.fromkeys((refund.document.number for refund in plan.refunds), imported),
    }


def harmless(cell: str) -> str:
    """The cell, behind an apostrophe if a spreadsheet would run it."""
    return f"'{cell}" if cell.lstrip(" \ufeff").startswith(DANGEROUS) else cell
