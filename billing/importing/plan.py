"""What an import will do, worked out whole before anything is written: a dry run shows what a run does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.utils.translation import gettext as _now

from billing import money
from billing.importing import known
from billing.importing.documents import Document, Gathered
from billing.importing.entries import Entry, Terms, signed_amount
from billing.importing.refusing import Reason, Rejected
from billing.importing.returning import Refund, Sale, Sales
from billing.money import ZERO


@dataclass(slots=True)
class Goods:
    """A product that is not in the books. Its name is what most lines call it, its price the latest not 0."""

    sku: str
    names: Counter[str] = field(default_factory=Counter)
    price: Decimal = ZERO

    @property
    def name(self) -> str:
        return next((name for name, _ in self.names.most_common(1)), self.sku)


@dataclass(slots=True)
class Tally:
    """How many, and over how much: as in the file, cancellations are below 0."""

    documents: int = 0
    lines: int = 0
    amount: Decimal = ZERO


@dataclass(slots=True)
class Plan:
    """What becomes of each line: sold, refunded, ``known`` from an earlier run, or rejected.

    ``sales`` and ``refunds`` are in the order of their moments.
    """

    terms: Terms
    lines: int
    documents: int
    sales: list[Document] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    known: list[Document] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    countries: dict[str, str] = field(default_factory=dict)
    contact_pks: dict[str, int] = field(default_factory=dict)
    goods: dict[str, Goods] = field(default_factory=dict)
    product_pks: dict[str, int] = field(default_factory=dict)

    def reject(self, document: Document, reason: Reason, why: str) -> None:
        self.rejected.extend(Rejected(reason, why, entry.row) for entry in document.entries)

    def sold(self) -> Tally:
        return _tally(self.sales)

    def returned(self) -> Tally:
        parts = [entry for refund in self.refunds for entry in refund.entries]
        numbers = {refund.document.number for refund in self.refunds}
        return Tally(len(numbers), len(parts), -sum((entry.amount for entry in parts), ZERO))

    def imported_before(self) -> Tally:
        return _tally(self.known)

    def refused(self) -> Tally:
        return Tally(
            lines=len(self.rejected), amount=sum((signed_amount(r.row) for r in self.rejected), ZERO)
        )

    def rejections(self) -> dict[Reason, Tally]:
        """By reason, the most frequent first."""
        tallies: dict[Reason, Tally] = defaultdict(Tally)
        for rejected in self.rejected:
            tally = tallies[rejected.reason]
            tally.lines += 1
            tally.amount += signed_amount(rejected.row)
        return dict(sorted(tallies.items(), key=lambda item: -item[1].lines))


def _tally(documents: list[Document]) -> Tally:
    amounts = (-document.total if document.is_cancellation else document.total for document in documents)
    return Tally(len(documents), sum(len(document.entries) for document in documents), sum(amounts, ZERO))


def made(gathered: Gathered, terms: Terms, unknown_contact: str) -> Plan:
    """Compare the documents with the books and decide about each.

    ``unknown_contact`` names the contact for documents without a customer, if there are any.
    """
    plan = Plan(terms, gathered.lines, len(gathered.documents), rejected=gathered.rejected)
    documents = sorted(gathered.documents.values(), key=lambda document: (document.moment, document.number))
    cancellations = [document for document in documents if document.is_cancellation]
    _decide_on_sales(plan, [document for document in documents if not document.is_cancellation])
    _meet_customers(plan, documents, unknown_contact)
    _decide_on_refunds(plan, cancellations)
    _collect_goods(plan)
    plan.rejected.sort(key=lambda rejected: rejected.row.line)
    return plan


def _decide_on_sales(plan: Plan, documents: Iterable[Document]) -> None:
    books = known.invoices(document.number for document in documents)
    series = known.numbering()
    for document in documents:
        invoice = books.get(document.number)
        if invoice == (document.total, plan.terms.currency):
            plan.known.append(document)
        elif invoice:
            plan.reject(document, Reason.NUMBER_TAKEN, _other_than(document, invoice, plan.terms.currency))
        elif known.is_to_come(document.number, series):
            why = _now("%(number)s is a number that this desk will give to an invoice of its own.")
            plan.reject(document, Reason.NUMBER_TAKEN, why % {"number": document.number})
        else:
            plan.sales.append(document)


def _other_than(document: Document, invoice: tuple[Decimal, str], currency: str) -> str:
    why = _now("The books hold an invoice %(number)s over %(total)s, not %(other)s; it stays as it is.")
    return why % {
        "number": document.number,
        "total": money.show(*invoice),
        "other": money.show(document.total, currency),
    }


def _meet_customers(plan: Plan, documents: Iterable[Document], unknown_contact: str) -> None:
    for document in documents:
        country = document.entries[0].country
        plan.countries[document.contact] = country or plan.countries.get(document.contact, "")
    plan.contact_pks = known.contacts(plan.countries)
    if "" in plan.countries and (pk := known.contact_named(unknown_contact)):
        plan.contact_pks[""] = pk


def _decide_on_refunds(plan: Plan, cancellations: Iterable[Document]) -> None:
    done = known.cancellations(document.number for document in cancellations)
    waiting = [rest for document in cancellations if (rest := _not_done(plan, document, done))]
    refs = {document.contact for document in waiting}
    contacts = {pk: ref for ref in sorted(refs) if (pk := plan.contact_pks.get(ref))}
    sales = [(document.contact, Sale.of(document)) for document in plan.sales if document.contact in refs]
    sales.extend(known.sales(contacts, plan.terms.currency, plan.terms.zone))
    everything = Sales(sales)
    for cancellation in waiting:
        refunds, rejected = everything.give_back(cancellation, plan.terms.currency)
        plan.refunds.extend(refunds)
        plan.rejected.extend(rejected)


def _not_done(
    plan: Plan, cancellation: Document, done: Mapping[str, Counter[known.Returned]]
) -> Document | None:
    """The lines of the cancellation that have not been refunded; the others are counted as known."""
    if cancellation.number not in done:
        return cancellation
    lines = [known.Returned.of(entry) for entry in cancellation.entries]
    left = done[cancellation.number] or Counter(lines)
    before: list[Entry] = []
    rest: list[Entry] = []
    for entry, line in zip(cancellation.entries, lines, strict=True):
        (before if left[line] > 0 else rest).append(entry)
        left[line] -= 1
    plan.known.append(replace(cancellation, entries=before))
    return replace(cancellation, entries=rest) if rest else None


def _collect_goods(plan: Plan) -> None:
    """Products that the sales need and the books do not hold."""
    plan.product_pks = known.products()
    for document in plan.sales:
        for entry in document.entries:
            if not entry.sku or entry.product_key in plan.product_pks:
                continue
            goods = plan.goods.setdefault(entry.product_key, Goods(entry.sku))
            if entry.description != entry.sku:
                goods.names[entry.description] += 1
            if entry.price:
                goods.price = entry.price
