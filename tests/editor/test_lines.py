"""Lines: what is typed wrong is said with line, field, value and rule, and stays on the page."""

from __future__ import annotations

import html
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.models import Invoice, InvoiceLine, Product, TaxRate
from contacts.models import Contact
from tests.editor.typing_in import edit_url, lantern, new_url, typed
from tests.factories import InvoiceFactory, ProductFactory

pytestmark = pytest.mark.django_db

WRONG_LINES: list[tuple[dict[str, str], str]] = [
    (lantern(unit_price="10.005"), "Unit price is 10.005: USD has 2 decimals."),
    (lantern(unit_price="-1"), "Unit price is -1: it must be 0 or more."),
    (
        lantern(unit_price="999999999999999"),
        "Unit price is 999999999999999: it must be 999999999999.999 or less.",
    ),
    (lantern(unit_price="1e5"), "Unit price is “1e5”: write a plain number such as 1234.50."),
    (lantern(unit_price="NaN"), "Unit price is “NaN”: write a plain number such as 1234.50."),
    (lantern(unit_price="1,234.50"), "Unit price is “1,234.50”: write a plain number such as 1234.50."),
    (lantern(unit_price="١٢"), "Unit price is “١٢”: write a plain number such as 1234.50."),
    (lantern(unit_price="１２"), "Unit price is “１２”: write a plain number such as 1234.50."),
    (lantern(unit_price="1\x002"), "Unit price is “1\x002”: write a plain number such as 1234.50."),
    (lantern(unit_price=""), "Unit price is missing."),
    (lantern(quantity="0"), "Quantity is 0: it must be 0.001 or more."),
    (lantern(quantity="-1"), "Quantity is -1: it must be 0.001 or more."),
    (lantern(quantity="0.0001"), "Quantity is 0.0001: it must be 0.001 or more."),
    (lantern(quantity="1.0001"), "Quantity is 1.0001: it may have at most 3 decimals."),
    (lantern(quantity=""), "Quantity is missing."),
    (lantern(quantity="many"), "Quantity is “many”: write a plain number such as 1234.50."),
    (lantern(discount="0.001"), "Discount is 0.001: USD has 2 decimals."),
    (lantern(discount="50"), "Discount is $50.00: it is more than the line comes to."),
    (
        lantern(quantity="999999999", unit_price="999999999999"),
        "Amount is $999,999,998,999,000,000,001.00: at most 999999999999.999 can be kept.",
    ),
    (lantern(description=""), "Description is missing."),
    (lantern(description="x" * 201), "Description has 201 characters: at most 200 are possible."),
    (lantern(description="Lan\x00tern"), "Description holds the control character U+0000: remove it."),
    (lantern(sku="x" * 61), "SKU has 61 characters: at most 60 are possible."),
    (lantern(product="999999"), "Product is “999999”: there is no such product."),
    (lantern(product="9" * 30), f"Product is “{'9' * 30}”: there is no such product."),
    (lantern(product="<script>"), "Product is “<script>”: there is no such product."),
    (lantern(tax="999999"), "Tax rate is “999999”: it is not one of the rates offered."),
]
WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"currency": "XYZ"}, "Currency is “XYZ”: it is not in ISO 4217."),
    ({"currency": ""}, "Currency is missing: choose one."),
    ({"shipping": "1.005"}, "Shipping is 1.005: USD has 2 decimals."),
    ({"shipping": "-1"}, "Shipping is -1: it must be 0 or more."),
    ({"shipping": "９"}, "Shipping is “９”: write a plain number such as 1234.50."),
    ({"invoice_date": "0000-01-01"}, "Invoice date is “0000-01-01”: write a day such as 2026-03-31."),
    ({"invoice_date": "10000-01-01"}, "Invoice date is “10000-01-01”: write a day such as 2026-03-31."),
    (
        {"invoice_date": "9999-12-31"},
        "Invoice date is 9999-12-31: it must be between 1900-01-01 and 2199-12-31.",
    ),
    (
        {"invoice_date": "0001-01-01"},
        "Invoice date is 0001-01-01: it must be between 1900-01-01 and 2199-12-31.",
    ),
    ({"invoice_date": "2026-02-30"}, "Invoice date is “2026-02-30”: write a day such as 2026-03-31."),
    ({"invoice_date": "٢٠٢٦-٠٣-٠١"}, "Invoice date is “٢٠٢٦-٠٣-٠١”: write a day such as 2026-03-31."),
    ({"invoice_date": "\x00"}, "Invoice date is “\x00”: write a day such as 2026-03-31."),
    ({"invoice_date": ""}, "Invoice date is missing."),
    ({"due_in": "-1"}, "Due in days is -1: it must be 0 or more."),
    ({"due_in": "3651"}, "Due in days is 3651: it must be 3650 or less."),
    ({"due_in": "1.5"}, "Due in days is 1.5: it may have at most 0 decimals."),
    ({"due_in": "soon"}, "Due in days is “soon”: write a plain number such as 1234.50."),
    ({"due_in": "٣٠"}, "Due in days is “٣٠”: write a plain number such as 1234.50."),
    ({"external_ref": "x" * 101}, "External reference has 101 characters: at most 100 are possible."),
    ({"note": "x" * 2001}, "Note to the customer has 2001 characters: at most 2000 are possible."),
    ({"internal_note": "a\x07b"}, "Internal note holds the control character U+0007: remove it."),
]


