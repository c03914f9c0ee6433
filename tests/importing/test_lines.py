"""Lines that cannot be kept: each is rejected with its number and a sentence, and costs no other line."""

from decimal import Decimal
from pathlib import Path

import pytest

from billing import books
from billing.models import Invoice, InvoiceLine, Payment, Product
from contacts.models import Contact
from tests.importing.runs import line, numbers, run_import, written

pytestmark = pytest.mark.django_db

REJECTED = {
    "a sale of less than nothing": (line("7002", quantity="-1"), "quantity", "above 0"),
    "a sale of nothing": (line("7002", quantity="0"), "quantity", "above 0"),
    "a cancellation of more than nothing": (line("C7002", quantity="1"), "quantity", "below 0"),
    "a cancellation of no money": (line("C7002", quantity="-1", price="0"), "price", "no money"),
    "a quantity in foreign digits": (line("7002", quantity="٣"), "quantity", "plain number"),
    "a quantity in words": (line("7002", quantity="six"), "quantity", "plain number"),
    "a quantity with an exponent": (line("7002", quantity="1e3"), "quantity", "plain number"),
    "no quantity": (line("7002", quantity=""), "quantity", "plain number"),
    "an enormous quantity": (line("7002", quantity="1000000000"), "quantity", "9 digits"),
    "a quantity that is too fine": (line("7002", quantity="0.0001"), "quantity", "3 decimals"),
    "a negative price": (line("7002", price="-0.01"), "price", "0 or more"),
    "a price finer than the currency": (line("7002", price="0.001"), "price", "GBP has 2 decimals"),
    "a price in foreign digits": (line("7002", price="１.00"), "price", "plain number"),
    "a price that is not a number": (line("7002", price="NaN"), "price", "plain number"),
    "an enormous price": (line("7002", price="1000000000000"), "price", "999999999999.999"),
    "an enormous amount": (line("7002", price="999999999", quantity="9999999"), "price", "999999999999.999"),
    "no date": (line("7002", date=""), "date", "2010-12-01 08:26:00"),
    "a day that is not": (line("7002", date="2011-02-29"), "date", "2010-12-01 08:26:00"),
    "an American date": (line("7002", date="12/1/2010 8:26"), "date", "2010-12-01 08:26:00"),
    "a date in foreign digits": (line("7002", date="٢٠١١-٠٣-٠١"), "date", "2010-12-01 08:26:00"),
    "a date before there were shops": (line("7002", date="0001-01-01"), "date", "1900 or later"),
    "a date to come": (line("7002", date="9999-12-31"), "date", "future"),
    "no document number": (line(""), "number", "no document number"),
    "an overlong document number": (line("7" * 41), "number", "41 characters"),
    "an adjustment": (line("A563185"), "adjustment", "no sale, and no refund"),
    "an overlong SKU": (line("7002", sku="7" * 61), "text", "61 characters"),
    "an overlong description": (line("7002", description="é" * 201), "text", "201 characters"),
    "an overlong customer": (line("7002", contact="7" * 101), "text", "101 characters"),
    "a control character": (line("7002", description="LAN\x07TERN"), "text", "U+0007"),
    "a NUL byte": (line("7002", sku="71\x00053"), "text", "U+0000"),
    "a line break in a cell": (line("7002", description="WHITE\nLANTERN"), "text", "line break"),
    "neither SKU nor description": (line("7002", sku="", description=" "), "text", "neither"),
    "no customer": (line("7002", contact=""), "no_customer", "names no customer"),
    "too few cells": ("7002,71053,WHITE METAL", "unreadable", "3 cells; the header has 8"),
    "too many cells": (line("7002") + ",x", "unreadable", "9 cells; the header has 8"),
    "a quote that is never closed": ('7002,71053,"WHITE', "unreadable", "quotation mark"),
    "a line without an end": ("7002," + "x" * 250_000, "unreadable", "100000 characters"),
}


