"""Data that breaks layouts: long words, right-to-left names, emoji, markup, large amounts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from billing.models import Header, Invoice, LineInput, Order, Partner
from contacts.models import Contact
from tests.browser.hands import APPROVES, CHARGED_LOST, DECLINES
from tests.factories import (
    CardFactory,
    ContactFactory,
    InvoiceFactory,
    OrderFactory,
    PartnerFactory,
    ProductFactory,
)
from tests.partners.desk import close, give_back, pay_all, sale


def contact() -> Contact:
    found: Contact = ContactFactory.create(
        name=f"محمد بن موسى الخوارزمي 😀 {'W' * 60}",
        company=f"{'Donaudampfschifffahrtsgesellschaft' * 3} & Söhne",
        email=f"{Contact.objects.count()}{'a' * 58}@{'example' * 8}.com",
        phone="+44 1234 567890 ext. 123456789",
        notes=f"<script>alert(1)</script> {'N' * 300}\n\nשלום 👋",
    )
    return found


def invoice(**given: Any) -> Invoice:
    lines = [
        LineInput("X" * 200, Decimal(1234), Decimal("999.999"), sku="S" * 60, tax_percent=Decimal("20.000")),
        LineInput("مصباح أحمر 🏮 =HYPERLINK(1)", Decimal("1.5"), Decimal(9), discount=Decimal("1.125")),
    ]
    header = Header(
        "KWD",
        date(2026, 3, 2),
        date(2026, 3, 16),
        note=f"שלום {'n' * 200}",
        internal_note=f"{'i' * 200} 👀",
        external_ref="PO-" + "7" * 60,
    )
    asked = {"lines": lines, "header": header, **given}
    asked.setdefault("contact", None)
    asked["contact"] = asked["contact"] or contact()
    made: Invoice = InvoiceFactory.create(**asked)
    return made


def order(**given: Any) -> Order:
    """In dinars, in thousands, under a long name."""
    line = LineInput(
        "مصباح 🏮 " + "X" * 180, Decimal(1234), Decimal("999.999"), tax_percent=Decimal("20.000")
    )
    asked = {"lines": [line], "currency": "KWD", "zone": "America/Argentina/ComodRivadavia", **given}
    asked.setdefault("contact", None)
    asked["contact"] = asked["contact"] or contact()
    made: Order = OrderFactory.create(**asked)
    return made


def partner() -> Partner:
    """Large sums, some paid and clawed back, of products with long names, under a long code."""
    n = Partner.objects.count()
    made: Partner = PartnerFactory.create(
        contact=contact(), code=f"{n}{'W' * 39}", program__name=f"{n} مصباح 🏮 {'X' * 80}"
    )
    for description in ("X" * 200, "مصباح أحمر 🏮 =HYPERLINK(1)"):
        sold = LineInput(
            description, Decimal(1234), Decimal("999.999"), product_id=ProductFactory.create().pk
        )
        shop = close(sale(made, sold, sold, contact=contact(), currency="KWD"))
        pay_all(made, "KWD")
        give_back(shop, 1000)
    close(sale(made, sold, contact=contact()))
    return made


def invoice_with_everything() -> Invoice:
    """Declined once, paid in part, with one attempt in the air, and a mail of each."""
    made = invoice()
    for number, amount in ((DECLINES, 5), (APPROVES, 7), (CHARGED_LOST, 3)):
        card = CardFactory.create(contact=made.contact, number=number)
        made.request_payment(None, recipient=made.contact.email, message="😀" * 50)
        made.pay(None, source=card, amount=Decimal(amount), send_receipt=True)
    return made