@pytest.mark.parametrize(("line", "sentence"), WRONG_LINES)
def test_a_wrong_line_is_refused_with_its_number_and_the_rule(
    desk: Client, ada: Contact, line: dict[str, str], sentence: str
) -> None:
    response = desk.post(new_url(ada), typed(lantern(), line, lantern(description="Last")))

    page = html.unescape(response.content.decode())
    assert response.status_code == 422
    assert f"Line 2: {sentence}" in page
    assert 'value="Last"' in page
    assert 'aria-invalid="true"' in page
    assert not Invoice.objects.exists()


@pytest.mark.parametrize(("fields", "sentence"), WRONG_FIELDS)
def test_a_wrong_field_is_refused_and_stays_as_it_was_typed(
    desk: Client, ada: Contact, fields: dict[str, Any], sentence: str
) -> None:
    response = desk.post(new_url(ada), typed(lantern(description="Kept"), **fields))

    page = html.unescape(response.content.decode())
    assert response.status_code == 422
    assert sentence in page
    assert 'value="Kept"' in page
    assert not Invoice.objects.exists()


def test_a_currency_without_decimals_names_every_line_that_is_too_fine(desk: Client, ada: Contact) -> None:
    lines = [lantern(), lantern(unit_price="49"), lantern(discount="0.50", unit_price="5")]

    page = desk.post(new_url(ada), typed(*lines, currency="JPY", shipping="1.50")).content.decode()

    assert "Shipping is 1.50: JPY has 0 decimals." in page
    assert "Line 3: Discount is 0.50: JPY has 0 decimals." in page
    assert "Line 1:" not in page  # 49.00 is a whole number
    assert "Line 2:" not in page

    page = desk.post(
        new_url(ada), typed(lantern(unit_price="49.50"), *lines[1:], currency="JPY")
    ).content.decode()
    assert "Line 1: Unit price is 49.50: JPY has 0 decimals." in page


def test_three_decimals_are_right_where_the_currency_has_them(desk: Client, ada: Contact) -> None:
    desk.post(new_url(ada), typed(lantern(unit_price="1.005"), currency="KWD"))

    assert str(Invoice.objects.get().total) == "1.005"


def test_blank_lines_are_left_out_and_not_counted(desk: Client, ada: Contact) -> None:
    desk.post(new_url(ada), typed(lantern(), {}, lantern(description="Wick"), {"quantity": ""}, {"tax": ""}))

    assert list(InvoiceLine.objects.values_list("position", "description")) == [(1, "Lantern"), (2, "Wick")]


def test_names_in_any_script_and_with_markup_are_kept_and_shown_harmless(desk: Client, ada: Contact) -> None:
    names = ["<script>alert(1)</script>", "مصباح 🏮", '"><b>', "=HYPERLINK(1)"]

    desk.post(new_url(ada), typed(*(lantern(description=name) for name in names)))

    invoice = Invoice.objects.get()
    assert [line.description for line in invoice.lines.all()] == names
    page = desk.get(edit_url(invoice)).content.decode()
    assert "<script>alert" not in page
    assert "<b>" not in page


