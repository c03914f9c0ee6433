"""Purchases from another system's CSV file.

Sales become Closed invoices with their payment, cancellations become refunds of them. ``read`` works out a
plan and writes nothing, ``write`` puts it into the books, ``save`` writes down what was rejected and why.
Where one line of a document is rejected the rest is imported, and the report says so.
"""

from __future__ import annotations

from pathlib import Path

from billing.importing.documents import gather
from billing.importing.entries import Terms
from billing.importing.plan import Plan, made
from billing.importing.refusing import ImportRefused, Reason, Rejected
from billing.importing.report import save
from billing.importing.source import Columns, opened, rows
from billing.importing.writing import Source, again, write

__all__ = [
    "Columns",
    "ImportRefused",
    "Plan",
    "Reason",
    "Rejected",
    "Source",
    "Terms",
    "again",
    "read",
    "save",
    "write",
]


def read(path: Path, columns: Columns, terms: Terms, *, unknown_contact: str = "") -> Plan:
    """Read the file and decide about every line. Raises ImportRefused when it is not such a file at all.

    ``unknown_contact`` names the contact to whom purchases of nobody go; without a name they are rejected.
    """
    with opened(path) as text:
        gathered = gather(rows(text, columns), terms, nobody_is_known=bool(unknown_contact))
    return made(gathered, terms, unknown_contact)
