"""Section 6 of the tab, the list, the page of one order, and the way to it from its invoices."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Order
from billing.statuses import InvoiceStatus, OrderStatus
from billing.tasks import bill_due_orders, tick
from contacts.models import Contact
from tests.factories import ContactFactory, InvoiceFactory, OrderFactory, UserFactory

pytestmark = pytest.mark.django_db
DUE = datetime(2026, 3, 31, tzinfo=UTC)


@pytest.fixture
def manager() -> User:
    return UserFactory.create(role="Billing manager")


@pytest.fixture
def desk(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


@pytest.fixture
def ada() -> Contact:
    return ContactFactory.create(name="Ada Lovelace", email="ada@example.com")


def read(desk: Client, path: str) -> str:
    response = desk.get(path)
    assert response.status_code == 200
    return unescape(response.content.decode())


def part(page: str, name: str) -> str:
    return page.split(f'id="{name}"')[1].split("</section>", maxsplit=1)[0]


def queries_of(desk: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        read(desk, path)
    return len(asked)


# -- the tab


def test_the_tab_shows_what_is_paid_for_again_and_again(desk: Client, ada: Contact) -> None:
    OrderFactory.create(contact=ada, payments=12, every=2)
    tick(DUE)
    section = part(read(desk, f"/contacts/{ada.pk}/purchases/"), "orders")
    for words in (
        "Garden club",
        "$30.00",
        "every 2 months",
        "31 May 2026",
        "1 of 12",
        ">11<",
        "Visa •• 4242",
    ):
        assert words in section, words
    assert 'badge-active">Active<' in section


def test_an_empty_section_says_what_to_do(desk: Client, ada: Contact) -> None:
    section = part(read(desk, f"/contacts/{ada.pk}/purchases/"), "orders")
    assert "What is paid for again and again stands here." in section
    assert f'href="/contacts/{ada.pk}/orders/new/"' in section


def test_the_section_has_pages_of_its_own_and_open_orders_first(desk: Client, ada: Contact) -> None:
    OrderFactory.create(contact=ada, status=OrderStatus.CANCELLED)
    OrderFactory.create_batch(25, contact=ada)
    first, second = (part(read(desk, f"/contacts/{ada.pk}/purchases/?orders={n}"), "orders") for n in (1, 2))
    assert first.count('class="key long"') == 25
    assert second.count('class="key long"') == 1
    assert "Cancelled" in second
    assert "26–26 of 26" in " ".join(second.split())


@pytest.mark.parametrize("status", OrderStatus)
def test_the_row_menu_holds_what_is_offered_and_nothing_else(
    desk: Client, manager: User, ada: Contact, status: OrderStatus
) -> None:
    order: Order = OrderFactory.create(contact=ada, status=status, payments=2)
    section = part(read(desk, f"/contacts/{ada.pk}/purchases/"), "orders")
    found = set(re.findall(rf'href="/orders/{order.pk}/([a-z_]+)/', section))
    assert found == {action.name for action in order.available_actions(manager)}
    assert f"/orders/{order.pk}/why-not/" in section


def test_a_viewer_begins_nothing(client: Client, ada: Contact) -> None:
    client.force_login(UserFactory.create(role="Viewer"))
    assert "orders/new" not in read(client, f"/contacts/{ada.pk}/purchases/")


def test_twenty_orders_take_as_many_queries_as_one(desk: Client) -> None:
    asked = []
    read(desk, "/orders/")  # the first page of a session notes when it was last used
    for count in (1, 20):
        contact = ContactFactory.create()
        for _ in range(count):
            order = OrderFactory.create(contact=contact)
        bill_due_orders(DUE)
        paths = (f"/contacts/{contact.pk}/purchases/", "/orders/", f"/orders/{order.pk}/")
        asked.append([queries_of(desk, path) for path in paths])
    assert asked[0] == asked[1]
    assert asked[0] == [9, 7, 11]


# -- the list


def names(desk: Client, query: str) -> list[str]:
    return re.findall(r'<a href="/orders/\d+/"><bdi>([^<]+)', read(desk, f"/orders/{query}"))


def made(name: str, **given: object) -> Order:
    order: Order = OrderFactory.create(**given)
    order.lines.update(description=name)
    order.store(*order.summarize())
    return order


def test_the_list_is_filtered_by_the_address(desk: Client) -> None:
    made("Hosting", contact__name="Grace", first_charge_on=date(2026, 5, 1))
    made("Course", contact__name="Ada", first_charge_on=date(2026, 4, 1), payments=3)
    made("Club", contact__name="Alan", currency="EUR", number="", status=OrderStatus.PAUSED)
    for query, expected in {
        "": ["Club", "Course", "Hosting"],
        "?status=paused": ["Club"],
        "?status=active&status=paused&kind=plan": ["Course"],
        "?next_from=2026-04-01&next_to=2026-04-30": ["Course"],
        "?q=grace": ["Hosting"],
        "?q=cours": ["Course"],
        "?gateway=sandbox": ["Course", "Hosting"],
        "?currency=eur": ["Club"],
        "?sort=-next": ["Hosting", "Course", "Club"],
        "?q=nobody": [],
    }.items():
        assert names(desk, query) == expected, query


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?status=lost", "Status is “lost”: choose one of the list."),
        ("?next_from=soon", "Next charge from is “soon”: write a day such as 2026-03-31."),
        ("?currency=XXX", "Currency is “XXX”: write a code of ISO 4217 such as USD."),
    ],
)
def test_a_filter_that_cannot_be_read_says_so(desk: Client, query: str, sentence: str) -> None:
    OrderFactory.create()
    page = read(desk, f"/orders/{query}")
    assert sentence in page
    assert names(desk, query) == []


def test_the_list_has_pages_and_orders(desk: Client) -> None:
    for n in range(26):
        OrderFactory.create(price=Decimal(100 - n))
    assert len(names(desk, "?page=2")) == 1
    page = read(desk, "/orders/?sort=amount")
    assert page.index("$75.00") < page.index("$99.00")


def test_an_empty_list_says_what_to_do(desk: Client) -> None:
    assert "Begin the first one from a contact's purchases." in read(desk, "/orders/")


def test_the_bar_leads_to_the_orders(desk: Client) -> None:
    assert '<a href="/orders/" aria-current="true">Orders</a>' in read(desk, "/orders/")


# -- the page of one


@pytest.mark.parametrize("status", OrderStatus)
def test_the_page_opens_in_every_status(desk: Client, status: OrderStatus) -> None:
    order = OrderFactory.create(status=status, payments=2)
    assert f'badge-{status}">{status.label}<' in read(desk, f"/orders/{order.pk}/")


def test_the_page_looks_twelve_charges_ahead(desk: Client) -> None:
    order = OrderFactory.create(
        first_charge_on=date(2027, 1, 31), trial_payments=1, trial_price=Decimal(5), setup_fee=Decimal(9)
    )
    upcoming = part(read(desk, f"/orders/{order.pk}/"), "upcoming")
    days = re.findall(r"<span>(\d+ \w+ \d+) <small", upcoming)
    assert days[:4] == ["31 Jan 2027", "28 Feb 2027", "31 Mar 2027", "30 Apr 2027"]
    assert len(days) == 12
    assert re.findall(r"\$[0-9.]+", upcoming)[:3] == ["$14.00", "$30.00", "$30.00"]


def test_the_page_of_a_plan_shows_what_is_left_of_it(desk: Client) -> None:
    order = OrderFactory.create(payments=3)
    tick(DUE)
    page = read(desk, f"/orders/{order.pk}/")
    assert part(page, "upcoming").count("payment ") == 2
    assert "1 of 3" in page
    assert "2 left" in page


def test_a_paused_order_shows_what_would_come(desk: Client) -> None:
    order = OrderFactory.create(status=OrderStatus.PAUSED)
    Order.objects.update(anchor_on=date(2020, 1, 31))
    page = read(desk, f"/orders/{order.pk}/")
    assert "If resumed today" in page
    assert "31 Jan 2020" not in part(page, "upcoming")


def test_an_order_and_its_invoices_lead_to_each_other(desk: Client) -> None:
    order = OrderFactory.create()
    bill_due_orders(DUE)
    invoice = order.invoices.get()
    assert f'href="/invoices/{invoice.pk}/"' in part(read(desk, f"/orders/{order.pk}/"), "invoices")
    page = read(desk, f"/invoices/{invoice.pk}/")
    assert f'<a href="/orders/{order.pk}/">Subscription {order.pk}</a>, payment 1' in page
    assert "charged by itself on" in page


def test_the_timeline_tells_of_the_order_and_its_invoices(desk: Client) -> None:
    order = OrderFactory.create()
    tick(DUE)
    timeline = part(read(desk, f"/orders/{order.pk}/"), "timeline")
    for words in ("begun: Garden club, $30.00 every month", "Payment no. 1 asked for", "$30.00 charged to"):
        assert words in timeline, words


def test_an_order_that_does_not_exist_is_not_found(desk: Client) -> None:
    for path in ("", "edit/", "why-not/"):
        assert desk.get(f"/orders/7777/{path}").status_code == 404


# -- the back office


def test_the_back_office_reads_an_order_and_changes_nothing(client: Client) -> None:
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    order = OrderFactory.create()
    page = read(client, f"/admin/billing/order/{order.pk}/change/")
    assert f'href="/orders/{order.pk}/cancel/' in page
    assert 'name="_save"' not in page
    assert client.post(f"/admin/billing/order/{order.pk}/delete/").status_code == 403
    assert "Garden club" in read(client, "/admin/billing/order/?q=garden")


def test_a_plain_invoice_leads_to_no_order(desk: Client) -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.OPEN)
    assert f"/orders/{invoice.pk}/" not in read(desk, f"/invoices/{invoice.pk}/")
