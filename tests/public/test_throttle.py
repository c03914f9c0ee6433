from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.http import HttpRequest

from billing.models import Attempt, Invoice
from billing.models.visiting import refused_until
from billing.views.client import client_of
from tests.factories import CardFactory, ContactFactory, InvoiceFactory
from tests.public.customer import CAFE, DECLINES, HOME, Customer

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
REFUSAL = "Five payments were declined here within an hour."


def minutes(*after: int) -> list[datetime]:
    return [NOON + timedelta(minutes=n) for n in after]


def declined(customer: Customer, invoice: Invoice, times: int) -> None:
    for _ in range(times):
        assert "The card was declined" in customer.pays(invoice, DECLINES)


def later(**time: int) -> None:
    """Let the time pass by moving what happened into the past."""
    for attempt in Attempt.objects.exclude(settled_at=None):
        assert attempt.settled_at is not None
        Attempt.objects.filter(pk=attempt.pk).update(settled_at=attempt.settled_at - timedelta(**time))


@pytest.mark.parametrize(
    ("declines", "end"),
    [
        ((), None),
        ((0, 1, 2, 3), None),
        ((0, 1, 2, 3, 4), 64),
        ((0, 1, 2, 3, 60), 120),
        ((0, 1, 2, 3, 61), None),
        ((0, 1, 2, 3, 4, 63), 64),
        ((0, 1, 2, 3, 4, 5), 65),
    ],
)
def test_the_fifth_decline_within_an_hour_closes_for_an_hour(
    declines: tuple[int, ...], end: int | None
) -> None:
    assert refused_until(minutes(*declines)) == (minutes(end)[0] if end else None)


@pytest.mark.django_db
def test_after_five_declines_a_link_refuses_everybody_for_an_hour() -> None:
    invoice = InvoiceFactory.create()
    declined(Customer(HOME), invoice, 4)
    declined(Customer(CAFE), invoice, 1)
    other = Customer("93.184.216.34")
    text = other.opens("/pay/TOKEN/", invoice)
    assert (other.status, REFUSAL in text, "<form" in text) == (429, True, False)
    text = other.presses_pay(invoice)
    assert (other.status, REFUSAL in text) == (429, True)
    assert 3500 < int(other.answer["Retry-After"]) <= 3600
    assert invoice.attempts.count() == 5
    later(minutes=61)
    assert "your payment has arrived" in other.pays(invoice)


@pytest.mark.django_db
def test_after_five_declines_an_address_is_refused_on_every_link() -> None:
    tester = Customer(HOME)
    for _ in range(5):
        declined(tester, InvoiceFactory.create(), 1)
    invoice = InvoiceFactory.create()
    assert REFUSAL in tester.presses_pay(invoice)
    assert tester.status == 429
    assert "your payment has arrived" in Customer(CAFE).pays(invoice)


@pytest.mark.django_db
def test_a_decline_that_nobody_came_back_from_counts_too() -> None:
    invoice, tester = InvoiceFactory.create(), Customer()
    for _ in range(5):
        tester.types_card(tester.presses_pay(invoice), DECLINES)
    assert REFUSAL in tester.presses_pay(invoice)


@pytest.mark.django_db
def test_customers_behind_one_proxy_are_not_taken_for_one() -> None:
    for _ in range(5):
        declined(Customer("127.0.0.1"), InvoiceFactory.create(), 1)
    assert "your payment has arrived" in Customer("127.0.0.1").pays(InvoiceFactory.create())


@pytest.mark.django_db
def test_what_staff_had_declined_closes_no_customers_page() -> None:
    payer = ContactFactory.create()
    invoice, card = InvoiceFactory.create(contact=payer), CardFactory.create(contact=payer, number=DECLINES)
    for _ in range(6):
        invoice.pay(None, source=card, amount=invoice.balance)
    assert "your payment has arrived" in Customer().pays(invoice)


def seen_from(address: str) -> str:
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": address, "HTTP_X_FORWARDED_FOR": "1.1.1.1"}
    return client_of(request)


def test_an_address_is_kept_only_as_a_keyed_hash() -> None:
    assert len(seen_from(HOME)) == 64
    assert HOME not in seen_from(HOME)
    assert seen_from(HOME) != seen_from(CAFE)
    assert seen_from(f"::ffff:{HOME}") == seen_from(HOME)


def test_one_line_with_ipv6_is_one_customer() -> None:
    assert seen_from("2a00:1450:4001:81b::1") == seen_from("2a00:1450:4001:81b:ffff::2")
    assert seen_from("2a00:1450:4001:81b::1") != seen_from("2a00:1450:4001:81c::1")


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1", "10.0.0.7", "172.17.0.1", "::1", "fd00::1", "unix:", "1.2.3"]
)
def test_an_address_that_is_no_customers_own_stands_for_nobody(address: str) -> None:
    assert seen_from(address) == ""
