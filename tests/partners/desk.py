"""What the tests of partners share: a sale that somebody led here, and what its partners have of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.models import Commission, Invoice, LineInput, Partner, Payout, Product, record_referral
from billing.statuses import CommissionStatus, InvoiceStatus, PaymentMethod, RefundRoute
from contacts.models import Contact
from tests.factories import NOON, ContactFactory, InvoiceFactory, PartnerFactory, ProductFactory


def refer(contact: Contact, partner: Partner) -> None:
    assert record_referral(contact, partner.code, NOON)


def line(price: str | int, product: Product | None = None, *, quantity: str = "1", **more: Any) -> LineInput:
    """Of a product of its own, unless given."""
    sold = product or ProductFactory.create()
    return LineInput(sold.name, Decimal(quantity), Decimal(price), product_id=sold.pk, **more)


def sale(partner: Partner, *lines: LineInput, **more: Any) -> Invoice:
    """An open invoice of somebody whom ``partner`` led here: over 100, unless given."""
    contact = more.pop("contact", None) or ContactFactory.create()
    refer(contact, partner)
    return InvoiceFactory.create(contact=contact, lines=list(lines) or [line(100)], **more)


def close(invoice: Invoice) -> Invoice:
    invoice.pay(None, source=PaymentMethod.CASH, amount=invoice.balance)
    return invoice


def give_back(invoice: Invoice, amount: str | int) -> None:
    invoice.refund(
        None, amount=Decimal(amount), route=RefundRoute.RECORDED, reason="Broken", send_receipt=False
    )


def approve_all() -> None:
    Commission.approve(
        None, ids=list(Commission.objects.filter(status="pending").values_list("pk", flat=True)), at=NOON
    )


def pay_all(partner: Partner, currency: str = "USD") -> None:
    approve_all()
    partner.program.pay_out(None, currency=currency, at=NOON)


def rows(partner: Partner) -> list[tuple[str, str]]:
    """Status and amount of each, the oldest first."""
    found = Commission.objects.filter(partner=partner).order_by("pk").values_list("status", "amount")
    return [(status, f"{amount.normalize():f}") for status, amount in found]


def earned(partner: Partner) -> Decimal:
    return sum((row.amount for row in Commission.objects.counted().filter(partner=partner)), Decimal(0))


CLOSED, PAID = InvoiceStatus.CLOSED, CommissionStatus.PAID


def two_levels() -> tuple[Partner, Partner]:
    """A partner, and the one who referred them in the same program."""
    above = PartnerFactory.create()
    below = PartnerFactory.create(program=above.program)
    refer(below.contact, above)
    return below, above


def two_commissions(contact: Contact, product: Product) -> tuple[Partner, Payout]:
    """The contact as a partner with a payout, and another commission that waits for approval."""
    partner = PartnerFactory.create(contact=contact)
    close(sale(partner, line(100, product)))
    pay_all(partner)
    close(sale(partner, line(100, product)))
    return partner, partner.program.payouts.get()
