"""What the customer reads of a coupon: on the page, in print, in e-mails; and what an export says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from billing.documents import document
from billing.export import INVOICES, LINES
from billing.models import Invoice, LineInput, Mail
from tests.export.test_files import read
from tests.factories import CouponFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice() -> Invoice:
    CouponFactory.create(code="SPRING")
    lines = [
        LineInput("Lantern", Decimal(1), Decimal(100), Decimal(20)),
        LineInput("Oil", Decimal(1), Decimal(5)),
    ]
    return InvoiceFactory.create(coupon="SPRING", lines=lines)


def test_the_paper_says_what_was_saved_and_its_lines_add_up(invoice: Invoice) -> None:
    paper = document(invoice, today=date(2026, 3, 2))
    assert [line.discount for line in paper.lines] == ["$28.00", "$0.50"]
    assert ("Saved with SPRING", "$8.50") in [(pair.label, pair.value) for pair in paper.totals]
    page = Client().get(f"/i/{invoice.token}/").content.decode()
    assert "Saved with SPRING" in page


def test_an_e_mail_says_what_was_saved(invoice: Invoice) -> None:
    invoice.request_payment(None, recipient="ada@example.com", message="")
    mail = Mail.objects.get()
    assert "Saved with SPRING: $8.50" in mail.text
    assert "Saved with SPRING" in mail.html


def test_a_file_has_the_code_and_each_line_s_share(invoice: Invoice) -> None:
    rows = Invoice.objects.all()
    assert read(INVOICES, rows, UserFactory.create(), ["number", "coupon_code"])[0]["coupon_code"] == "SPRING"
    columns = ["discount", "coupon_discount", "net"]
    assert [list(row.values())[:3] for row in read(LINES, rows, UserFactory.create(), columns)] == [
        ["20.00", "8.00", "72.00"],
        ["0.00", "0.50", "4.50"],
    ]


def test_the_page_of_the_invoice_shows_both_discounts(client: Client, invoice: Invoice) -> None:
    client.force_login(UserFactory.create(role="Viewer"))
    page = client.get(f"/invoices/{invoice.pk}/").content.decode()
    for words in ("$20.00", "$8.00", "Taken off by SPRING", "$8.50", "Coupon code SPRING redeemed"):
        assert words in page, words