@pytest.mark.parametrize(("bad", "reason", "words"), REJECTED.values(), ids=REJECTED.keys())
def test_a_bad_line_is_rejected_alone(bad: str, reason: str, words: str, tmp_path: Path) -> None:
    run = run_import(written(tmp_path, line("7001"), bad, line("7003")))
    assert [(row["line"], row["reason"]) for row in run.rejected] == [("3", reason)]
    assert words in run.rejected[0]["explanation"]
    assert numbers() == ["7001", "7003"]
    assert list(books.problems()) == []


def test_a_line_that_is_no_utf8_is_rejected_alone(tmp_path: Path) -> None:
    path = written(tmp_path, line("7001"), line("7002", description="£40"), line("7003"))
    path.write_bytes(path.read_bytes().replace("£".encode(), "£".encode("latin-1")))
    run = run_import(path)
    assert run.reasons == {3: "unreadable"}
    assert "UTF-8" in run.rejected[0]["explanation"]
    assert numbers() == ["7001", "7003"]


def test_the_rest_of_a_document_is_imported_and_the_report_says_so(tmp_path: Path) -> None:
    run = run_import(written(tmp_path, line(), line(price="-1"), line(quantity="1"), line("7002", price="")))
    assert Invoice.objects.get().total == Decimal("23.73")
    assert [(row["line"], row["number"], row["rest_of_document"]) for row in run.rejected] == [
        ("3", "7001", "is imported"),
        ("5", "7002", "none of it is imported"),
    ]


def test_a_document_of_more_lines_than_an_invoice_holds_is_rejected_whole(tmp_path: Path) -> None:
    run = run_import(written(tmp_path, *[line("7001")] * 2000, *[line("7002")] * 2001))
    assert Invoice.objects.get().number == "7001"
    assert set(run.reasons.values()) == {"too_much"}
    assert len(run.reasons) == 2001


def test_a_document_too_large_to_add_up_is_rejected_whole(tmp_path: Path) -> None:
    run = run_import(written(tmp_path, *[line(price="99999999999", quantity="9")] * 2, line("7002")))
    assert run.reasons == {2: "too_much", 3: "too_much"}
    assert Invoice.objects.get().number == "7002"


def test_lines_of_one_document_belong_together_wherever_they_stand(tmp_path: Path) -> None:
    run_import(written(tmp_path, line(), line("7002"), line(sku="22086")))
    assert [row.sku for row in Invoice.objects.get(number="7001").lines.all()] == ["71053", "22086"]


def test_a_document_goes_to_the_customer_that_it_names_first(tmp_path: Path) -> None:
    run = run_import(written(tmp_path, line(contact=""), line(contact="17850.0"), line(contact="13047")))
    assert run.reasons == {4: "other_customer"}
    assert Invoice.objects.get().contact.external_ref == "17850"
    assert Invoice.objects.get().line_count == 2


def test_a_number_that_another_invoice_has_is_left_alone(tmp_path: Path) -> None:
    run_import(written(tmp_path, line()))
    run = run_import(written(tmp_path, line(quantity="7")))
    assert run.reasons == {2: "number_taken"}
    assert "£20.34, not £23.73" in run.rejected[0]["explanation"]
    assert Invoice.objects.get().total == Decimal("20.34")


def test_a_number_that_the_desk_would_give_itself_is_left_to_it(tmp_path: Path) -> None:
    run = run_import(written(tmp_path, line("INV-000017"), line("INV-17"), line("17")))
    assert run.reasons == {2: "number_taken"}
    assert "an invoice of its own" in run.rejected[0]["explanation"]
    assert list(books.problems()) == []


def test_one_product_is_made_of_each_sku_whatever_its_case(tmp_path: Path) -> None:
    run_import(
        written(
            tmp_path,
            line(sku="85123a", description="", price="2.95"),
            line("7002", sku="85123A", description="HEART HOLDER", price="2.55", date="2011-02-01"),
            line("7003", sku="85123A", price="0", date="2011-03-02"),
            line("7004", sku="85123A", description="HEART HOLDER", price="2.75", date="2011-02-02"),
        )
    )
    product = Product.objects.get()
    assert (product.name, product.price) == ("HEART HOLDER", Decimal("2.95"))
    assert set(InvoiceLine.objects.values_list("product", flat=True)) == {product.pk}


