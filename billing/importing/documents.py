"""Documents: all lines with one number, wherever in the file they stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _now

from billing import money
from billing.importing.entries import Entry, Terms, entry_of
from billing.importing.refusing import Reason, Rejected
from billing.importing.source import Row
from billing.models.base import MAX_LINES
from billing.money import ZERO


@dataclass(slots=True)
class Document:
    """A sale or a cancellation.

    Its ``moment`` is that of its first line, its ``contact`` the first that one of its lines names.
    """

    number: str
    is_cancellation: bool
    moment: datetime
    contact: str = ""
    entries: list[Entry] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """Positive, on cancellations too."""
        return sum((entry.amount for entry in self.entries), ZERO)

    def add(self, entry: Entry) -> None:
        self.contact = self.contact or entry.contact
        self.entries.append(entry)


@dataclass(slots=True)
class Gathered:
    """What a file holds, before anybody asks what the books hold already.

    ``lines`` counts every line, rejected ones too.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    lines: int = 0

    def reject(self, entries: Iterable[Entry], reason: Reason, why: str) -> None:
        self.rejected.extend(Rejected(reason, why, entry.row) for entry in entries)


def gather(rows: Iterable[Row | Rejected], terms: Terms, *, nobody_is_known: bool) -> Gathered:
    """Sort the lines into documents. ``nobody_is_known``: lines without a customer are wanted.

    A line that is rejected takes no other with it, save where the whole document cannot be an invoice.
    """
    found = Gathered()
    for row in rows:
        found.lines += 1
        try:
            if isinstance(row, Rejected):
                raise row
            entry = entry_of(row, terms)
        except Rejected as rejected:
            found.rejected.append(rejected)
            continue
        document = found.documents.get(entry.number)
        if document is None:
            document = Document(entry.number, terms.is_cancellation(entry.number), entry.moment)
            found.documents[entry.number] = document
        document.add(entry)
    for document in list(found.documents.values()):
        _agree_on_customer(document, found, nobody_is_known=nobody_is_known)
        _fit_into_invoice(document, found)
        if not document.entries:
            del found.documents[document.number]
    return found


def _agree_on_customer(document: Document, found: Gathered, *, nobody_is_known: bool) -> None:
    """Reject lines of other customers. Lines that name none go with their document."""
    contact = document.contact
    if not contact and not nobody_is_known:
        found.reject(document.entries, Reason.NO_CUSTOMER, _now("The line names no customer."))
        document.entries = []
    strangers = [entry for entry in document.entries if entry.contact not in ("", contact)]
    if strangers:
        why = _now("%(number)s is a document of customer %(contact)s, and this line names another.")
        found.reject(strangers, Reason.OTHER_CUSTOMER, why % {"number": document.number, "contact": contact})
        document.entries = [entry for entry in document.entries if entry.contact in ("", contact)]


def _fit_into_invoice(document: Document, found: Gathered) -> None:
    """Reject every line of a sale that is larger than an invoice: a part of it would be a wrong invoice."""
    if document.is_cancellation:
        return
    count, total = len(document.entries), document.total
    if count > MAX_LINES:
        why = _now("%(number)s has %(count)s lines: an invoice holds at most %(most)s.")
    elif total > money.LARGEST:
        why = _now("%(number)s comes to %(total)s: at most %(largest)s can be kept.")
    else:
        return
    words = {
        "number": document.number,
        "count": count,
        "total": total,
        "most": MAX_LINES,
        "largest": money.LARGEST,
    }
    found.reject(document.entries, Reason.TOO_MUCH, why % words)
    document.entries = []
