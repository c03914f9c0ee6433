"""What the books hold already of that which a file brings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, tzinfo
from decimal import Decimal
from itertools import islice
from string import Formatter
from typing import Any, NamedTuple, Self, TypeVar

from billing.importing.entries import Entry, key_of
from billing.importing.returning import Sale
from billing.models import Event, Invoice, InvoiceLine, Payment, Product, Series
from billing.models.series import INVOICES
from billing.statuses import InvoiceStatus, PaymentMethod, PaymentType
from contacts.models import Contact

T = TypeVar("T")


class Returned(NamedTuple):
    """A cancelled line as the figures of its event keep it: the product's key, how many, for how much."""

    key: str
    quantity: Decimal
    amount: Decimal

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls(entry.product_key, entry.quantity, entry.amount)


IMPORT, IMPORT_REFUND = "import", "import_refund"
"""What the timeline calls the two things that an import does."""
AT_ONCE = 500
"""Values in one query: well within what either database takes."""


def batches(values: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    left = iter(values)
    while batch := list(islice(left, size)):
        yield batch


def contacts(refs: Iterable[str]) -> dict[str, int]:
    """Primary keys by external reference."""
    known: dict[str, int] = {}
    for batch in batches(refs):
        known.update(
            Contact.objects.filter(external_ref__in=batch)
            .exclude(external_ref="")
            .values_list("external_ref", "pk")
        )
    return known


def contact_named(name: str) -> int | None:
    """The first contact of this name that stands for nobody in particular: without an external reference."""
    return (
        Contact.objects.filter(name=name, external_ref="").order_by("pk").values_list("pk", flat=True).first()
    )


def products() -> dict[str, int]:
    """Primary keys by SKU, whatever its case."""
    pairs = Product.objects.exclude(sku="").values_list("sku", "pk")
    return {key_of(sku): pk for sku, pk in pairs.iterator()}


def invoices(numbers: Iterable[str]) -> dict[str, tuple[Decimal, str]]:
    """Total and currency of the invoices that have one of these numbers."""
    return {
        number: (total, currency)
        for batch in batches(numbers)
        for number, total, currency in Invoice.objects.filter(number__in=batch).values_list(
            "number", "total", "currency"
        )
        if number
    }


def numbering() -> Series:
    """The series that the desk's own invoices are numbered from."""
    return Series.objects.filter(name=INVOICES).first() or Series(name=INVOICES)


def is_to_come(number: str, series: Series) -> bool:
    """Whether the desk will one day give this number to an invoice of its own."""
    (prefix, *_), *after = Formatter().parse(series.format)
    suffix = after[0][0] if after else ""
    digits = number[len(prefix) : len(number) - len(suffix)]
    if not (digits.isascii() and digits.isdecimal()):
        return False
    return int(digits) > series.last and series.format.format(number=int(digits)) == number


def cancellations(numbers: Iterable[str]) -> dict[str, Counter[Returned]]:
    """The lines that have been refunded of these cancellations; none where the books hold only the number."""
    refunds = Payment.objects.applied().filter(type=PaymentType.REFUND)
    done: dict[str, Counter[Returned]] = defaultdict(Counter)
    for batch in batches(numbers):
        rows = refunds.filter(reference__in=batch).values_list("reference", "events__figures")
        for number, told in rows:
            done[number].update(returned_in(told or {}))
    return done


def returned_in(told: Mapping[str, Any]) -> list[Returned]:
    """The lines that an event of this module tells of."""
    return [
        Returned(key, Decimal(quantity), Decimal(amount))
        for key, quantity, amount in told.get("returned", ())
    ]


def sales(contact_refs: Mapping[int, str], currency: str, zone: tzinfo) -> Iterator[tuple[str, Sale]]:
    """What these contacts bought in this currency and paid without a card, each with the contact's reference.

    What a card paid goes back through its gateway, never by an import.
    """
    for batch in batches(contact_refs, 100):
        rows = (
            Invoice.objects.filter(
                contact__in=batch,
                currency=currency,
                status__in=(InvoiceStatus.CLOSED, InvoiceStatus.REFUNDED),
                awaiting_gateway=False,
            )
            .exclude(payments__method=PaymentMethod.CARD)
            .values_list("pk", "number", "contact_id", "issued_at", "invoice_date", "paid")
        )
        found = {
            pk: (
                contact_refs[contact],
                Sale(number or "", issued or datetime.combine(day, time.min, zone), paid, {}),
            )
            for pk, number, contact, issued, day, paid in rows
        }
        for some in batches(found):
            _fill({pk: found[pk][1] for pk in some})
        yield from found.values()


def _fill(sales: Mapping[int, Sale]) -> None:
    """Put the goods into the sales: those sold less those that earlier imports took back."""
    held: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    lines = InvoiceLine.objects.filter(invoice__in=sales).values_list(
        "invoice_id", "sku", "description", "quantity"
    )
    for invoice, sku, description, quantity in lines.iterator():
        held[invoice][key_of(sku or description)] += quantity
    events = Event.objects.filter(invoice__in=sales, action=IMPORT_REFUND)
    for invoice_id, told in events.values_list("invoice_id", "figures"):
        if invoice_id:
            for line in returned_in(told):
                held[invoice_id][line.key] -= line.quantity
    for pk, sale in sales.items():
        sale.held.update(held[pk])


def locked_invoices(numbers: Sequence[str]) -> dict[str, Invoice]:
    """Invoices by number, which nobody else may change until the transaction ends."""
    return {
        str(invoice): invoice
        for invoice in Invoice.objects.locked().filter(number__in=numbers).order_by("pk")
    }
