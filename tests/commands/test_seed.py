"""Data at scale is true data: its books add up, and its money can be moved further."""

from collections import Counter
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from pytest_django import Settings

from billing import books
from billing.models import Card, Invoice, InvoiceLine, Payment, Product, TaxRate
from billing.statuses import InvoiceStatus, PaymentStatus, PaymentType, RefundRoute
from contacts.models import Contact

pytestmark = pytest.mark.django_db

UNTIL = date(2026, 3, 2)


def seed(**given: object) -> str:
    out = StringIO()
    call_command(
        "seed", **{"contacts": 40, "invoices": 400, "heavy": 60, "until": UNTIL, **given}, stdout=out
    )
    return out.getvalue()


def content() -> list[object]:
    """What the data says, without the secrets of links, cards and charges."""
    return [
        list(Contact.objects.order_by("id").values_list("name", "email", "country", "external_ref")),
        list(
            Invoice.objects.order_by("id").values_list(
                "number", "status", "currency", "invoice_date", "total", "paid", "summary", "contact__name"
            )
        ),
        list(
            InvoiceLine.objects.order_by("id").values_list("description", "quantity", "unit_price", "total")
        ),
        list(Payment.objects.order_by("id").values_list("type", "status", "method", "amount", "made_at")),
        list(Card.objects.order_by("id").values_list("last4", "exp_month", "exp_year", "last_used_at")),
    ]


def test_every_status_occurs_and_the_books_add_up() -> None:
    assert seed().startswith("40 contacts and 460 invoices made")
    assert list(books.problems()) == []
    assert list(books.gateway_problems()) == []
    assert set(Invoice.objects.values_list("status", flat=True)) == set(InvoiceStatus)
    assert {len(currency) for currency in Invoice.objects.values_list("currency", flat=True)} == {3}
    assert set(Invoice.objects.values_list("line_count", flat=True)) == {1, 2, 3, 4, 5, 6}


def test_the_first_contact_has_the_heavy_ones() -> None:
    seed()
    counts = Counter(Invoice.objects.values_list("contact", flat=True))
    [(contact, count)] = counts.most_common(1)
    assert contact == Contact.objects.order_by("id")[0].pk
    assert count >= 60


def test_dates_lie_within_three_years_and_numbers_follow_them() -> None:
    seed()
    dates = list(
        Invoice.objects.exclude(number=None).order_by("number").values_list("invoice_date", flat=True)
    )
    assert dates == sorted(dates)
    assert date(2023, 3, 3) <= dates[0] < dates[-1] <= UNTIL
    assert not Payment.objects.filter(received_on__gt=date(2026, 3, 4)).exists()


def test_the_same_arguments_give_the_same_data() -> None:
    with transaction.atomic():
        seed()
        first = content()
        transaction.set_rollback(True)
    assert not Invoice.objects.exists()
    seed()
    assert content() == first


def test_a_second_run_adds_nothing_and_says_so() -> None:
    seed()
    before = Invoice.objects.count()
    assert "nothing was added" in seed()
    assert Invoice.objects.count() == before


def test_another_size_needs_another_database() -> None:
    seed()
    with pytest.raises(CommandError, match="seeded with 40 contacts and 460 invoices"):
        seed(invoices=500)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"contacts": 0}, "--contacts is 0"),
        ({"invoices": -1}, "--invoices is -1"),
        ({"heavy": -5}, "--heavy is -5"),
    ],
)
def test_impossible_sizes_are_refused(given: dict[str, int], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        seed(**given)
    assert not Contact.objects.exists()


def test_it_is_refused_where_the_sandbox_is_switched_off(settings: Settings) -> None:
    settings.SANDBOX_GATEWAY = False
    with pytest.raises(CommandError, match="set SANDBOX_GATEWAY=1"):
        seed()


def test_a_seeded_card_payment_goes_back_through_its_gateway() -> None:
    seed()
    payment = Payment.objects.filter(
        type=PaymentType.PAYMENT,
        status=PaymentStatus.APPLIED,
        gateway="sandbox",
        refunded_amount=0,
        currency="USD",
    ).latest("id")
    payment.refund(None, amount=Decimal(1), route=RefundRoute.GATEWAY, reason="", send_receipt=False)
    assert Payment.objects.get(refund_of=payment).gateway == "sandbox"
    assert list(books.problems()) == []
    assert list(books.gateway_problems()) == []


def test_a_seeded_card_can_be_charged() -> None:
    seed()
    invoice = Invoice.objects.filter(status=InvoiceStatus.OPEN, contact__cards__isnull=False).latest("id")
    invoice.pay(None, source=invoice.contact.cards.get(), amount=invoice.balance)
    assert invoice.status == InvoiceStatus.CLOSED
    assert list(books.gateway_problems()) == []


def test_the_price_list_is_made_once() -> None:
    seed()
    counts = Product.objects.count(), TaxRate.objects.count()
    assert counts == (16, 4)
