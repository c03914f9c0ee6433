from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.models import Event, Invoice, LineInput
from billing.statuses import InvoiceStatus, PaymentMethod, RefundRoute
from tests.factories import ContactFactory, InvoiceFactory, PaymentFactory, UserFactory
from tests.public.customer import Customer

pytestmark = pytest.mark.django_db
PAGE = "/i/TOKEN/"
FAR_OFF = date(2990, 1, 1)
MASKED = re.compile(r"[A-Za-z0-9]{64}")
"""A CSRF token: masked anew in every answer."""


@pytest.fixture
def customer() -> Customer:
    return Customer()


@pytest.mark.parametrize(
    ("status", "banner"),
    [
        ("open", "Overdue: $100.00 was to be paid by 16 Mar 2026"),
        ("collections", "$100.00 is still to be paid"),
        ("closed", "Paid in full"),
        ("declined", "Nothing was charged and nothing is owed."),
        ("refunded", "$100.00 was returned. Nothing is owed."),
        ("voided", "This invoice was cancelled"),
        ("written_off", "This invoice is closed"),
    ],
)
def test_every_status_but_draft_opens_with_a_banner_that_states_it(
    customer: Customer, status: str, banner: str
) -> None:
    text = customer.opens(PAGE, InvoiceFactory.create(status=status))
    assert (customer.status, banner in text) == (200, True)


def test_every_status_is_covered_above() -> None:
    assert len(InvoiceStatus) == 8


def test_an_invoice_that_is_not_due_yet_says_until_when(customer: Customer) -> None:
    assert "$100.00 is to be paid by 1 Jan 2990" in customer.opens(
        PAGE, InvoiceFactory.create(due_on=FAR_OFF)
    )


def test_a_part_payment_is_stated_with_what_is_left(customer: Customer) -> None:
    text = customer.opens(PAGE, InvoiceFactory.create(paid=Decimal(30), due_on=FAR_OFF))
    assert "Partly paid: $70.00 is to be paid by 1 Jan 2990" in text
    assert "$30.00 of $100.00 has been paid." in text


def test_a_part_refund_is_stated(customer: Customer) -> None:
    payment = PaymentFactory.create()
    payment.refund(
        None, amount=Decimal(15), route=RefundRoute.RECORDED, reason="A nuisance", send_receipt=False
    )
    text = customer.opens(PAGE, payment.invoice)
    assert "Paid, and partly refunded" in text
    assert "Returned: Cash" in text
    assert "A nuisance" not in text  # the desk's own reason


def test_a_cancelled_invoice_hides_no_money_that_was_paid(customer: Customer) -> None:
    text = customer.opens(PAGE, InvoiceFactory.create(status="voided", paid=Decimal(30)))
    assert "$30.00 was paid and has not been returned." in text


def test_a_free_invoice_says_that_there_is_nothing_to_pay(customer: Customer) -> None:
    text = customer.opens(PAGE, InvoiceFactory.create(amount=Decimal(0)))
    assert "There is nothing to pay" in text


def test_it_shows_lines_totals_payments_and_note_but_nothing_internal(customer: Customer) -> None:
    lines = [
        LineInput(
            "Lantern", Decimal("2.500"), Decimal(10), Decimal("1.50"), sku="L-1", tax_percent=Decimal(20)
        ),
        LineInput("Gift wrapping", Decimal(1), Decimal(3)),
    ]
    invoice = InvoiceFactory.create(lines=lines)
    Invoice.objects.filter(pk=invoice.pk).update(
        note="Thank you", internal_note="Watch him", external_ref="EXT-9"
    )
    invoice.pay(
        None, source=PaymentMethod.CHEQUE, amount=Decimal(1), reference="17", received_on=date(2026, 3, 3)
    )
    text = customer.opens(PAGE, invoice)
    shown = [
        "Lantern",
        "L-1",
        "2.5<",
        "$10.00",
        "$1.50",
        "20 %",
        "$28.20",
        "Gift wrapping",
        "$31.20",
        "$30.20",
    ]
    assert [word for word in [*shown, "Cheque 17", "3 Mar 2026", "Thank you"] if word not in text] == []
    assert [word for word in ("Watch him", "EXT-9") if word in text] == []


def test_discount_and_tax_have_no_column_where_there_are_none(customer: Customer) -> None:
    text = customer.opens(PAGE, InvoiceFactory.create())
    assert "Discount" not in text
    assert "Tax" not in text


