"""What the desk opens with: what needs a person, each with its list, and the money of one currency."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from billing.management.seeding.teller import DECLINES
from billing.models import Card, Invoice, Job, Mail, Order, Payment
from billing.models.base import DRAFT_IS_OLD_AFTER
from billing.roles import ROLES
from billing.statuses import InvoiceStatus, MailState, OrderStatus
from tests.attempts.desk import CHARGED_LOST, owing, pay
from tests.factories import (
    ContactFactory,
    InvoiceFactory,
    OrderFactory,
    PaymentFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
MOST_QUERIES = 32


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Viewer"))
    return client


def read(desk: Client, path: str = "/") -> str:
    response = desk.get(path)
    assert response.status_code == 200
    return response.content.decode()


def block(page: str, name: str) -> str:
    return page.split(f'<section class="card" id="{name}"')[1].split("</section>", maxsplit=1)[0]


def count(page: str, name: str) -> int:
    found = re.search(r'class="count">(\d+)<', block(page, name))
    assert found, name
    return int(found[1])


def address(page: str, name: str) -> str:
    found = re.search(r'href="([^"]+)">Show all', block(page, name))
    assert found, name
    return unescape(found[1])


# -- one of each kind


def unknown() -> str:
    return str(pay(*owing(CHARGED_LOST)).invoice)


def declined() -> str:
    attempt = pay(*owing(DECLINES))
    Payment.objects.filter(attempt=attempt).update(received_on=timezone.localdate() - DAY)
    return str(attempt.invoice)


def in_collections() -> str:
    OrderFactory.create(payments=1)
    Order.bill_next(timezone.now())
    Invoice.objects.filter(order__isnull=False).update(
        status=InvoiceStatus.COLLECTIONS, charge_due_at=timezone.now() - timedelta(hours=1)
    )
    return str(Invoice.objects.latest("pk"))


def past_due() -> str:
    order = OrderFactory.create()
    Order.objects.filter(pk=order.pk).update(status=OrderStatus.PAST_DUE, summary="Garden club")
    return "Garden club"


def expiring() -> str:
    order = OrderFactory.create()
    Order.objects.filter(pk=order.pk).update(
        summary="Orchid club", next_charge_on=date(2041, 1, 1), status=OrderStatus.ACTIVE
    )
    assert order.card
    order.card.exp_year, order.card.exp_month = 2040, 12
    order.card.save()
    return "Orchid club"


def draft() -> str:
    invoice = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    Invoice.objects.filter(pk=invoice.pk).update(created_at=timezone.now() - DRAFT_IS_OLD_AFTER - DAY)
    return str(invoice)


def failed_mail() -> str:
    invoice = InvoiceFactory.create()
    invoice.request_payment(None, recipient="ada@example.com", message="")
    Mail.objects.filter(invoice=invoice).update(state=MailState.FAILED, error="550 no such user")
    return "550 no such user"


def failed_job() -> str:
    Job.objects.note_failure("send_due_mail", at=timezone.now(), error="RuntimeError: the disk is full")
    return "the disk is full"


MAKERS: dict[str, Callable[[], str]] = {
    "unknown": unknown,
    "declined": declined,
    "collections": in_collections,
    "past_due": past_due,
    "expiring": expiring,
    "drafts": draft,
    "mails": failed_mail,
    "jobs": failed_job,
}


@pytest.mark.parametrize("name", MAKERS)
def test_each_kind_is_counted_shown_and_stands_on_the_list_it_leads_to(desk: Client, name: str) -> None:
    before = read(desk)
    assert count(before, name) == 0
    said = MAKERS[name]()
    page = read(desk)
    assert count(page, name) == 1
    assert said in block(page, name)
    listed = read(desk, address(page, name).split("#")[0])
    shown = str(Mail.objects.get().invoice) if name == "mails" else said
    assert shown in listed


@pytest.mark.parametrize("role", ROLES)
def test_an_empty_desk_says_of_each_kind_that_there_is_none(client: Client, role: str) -> None:
    client.force_login(UserFactory.create(role=role))
    page = read(client)
    for name in MAKERS:
        assert count(page, name) == 0
        assert 'class="card-body muted small">' in block(page, name)
    assert "no money came in" in page
    assert "Nothing is unpaid in this currency" in page


def test_what_is_not_of_the_day_is_left_out(desk: Client) -> None:
    in_collections()
    Invoice.objects.update(charge_due_at=timezone.now() + 2 * DAY)
    draft()
    Invoice.objects.filter(status=InvoiceStatus.DRAFT).update(created_at=timezone.now() - 6 * DAY)
    declined()
    Payment.objects.update(received_on=timezone.localdate())
    page = read(desk)
    assert [count(page, name) for name in ("collections", "drafts", "declined")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("expires", "charged_on", "expected"),
    [
        ((2030, 5), date(2030, 5, 31), 0),
        ((2030, 5), date(2030, 6, 1), 1),
        ((2030, 12), date(2031, 1, 1), 1),
        ((2031, 1), date(2030, 12, 31), 0),
    ],
)
def test_a_card_works_until_the_last_day_of_its_month(
    expires: tuple[int, int], charged_on: date, expected: int
) -> None:
    order = OrderFactory.create()
    Order.objects.filter(pk=order.pk).update(next_charge_on=charged_on)
    Card.objects.update(exp_year=expires[0], exp_month=expires[1])
    assert Order.objects.with_expiring_card().count() == expected


def test_other_matters_lead_to_their_list(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    Invoice.objects.filter(pk=invoice.pk).update(overpaid=3)
    others = block(read(desk), "others")
    assert 'href="/attention/#overpaid"' in others
    assert others.count('class="count">1<') == 1


# -- money


def came_in(amount: int, days_ago: int, currency: str = "USD") -> None:
    payment = PaymentFactory.create(invoice=InvoiceFactory.create(currency=currency, amount=Decimal(amount)))
    day = timezone.localdate() - days_ago * DAY
    Payment.objects.filter(pk=payment.pk).update(amount=amount, received_on=day)


def test_money_in_is_drawn_told_and_listed_day_by_day(desk: Client) -> None:
    came_in(50, 0)
    came_in(25, 0)
    came_in(30, 29)
    came_in(999, 30)
    takings = block(read(desk), "takings")
    assert "$105.00</strong>" in takings
    assert takings.count("<rect ") == 30
    heights = re.findall(r'height="([\d.]+)"', takings)
    assert (heights[0], heights[1], heights[-1]) == ("40.00", "0.00", "100.00")
    assert "$105.00 came in, in 3 payments" in takings
    links = [unescape(link) for link in re.findall(r'<dt><a href="([^"]+)"', takings)]
    assert len(links) == 2
    assert count(read(desk, links[0]), "page") == 2


def test_declines_are_no_money_in(desk: Client) -> None:
    pay(*owing(DECLINES))
    assert "no money came in" in read(desk)


def test_currencies_are_never_added_up(desk: Client, settings: Settings) -> None:
    came_in(10, 1)
    came_in(700, 1, "JPY")
    page = read(desk)
    assert "$10.00</strong>" in block(page, "takings")
    assert 'href="/?currency=JPY#takings"' in page
    assert "¥700</strong>" in block(read(desk, "/?currency=JPY"), "takings")
    settings.DEFAULT_CURRENCY = "EUR"
    assert "€0.00</strong>" in block(read(desk), "takings")


@pytest.mark.parametrize("asked", ["XXX", "usd", "", "%00", "<script>"])
def test_another_currency_is_the_default_one(desk: Client, asked: str) -> None:
    came_in(10, 1)
    assert "$10.00</strong>" in block(read(desk, f"/?currency={asked}"), "takings")


def test_what_is_unpaid_is_summed_by_age_and_leads_to_its_invoices(desk: Client) -> None:
    today = timezone.localdate()
    for number, late in enumerate((-5, 0, 1, 30, 31, 90, 91, 400)):
        InvoiceFactory.create(
            amount=Decimal(2**number), invoice_date=today - 500 * DAY, due_on=today - late * DAY
        )
    InvoiceFactory.create(amount=Decimal(7000), status=InvoiceStatus.VOIDED)
    page = block(read(desk), "unpaid")
    assert "$255.00</strong>" in page
    rows = re.findall(r'<li><a href="([^"]+)">([^<]+)</a><span class="[^"]*">([^<]+)<', page)
    assert [(label, amount) for _, label, amount in rows] == [
        ("Not due yet", "$3.00"),
        ("1 to 30 days late", "$12.00"),
        ("31 to 60 days late", "$16.00"),
        ("61 to 90 days late", "$32.00"),
        ("More than 90 days late", "$192.00"),
    ]
    assert [count(read(desk, unescape(url)), "page") for url, _, _ in rows] == [2, 2, 1, 1, 2]


# -- who gets there, and what it costs


def test_the_sign_in_and_the_mark_lead_here(client: Client) -> None:
    user = UserFactory.create(role="Viewer")
    user.set_password("correct horse battery")
    user.save()
    signed_in = client.post("/login/", {"username": user.username, "password": "correct horse battery"})
    assert signed_in.headers["Location"] == "/"
    assert '<a class="brand" href="/">' in read(client)


def test_below_plus_the_desk_opens_with_the_contacts(desk: Client, settings: Settings) -> None:
    settings.EDITION = "basic"
    assert desk.get("/").headers["Location"] == "/contacts/"


def test_it_takes_as_many_queries_however_much_there_is(desk: Client) -> None:
    def everything() -> None:
        for make in MAKERS.values():
            make()
        came_in(10, 1)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            desk.get("/")
        return len(asked)

    everything()
    queries()
    first = queries()
    for _ in range(3):
        everything()
    ContactFactory.create_batch(5)
    assert queries() == first <= MOST_QUERIES


def test_only_the_first_few_are_shown(desk: Client) -> None:
    for _ in range(7):
        draft()
    page: Any = read(desk)
    assert count(page, "drafts") == 7
    assert block(page, "drafts").count('class="row"') == 5
