# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""New subscription or plan: from a product or in the agent's own words."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Order, TaxRate
from billing.tasks import tick
from contacts.models import Contact
from tests.attempts.desk import moved
from tests.factories import CardFactory, ContactFactory, ProductFactory, UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "preview"}


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Support"))
    return client


@pytest.fixture
def ada() -> Contact:
    return ContactFactory.create()


def asked(**typed: str) -> dict[str, str]:
    """What must be said; ``typed`` says more."""
    return {"quantity": "1", "card": "none", "zone": "Europe/London", "missed": "every", **typed}


FREE = {"description": "Hosting", "unit_price": "20", "kind": "subscription", "unit": "quarter", "every": "2"}


def test_an_order_is_begun_in_the_agents_own_words_and_charged_on_its_day(desk: Client, ada: Contact) -> None:
    rate = TaxRate.objects.create(name="VAT", percent=20)
    card = CardFactory.create(contact=ada)
    today = timezone.localdate()
    given = asked(**FREE, tax=str(rate.pk), card=str(card.pk), next_charge_on=str(today), send_invoices="on")
    response = desk.post(f"/contacts/{ada.pk}/orders/new/", given)
    assert response.status_code == 302, response.content.decode()
    order = Order.objects.get()
    assert (order.amount, order.rhythm, order.zone) == (24, "every 2 quarters", "Europe/London")
    assert (order.card, order.origin, order.next_period) == (card, None, 1)
    tick(timezone.now() + timedelta(days=1))
    assert moved() == [(24, 0)]


def test_what_is_left_empty_is_the_products(desk: Client, ada: Contact) -> None:
    rate = TaxRate.objects.create(name="VAT", percent=10)
    product = ProductFactory.create(
        name="Garden club",
        sku="CLUB",
        price=Decimal(30),
        currency="EUR",
        tax_rate=rate,
        sold_as="plan",
        payments=12,
        unit="week",
        trial_payments=1,
        setup_fee=Decimal(9),
        delay_days=10,
    )
    response = desk.post(f"/contacts/{ada.pk}/orders/new/", asked(product="club"))
    assert response.status_code == 302, response.content.decode()
    order = Order.objects.get()
    assert (order.kind, order.payments_total, order.rhythm) == ("plan", 13, "every week")
    assert (order.currency, order.amount, order.setup_fee) == ("EUR", 33, 9)
    assert order.next_charge_on == timezone.localdate() + timedelta(days=10)
    assert order.lines.get().product == product


def test_what_is_typed_comes_before_the_product(desk: Client, ada: Contact) -> None:
    ProductFactory.create(name="Garden club", sku="CLUB", sold_as="plan", payments=12)
    given = asked(product="Garden Club", unit_price="11", kind="subscription", description="Club, half price")
    assert desk.post(f"/contacts/{ada.pk}/orders/new/", given).status_code == 302
    order = Order.objects.get()
    assert (order.kind, order.payments_total, order.summary, order.amount) == (
        *("subscription", None, "Club, half price"),
        11,
    )


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"product": "no such"}, "Product is “no such”: no product has this SKU or name."),
        ({}, "Description is missing: say it, or choose a product."),
        ({**FREE, "unit_price": ""}, "Price is missing: say it, or choose a product."),
        ({**FREE, "unit_price": "1.005"}, "Price is 1.005: USD has 2 decimals."),
        ({**FREE, "unit_price": "1e3"}, "Price is “1e3”: write a plain number"),
        ({**FREE, "kind": ""}, "Kind is missing: say it, or choose a product."),
        ({**FREE, "kind": "lease"}, "Kind is “lease”: choose one of the list."),
        ({**FREE, "kind": "plan"}, "Number of payments is missing: a payment plan has one."),
        ({**FREE, "payments": "3"}, "Number of payments is 3: a subscription has none."),
        ({**FREE, "every": "0"}, "Every is 0: it must be 1 or more."),
        ({**FREE, "every": "1.5"}, "Every is 1.5: it may have at most 0 decimals."),
        ({**FREE, "unit": "fortnight"}, "Unit is “fortnight”: choose one of the list."),
        ({**FREE, "currency": "XXX"}, "Currency is “XXX”: write a code of ISO 4217 such as USD."),
        ({**FREE, "zone": "Mars/Olympus"}, "Time zone is “Mars/Olympus”: write an IANA name"),
        ({**FREE, "next_charge_on": "2020-01-01"}, "Next charge is 2020-01-01: it must be today"),
        ({**FREE, "next_charge_on": "soon"}, "First charge is “soon”: write a day such as 2026-03-31."),
        ({**FREE, "card": "7"}, "Charge to is “7”: it is not on file for this contact."),
        ({**FREE, "quantity": "0"}, "Quantity is 0: it must be 0.001 or more."),
        ({**FREE, "tax": "77"}, "Tax is “77”: it is not one of the rates offered."),
        (
            {**FREE, "unit_price": "999999999999", "quantity": "99"},
            "the payment comes to more than can be kept",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field_with_the_rule(
    desk: Client, ada: Contact, typed: dict[str, str], sentence: str
) -> None:
    response = desk.post(f"/contacts/{ada.pk}/orders/new/", asked(**typed))
    assert response.status_code == 422
    assert sentence in unescape(response.content.decode())
    assert not Order.objects.exists()


def test_the_dialog_says_when_how_much_and_to_which_card(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada)
    first = date(2199, 1, 31)
    given = asked(**{**FREE, "unit": "month", "every": "1"}, card=str(card.pk), next_charge_on=str(first))
    page = desk.get(f"/contacts/{ada.pk}/orders/new/", given, headers=HTMX).content.decode()
    assert "$20.00 every month: 31 Jan 2199, 28 Feb 2199, 31 Mar 2199 …" in page
    assert "Visa •• 4242 is charged on 31 Jan 2199 and each time after." in page
    assert "Begin: $20.00 every month" in page


@pytest.mark.parametrize("typed", ["", "\x00", "9" * 40, "NaN", "<script>"])
def test_the_preview_survives_whatever_is_typed(desk: Client, ada: Contact, typed: str) -> None:
    given = dict.fromkeys([*asked(), *FREE, "payments", "next_charge_on", "trial_price"], typed)
    assert desk.get(f"/contacts/{ada.pk}/orders/new/", given, headers=HTMX).status_code == 200


def test_a_double_click_begins_one_order(desk: Client, ada: Contact) -> None:
    given = asked(**FREE, key=str(uuid4()))
    answers = [desk.post(f"/contacts/{ada.pk}/orders/new/", given).status_code for _ in range(2)]
    assert answers == [302, 302]
    assert Order.objects.count() == 1
