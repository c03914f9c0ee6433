"""A plan into the books: some hundred whole documents at a time, each lot in a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _now

from billing import money
from billing.importing import known
from billing.importing.countries import code_of
from billing.importing.documents import Document
from billing.importing.entries import Entry
from billing.importing.plan import Plan
from billing.importing.refusing import ImportRefused
from billing.importing.returning import Refund
from billing.models import Event, Invoice, InvoiceLine, LineInput, Payment, Product
from billing.models.base import summary_of
from billing.models.figures import MoneyRow, figures
from billing.statuses import InvoiceStatus, PaymentMethod, PaymentStatus, PaymentType, RefundRoute
from contacts.models import Contact

LINES_AT_ONCE = 4000
CANCELLATIONS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Source:
    """What the timeline says of where a record comes from. ``at`` is the moment of the import."""

    name: str
    unknown_contact: str
    at: datetime


def write(plan: Plan, source: Source) -> Iterator[int]:
    """Write what is planned, and yield the number of lines after each lot.

    Whatever stops it, the documents of the lots before are whole, and the next run goes on from there.
    Raises ImportRefused when somebody else changed the same records meanwhile.
    """
    try:
        for lot in _lots(plan.sales):
            with transaction.atomic(durable=True):
                _write_sales(plan, lot, source)
            yield sum(len(document.entries) for document in lot)
        for batch in known.batches(_by_document(plan.refunds), CANCELLATIONS_AT_ONCE):
            refunds = [refund for of_document in batch for refund in of_document]
            with transaction.atomic(durable=True):
                _write_refunds(refunds, source)
            yield sum(len(refund.entries) for refund in refunds)
    except IntegrityError as error:
        raise ImportRefused(
            _now("Somebody recorded the same purchases meanwhile. %(again)s") % {"again": again()}
        ) from error


def again() -> str:
    return _now("What was imported so far is whole and stays; run the same command again for the rest.")


def _lots(documents: Iterable[Document]) -> Iterator[list[Document]]:
    lot: list[Document] = []
    lines = 0
    for document in documents:
        lot.append(document)
        lines += len(document.entries)
        if lines >= LINES_AT_ONCE:
            yield lot
            lot, lines = [], 0
    if lot:
        yield lot


# -- sales -------------------------------------------------------------------------------------------------


def _write_sales(plan: Plan, lot: list[Document], source: Source) -> None:
    _make_contacts(plan, lot, source)
    _make_products(plan, lot)
    lines = [_lines_of(plan, document) for document in lot]
    pairs = list(zip(lot, lines, strict=True))
    invoices = Invoice.objects.bulk_create([_invoice_of(plan, *pair) for pair in pairs])
    for invoice, of_invoice in zip(invoices, lines, strict=True):
        for line in of_invoice:
            line.invoice_id = invoice.pk
    InvoiceLine.objects.bulk_create([line for of_invoice in lines for line in of_invoice])
    payments = Payment.objects.bulk_create(
        _payment_of(invoice, document.moment)
        for invoice, document in zip(invoices, lot, strict=True)
        if invoice.total
    )
    paid_by = {payment.invoice_id: payment for payment in payments}
    Event.objects.bulk_create([_event_of(invoice, paid_by.get(invoice.pk), source) for invoice in invoices])


def _make_contacts(plan: Plan, lot: list[Document], source: Source) -> None:
    refs = dict.fromkeys(document.contact for document in lot if document.contact not in plan.contact_pks)
    rows = [_contact_of(ref, plan.countries[ref], source) for ref in refs]
    for ref, contact in zip(refs, Contact.objects.bulk_create(rows), strict=True):
        plan.contact_pks[ref] = contact.pk


def _contact_of(ref: str, country: str, source: Source) -> Contact:
    if not ref:
        return Contact(name=source.unknown_contact)
    code = code_of(country) if country else ""
    notes = _now("Country: %(country)s") % {"country": country} if country and not code else ""
    return Contact(name=_now("Customer %(ref)s") % {"ref": ref}, external_ref=ref, country=code, notes=notes)


def _make_products(plan: Plan, lot: list[Document]) -> None:
    keys = dict.fromkeys(
        entry.product_key
        for document in lot
        for entry in document.entries
        if entry.sku and entry.product_key not in plan.product_pks
    )
    goods = [plan.goods[key] for key in keys]
    rows = [
        Product(name=each.name, sku=each.sku, price=each.price, currency=plan.terms.currency)
        for each in goods
    ]
    for key, product in zip(keys, Product.objects.bulk_create(rows), strict=True):
        plan.product_pks[key] = product.pk


def _lines_of(plan: Plan, document: Document) -> list[InvoiceLine]:
    return [
        InvoiceLine.made_from(
            _input_of(entry, plan.product_pks.get(entry.product_key) if entry.sku else None),
            invoice_id=None,
            position=position,
            currency=plan.terms.currency,
        )
        for position, entry in enumerate(document.entries, start=1)
    ]


def _input_of(entry: Entry, product_id: int | None) -> LineInput:
    return LineInput(
        description=entry.description,
        quantity=entry.quantity,
        unit_price=entry.price,
        sku=entry.sku,
        product_id=product_id,
    )


def _invoice_of(plan: Plan, document: Document, lines: list[InvoiceLine]) -> Invoice:
    """A Closed invoice. Its payment, unless it comes to 0, is for all of it."""
    invoice = Invoice(
        contact_id=plan.contact_pks[document.contact],
        number=document.number,
        status=InvoiceStatus.CLOSED,
        currency=plan.terms.currency,
        invoice_date=document.moment.date(),
        due_on=document.moment.date(),
        issued_at=document.moment,
        line_count=len(lines),
        summary=summary_of(lines[0].description, len(lines)),
    )
    total = sum((line.total for line in lines), invoice.shipping)
    row = MoneyRow(PaymentType.PAYMENT, PaymentStatus.APPLIED, total, excess=money.ZERO)
    now = figures(
        status=invoice.status,
        subtotal=sum((line.net for line in lines), money.ZERO),
        tax_total=sum((line.tax for line in lines), money.ZERO),
        shipping=invoice.shipping,
        payments=[row],
    )
    for name in Invoice.FIGURES:
        setattr(invoice, name, getattr(now, name))
    return invoice


def _payment_of(invoice: Invoice, moment: datetime) -> Payment:
    return Payment(
        invoice=invoice,
        contact_id=invoice.contact_id,
        type=PaymentType.PAYMENT,
        status=PaymentStatus.APPLIED,
        method=PaymentMethod.OTHER,
        amount=invoice.total,
        currency=invoice.currency,
        received_on=invoice.invoice_date,
        recorded_only=True,
        made_at=moment,
    )


def _event_of(invoice: Invoice, payment: Payment | None, source: Source) -> Event:
    text = _now("Imported from %(source)s: %(total)s.") % {
        "source": source.name,
        "total": invoice.show(invoice.total),
    }
    figures_then = {"total": str(invoice.total), "currency": invoice.currency, "status": invoice.status}
    return Event(
        invoice=invoice,
        contact_id=invoice.contact_id,
        payment=payment,
        subject=str(invoice),
        action=known.IMPORT,
        text=text,
        figures=figures_then,
        at=source.at,
    )


# -- refunds -----------------------------------------------------------------------------------------------


def _by_document(refunds: Iterable[Refund]) -> Iterator[list[Refund]]:
    """The refunds of each cancellation together: recorded in part, it would count as done in the next run."""
    for _, of_document in groupby(refunds, key=lambda refund: refund.document.number):
        yield list(of_document)


def _write_refunds(refunds: list[Refund], source: Source) -> None:
    invoices = known.locked_invoices([refund.invoice for refund in refunds])
    by_invoice = attrgetter("invoice")
    for number, of_invoice in groupby(sorted(refunds, key=by_invoice), by_invoice):
        invoice = invoices[number]
        for refund in of_invoice:
            _write_refund(invoice, refund, source)
        invoice.money_went()


def _write_refund(invoice: Invoice, refund: Refund, source: Source) -> None:
    shares = invoice.shares_of(refund.amount, RefundRoute.RECORDED)
    if invoice.status != InvoiceStatus.CLOSED or sum(share.amount for share in shares) < refund.amount:
        why = _now(
            "%(invoice)s was changed while the import ran, so %(number)s cannot be refunded now. %(again)s"
        )
        raise ImportRefused(why % {"invoice": invoice, "number": refund.document.number, "again": again()})
    rows = [_refund_of(invoice, share.payment, share.amount, refund) for share in shares]
    Payment.objects.bulk_create(rows)
    for share in shares:
        Payment.objects.filter(pk=share.payment.pk).update(
            refunded_amount=F("refunded_amount") + share.amount
        )
    Event.objects.create(**_event_values(invoice, rows[0], refund, source))


def _refund_of(invoice: Invoice, payment: Payment, amount: Decimal, refund: Refund) -> Payment:
    moment = refund.document.moment
    return Payment(
        invoice=invoice,
        contact_id=invoice.contact_id,
        type=PaymentType.REFUND,
        status=PaymentStatus.APPLIED,
        method=payment.method,
        amount=-amount,
        currency=invoice.currency,
        reference=refund.document.number,
        received_on=moment.date(),
        refund_of=payment,
        recorded_only=True,
        made_at=moment,
    )


def _event_values(invoice: Invoice, payment: Payment, refund: Refund, source: Source) -> dict[str, object]:
    words = {
        "amount": invoice.show(refund.amount),
        "number": refund.document.number,
        "source": source.name,
        "goods": summary_of(refund.entries[0].description, len(refund.entries)),
    }
    returned = [[str(value) for value in known.Returned.of(entry)] for entry in refund.entries]
    return {
        "invoice": invoice,
        "contact_id": invoice.contact_id,
        "payment": payment,
        "subject": str(invoice),
        "action": known.IMPORT_REFUND,
        "text": _now("Refund of %(amount)s (%(number)s: %(goods)s) imported from %(source)s.") % words,
        "figures": {"amount": str(refund.amount), "currency": invoice.currency, "returned": returned},
        "at": source.at,
    }
