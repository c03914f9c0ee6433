"""What the invented company sells again and again, and what became of those orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing import clock
from billing.management.seeding.teller import APPROVES, DECLINES, INSUFFICIENT, MASTERCARD, Story, Teller
from billing.models import Card, LineInput, Order, Product, TaxRate
from billing.models.terms import OrderTerms
from billing.statuses import OrderKind, PastDue
from billing.tasks import (
    bill_due_orders,
    charge_due_invoices,
    end_collections,
    tell_of_expiring_cards,
)
from contacts.models import Contact

LONGEST = 400
"""Days ago on which the worker began."""
PRODUCTS: dict[str, dict[str, Any]] = {
    "CLU-MO": {"name": "Garden club, monthly", "price": Decimal("19.00"), "sold_as": "subscription"},
    "CLU-YR": {
        "name": "Garden club, yearly",
        "price": Decimal("190.00"),
        "sold_as": "subscription",
        "unit": "year",
    },
    "VIS-14": {
        "name": "Plant care at home, every two weeks",
        "price": Decimal("48.00"),
        "sold_as": "subscription",
        "unit": "week",
        "every": 2,
        "trial_days": 14,
        "trial_price": Decimal("9.00"),
    },
    "COU-06": {
        "name": "Beekeeping course in six payments",
        "price": Decimal("45.00"),
        "sold_as": "plan",
        "payments": 6,
        "setup_fee": Decimal("15.00"),
    },
}


def put_recurring() -> list[Product]:
    """The products that start orders, made if they are missing."""
    rate = TaxRate.objects.get(name="VAT standard")
    return [
        Product.objects.get_or_create(
            sku=sku,
            defaults={**fields, "currency": "USD", "tax_rate": rate, "price": Decimal(fields["price"])},
        )[0]
        for sku, fields in PRODUCTS.items()
    ]


def worker() -> Story:
    """Bills and charges on every day of the story, as the desk's worker does."""
    for days_ago in range(LONGEST, -1, -1):
        yield days_ago
        bill_due_orders(clock.now())
        charge_due_invoices(clock.now())
        end_collections(clock.now())
        if days_ago % 10 == 0:  # a worker asks every day, and mostly there is nothing to tell
            tell_of_expiring_cards(clock.now())


def member(teller: Teller, contact: Contact) -> Story:
    """A subscription sold on an invoice, a plan that is paid off, and one that rests."""
    teller.begin(course(teller, contact))
    teller.begin(resting(teller, contact))
    yield 158
    invoice = teller.invoice(contact, [("CLU-MO", 1)])
    teller.pay(invoice, contact.cards.get(is_default=True), send_receipt=True)


def course(teller: Teller, contact: Contact) -> Story:
    yield 230
    invoice = teller.draft(contact, [("COU-06", 1)], fee="15.00")
    invoice.issue(teller.support, at=clock.now())
    teller.pay(invoice, contact.cards.get(is_default=True), send_receipt=True)


def resting(teller: Teller, contact: Contact) -> Story:
    yield 96
    invoice = teller.draft(contact, [("VIS-14", 1)], price="9.00")
    invoice.issue(teller.support, at=clock.now())
    teller.pay(invoice, contact.cards.get(is_default=True))
    yield 21
    invoice.started_orders.get().pause(teller.support)


def declined(teller: Teller, contact: Contact) -> Story:
    """Paid once; the card has had no money since, and is tried again every three days."""
    yield 68
    order = _begun(teller, contact, "CLU-MO", teller.card(contact, APPROVES))
    yield 40
    order.refresh_from_db()
    order.change_card(teller.support, card=teller.card(contact, INSUFFICIENT), charge_now=False)


def replaced(teller: Teller, contact: Contact) -> Story:
    """A card that failed, until the customer followed the link and stored another one."""
    yield 100
    order = _begun(teller, contact, "CLU-MO", teller.card(contact, DECLINES))
    yield 99
    invoice = order.invoices.get()
    teller.tell_of_failure(invoice)
    yield 97
    order.refresh_from_db()
    teller.store_card(order, APPROVES)
    yield 96
    teller.write(invoice, invoice.queue_recovered)


def expiring(teller: Teller, contact: Contact) -> Story:
    """A card that the next payment cannot be charged to."""
    yield 10
    _begun(teller, contact, "CLU-MO", teller.card(contact, APPROVES, years=0))


def left(teller: Teller, contact: Contact) -> Story:
    """Cancelled, with nothing owed."""
    yield 150
    order = _begun(teller, contact, "CLU-MO", contact.cards.get())
    yield 47
    order.refresh_from_db()
    order.cancel(teller.manager, past_due=PastDue.LEAVE, reason="Sold the garden")


def by_transfer(teller: Teller, contact: Contact) -> Story:
    """A plan in instalments without a card: each payment waits for a transfer."""
    yield 35
    _begun(teller, contact, "COU-06", None, kind=OrderKind.PLAN, payments=4)


def yearly(teller: Teller, contact: Contact) -> Story:
    yield 380
    card = teller.card(contact, MASTERCARD)
    _begun(teller, contact, "CLU-YR", card, unit="year")


def _begun(teller: Teller, contact: Contact, sku: str, card: Card | None, **terms: Any) -> Order:
    product = teller.products[sku]
    asked = {"kind": OrderKind.SUBSCRIPTION, "every": 1, "unit": "month", **terms}
    event = Order.begin(
        teller.support,
        contact=contact,
        currency="USD",
        terms=OrderTerms(**asked),
        lines=[LineInput(product.name, Decimal(1), product.price, sku=sku, product_id=product.pk)],
        first_charge_on=clock.today(),
        zone="UTC",
        at=clock.now(),
        card=card,
    )
    assert event.order
    return event.order


STORIES = {
    "Ada Whitfield": member,
    "Łucja Dąbrowska": declined,
    "Bloom & Bee 🐝": left,
    "O'Brien & Sons": by_transfer,
    "Renée D'Été": yearly,
    "Ines Carvalho": replaced,
    "Tom Okafor": expiring,
}
"""By the name of the customer."""
