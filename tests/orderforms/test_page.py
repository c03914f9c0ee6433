"""What an order form asks, says, refuses and never gives away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Invoice, OrderForm, Submission
from billing.models.selling.submission import FORGOTTEN_AFTER, MOST_ORDERS
from billing.tasks import look_after_forms
from contacts.models import Contact
from tests.factories import ContactFactory, OrderFormFactory, ProductFactory
from tests.orderforms.visitor import ADA, CAFE, DECLINES, THANKS, Visitor
from tests.public.test_throttle import later

pytestmark = pytest.mark.django_db
TOO_MANY = "Five payments were declined here within an hour."


@pytest.fixture
def form() -> OrderForm:
    return OrderFormFactory.create(most=5)


@pytest.fixture
def visitor(form: OrderForm) -> Visitor:
    return Visitor(form)


def quantity(form: OrderForm, typed: str) -> dict[str, str]:
    return {f"quantity-{form.items.get().pk}": typed}


def test_the_page_is_stored_and_listed_nowhere(visitor: Visitor) -> None:
    visitor.opens()
    assert "no-store" in visitor.answer["Cache-Control"]
    assert visitor.answer["X-Robots-Tag"] == "noindex, nofollow"
    assert visitor.answer["Referrer-Policy"] == "same-origin"
    assert "default-src 'self'" in visitor.answer["Content-Security-Policy"]


def test_sending_it_needs_the_pages_own_token(form: OrderForm) -> None:
    assert Client(enforce_csrf_checks=True).post(f"/order/{form.slug}/").status_code == 403


def test_a_form_that_nobody_made_is_not_found(client: Client) -> None:
    assert client.get("/order/nowhere/").status_code == 404


@pytest.mark.parametrize("change", [{"is_active": False}, {"currency": "EUR"}])
def test_a_form_that_cannot_sell_says_so_and_takes_nothing(
    visitor: Visitor, form: OrderForm, change: dict[str, Any]
) -> None:
    visitor.opens()
    OrderForm.objects.filter(pk=form.pk).update(**change)
    visitor.sends(**ADA)
    assert (visitor.status, "Nothing can be ordered here" in visitor.text) == (404, True)
    assert not Invoice.objects.exists()


def test_whoever_has_paid_is_thanked_though_the_form_was_closed_meanwhile(
    visitor: Visitor, form: OrderForm
) -> None:
    visitor.fills_in()
    OrderForm.objects.update(is_active=False)
    assert THANKS in visitor.pays()


def test_whose_card_was_refused_is_told_so_though_the_form_was_closed_meanwhile(visitor: Visitor) -> None:
    visitor.fills_in()
    OrderForm.objects.update(is_active=False)
    text = visitor.pays(DECLINES)
    assert "The bank declined this card and gave no reason." in text
    assert "Nothing was charged." in text
    assert "Nothing can be ordered here just now." in text


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"name": ""}, "Name is missing."),
        ({"email": ""}, "E-mail is missing."),
        ({"email": "ada"}, "E-mail “ada” is not an address such as name@example.com."),
        ({"phone": "1\x002"}, "null character"),
        ({"company": "a\x1bb"}, "cannot be shown; take it out."),
        ({"company": "x" * 201}, "Company has 201 characters; at most 200 fit."),
        ({"quantity": "0"}, "it must be 1 or more."),
        ({"quantity": "6"}, "it must be 5 or less."),
        ({"quantity": "1.5"}, "it may have at most 0 decimals."),
        ({"quantity": "many"}, "is “many”: write a plain number"),
        ({"website": "https://spam.example"}, "This field is for machines: leave it empty."),
    ],
)
def test_what_cannot_be_right_is_refused_at_its_field_and_nothing_is_lost(
    visitor: Visitor, form: OrderForm, typed: dict[str, str], sentence: str
) -> None:
    if "quantity" in typed:
        typed = quantity(form, typed["quantity"])
    visitor.opens()
    visitor.sends(**{**ADA, "phone": "555 0100", **typed})
    assert (visitor.status, sentence in visitor.text) == (422, True)
    for name, value in {**ADA, "phone": "555 0100", **typed}.items():
        if name != "phone":
            assert visitor.fields[name] == value
    assert not Contact.objects.exists()


@pytest.mark.parametrize("key", ["", "7", "a\x00b", "9" * 5000])
def test_a_broken_one_time_key_is_replaced_and_the_next_press_orders(visitor: Visitor, key: str) -> None:
    visitor.opens()
    visitor.sends(**ADA, phone="555 0100", visit=key)
    assert (visitor.status, "Please press the button again." in visitor.text) == (422, True)
    assert not Invoice.objects.exists()
    visitor.sends()
    assert THANKS in visitor.pays()
    assert Contact.objects.get().phone == "555 0100"


@pytest.mark.parametrize("seen", ["", "USD 1.00", "a\x00b", "9" * 5000])
def test_a_total_that_was_made_up_is_not_what_was_seen(visitor: Visitor, seen: str) -> None:
    visitor.opens()
    visitor.sends(**ADA, seen=seen)
    assert (visitor.status, "The total is $25.00." in visitor.text) == (409, True)
    visitor.sends()
    assert THANKS in visitor.pays()


def test_terms_that_were_changed_meanwhile_are_shown_before_they_count(
    visitor: Visitor, form: OrderForm
) -> None:
    OrderForm.objects.update(terms="Returns within a month.")
    visitor.opens()
    OrderForm.objects.update(terms="No returns.")
    visitor.sends(**ADA, agreed="on")
    assert (visitor.status, "Please look at your order and the terms" in visitor.text) == (409, True)
    assert "No returns." in visitor.text
    assert not Invoice.objects.exists()
    visitor.sends(agreed="on")
    assert THANKS in visitor.pays()


def test_the_terms_must_be_agreed_to(visitor: Visitor, form: OrderForm) -> None:
    OrderForm.objects.update(terms="No returns.")
    visitor.fills_in()
    assert (visitor.status, "Your agreement is missing" in visitor.text) == (422, True)
    visitor.sends(**ADA, agreed="on")
    assert THANKS in visitor.pays()


def test_an_address_is_asked_for_where_the_form_wants_one(visitor: Visitor) -> None:
    assert "street" not in visitor.opens()
    OrderForm.objects.update(asks_address=True)
    visitor.fills_in()
    assert (visitor.status, "Country is missing." in visitor.text) == (422, True)
    visitor.sends(**ADA, street="12 Lantern Street", city="London", country="GB")
    visitor.pays()
    contact = Contact.objects.get()
    assert (contact.street, contact.city, contact.country.code) == ("12 Lantern Street", "London", "GB")


def test_something_must_be_ordered(visitor: Visitor, form: OrderForm) -> None:
    form.items.update(least=0)
    visitor.opens()
    visitor.sends(**ADA, **quantity(form, "0"))
    assert (visitor.status, "choose at least one thing" in visitor.text) == (422, True)


def test_the_total_is_shown_before_anything_is_ordered(visitor: Visitor, form: OrderForm) -> None:
    visitor.opens()
    visitor.sends("totals", **quantity(form, "3"))
    assert (visitor.status, "Order and pay $75.00" in visitor.text) == (200, True)
    assert "is missing" not in visitor.text  # nobody is scolded while still typing
    assert not Contact.objects.exists()


def test_a_total_that_nobody_has_seen_is_shown_first(visitor: Visitor, form: OrderForm) -> None:
    visitor.opens()
    visitor.sends(**ADA, **quantity(form, "3"))
    assert (visitor.status, "The total is $75.00." in visitor.text) == (409, True)
    assert not Contact.objects.exists()
    visitor.sends()
    assert THANKS in visitor.pays()
    assert Invoice.objects.get().total == 75


def test_a_form_sells_at_the_price_in_its_own_currency(visitor: Visitor, form: OrderForm) -> None:
    product = ProductFactory.create(
        sold_as="subscription", price=30, trial_days=7, trial_price=3, setup_fee=5
    )
    product.prices.create(currency="JPY", price=4500, trial_price=300, setup_fee=700)
    form.items.update(product=product)
    OrderForm.objects.update(currency="JPY")
    text = visitor.opens()
    assert "¥4,500 every month; trial of 7 days at ¥300; set-up fee ¥700" in text
    assert "Order and pay ¥1,000" in text
    visitor.orders()
    invoice = Invoice.objects.get()
    order = invoice.started_orders.get()
    assert (str(invoice.total), str(order.amount), order.currency) == ("1000.000", "4500.000", "JPY")


# -- whose e-mail it is


def known() -> Contact:
    return ContactFactory.create(name="Augusta King", email="ADA@example.com", city="London", phone="")


@pytest.mark.parametrize("card", ["4242424242424242", DECLINES])
def test_a_known_contact_gains_what_was_missing_and_keeps_what_is_on_file(
    visitor: Visitor, card: str
) -> None:
    contact = known()
    visitor.orders(card, phone="555 0100")
    contact.refresh_from_db()
    assert (contact.name, contact.email, contact.phone) == ("Augusta King", "ADA@example.com", "555 0100")
    assert Invoice.objects.get().contact == contact
    told = contact.events.get(action="order_details_differ").text
    assert "Name “Ada Lovelace”, on file “Augusta King”" in told
    assert "E-mail" not in told


def test_who_never_pays_changes_nothing_about_a_contact(visitor: Visitor) -> None:
    contact = known()
    visitor.fills_in(phone="555 0100")
    contact.refresh_from_db()
    assert contact.phone == ""


def test_an_address_that_was_taken_from_its_contact_meanwhile_is_not_put_back(visitor: Visitor) -> None:
    contact = known()
    visitor.fills_in()
    Contact.objects.filter(pk=contact.pk).update(email="")
    ContactFactory.create(email=ADA["email"])
    assert THANKS in visitor.pays()
    contact.refresh_from_db()
    assert (contact.email, Invoice.objects.get().contact) == ("", contact)


def test_nothing_tells_a_visitor_whether_the_contact_was_known(visitor: Visitor, form: OrderForm) -> None:
    pages = []
    for card in (DECLINES, "4242424242424242"):
        for is_known in (False, True):
            if is_known:
                known()
            seen = Visitor(form)
            text = seen.fills_in() and seen.pays(card)
            assert "Augusta" not in text
            assert "London" not in text
            pages.append((seen.status, len(seen.fields), THANKS in text))
            wipe()
    assert pages[0] == pages[1]
    assert pages[2] == pages[3]


def wipe() -> None:
    """Forget everybody, for the next one to be somebody new."""
    Contact.objects.update(email="")


def test_a_contact_that_is_filled_in_meanwhile_keeps_the_other_value(visitor: Visitor) -> None:
    contact = known()
    visitor.fills_in(phone="555 0100")
    invoice = Invoice.objects.select_related("contact").get()
    assert invoice.contact.phone == ""
    Contact.objects.filter(pk=contact.pk).update(phone="555 0199")  # after it was read, before it is settled
    visitor.pays()
    contact.refresh_from_db()
    assert contact.phone == "555 0199"


# -- how often


def test_after_five_refusals_an_address_is_refused_for_an_hour(visitor: Visitor, form: OrderForm) -> None:
    for n in range(5):
        visitor.orders(DECLINES, email=f"tester{n}@example.com")
    visitor.sends()
    assert (visitor.status, TOO_MANY in visitor.text) == (429, True)
    assert visitor.fields["email"] == "tester4@example.com"
    assert 3500 < int(visitor.answer["Retry-After"]) <= 3600
    visitor.opens()
    assert (visitor.status, TOO_MANY in visitor.text, "<form" in visitor.text) == (429, True, False)
    assert THANKS in Visitor(form, CAFE).orders()
    later(minutes=61)
    assert THANKS in visitor.orders()


def test_after_five_refusals_an_e_mail_address_is_refused_from_everywhere(form: OrderForm) -> None:
    for n in range(5):
        Visitor(form, f"81.2.69.{n + 1}").orders(DECLINES)
    other = Visitor(form, CAFE)
    other.fills_in(email="ADA@example.com")
    assert (other.status, TOO_MANY in other.text) == (429, True)
    assert THANKS in other.orders(email="somebody@example.com")


def test_visitors_without_an_address_of_their_own_count_together(form: OrderForm) -> None:
    for n in range(5):
        Visitor(form, "127.0.0.1").orders(DECLINES, email=f"tester{n}@example.com")
    other = Visitor(form, "127.0.0.1")
    other.opens()
    assert other.status == 429
    assert THANKS in Visitor(form, CAFE).orders()


def test_a_machine_that_fills_the_desk_with_orders_is_stopped(visitor: Visitor, form: OrderForm) -> None:
    visitor.fills_in()
    sent = Submission.objects.get()
    copies = [
        Submission(
            form=form,
            visit=f"00000000-0000-0000-0000-{n:012}",
            invoice=Invoice.objects.create(
                contact=sent.invoice.contact, order_form=form, currency="USD", **days()
            ),
            opened_from=sent.opened_from,
            sent_at=timezone.now() - timedelta(minutes=n),
        )
        for n in range(MOST_ORDERS - 1)
    ]
    Submission.objects.bulk_create(copies)
    visitor.client.cookies.clear()
    visitor.opens()
    assert (visitor.status, "So many orders came from here" in visitor.text) == (429, True)
    assert THANKS in Visitor(form, CAFE).orders(email="somebody@example.com")


def days() -> dict[str, Any]:
    today = timezone.localdate()
    return {"invoice_date": today, "due_on": today}


def test_what_was_typed_is_forgotten_a_month_after_its_end(visitor: Visitor) -> None:
    visitor.orders()
    look_after_forms(timezone.now() + FORGOTTEN_AFTER - timedelta(hours=1))
    assert Submission.objects.get().typed["email"] == ADA["email"]
    look_after_forms(timezone.now() + FORGOTTEN_AFTER + timedelta(hours=1))
    assert Submission.objects.get().typed == {}


@pytest.mark.parametrize("products", [1, 9])
def test_a_form_of_many_products_asks_the_database_no_more_often(
    products: int, django_assert_num_queries: Any
) -> None:
    visitor = Visitor(OrderFormFactory.create(products=ProductFactory.create_batch(products)))
    visitor.opens()
    with django_assert_num_queries(5):
        visitor.opens()
