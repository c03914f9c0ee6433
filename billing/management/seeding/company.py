"""A small believable company: a shop for lanterns and gardens, and what became of its customers' invoices."""

from __future__ import annotations

from collections.abc import Callable

from django.core.management.base import CommandError

from billing.management.seeding import recurring, showcase, surprises
from billing.management.seeding.teller import (
    APPROVES,
    INSUFFICIENT,
    IS_LOST,
    MASTERCARD,
    STOLEN,
    Story,
    Teller,
)
from billing.statuses import PaymentMethod, RefundRoute
from contacts.models import Contact

PREFIX = "demo-"
"""Begins the external reference of the demo's customers."""
SHOWCASE = f"{PREFIX}01"
"""The customer who has an invoice of every status."""


def in_dinars(teller: Teller, contact: Contact) -> Story:
    """A currency of three decimals, under a name that is written from right to left."""
    teller.begin(in_yen(teller, contact))
    yield 118
    paid = teller.invoice(contact, [("LAN-02", 4), ("CAN-12", 10)], currency="KWD", shipping="2.750")
    teller.pay(paid, teller.card(contact, MASTERCARD), send_receipt=True)
    yield 110
    teller.refund(paid, "12.345", reason="Two candles arrived broken")
    yield 9
    waits = teller.invoice(contact, [("BEN-01", 1)], currency="KWD")
    yield 4
    teller.pay(waits, PaymentMethod.BANK_TRANSFER, "50.125", reference="NBK 8841")


def in_yen(teller: Teller, contact: Contact) -> Story:
    """A currency without decimals."""
    yield 60
    paid = teller.invoice(contact, [("BOX-07", 2), ("ROP-01", "12.5")], currency="JPY")
    yield 59
    teller.pay(paid, contact.cards.get(), send_receipt=True)
    yield 30
    teller.invoice(contact, [("HEA-20", 1)], currency="JPY", shipping="1800")


def bees(teller: Teller, contact: Contact) -> Story:
    yield 200
    card = teller.card(contact, APPROVES)
    for days in (190, 160, 130, 100, 70, 40, 10):
        yield days
        month = teller.invoice(contact, [("CAN-12", 3), ("SEE-SP", 1)], currency="EUR")
        teller.pay(month, card, send_receipt=True)
    yield 1
    teller.draft(contact, [("WRK-01", 2)], currency="EUR", note="Two places in June, as agreed.")


def institute(teller: Teller, contact: Contact) -> Story:
    """An order of many lines, paid in parts."""
    skus = sorted(sku for sku, product in teller.products.items() if not product.recurs)
    order = [(skus[n % len(skus)], n % 4 + 1) for n in range(62)]
    yield 45
    large = teller.invoice(contact, order, currency="GBP", discount=5, shipping="48.00")
    teller.request(large, "Thank you for the order. The heaters follow next week.")
    yield 31
    teller.pay(large, PaymentMethod.BANK_TRANSFER, "2500.00", reference="FPS 20114")
    yield 12
    teller.pay(large, PaymentMethod.CHEQUE, "1500.00", reference="000417")


def stolen(teller: Teller, contact: Contact) -> Story:
    yield 95
    invoice = teller.invoice(contact, [("BEN-01", 1), ("SRV-DL", 1)])
    teller.pay(invoice, teller.card(contact, STOLEN))
    invoice.run_collections(teller.support)
    yield 20
    invoice.write_off(teller.manager, reason="Nobody under this address")
    teller.write(invoice, invoice.queue_written_off_notice)


def insufficient(teller: Teller, contact: Contact) -> Story:
    yield 50
    invoice = teller.invoice(contact, [("HEA-20", 1)])
    teller.pay(invoice, teller.card(contact, INSUFFICIENT))
    yield 48
    invoice.void(teller.manager, reason="Ordered again, to be paid at the till")
    again = teller.invoice(contact, [("HEA-20", 1)])
    yield 47
    teller.pay(again, PaymentMethod.CASH, reference="Till 2", send_receipt=True)


def lost(teller: Teller, contact: Contact) -> Story:
    """A charge that never happened, and nobody was told."""
    yield 1
    invoice = teller.invoice(contact, [("WAT-09", 2)])
    card = teller.card(contact, IS_LOST)
    yield 0
    teller.pay(invoice, card)
    teller.let_wait(invoice)


def present(teller: Teller, contact: Contact) -> Story:
    """Nothing to pay: Closed as it is issued."""
    yield 33
    teller.invoice(contact, [("GIF-50", 1)], discount=100, note="With our best wishes.")


