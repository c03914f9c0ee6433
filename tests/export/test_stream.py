"""An export is read as it is sent, whatever its size, and it is noted who took it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing import export
from billing.export import INVOICES, LINES, PAYMENTS, stream
from billing.models import Event, Invoice, Payment
from billing.statuses import InvoiceStatus
from tests.bulk.test_dialog import open_invoices
from tests.factories import ContactFactory, InvoiceFactory, PaymentFactory, UserFactory, refund_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return UserFactory.create(role="Billing manager")


def pieces(user: User, table: export.Table = INVOICES) -> Iterator[bytes]:
    return stream(table, Invoice.objects.order_by("id"), table.named(table.shown), user=user)


def test_the_first_piece_goes_out_before_the_database_is_asked(
    user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    InvoiceFactory.create()
    sent = pieces(user)
    with django_assert_num_queries(0):
        assert next(sent).startswith(b"\xef\xbb\xbfnumber,")


def test_rows_are_read_as_they_are_sent(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS_AT_A_TIME", 2)
    for _ in range(7):
        InvoiceFactory.create()
    sent = pieces(user)
    assert [next(sent).count(b"\r\n") for _ in range(3)] == [1, 2, 2]
    sent.close()  # type: ignore[attr-defined]
    event = Event.objects.get(action="export")
    assert event.text == "Export broken off after 4 rows of invoices. Sales among them come to $400.00."
    assert (event.figures["rows"], event.figures["complete"]) == (4, 0)


def test_one_query_whatever_the_size(user: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(3):
        InvoiceFactory.create()
    for table in (INVOICES, LINES):
        with django_assert_num_queries(2):  # the rows, and the note
            list(pieces(user, table))


def test_memory_does_not_grow_with_the_rows(user: User) -> None:
    def peak() -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _piece in pieces(user))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    contact = ContactFactory.create()
    open_invoices(1000, contact)
    peak()
    few = peak()
    Invoice.objects.update(number=None, status=InvoiceStatus.DRAFT)
    open_invoices(4000, contact)
    assert peak() < few * 1.5


def test_five_thousand_lines_arrive(user: User) -> None:
    open_invoices(5000, ContactFactory.create())
    assert b"".join(pieces(user, LINES)).count(b"\r\n") == 5001


def test_it_is_noted_who_exported_how_much_in_each_currency(user: User) -> None:
    InvoiceFactory.create(amount=Decimal(20))
    InvoiceFactory.create(amount=Decimal(30), status=InvoiceStatus.VOIDED)
    InvoiceFactory.create(amount=Decimal(500), currency="JPY")
    list(pieces(user))
    event = Event.objects.get(action="export")
    assert event.text == "Exported: 3 rows of invoices. Sales among them come to ¥500 and $20.00."
    assert event.figures == {"rows": 3, "complete": 1, "JPY": "500", "USD": "20.00"}
    assert (event.actor, event.actor_name, event.contact, event.invoice) == (user, "Grace Hopper", None, None)


def test_the_note_of_one_contacts_rows_stands_in_their_timeline(user: User) -> None:
    contact = ContactFactory.create()
    invoices = [InvoiceFactory.create(contact=contact) for _ in range(2)]
    list(pieces(user))
    event = Event.objects.get(action="export", invoice=None)
    assert event.contact == contact
    rows = Invoice.objects.filter(pk=invoices[0].pk).order_by("id")
    list(stream(LINES, rows, LINES.named(LINES.shown), user=user))
    assert Event.objects.get(action="export", invoice=invoices[0]).contact == contact


def test_declined_payments_do_not_count_into_the_note_and_refunds_do(user: User) -> None:
    paid = PaymentFactory.create()
    refund_all(paid.invoice)
    PaymentFactory.create()
    rows = Payment.objects.order_by("id")
    list(stream(PAYMENTS, rows, PAYMENTS.named(PAYMENTS.shown), user=user))
    event = Event.objects.get(action="export")
    assert event.text == "Exported: 3 rows of payments. Applied ones among them come to $100.00."


def test_a_reader_who_goes_away_is_noted(client: Client, user: User) -> None:
    client.force_login(user)
    InvoiceFactory.create()
    response: Any = client.post(
        "/invoices/export/", {"all": "1", "per": "invoices", "columns": "all", "filter": ""}
    )
    assert response.streaming
    assert not Event.objects.filter(action="export").exists()
    sent = response._iterator  # what closes the response the way a server does, but for the connection
    next(sent)
    sent.close()
    assert "broken off after 0 rows" in Event.objects.get(action="export").text