def test_the_2001st_line_is_refused(desk: Client, ada: Contact) -> None:
    response = desk.post(new_url(ada), typed(*[lantern()] * 2001))

    assert response.status_code == 422
    assert "Lines are 2001: an invoice holds at most 2000." in response.content.decode()


def test_2000_lines_are_saved_and_opened_with_as_many_queries_as_two(
    desk: Client, ada: Contact, django_assert_max_num_queries: Any
) -> None:
    desk.post(new_url(ada), typed(*[lantern(unit_price="0.10")] * 2000))
    invoice = Invoice.objects.get()
    assert (invoice.line_count, str(invoice.total)) == (2000, "200.000")

    with django_assert_max_num_queries(10):
        page = desk.get(edit_url(invoice)).content

    assert page.count(b'name="line-description"') == 2002  # with the blank one, and the one to copy


def test_columns_of_unequal_length_are_refused(desk: Client, ada: Contact) -> None:
    given = typed(lantern(), lantern())
    given["line-quantity"] = ["1"]

    response = desk.post(new_url(ada), given)

    assert response.status_code == 422
    assert "Lines came incomplete" in response.content.decode()


@pytest.mark.parametrize("size", [10 * 1024 * 1024])
def test_a_post_of_10_megabytes_is_refused(desk: Client, ada: Contact, size: int) -> None:
    body = "note=" + "x" * size

    response = desk.post(new_url(ada), body, content_type="application/x-www-form-urlencoded")

    assert response.status_code == 400


def test_a_product_brings_its_link_and_the_rate_its_percentage(desk: Client, ada: Contact) -> None:
    product: Product = ProductFactory.create()
    rate = TaxRate.objects.create(name="VAT", percent=20)

    desk.post(new_url(ada), typed(lantern(product=str(product.pk), sku="LA", tax=str(rate.pk))))

    line = InvoiceLine.objects.get()
    assert (line.product, line.sku, line.tax_rate, line.tax_percent) == (product, "LA", rate, Decimal(20))


def order_of(page: str) -> list[str]:
    """The descriptions on the page, without the blank line that is there to be copied."""
    return [part.split('"')[1] for part in page.split('name="line-description"')[1:-1]]


@pytest.mark.parametrize(
    ("button", "order"),
    [
        ("up-2", ["B", "A", "C"]),
        ("down-2", ["A", "C", "B"]),
        ("up-1", ["A", "B", "C"]),
        ("down-3", ["A", "B", "C"]),
        ("remove-1", ["B", "C"]),
        ("remove-99", ["A", "B", "C"]),
        ("add", ["A", "B", "C", ""]),
        ("totals", ["A", "B", "C"]),
    ],
)
def test_without_scripts_buttons_move_remove_and_add_lines(
    desk: Client, ada: Contact, button: str, order: list[str]
) -> None:
    lines = [lantern(description=name) for name in "ABC"]

    response = desk.post(new_url(ada), typed(*lines, do=button))

    page = response.content.decode()
    assert response.status_code == 200
    assert order_of(page) == order
    assert f"${49 * len([name for name in order if name])}.00" in page
    assert not Invoice.objects.exists()


def test_without_scripts_a_product_is_found_and_added(desk: Client, ada: Contact) -> None:
    product: Product = ProductFactory.create(name="Red lantern")

    found = desk.post(new_url(ada), typed({}, do="find", find="red")).content.decode()
    added = desk.post(new_url(ada), typed({}, do=f"product-{product.pk}")).content.decode()

    assert f'value="product-{product.pk}"' in found
    assert order_of(added) == ["Red lantern"]
    assert 'value="25.00"' in added


def test_a_blank_page_is_opened_with_a_blank_line(desk: Client, ada: Contact) -> None:
    assert order_of(desk.get(new_url(ada)).content.decode()) == [""]


def test_an_invoice_of_every_currency_can_be_opened(desk: Client) -> None:
    for currency in ("USD", "JPY", "KWD"):
        invoice = InvoiceFactory.create(currency=currency)
        assert f'value="{currency}" selected' in desk.get(edit_url(invoice)).content.decode()