def test_text_from_outside_stays_text(customer: Customer) -> None:
    contact = ContactFactory.create(name="<script>alert(1)</script> محمد 😀")
    lines = [LineInput("<b>bold</b>", Decimal(1), Decimal(1), sku='"><img>')]
    text = customer.opens(PAGE, InvoiceFactory.create(contact=contact, lines=lines))
    assert "&lt;script&gt;alert(1)&lt;/script&gt; محمد 😀" in text
    assert "<b>bold" not in text
    assert "<img" not in text


def test_two_thousand_lines_take_as_many_queries_as_one(
    customer: Customer, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    lines = [LineInput(f"Lantern no. {n}", Decimal(1), Decimal(1)) for n in range(2000)]
    invoices = [InvoiceFactory.create(), InvoiceFactory.create(lines=lines)]
    for invoice in invoices:
        customer.opens(PAGE, invoice)
    for invoice in invoices:
        with django_assert_num_queries(4):  # invoice, whether its opening was noted, lines, payments
            text = customer.opens(PAGE, invoice)
    assert "Lantern no. 1999" in text


def test_pay_is_offered_only_while_money_is_owed(customer: Customer) -> None:
    assert "Pay $100.00" in customer.opens(PAGE, InvoiceFactory.create())
    assert "/pay/" not in customer.opens(PAGE, InvoiceFactory.create(status="closed"))


@pytest.mark.parametrize("path", ["/i/TOKEN/", "/i/TOKEN/pdf/", "/pay/TOKEN/", "/pay/TOKEN/return/"])
def test_a_draft_is_answered_as_an_unknown_link(customer: Customer, path: str) -> None:
    draft = customer.opens(path, InvoiceFactory.create(status="draft"))
    assert customer.status == 404
    unknown = customer.opens(path, Invoice(token="no-such-token-anywhere"))
    assert customer.status == 404
    assert MASKED.sub("", draft) == MASKED.sub("", unknown)


@pytest.mark.parametrize("token", ["x" * 5000, "a%00b", "..%2f..", "%F0%9F%98%80", "'--", "é", "a b"])
@pytest.mark.parametrize("path", ["/i/TOKEN/", "/i/TOKEN/pdf/", "/pay/TOKEN/", "/pay/TOKEN/return/"])
def test_a_token_that_cannot_be_one_is_not_found(client: Client, path: str, token: str) -> None:
    assert client.get(path.replace("TOKEN", token)).status_code == 404


@pytest.mark.parametrize("path", ["/i/TOKEN/", "/i/TOKEN/pdf/", "/pay/TOKEN/", "/pay/TOKEN/return/"])
def test_customers_pages_are_stored_listed_and_framed_nowhere(client: Client, path: str) -> None:
    answer = client.get(path.replace("TOKEN", InvoiceFactory.create().token))
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/i/TOKEN/", "/i/TOKEN/pdf/", "/pay/TOKEN/return/"])
def test_pages_to_read_take_no_post(client: Client, path: str) -> None:
    path = path.replace("TOKEN", InvoiceFactory.create().token)
    assert (client.post(path).status_code, client.put(path).status_code) == (405, 405)


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/i/TOKEN/", "invoice_opened"),
        ("/i/TOKEN/pdf/", "invoice_opened"),
        ("/pay/TOKEN/", "pay_page_opened"),
    ],
)
def test_opening_is_noted_once_an_hour(customer: Customer, path: str, action: str) -> None:
    invoice = InvoiceFactory.create()
    opened = Event.objects.filter(invoice=invoice, action=action)
    customer.opens(path, invoice)
    customer.opens(path, invoice)
    noted = opened.get()
    assert (noted.actor, noted.contact_id) == (None, invoice.contact_id)
    opened.update(at=timezone.now() - timedelta(minutes=61))
    customer.opens(path, invoice)
    assert opened.count() == 2


def test_opening_the_invoice_and_the_pay_page_are_two_notes(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    customer.opens("/i/TOKEN/", invoice)
    customer.opens("/pay/TOKEN/", invoice)
    noted = invoice.events.filter(action__endswith="_opened").values_list("action", flat=True)
    assert sorted(noted) == ["invoice_opened", "pay_page_opened"]


@pytest.mark.parametrize("path", ["/i/TOKEN/", "/i/TOKEN/pdf/", "/pay/TOKEN/"])
def test_staff_and_link_checkers_are_no_news(client: Client, path: str) -> None:
    invoice = InvoiceFactory.create()
    client.head(path.replace("TOKEN", invoice.token))
    client.force_login(UserFactory.create())
    client.get(path.replace("TOKEN", invoice.token))
    assert not invoice.events.filter(action__endswith="_opened").exists()