def test_a_product_that_the_books_hold_is_left_as_it_is(tmp_path: Path) -> None:
    Product.objects.create(name="Lantern", sku="dot-ß", price=Decimal(9), currency="USD")
    run_import(written(tmp_path, line(sku="DOT-ß")))
    assert Product.objects.get().price == Decimal(9)
    assert InvoiceLine.objects.get().product == Product.objects.get()


def test_a_contact_that_the_books_hold_is_left_as_it_is(tmp_path: Path) -> None:
    contact = Contact.objects.create(name="Ada", external_ref="17850", country="FR")
    run_import(written(tmp_path, line(contact="17850.0")))
    assert Invoice.objects.get().contact == contact
    contact.refresh_from_db()
    assert (contact.name, contact.country) == ("Ada", "FR")


@pytest.mark.parametrize(
    ("country", "code"),
    [("EIRE", "IE"), ("germany", "DE"), ("Czech Republic", "CZ"), ("USA", "US"), ("rsa", "ZA"), ("gb", "GB")],
)
def test_countries_are_known_by_the_names_that_traders_use(country: str, code: str, tmp_path: Path) -> None:
    run_import(written(tmp_path, line(country=country)))
    assert Contact.objects.get().country == code


@pytest.mark.parametrize("country", ["Fra\0nce", "x" * 101, "🏝", ""])
def test_a_country_that_says_nothing_costs_no_line(country: str, tmp_path: Path) -> None:
    assert run_import(written(tmp_path, line(country=country))).rejected == []
    contact = Contact.objects.get()
    assert (contact.country, contact.notes) == ("", "Country: 🏝" if country == "🏝" else "")


def test_the_day_is_that_of_the_given_zone(tmp_path: Path) -> None:
    run_import(
        written(
            tmp_path,
            line("7001", date="2011-07-01 00:30:00"),
            line("7002", date="2011-06-30T23:30:00Z"),
            line("7003", date="2011-07-01"),
        )
    )
    assert {str(day) for day in Invoice.objects.values_list("invoice_date", flat=True)} == {"2011-07-01"}


def test_an_amount_is_rounded_once_and_half_up(tmp_path: Path) -> None:
    run_import(written(tmp_path, line(quantity="0.5", price="0.25")))
    assert Invoice.objects.get().total == Decimal("0.13")


def test_amounts_follow_the_currency(tmp_path: Path) -> None:
    path = written(tmp_path, line(price="1.5"), line("7002", price="150"))
    assert run_import(path, currency="JPY").reasons == {2: "price"}
    assert Payment.objects.get().amount == 900


def test_text_of_every_kind_is_kept_as_it_is(tmp_path: Path) -> None:
    texts = ["🕯 LANTERN", "פנס לבן", "<script>alert(1)</script>", '=HYPERLINK("http://example.com")']
    run_import(written(tmp_path, *(line(sku=str(n), description=text) for n, text in enumerate(texts))))
    assert [row.description for row in Invoice.objects.get().lines.all()] == texts


def test_the_report_holds_nothing_that_a_spreadsheet_would_run(tmp_path: Path) -> None:
    run = run_import(written(tmp_path, line("=1+1", description="@SUM(A1)", sku="+7", quantity="-6")))
    row = run.rejected[0]
    assert (row["number"], row["description"], row["sku"], row["quantity"]) == (
        "'=1+1",
        "'@SUM(A1)",
        "'+7",
        "'-6",
    )


def test_numbers_that_only_begin_with_the_letter_are_no_adjustments(tmp_path: Path) -> None:
    run_import(written(tmp_path, line("ACME-1"), line("A1")), "--adjustment-prefix", "")
    assert numbers() == ["A1", "ACME-1"]