def returned(teller: Teller, contact: Contact) -> Story:
    """Paid by cheque, returned by hand: recorded only."""
    yield 80
    invoice = teller.invoice(contact, [("LAN-01", 2), ("LAN-90", 2)], currency="EUR")
    yield 77
    teller.pay(invoice, PaymentMethod.CHEQUE, reference="7731004")
    yield 71
    teller.refund(invoice, reason="Wrong glass", route=RefundRoute.RECORDED)


def overdue(teller: Teller, contact: Contact) -> Story:
    for days in (75, 41, 16):
        yield days
        invoice = teller.invoice(contact, [("LAN-01", 6), ("SRV-DL", 1)])
        teller.request(invoice)


def by_phone(teller: Teller, contact: Contact) -> Story:
    """No e-mail address: money comes, receipts do not go."""
    yield 14
    invoice = teller.invoice(contact, [("SRV-AS", "2.5")])
    yield 13
    teller.pay(invoice, PaymentMethod.OTHER, reference="Voucher", send_receipt=True)


CUSTOMERS: tuple[tuple[Callable[[Teller, Contact], Story], dict[str, str]], ...] = (
    (showcase.everything, {
        "name": "Ada Whitfield", "company": "Whitfield Gardens", "email": "ada@whitfield.example",
        "phone": "+1 503 555 0142", "street": "12 Lantern Street", "city": "Portland", "region": "OR",
        "postal_code": "97204", "country": "US", "notes": "Prefers to be called before ten.",
    }),
    (in_dinars, {
        "name": "فاطمة الصباح", "company": "شركة الفانوس للتجارة", "email": "fatima@fanous.example",
        "phone": "+965 5550 0117", "city": "مدينة الكويت", "postal_code": "13001", "country": "KW",
    }),
    (bees, {
        "name": "Bloom & Bee 🐝", "email": "hello@bloomandbee.example", "city": "München",
        "postal_code": "80331", "country": "DE",
    }),
    (institute, {
        "name": "The Royal Institute for Applied Horticulture, Greenhouse Technology and the Preservation of "
        "Historic Garden Lanterns of the Northern Counties, Department of Purchasing",
        "email": "purchasing@horticulture.example", "street": "1 Glasshouse Road", "city": "Leeds",
        "postal_code": "LS1 4AP", "country": "GB",
    }),
    (stolen, {"name": "Gordon Blythe", "email": "g.blythe@mail.example", "city": "Austin", "country": "US"}),
    (insufficient, {
        "name": "Łucja Dąbrowska", "email": "lucja@mail.example", "city": "Łódź", "country": "PL",
    }),
    (lost, {"name": "Tom Okafor", "email": "tom@okafor.example", "city": "Chicago", "country": "US"}),
    (present, {"name": "山田 花子", "email": "hanako@yamada.example", "city": "東京", "country": "JP"}),
    (returned, {"name": "Renée D'Été", "email": "renee@dete.example", "city": "Besançon", "country": "FR"}),
    (overdue, {
        "name": "O'Brien & Sons", "email": "office@obrien.example", "city": "Dublin", "country": "IE",
    }),
    (surprises.at_the_gateway, {
        "name": "Ines Carvalho", "company": "Quinta do Farol", "email": "ines@quinta.example",
        "city": "Sintra", "country": "PT",
    }),
    (by_phone, {"name": "Maya van-Dijk", "phone": "+31 20 555 0199", "city": "Utrecht", "country": "NL"}),
)  # fmt: skip
NEWCOMER = {"name": "Nora Newcomer", "email": "nora@newcomer.example"}
"""Has not bought anything yet. Comes last: whoever finds her here knows that the rest is complete."""


def is_complete() -> bool:
    """Whether an earlier run has told everything. Raises CommandError for one that was interrupted."""
    refs = set(Contact.objects.filter(external_ref__startswith=PREFIX).values_list("external_ref", flat=True))
    if refs and _ref(len(CUSTOMERS) + 1) not in refs:
        raise CommandError(
            "An earlier demo was interrupted while it was being made: delete its database and start again."
        )
    return bool(refs)


def put_customers(teller: Teller) -> None:
    for n, (story, fields) in enumerate(CUSTOMERS, start=1):
        contact = Contact.objects.create(external_ref=_ref(n), **fields)
        teller.begin(story(teller, contact))
        if contact.name in recurring.STORIES:
            teller.begin(recurring.STORIES[contact.name](teller, contact))
    teller.begin(recurring.worker())
    teller.tell()
    Contact.objects.create(external_ref=_ref(len(CUSTOMERS) + 1), **NEWCOMER)


def _ref(n: int) -> str:
    return f"{PREFIX}{n:02d}"
