"""One box that finds whatever somebody has in hand."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Invoice, Payment
from billing.searching import LONGEST, amount_of, tidy
from contacts.models import Contact
from tests.attempts.desk import owing, pay
from tests.factories import ContactFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db
MOST_QUERIES = 12


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Viewer"))
    return client


@pytest.fixture
def paid() -> Payment:
    """Ada's invoice over 100 dollars, paid by the card ending in 4242, among others."""
    InvoiceFactory.create(contact=ContactFactory.create(name="Grace Hopper"), amount=Decimal(7))
    ada = ContactFactory.create(
        name="Ada Lovelace", email="ada@example.org", phone="+44 20 7946 0001", company="Engines Ltd"
    )
    attempt = pay(*owing(contact=ada))
    Invoice.objects.filter(pk=attempt.invoice_id).update(external_ref="PO/4711-b")
    payment: Payment = attempt.payments.select_related("invoice__contact").get()
    return payment


def find(desk: Client, text: str, **headers: str) -> str:
    response = desk.get("/search/", {"q": text}, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def found(desk: Client, text: str) -> list[str]:
    """The sections of the page, in their order."""
    return re.findall(r'<section class="card" id="(\w+)"', find(desk, text))


@pytest.mark.parametrize("text", ["love", "ADA@example", "2079460001", "engines"])
def test_a_contact_by_name_e_mail_phone_or_company(desk: Client, paid: Payment, text: str) -> None:
    page = find(desk, text)
    assert "Ada Lovelace" in page
    assert "Grace Hopper" not in page
    assert found(desk, text) == ["contacts"]


def test_an_invoice_by_its_number_however_much_of_it_is_typed(desk: Client, paid: Payment) -> None:
    number = str(paid.invoice.number)
    for text in (number, number.lower(), number[:-1], str(paid.invoice.sequence)):
        assert f'href="/invoices/{paid.invoice_id}/">{number}' in find(desk, text), text


def test_an_invoice_by_its_external_reference(desk: Client, paid: Payment) -> None:
    assert found(desk, "PO/4711-b") == ["invoices"]
    assert found(desk, "PO/4711") == []


def test_a_payment_by_the_gateways_reference(desk: Client, paid: Payment) -> None:
    assert found(desk, paid.gateway_ref) == ["payments"]


def test_payments_and_cards_by_the_last_four_digits(desk: Client, paid: Payment) -> None:
    assert found(desk, "4242") == ["payments", "cards"]
    assert found(desk, "424") == []


@pytest.mark.parametrize("text", ["100", "100.00", "$100", "-100", "100 USD", "usd 100.000"])
def test_invoices_and_payments_by_their_amount(desk: Client, paid: Payment, text: str) -> None:
    assert found(desk, text) == ["invoices", "payments"]


def test_a_refund_by_its_amount_without_the_sign(desk: Client, paid: Payment) -> None:
    paid.refund(None, amount=Decimal(33), route="gateway", reason="", send_receipt=False)
    assert "Refund" in find(desk, "33")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,234.50", Decimal("1234.50")),
        ("€ 1234.5", Decimal("1234.5")),
        ("12,34", None),
        ("1.2345", None),
        ("0", None),
        ("9" * 13, None),
        ("INV-000017", None),
        ("1e5", None),
        ("٣٣", None),
        ("", None),
    ],
)
def test_what_is_an_amount(text: str, amount: Decimal | None) -> None:
    assert amount_of(text) == amount


@pytest.mark.parametrize("text", ["", "   ", "\0", "%", "_", "'", "9" * 500, "<b>", "\u202e", "5" * 22])
def test_whatever_is_typed_has_an_answer(desk: Client, paid: Payment, text: str) -> None:
    assert find(desk, text)
    assert "<b>" not in find(desk, text)
    assert len(tidy(text)) <= LONGEST


def test_while_one_types_a_few_of_each_are_shown(desk: Client, paid: Payment) -> None:
    for number in range(8):
        ContactFactory.create(name=f"Ada the {number}.")
    shown = find(desk, "ada", **{"HX-Request": "true", "HX-Target": "found"})
    assert shown.count("<a href=") == 5
    assert "<html" not in shown
    assert "Nothing found" in find(desk, "zzzz", **{"HX-Request": "true", "HX-Target": "found"})


def test_nothing_found_says_so_and_keeps_what_was_typed(desk: Client, paid: Payment) -> None:
    page = find(desk, "zzzz")
    assert "Nothing is found by" in page
    assert 'value="zzzz"' in page


def test_the_bar_searches_everything_and_below_plus_the_contacts(desk: Client, settings: Any) -> None:
    assert 'action="/search/" role="search"' in desk.get("/contacts/").content.decode()
    settings.EDITION = "basic"
    assert 'search combo" action="/contacts/"' in desk.get("/contacts/").content.decode()


def test_it_takes_as_many_queries_however_much_is_found(desk: Client, paid: Payment) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            find(desk, "4242")
        return len(asked)

    queries()
    first = queries()
    for _ in range(5):
        pay(*owing(contact=Contact.objects.get(name="Ada Lovelace"), amount=Decimal(4242)))
    assert queries() == first <= MOST_QUERIES
