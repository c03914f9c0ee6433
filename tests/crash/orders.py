"""The rows that the trials of a job are about, written all at once: by the verbs, making them would take
longer than what is tried on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from billing.models import Card, Invoice, InvoiceLine, LineInput, Series
from billing.money import ZERO
from billing.statuses import InvoiceStatus
from contacts.models import Contact
from tests.crash.counter import Counter
from tests.crash.plan import Trial
from tests.crash.shop import Shop, opened

DAY, DUE = date(2026, 3, 2), date(2026, 3, 16)


@dataclass(frozen=True, slots=True)
class Orders:
    """Ids: of one contact's cards by what they do, and of each trial's invoice by its number. What is sold on
    order forms makes its own invoices.
    """

    cards: dict[str, int]
    invoices: dict[int, int]
    shop: Shop

    def store_cards_anew(self, counter: Counter) -> None:
        for behaviour, card in self.cards.items():
            Card.objects.filter(pk=card).update(token=counter.card(behaviour).token)


def written(trials: Sequence[Trial], counter: Counter, *, at: datetime) -> Orders:
    contact = Contact.objects.create(name="Ada Lovelace", email="ada@example.com")
    cards = {behaviour: _card(contact, counter, behaviour) for behaviour in counter.behaviours}
    sales = [trial for trial in trials if trial.selling]
    issued = _issued(contact, [trial for trial in trials if not trial.selling], at)
    return Orders(cards, issued, opened(sales, counter.steps, at=at))


def _card(contact: Contact, counter: Counter, behaviour: str) -> int:
    details = counter.card(behaviour)
    with transaction.atomic():
        return Card.keep(contact, details, gateway=counter.name).pk


def _issued(contact: Contact, trials: Sequence[Trial], at: datetime) -> dict[int, int]:
    """Each trial's invoice: open, over what its shares add up to."""
    with transaction.atomic(durable=True):
        invoices = [_invoice(contact, trial, at) for trial in trials]
        for invoice, taken in zip(invoices, Series.take(len(trials)), strict=True):
            invoice.sequence, invoice.number = taken
        Invoice.objects.bulk_create(invoices, batch_size=500)
        InvoiceLine.objects.bulk_create([_line(invoice) for invoice in invoices], batch_size=500)
    return {trial.number: invoice.pk for trial, invoice in zip(trials, invoices, strict=True)}


def _invoice(contact: Contact, trial: Trial, at: datetime) -> Invoice:
    total = sum(trial.shares, ZERO)
    return Invoice(
        contact=contact,
        status=InvoiceStatus.OPEN,
        currency=trial.currency,
        invoice_date=DAY,
        due_on=DUE,
        subtotal=total,
        total=total,
        balance=total,
        line_count=1,
        summary="Lantern",
        issued_at=at,
    )


def _line(invoice: Invoice) -> InvoiceLine:
    given = LineInput("Lantern", Decimal(1), invoice.total)
    return InvoiceLine.made_from(given, invoice_id=invoice.pk, position=1, currency=invoice.currency)
