"""The lists of invoices and payments over all contacts."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.models import Invoice
from billing.statuses import InvoiceStatus
from tests.factories import InvoiceFactory, PaymentFactory, UserFactory, refund_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager"))
    return client


def read(desk: Client, path: str) -> str:
    response = desk.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


@pytest.mark.parametrize("path", ["/invoices/", "/payments/"])
def test_whoever_is_not_signed_in_is_led_to_the_sign_in(client: Client, path: str) -> None:
    assert client.get(path).headers["Location"] == f"/login/?next={path}"


@pytest.mark.parametrize("path", ["/invoices/", "/payments/"])
def test_nobody_without_a_role_sees_them(client: Client, path: str) -> None:
    client.force_login(UserFactory.create())
    assert client.get(path).status_code == 403


def test_an_empty_list_says_what_it_is_for_and_one_without_matches_how_to_go_on(desk: Client) -> None:
    assert "An invoice asks a contact for payment" in read(desk, "/invoices/")
    assert "Money received and returned stands here" in read(desk, "/payments/")
    assert "Nothing matches all of these filters" in read(desk, "/invoices/?status=open")


def test_a_row_shows_number_contact_products_amounts_and_marks(desk: Client) -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)
    invoice.refund(None, amount=Decimal(40), route="recorded", reason="", send_receipt=False)
    Invoice.objects.filter(pk=invoice.pk).update(overpaid=5, awaiting_gateway=True)
    page = read(desk, "/invoices/")
    for words in (
        *(str(invoice.number), invoice.contact.name, "Lantern", "$100.00", "$0.00", "Closed"),
        *("Partly refunded", "Overpaid", "At the gateway"),
    ):
        assert words in page, words
    Invoice.objects.filter(pk=invoice.pk).update(overpaid=0, awaiting_gateway=False)


def test_an_open_invoice_past_its_day_is_overdue_and_a_closed_one_is_not(desk: Client) -> None:
    past = timezone.localdate() - timedelta(days=1)
    InvoiceFactory.create(invoice_date=past, due_on=past)
    InvoiceFactory.create(invoice_date=past, due_on=past, status=InvoiceStatus.CLOSED)
    assert read(desk, "/invoices/").count("badge-overdue") == 1


def test_a_draft_has_a_link_though_it_has_no_number(desk: Client) -> None:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    assert f'<a href="/invoices/{draft.pk}/">Draft</a>' in read(desk, "/invoices/")


def test_pages_hold_25_rows_and_never_overlap(desk: Client) -> None:
    made = {f'name="ids" value="{InvoiceFactory.create().pk}"' for _ in range(60)}
    pages = [read(desk, f"/invoices/?page={number}") for number in (1, 2, 3)]
    shown = [{mark for mark in made if mark in page} for page in pages]
    assert [len(marks) for marks in shown] == [25, 25, 10]
    assert set.union(*shown) == made


@pytest.mark.parametrize("page", ["-1", "0", "x", "9" * 30, "", "٢", "1.5"])
def test_a_page_that_does_not_exist_is_one_that_does(desk: Client, page: str) -> None:
    InvoiceFactory.create()
    assert "1–1" not in read(desk, f"/invoices/?page={page}")  # one page has no pager


@pytest.mark.parametrize("path", ["/invoices/", "/payments/"])
@pytest.mark.parametrize(
    "query",
    [
        "status=x&date_from=zzz&page=-1&amount_min=NaN&ids=abc&sort=;drop",
        "q=%00&contact=%27%20or%201=1&currency=<script>",
        "q=" + "%F0%9F%94%A6" * 150,
        "method=x&type=&gateway=%01",
    ],
)
def test_nonsense_in_the_address_is_answered_with_words(desk: Client, path: str, query: str) -> None:
    PaymentFactory.create()
    page = read(desk, f"{path}?{query}")
    assert "<script>" not in page


def test_what_is_typed_stays_in_the_fields(desk: Client) -> None:
    page = read(desk, "/invoices/?q=<b>&amount_min=abc")
    assert 'value="&lt;b&gt;"' in page
    assert 'value="abc"' in page


@pytest.mark.parametrize("path", ["/invoices/", "/payments/"])
def test_a_list_of_twenty_asks_the_database_no_more_often_than_a_list_of_one(
    desk: Client, django_assert_num_queries: DjangoAssertNumQueries, path: str
) -> None:
    PaymentFactory.create()
    desk.get(path)
    with django_assert_num_queries(8 if path == "/invoices/" else 7) as one:
        desk.get(path)
    for _ in range(19):
        refund_all(PaymentFactory.create().invoice)
    with django_assert_num_queries(len(one)):
        desk.get(path)


def test_headings_turn_the_order_round_and_keep_the_filters(desk: Client) -> None:
    InvoiceFactory.create()
    page = read(desk, "/invoices/?status=open&sort=-total&page=1")
    assert 'href="?status=open&amp;sort=total"' in page
    assert 'aria-sort="descending"' in page
    assert 'href="?status=open&amp;sort=number"' not in page
    assert 'href="?status=open&amp;sort=-number"' in page


def test_a_filter_that_is_chosen_in_place_puts_its_address_into_the_browser(desk: Client) -> None:
    InvoiceFactory.create()
    headers = {"HX-Request": "true", "HX-Trigger": "filters", "HX-Target": "tab"}
    response = desk.get("/invoices/?q=&contact=&status=open&date_from=&sort=-date", headers=headers)
    assert response.headers["HX-Replace-Url"] == "/invoices/?status=open"
    assert b'name="next" value="/invoices/?status=open"' in response.content


def test_a_list_of_one_contact_names_them(desk: Client) -> None:
    invoice = InvoiceFactory.create(invoice_date=date(2026, 3, 2))
    page = read(desk, f"/invoices/?contact={invoice.contact_id}")
    assert invoice.contact.name in page
    assert "Only those of" in page
    assert "Only those of" not in read(desk, "/invoices/?contact=999999")


def test_the_bulk_bar_offers_what_the_role_allows(client: Client) -> None:
    InvoiceFactory.create()
    client.force_login(UserFactory.create(role="Support"))
    page = read(client, "/invoices/")
    assert 'formaction="/invoices/request_payment/"' in page
    assert 'formaction="/invoices/void/"' not in page
    assert 'formaction="/invoices/export/"' not in page
    client.force_login(UserFactory.create(role="Viewer"))
    assert "data-check" not in read(client, "/invoices/").replace("data-check-all", "data-check")


def test_on_a_contacts_tab_all_that_match_are_the_contacts_own(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    tab = read(desk, f"/contacts/{invoice.contact_id}/purchases/")
    assert f'name="filter" value="contact={invoice.contact_id}"' in tab


def test_a_payment_shows_its_contact_invoice_method_and_menu(desk: Client) -> None:
    payment = PaymentFactory.create(reference="17", method="cheque")
    page = read(desk, "/payments/")
    for words in (payment.contact.name, str(payment.invoice), "Cheque 17", "$100.00", "Applied"):
        assert words in page, words
    assert f"/payments/{payment.pk}/refund/" in page
    assert f"/payments/export/?ids={payment.pk}" in page
