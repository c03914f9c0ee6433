"""The files that go out: byte by byte, and what of them a spreadsheet must not run."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import QuerySet

from billing.export import INVOICES, LINES, PAYMENTS, Table, amount, moment, number, stream, text
from billing.models import Invoice, LineInput, Payment
from billing.statuses import InvoiceStatus
from tests.factories import (
    DECLINES,
    CardFactory,
    ContactFactory,
    InvoiceFactory,
    PaymentFactory,
    UserFactory,
    refund_all,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return UserFactory.create()


def file(table: Table, rows: QuerySet[Any], user: User, names: list[str] | None = None) -> str:
    return b"".join(stream(table, rows, table.named(names or table.shown), user=user)).decode()


def read(table: Table, rows: QuerySet[Any], user: User, names: list[str]) -> list[dict[str, str]]:
    found = file(table, rows, user, names).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(found, newline="")))


def test_one_line_per_invoice(user: User) -> None:
    contact = ContactFactory.create(name='Zoë "Z" Ångström, Ltd')
    InvoiceFactory.create(contact=contact, amount=Decimal("1234.5"), paid=Decimal(200))
    yen = [LineInput("Lantern", Decimal(1), Decimal(500)), LineInput("Oil", Decimal(1), Decimal(70))]
    InvoiceFactory.create(contact=contact, currency="JPY", lines=yen, status=InvoiceStatus.CLOSED)
    InvoiceFactory.create(contact=contact, currency="KWD", amount=Decimal("1.5"), status=InvoiceStatus.DRAFT)

    assert file(INVOICES, Invoice.objects.order_by("id"), user) == (
        "\ufeffnumber,contact,invoice_date,due_on,products,total,balance,currency,status\r\n"
        'INV-000001,"Zoë ""Z"" Ångström, Ltd",2026-03-02,2026-03-16,Lantern,1234.50,1034.50,USD,open\r\n'
        'INV-000002,"Zoë ""Z"" Ångström, Ltd",2026-03-02,2026-03-16,Lantern and 1 more,570,0,JPY,closed\r\n'
        ',"Zoë ""Z"" Ångström, Ltd",2026-03-02,2026-03-16,Lantern,1.500,1.500,KWD,draft\r\n'
    )


def test_one_line_per_product(user: User) -> None:
    lines = [
        LineInput("Lantern", Decimal(2), Decimal(25), discount=Decimal(5), sku="L-1"),
        LineInput("Oil, per litre", Decimal("1.5"), Decimal(4), tax_percent=Decimal("19.5")),
    ]
    InvoiceFactory.create(contact=ContactFactory.create(name="Ada"), lines=lines)
    InvoiceFactory.create(contact=ContactFactory.create(name="Bob"), amount=Decimal(7))

    names = ["number", "contact", "position", "sku", "description", "quantity", "unit_price", "discount"]
    names += ["net", "tax_percent", "tax", "total", "currency", "invoice_total"]
    assert file(LINES, Invoice.objects.order_by("-id"), user, names) == (
        "\ufeffnumber,contact,position,sku,description,quantity,unit_price,discount,net,tax_percent,tax,total,"
        "currency,invoice_total\r\n"
        "INV-000002,Bob,1,,Lantern,1,7.00,0.00,7.00,0,0.00,7.00,USD,7.00\r\n"
        "INV-000001,Ada,1,L-1,Lantern,2,25.00,5.00,45.00,0,0.00,45.00,USD,52.17\r\n"
        'INV-000001,Ada,2,,"Oil, per litre",1.5,4.00,0.00,6.00,19.5,1.17,7.17,USD,52.17\r\n'
    )


def test_payments_with_declines_and_refunds(user: User) -> None:
    contact = ContactFactory.create(name="Ada")
    paid = PaymentFactory.create(
        invoice=InvoiceFactory.create(contact=contact), method="cheque", reference="17"
    )
    refund_all(paid.invoice)
    card = CardFactory.create(contact=contact, number=DECLINES)
    declined = PaymentFactory.create(invoice=InvoiceFactory.create(contact=contact), card=card)
    refund = Payment.objects.get(type="refund")

    names = ["received_on", "invoice", "contact", "type", "status", "method", "card_brand", "card_last4"]
    names += ["amount", "refunded", "currency", "gateway", "reference", "decline_reason", "refund_of"]
    rows = read(PAYMENTS, Payment.objects.order_by("id"), user, names)

    assert [",".join(list(row.values())[:11]) for row in rows] == [
        "2026-03-03,INV-000001,Ada,payment,applied,cheque,,,100.00,100.00,USD",
        f"{refund.received_on},INV-000001,Ada,refund,applied,cheque,,,-100.00,0.00,USD",
        f"{declined.received_on},INV-000002,Ada,payment,declined,card,Visa,0341,100.00,0.00,USD",
    ]
    assert rows[0]["reference"] == "17"
    assert rows[1]["refund_of"] == str(paid.pk)
    assert rows[2]["gateway"] == "sandbox"
    assert rows[2]["decline_reason"] == declined.decline_reason != ""


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 1234", "'+49 30 1234"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1+1", "'＝1+1"),
        ('=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'),
        ("-", "'-"),
        ("-5", "-5"),
        ("-5.25", "-5.25"),
        ("-5e3", "'-5e3"),
        ("a=1", "a=1"),
        ("", ""),
        ("a\0b", "ab"),
        ("\0=1", "'=1"),
        ("😀", "😀"),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(stored: str, written: str) -> None:
    assert text(stored, "USD") == written


@pytest.mark.parametrize(
    ("value", "currency", "written"),
    [
        ("-100", "USD", "-100.00"),
        ("0", "JPY", "0"),
        ("1.5", "KWD", "1.500"),
        ("123456789012.5", "USD", "123456789012.50"),
    ],
)
def test_amounts_are_plain_decimals_of_their_currency(value: str, currency: str, written: str) -> None:
    assert amount(Decimal(value), currency) == written


def test_quantities_have_no_idle_zeros_and_moments_their_offset() -> None:
    assert [number(Decimal(value), "USD") for value in ("2.000", "100.000", "1.500", "0.000")] == [
        *("2", "100", "1.5", "0"),
    ]
    assert moment(datetime(2026, 3, 2, 12, 0, 5, 999, tzinfo=UTC), "USD") == "2026-03-02T12:00:05+00:00"


def test_words_of_strangers_pass_through_a_file_unharmed(user: User) -> None:
    name = '=HYPERLINK("x"),\u202eevil <script> 😀'
    contact = ContactFactory.create(name=name)
    line = LineInput("+cmd|'/C calc'!A0", Decimal(1), Decimal(1))
    InvoiceFactory.create(contact=contact, lines=[line])
    rows = read(LINES, Invoice.objects.order_by("id"), user, ["contact", "description"])
    assert rows == [{"contact": f"'{name}", "description": "'+cmd|'/C calc'!A0"}]


def test_a_note_of_several_lines_stays_one_cell(user: User) -> None:
    invoice = InvoiceFactory.create()
    Invoice.objects.filter(pk=invoice.pk).update(note='Dear "Ada",\nthanks\r\nBob')
    rows = read(INVOICES, Invoice.objects.order_by("id"), user, ["note", "number"])
    assert rows == [{"note": 'Dear "Ada",\nthanks\r\nBob', "number": invoice.number}]


def test_an_amount_never_goes_out_without_its_currency() -> None:
    assert [column.name for column in INVOICES.named(["total", "number"])] == ["total", "number", "currency"]
    assert [column.name for column in INVOICES.named(["number"])] == ["number"]


def test_nothing_to_export_is_a_file_of_headings(user: User) -> None:
    assert file(PAYMENTS, Payment.objects.order_by("id"), user, ["type", "method"]) == "\ufefftype,method\r\n"


@pytest.mark.parametrize("table", [INVOICES, LINES, PAYMENTS], ids=lambda table: table.name)
def test_every_column_of_a_file_can_be_read_and_has_a_name_of_its_own(table: Table, user: User) -> None:
    paid = PaymentFactory.create(received_on=date(2026, 3, 3))
    rows = Payment.objects.order_by("id") if table is PAYMENTS else Invoice.objects.order_by("id")
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert set(table.shown) <= set(names)
    assert read(table, rows, user, names)[0]["contact"] == paid.contact.name
