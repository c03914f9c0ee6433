from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing import books
from billing.gateways.sandbox.models import Charge
from billing.models import Invoice
from tests.factories import CardFactory, InvoiceFactory, PaymentFactory


def verify(**options: object) -> str:
    out = StringIO()
    call_command("verify_books", stdout=out, **options)
    return out.getvalue()


@pytest.mark.django_db
def test_books_that_add_up_are_said_to() -> None:
    InvoiceFactory.create(paid=Decimal(30))
    assert verify().startswith("The books add up: 1 invoices, 1 purchases, 1 payments, ")


@pytest.mark.django_db
def test_each_row_that_disagrees_is_named_and_the_command_fails() -> None:
    first, second = InvoiceFactory.create_batch(2)
    Invoice.objects.update(balance=7)
    out = StringIO()
    with pytest.raises(CommandError, match="2 disagreements in 2 invoices"):
        call_command("verify_books", stdout=out)
    assert out.getvalue().splitlines() == [
        f"invoice {invoice.pk} ({invoice.number}): balance is 7.000, should be 100.000"
        for invoice in (first, second)
    ]


@pytest.mark.django_db
def test_it_stops_after_the_most_that_one_wants_to_read() -> None:
    InvoiceFactory.create_batch(3)
    Invoice.objects.update(balance=7)
    with pytest.raises(CommandError, match="2 or more disagreements"):
        verify(most=2)


@pytest.mark.django_db
def test_the_gateways_own_books_may_be_left_out() -> None:
    invoice = InvoiceFactory.create()
    PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=invoice.contact))
    Charge.objects.all().delete()
    with pytest.raises(CommandError, match="1 disagreements"):
        verify()
    assert "add up" in verify(without_gateways=True)


@pytest.mark.django_db(transaction=True)
def test_what_changes_meanwhile_is_not_seen() -> None:
    """Somebody else's change between two queries would look like a contradiction."""
    InvoiceFactory.create()
    with books.one_moment():
        assert list(books.problems()) == []
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("UPDATE billing_invoice SET balance = 7")
        other.close()
        assert list(books.problems()) == []
    assert [problem.column for problem in books.problems()] == ["balance"]


@pytest.mark.django_db(transaction=True)
def test_the_next_transaction_after_reading_writes_as_ever() -> None:
    with books.one_moment():
        assert list(books.problems()) == []
    InvoiceFactory.create()
    assert list(books.problems()) == []
