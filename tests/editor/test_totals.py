"""What the page asks while somebody types: totals, and products that match."""

from __future__ import annotations

import html
import json

import pytest
from django.test import Client

from billing.models import Invoice, Product, TaxRate
from contacts.models import Contact
from tests.editor.typing_in import lantern, typed
from tests.factories import CardFactory, InvoiceFactory, ProductFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_totals_are_those_that_saving_would_store(desk: Client, ada: Contact) -> None:
    rate = TaxRate.objects.create(name="VAT", percent="7.7")
    lines = [lantern(quantity="3", unit_price="3.35", discount="0.01", tax=str(rate.pk)), lantern()]
    CardFactory.create(contact=ada)
    given = typed(*lines, mode="charge", shipping="4.90")

    page = html.unescape(desk.post(f"/totals/?contact={ada.pk}", given).content.decode())
    desk.post(f"/contacts/{ada.pk}/invoices/new/", {**given, "mode": "draft"})

    invoice = Invoice.objects.get()
    for amount in (invoice.subtotal, invoice.tax_total, invoice.shipping, invoice.total):
        assert invoice.show(amount) in page
    assert f"Create and charge {invoice.show(invoice.total)}" in page
    assert f'value="USD {invoice.total:.2f}"' in page
    assert json.dumps([invoice.show(line.total) for line in invoice.lines.all()]) in page


def test_what_cannot_be_read_yet_is_said_and_the_rest_is_counted(desk: Client, ada: Contact) -> None:
    given = typed(lantern(), lantern(unit_price="1."), lantern(unit_price="abc"), lantern(unit_price=""))

    page = desk.post(f"/totals/?contact={ada.pk}", given).content.decode()

    assert "$50.00" in page
    assert "Line 3 is not counted: Unit price is “abc”: write a plain number such as 1234.50." in page
    assert "Line 4" not in page


def test_a_smaller_amount_is_what_the_button_says(desk: Client, ada: Contact) -> None:
    CardFactory.create(contact=ada)
    given = typed(lantern(), mode="charge", charge__amount="20")

    assert "Create and charge $20.00" in desk.post(f"/totals/?contact={ada.pk}", given).content.decode()


def test_the_totals_of_an_existing_invoice_know_its_own_tax(desk: Client) -> None:
    invoice = InvoiceFactory.create()

    page = desk.post(f"/totals/?invoice={invoice.pk}", typed(lantern())).content.decode()

    assert "$49.00" in page
    assert "Save changes" in page


@pytest.mark.parametrize("query", ["", "?contact=0", "?contact=x", "?invoice=" + "9" * 30, "?invoice=7777"])
def test_totals_of_nobody_are_not_found(desk: Client, query: str) -> None:
    assert desk.post(f"/totals/{query}", typed(lantern())).status_code == 404


def test_totals_of_nonsense_are_an_answer(desk: Client, ada: Contact) -> None:
    for given in (
        {},
        {"line-quantity": ["1", "2"], "currency": "\x00", "mode": "x"},
        typed(*[lantern()] * 2001),
    ):
        assert desk.post(f"/totals/?contact={ada.pk}", given).status_code == 200


def test_products_are_found_by_every_word_of_name_or_sku(desk: Client) -> None:
    rate = TaxRate.objects.create(name="VAT", percent=20)
    red: Product = ProductFactory.create(name="Red <lantern>", sku="RL-1", tax_rate=rate)
    ProductFactory.create(name="Blue lantern", sku="BL-1")

    page = desk.get("/products/", {"q": "lantern rl", "currency": "USD"}).content.decode()

    filling = html.unescape(page.split('data-fill="')[1].split('"')[0])
    assert json.loads(filling) == [
        {
            "product": str(red.pk),
            "sku": "RL-1",
            "description": "Red <lantern>",
            "unit_price": "25.00",
            "tax": str(rate.pk),
        }
    ]
    assert "Blue" not in page
    assert "$25.00" in page


def test_a_price_in_another_currency_is_shown_and_not_filled_in(desk: Client) -> None:
    ProductFactory.create(name="Red lantern")

    page = desk.get("/products/", {"line-description": "red", "currency": "EUR"}).content.decode()

    assert "$25.00" in page
    assert html.escape('"unit_price": ""') in page


def test_a_search_for_nothing_or_nonsense_finds_nothing(desk: Client) -> None:
    ProductFactory.create()
    for query in ("", "  ", "\x00", "%", "x" * 5000, "🏮"):
        assert desk.get("/products/", {"q": query}).content.decode().strip() == ""


def test_products_need_a_sign_in_and_a_role(client: Client) -> None:
    assert client.get("/products/?q=x").status_code == 302
    client.force_login(UserFactory.create())
    assert client.get("/products/?q=x").status_code == 403
