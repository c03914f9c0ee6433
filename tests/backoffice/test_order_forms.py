"""The back office makes order forms and prices, and is told in words what does not fit."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing.models import OrderForm, Product
from tests.backoffice.test_admin import TERMS
from tests.factories import InvoiceFactory, OrderFormFactory, ProductFactory, SubmissionFactory, UserFactory
from tests.orderforms.visitor import Visitor

pytestmark = pytest.mark.django_db
ADD = "/admin/billing/orderform/add/"


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Administrator", is_staff=True))
    return client


def given(*products: Product, **changes: str) -> dict[str, str]:
    """What the page sends for a form that sells these."""
    items = {
        f"items-{n}-{name}": value
        for n, product in enumerate(products)
        for name, value in {
            "product": str(product.pk),
            "position": str(n + 1),
            **dict.fromkeys(("quantity", "least", "most"), "1"),
        }.items()
    }
    return {
        "title": "Garden shop",
        "slug": "garden-shop",
        "currency": "USD",
        "is_active": "on",
        "referral_days": "30",
        "items-TOTAL_FORMS": str(len(products)),
        "items-INITIAL_FORMS": "0",
        **items,
        **changes,
    }


def test_a_form_is_made_and_takes_orders_at_its_link(office: Client) -> None:
    assert office.post(ADD, given(ProductFactory.create(), ProductFactory.create())).status_code == 302
    form = OrderForm.objects.get()
    listed = office.get("/admin/billing/orderform/").content.decode()
    assert f'<a href="/order/{form.slug}/">' in listed
    assert "Takes orders." in listed
    assert "Thank you for your order" in Visitor(form).orders()


@pytest.mark.parametrize(
    ("product", "changes", "sentence"),
    [
        (None, {}, "Products on the form are missing: choose at least one."),
        ({"is_active": False}, {}, "it is not offered any more."),
        ({"currency": "EUR"}, {}, "it has no price in USD."),
        ({}, {"currency": "XXX"}, "Currency is “XXX”: it is not in ISO 4217"),
        ({}, {"items-0-most": "0"}, "must stand in this order, from 0 to 9999."),
        ({}, {"items-0-least": "2"}, "must stand in this order, from 0 to 9999."),
        ({}, {"referral_days": "9999"}, "less than or equal to 3650"),
        ({}, {"slug": "a b"}, "valid “slug”"),
    ],
)
def test_a_form_that_could_not_sell_is_refused_with_the_rule(
    office: Client, product: dict[str, Any] | None, changes: dict[str, str], sentence: str
) -> None:
    products = [] if product is None else [ProductFactory.create(**product)]
    answer = office.post(ADD, given(*products, **changes))
    assert (answer.status_code, sentence in answer.content.decode()) == (200, True)
    assert not OrderForm.objects.exists()


def test_a_form_whose_product_was_withdrawn_says_so_in_the_list(office: Client) -> None:
    OrderFormFactory.create()
    Product.objects.update(is_active=False)
    assert "it is not offered any more" in office.get("/admin/billing/orderform/").content.decode()


def test_a_form_that_something_was_ordered_on_is_not_deleted(office: Client) -> None:
    form = SubmissionFactory.create().form
    page = reverse("admin:billing_orderform_delete", args=[form.pk])
    assert "Cannot delete order form" in office.get(page).content.decode()
    office.post(page, {"post": "yes"})
    assert OrderForm.objects.exists()


def test_staff_see_on_which_form_an_invoice_was_ordered(office: Client) -> None:
    sent = SubmissionFactory.create()
    InvoiceFactory.create()
    page = office.get(f"/invoices/{sent.invoice.pk}/").content.decode()
    assert sent.form.title in page
    assert "Ordered on the form" in page
    listed = office.get("/admin/billing/invoice/", {"order_form__id__exact": sent.form.pk}).content.decode()
    assert "1 invoice" in listed
    record = office.get(reverse("admin:billing_submission_change", args=[sent.pk])).content.decode()
    assert str(sent.visit) not in record


def test_a_support_agent_makes_no_forms(client: Client) -> None:
    client.force_login(UserFactory.create(role="Billing manager", is_staff=True))
    assert client.get("/admin/billing/orderform/").status_code == 200
    assert client.get(ADD).status_code == 403


# -- prices


def prices(*rows: tuple[str, str]) -> dict[str, str]:
    typed = {
        f"prices-{n}-{name}": value
        for n, (currency, price) in enumerate(rows)
        for name, value in {
            "currency": currency,
            "price": price,
            "trial_price": "0",
            "setup_fee": "0",
        }.items()
    }
    return {
        "name": "Lantern",
        "price": "25",
        "currency": "USD",
        **TERMS,
        **typed,
        "prices-TOTAL_FORMS": str(len(rows)),
    }


def test_a_product_has_a_price_for_each_currency(office: Client) -> None:
    assert (
        office.post("/admin/billing/product/add/", prices(("EUR", "23"), ("JPY", "3700"))).status_code == 302
    )
    assert "$25.00 · €23.00 · ¥3,700" in office.get("/admin/billing/product/").content.decode()
    product = Product.objects.get()
    sold = product.priced_in("JPY")
    assert sold
    assert (str(sold.price), product.priced_in("KWD")) == ("3700.000", None)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([("USD", "23")], "Currency is USD: that is the product's own"),
        ([("EUR", "23"), ("EUR", "24")], "Please correct the duplicate data"),
        ([("JPY", "1.5")], "Price is 1.5: JPY has 0 decimals."),
        ([("EUR", "-1")], "Price is -1: it must be 0 or more."),
    ],
)
def test_a_price_that_cannot_be_is_refused_with_the_rule(
    office: Client, rows: list[tuple[str, str]], sentence: str
) -> None:
    answer = office.post("/admin/billing/product/add/", prices(*rows)).content.decode().replace("&#x27;", "'")
    assert sentence in answer
    assert not Product.objects.exists()


def test_the_editor_fills_in_the_price_of_the_invoices_currency(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    product = ProductFactory.create(name="Garden club", sold_as="subscription", price=30, setup_fee=5)
    product.prices.create(currency="JPY", price=4500, setup_fee=700)
    page = client.get("/products/", {"q": "garden", "currency": "JPY"}).content.decode()
    assert "¥4,500 every month; set-up fee ¥700" in page
    assert "&quot;unit_price&quot;: &quot;4500&quot;" in page
    assert "&quot;unit_price&quot;: &quot;700&quot;" in page
    assert (
        "&quot;unit_price&quot;: &quot;&quot;"
        in client.get("/products/", {"q": "garden", "currency": "EUR"}).content.decode()
    )
