"""One customer with whom everything has happened: every status, every section of the tab filled."""

from __future__ import annotations

from billing.management.seeding import coupons, forms
from billing.management.seeding.teller import (
    APPROVES,
    CHARGES_AND_IS_LOST,
    DECLINES,
    MASTERCARD,
    NEEDS_CUSTOMER,
    Story,
    Teller,
)
from billing.statuses import PaymentMethod
from contacts.models import Contact


def everything(teller: Teller, contact: Contact) -> Story:
    for story in (paid_in_parts, written_off, by_cheque, partly_back, wholly_back):
        teller.begin(story(teller, contact))
    for story in (ordered_twice, collected, half_paid, refused_at_the_form, asked_for, unanswered):
        teller.begin(story(teller, contact))
    teller.begin(confirmation(teller, contact))
    teller.begin(coupons.issued(teller, contact))
    yield from every_month(teller, contact)
    yield 0
    teller.draft(contact, [("BEN-01", 2), ("SRV-AS", 3), ("SRV-DL", 1)], shipping="25.00")


def every_month(teller: Teller, contact: Contact) -> Story:
    """Enough that the lists have a second page; the first card has expired since."""
    yield 590
    card = teller.card(contact, MASTERCARD, years=1)
    for month in range(19, 0, -1):
        yield month * 30
        if month == 12:
            card = teller.card(contact, APPROVES, years=4)
            card.make_default(teller.support)
        invoice = teller.invoice(contact, [("SEE-SP", 1), ("CAN-12", month % 3 + 1)])
        teller.pay(invoice, card, send_receipt=True)


def paid_in_parts(teller: Teller, contact: Contact) -> Story:
    yield 150
    invoice = teller.invoice(contact, [("BEN-01", 1), ("RAI-20", 2)], discount=10)
    yield 140
    teller.pay(invoice, PaymentMethod.BANK_TRANSFER, "300.00", reference="TRN 5591")
    yield 119
    teller.pay(invoice, contact.cards.get(is_default=True), send_receipt=True)


def written_off(teller: Teller, contact: Contact) -> Story:
    yield 305
    invoice = teller.invoice(contact, [("RAI-20", 1), ("SRV-DL", 1)])
    yield 290
    teller.pay(invoice, PaymentMethod.CASH, "40.00")
    yield 272
    teller.request(invoice, "Just a reminder, Ada.")
    yield 181
    invoice.write_off(teller.manager, reason="Disputed; not worth a lawyer")


def by_cheque(teller: Teller, contact: Contact) -> Story:
    yield 212
    invoice = teller.invoice(contact, [("BOX-07", 1)])
    yield 205
    teller.pay(invoice, PaymentMethod.CHEQUE, reference="17")


def partly_back(teller: Teller, contact: Contact) -> Story:
    yield 88
    invoice = teller.invoice(contact, [("LAN-02", 3)])
    teller.pay(invoice, contact.cards.get(is_default=True), send_receipt=True)
    yield 79
    teller.refund(invoice, "89.00", reason="One lantern came without its glass")


def wholly_back(teller: Teller, contact: Contact) -> Story:
    yield 64
    invoice = teller.invoice(contact, [("HEA-20", 1)])
    teller.pay(invoice, contact.cards.get(is_default=True), send_receipt=True)
    yield 52
    teller.refund(invoice, reason="Too loud for the greenhouse")


def ordered_twice(teller: Teller, contact: Contact) -> Story:
    yield 57
    invoice = teller.invoice(contact, [("WAT-09", 4)])
    yield 56
    invoice.void(teller.manager, reason="Ordered twice")


def collected(teller: Teller, contact: Contact) -> Story:
    yield 26
    invoice = teller.invoice(contact, [("BOO-11", 2), ("SEE-SP", 2)])
    teller.pay(invoice, teller.card(contact, DECLINES))
    invoice.run_collections(teller.support)


def half_paid(teller: Teller, contact: Contact) -> Story:
    yield 36
    invoice = teller.invoice(contact, [("LAN-01", 4)], note="Delivered to the back gate.")
    teller.request(invoice)
    yield 15
    teller.pay(invoice, PaymentMethod.BANK_TRANSFER, "50.00", reference="TRN 6120")


def refused_at_the_form(teller: Teller, contact: Contact) -> Story:
    """The card that she typed was refused, and the next one was not."""
    yield 22
    forms.order(contact, forms.WORKSHOP, DECLINES)
    yield 21
    forms.order(contact, forms.WORKSHOP, MASTERCARD)


def asked_for(teller: Teller, contact: Contact) -> Story:
    yield 2
    invoice = teller.invoice(contact, [("GIF-50", 1), ("CAN-12", 2)])
    teller.request(invoice, "Here is the invoice we spoke about.")


def unanswered(teller: Teller, contact: Contact) -> Story:
    """A charge that was made, and whose answer was lost."""
    yield 1
    invoice = teller.invoice(contact, [("LAN-02", 1)])
    card = teller.card(contact, CHARGES_AND_IS_LOST)
    yield 0
    teller.pay(invoice, card)
    teller.let_wait(invoice)


def confirmation(teller: Teller, contact: Contact) -> Story:
    """A charge that the bank wants the customer to confirm."""
    yield 1
    invoice = teller.invoice(contact, [("WRK-01", 1)])
    card = teller.card(contact, NEEDS_CUSTOMER)
    yield 0
    teller.pay(invoice, card)
    teller.let_wait(invoice)
