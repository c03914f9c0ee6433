"""Sums are exact on every database, and an invoice that asks for nothing adds up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.models import Header, LineInput
from billing.statuses import InvoiceStatus
from tests.attempts.desk import assert_books_agree, fresh, give_back
from tests.factories import InvoiceFactory, PaymentFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("currency", "price"), [("KWD", "499999.997"), ("KWD", "499999999.997"), ("USD", "499999999.97")]
)
def test_two_thousand_large_lines_add_up_to_the_last_digit(currency: str, price: str) -> None:
    lines = [LineInput("Lantern", Decimal(1), Decimal(price))] * 2000
    invoice = InvoiceFactory.create(currency=currency, lines=lines)
    assert fresh(invoice).total == 2000 * Decimal(price)
    assert_books_agree()


def test_an_invoice_edited_to_nothing_after_everything_went_back_is_closed() -> None:
    invoice = InvoiceFactory.create()
    give_back(PaymentFactory.create(invoice=invoice, amount=Decimal(40)), 40)
    invoice = fresh(invoice)
    invoice.edit(None, header=Header.of(invoice), lines=[LineInput("Lantern", Decimal(1), Decimal(0))])
    assert (fresh(invoice).status, fresh(invoice).balance) == (InvoiceStatus.CLOSED, Decimal(0))
    assert_books_agree()


def test_an_invoice_edited_down_to_what_is_left_of_a_part_refund_is_closed() -> None:
    invoice = InvoiceFactory.create()
    give_back(PaymentFactory.create(invoice=invoice, amount=Decimal(60)), 20)
    invoice = fresh(invoice)
    invoice.edit(None, header=Header.of(invoice), lines=[LineInput("Lantern", Decimal(1), Decimal(40))])
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    give_back(invoice.payments.earliest("id"), 40)
    assert fresh(invoice).status == InvoiceStatus.REFUNDED
    assert_books_agree()


def test_a_refund_is_not_named_by_the_reason_that_staff_gave() -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)
    invoice.refund(None, amount=invoice.paid, route="recorded", reason="Rude customer", send_receipt=True)
    assert invoice.payments.get(type="refund").method_label == "Cash"
    assert "Rude" not in "".join(f"{mail.subject}{mail.text}{mail.html}" for mail in invoice.mails.all())
