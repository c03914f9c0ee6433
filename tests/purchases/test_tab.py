"""The sections of the tab: counts, rows, pages of their own, menus by role, and queries that do not grow."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.actions import ACTIONS
from billing.models import Invoice, LineInput
from billing.roles import ROLES
from billing.statuses import InvoiceStatus
from contacts.models import Contact
from tests.factories import (
    DECLINES,
    CardFactory,
    ContactFactory,
    InvoiceFactory,
    OrderFactory,
    PaymentFactory,
    UserFactory,
    refund_all,
)

pytestmark = pytest.mark.django_db
SECTIONS = ("invoices", "payments", "history", "cards")
LOST = "4000000000000127"
MOST_QUERIES = 15


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager"))
    return client


@pytest.fixture
def ada() -> Contact:
    return ContactFactory.create(name="Ada Lovelace")


def read(desk: Client, contact: Contact, query: str = "") -> str:
    response = desk.get(f"/contacts/{contact.pk}/purchases/{query}")
    assert response.status_code == 200
    return response.content.decode()


def part(page: str, name: str) -> str:
    return page.split(f'id="{name}"')[1].split("</section>", maxsplit=1)[0]


def count(page: str, name: str) -> int:
    found = re.search(r'class="count">(\d+)<', part(page, name))
    assert found, name
    return int(found[1])


def rows(page: str, name: str) -> int:
    inside = part(page, name)
    return (
        inside.count('<li class="row">') if name == "cards" else inside.count("<tr") - inside.count("<thead")
    )


def buy(contact: Contact, *, lines: int = 1) -> Invoice:
    return InvoiceFactory.create(
        contact=contact, lines=[LineInput(f"Lantern {n}", Decimal(1), Decimal(5)) for n in range(lines)]
    )


def fill(contact: Contact, each: int) -> None:
    """So many cards, and invoices of two lines with a declined payment, an approved one and a refund."""
    for _ in range(each):
        invoice = buy(contact, lines=2)
        card = CardFactory.create(contact=contact, number=DECLINES)
        PaymentFactory.create(invoice=invoice, card=card)
        PaymentFactory.create(invoice=invoice)
        refund_all(invoice)


def test_an_empty_tab_says_in_each_section_what_to_do(desk: Client, ada: Contact) -> None:
    page = read(desk, ada)
    assert [count(page, name) for name in SECTIONS] == [0, 0, 0, 0]
    for words in (
        "The first one you make for this contact stands here.",
        "To take some, choose Pay at an open invoice.",
        "Make an invoice to begin.",
        "Figures appear with the first issued invoice.",
        "Add one, then choose Pay at an open invoice.",
        "Add one, or let the customer keep theirs on the pay page.",
    ):
        assert words in page, words
    assert f'href="/contacts/{ada.pk}/invoices/new/"' in part(page, "invoices")
    assert f'href="/contacts/{ada.pk}/cards/new/?next=' in part(page, "cards")


def test_each_section_shows_its_count_and_all_its_rows(desk: Client, ada: Contact) -> None:
    fill(ada, 3)
    fill(ContactFactory.create(), 2)
    page = read(desk, ada)
    assert [count(page, name) for name in SECTIONS] == [3, 9, 6, 3]
    assert [rows(page, name) for name in SECTIONS] == [3, 9, 6, 3]


def test_the_history_has_a_row_for_each_line_with_the_status_of_its_invoice(
    desk: Client, ada: Contact
) -> None:
    line = LineInput("Brass lantern", Decimal("2.5"), Decimal("10.00"), discount=Decimal("1.50"))
    for status in InvoiceStatus:
        InvoiceFactory.create(contact=ada, status=status, lines=[line])
    history = part(read(desk, ada), "history")
    for words in ("<bdi>Brass lantern</bdi>", ">2.5<", "$10.00", "$1.50", "$23.50", "2 Mar 2026"):
        assert history.count(words) == len(InvoiceStatus), words
    for status in InvoiceStatus:
        assert f'badge-{status}">{status.label}<' in history


def test_a_deleted_draft_is_gone_from_the_history_too(desk: Client, ada: Contact) -> None:
    draft = InvoiceFactory.create(contact=ada, status=InvoiceStatus.DRAFT)
    draft.discard(None)
    page = read(desk, ada)
    assert [count(page, name) for name in SECTIONS] == [0, 0, 0, 0]


def test_an_invoice_row_shows_number_days_products_amounts_and_status(desk: Client, ada: Contact) -> None:
    past = timezone.localdate() - timedelta(days=40)
    invoice = InvoiceFactory.create(
        contact=ada,
        invoice_date=past,
        due_on=past,
        lines=[LineInput(f"Lantern {n}", Decimal(1), Decimal(50)) for n in range(3)],
    )
    PaymentFactory.create(invoice=invoice, amount=Decimal(30))
    row = part(read(desk, ada), "invoices")
    for words in (invoice.number, "Lantern 0 and 2 more", "$150.00", "$120.00", "Open", "Overdue"):
        assert str(words) in row, words


def test_a_payment_row_shows_day_invoice_type_method_amount_and_outcome(desk: Client, ada: Contact) -> None:
    invoice = buy(ada, lines=20)
    PaymentFactory.create(
        invoice=invoice, method="cheque", reference="17", amount=Decimal(40), received_on=date(2026, 3, 3)
    )
    PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=ada), amount=Decimal(9))
    PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=ada, number=DECLINES))
    approved = invoice.payments.get(amount=9)
    declined = invoice.payments.get(status="declined")
    page = part(read(desk, ada), "payments")
    for words in ("3 Mar 2026", str(invoice), "Payment", "Cheque 17", "$40.00", "Applied", "Declined"):
        assert words in page, words
    assert approved.gateway_ref in page
    assert declined.decline_reason in page
    assert page.index("Visa •• 0341") < page.index("Visa •• 4242") < page.index("Cheque 17")


def test_a_refund_is_offered_on_money_that_can_go_back_and_export_on_every_payment(
    desk: Client, ada: Contact
) -> None:
    fill(ada, 1)
    invoice = buy(ada)
    PaymentFactory.create(invoice=invoice)
    page = part(read(desk, ada), "payments")
    refundable = invoice.payments.get()
    assert re.findall(r'href="/payments/(\d+)/refund/', page) == [str(refundable.pk)]
    assert page.count("/payments/export/?ids=") == 4


# -- pages


def test_every_section_turns_its_own_pages_and_keeps_the_others(desk: Client, ada: Contact) -> None:
    fill(ada, 26)
    page = read(desk, ada, "?invoices=2&payments=3")
    assert [rows(page, name) for name in SECTIONS] == [1, 25, 25, 25]
    assert 'href="?invoices=1&amp;payments=3#invoices"' in page
    assert 'href="?invoices=2&amp;payments=2#payments"' in page
    assert 'href="?invoices=2&amp;payments=4#payments"' in page
    assert 'href="?invoices=2&amp;payments=3&amp;history=2#history"' in page
    assert 'href="?invoices=2&amp;payments=3&amp;cards=2#cards"' in page
    last = read(desk, ada, "?invoices=2&payments=4&history=3&cards=2")
    assert [rows(last, name) for name in SECTIONS] == [1, 3, 2, 1]
    assert "26–26 of 26" in " ".join(part(last, "cards").split())


def test_pages_never_overlap_and_leave_nothing_out(desk: Client, ada: Contact) -> None:
    numbers = {str(buy(ada)) for _ in range(55)}
    seen = [
        set(re.findall(r"INV-\d{6}", part(read(desk, ada, f"?invoices={n}"), "invoices"))) for n in (1, 2, 3)
    ]
    assert [len(each) for each in seen] == [25, 25, 5]
    assert set.union(*seen) == numbers


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        *((asked, "1–25") for asked in ("", "0", "-1", "-99", "x", "1.5", "٢", "２", "\x00", "1_0", "[]")),
        *((asked, "26–30") for asked in ("2", "3", "999999", "9" * 18)),
    ],
    ids=lambda value: value[:20],
)
def test_a_page_that_does_not_exist_is_the_nearest_that_does(
    desk: Client, ada: Contact, asked: str, shown: str
) -> None:
    for _ in range(30):
        buy(ada)
    response = desk.get(f"/contacts/{ada.pk}/purchases/", dict.fromkeys(SECTIONS, asked))
    page = " ".join(part(response.content.decode(), "invoices").split())
    assert f"{shown} of 30" in page


def test_the_default_card_stays_in_sight_on_every_page_of_cards(desk: Client, ada: Contact) -> None:
    for _ in range(26):
        CardFactory.create(contact=ada)
    facts = read(desk, ada, "?cards=2").split('class="facts"')[1].split("</dl>")[0]
    assert "Visa •• 4242" in facts


# -- roles


@pytest.mark.parametrize("role", ROLES)
def test_the_bulk_bar_and_the_buttons_are_those_of_the_role(client: Client, ada: Contact, role: str) -> None:
    client.force_login(UserFactory.create(role=role))
    buy(ada)
    CardFactory.create(contact=ada)
    page = read(client, ada)
    bulk = {name for name in ACTIONS if f'id="bulk-{name}"' in page}
    assert bulk == {
        name for name, action in ACTIONS.items() if action.bulk and action.codename in ROLES[role]
    }
    assert ('name="ids"' in page) == bool(bulk)
    may = ROLES[role]
    assert (f"/contacts/{ada.pk}/invoices/new/" in page) == ("billing.add_invoice" in may)
    assert (f"/contacts/{ada.pk}/cards/new/" in page) == ("billing.add_card" in may)
    assert ("/default/" in page or "/remove/" in page) == ("billing.change_card" in may)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("status", InvoiceStatus)
def test_a_row_menu_holds_what_may_be_done_and_why_not_the_rest(
    client: Client, ada: Contact, status: InvoiceStatus, role: str
) -> None:
    user = UserFactory.create(role=role)
    client.force_login(user)
    invoice = InvoiceFactory.create(contact=ada, status=status)
    menu = part(read(client, ada), "invoices").split('class="menu" popover')[1].split("</div>")[0]
    offered = re.findall(rf'href="/invoices/{invoice.pk}/(\w+)/\?next=', menu)
    assert offered == [action.name for action in invoice.available_actions(user)]
    assert f'href="/invoices/{invoice.pk}/why-not/?next=' in menu


def test_the_same_menu_leads_back_to_each_page_that_it_stands_on(desk: Client, ada: Contact) -> None:
    invoice = buy(ada)
    for path in (f"/contacts/{ada.pk}/purchases/", f"/contacts/{ada.pk}/purchases/?payments=2", "/invoices/"):
        page = desk.get(path).content.decode()
        assert f'href="/invoices/{invoice.pk}/pay/?next={quote(path)}"' in page


# -- attempts whose outcome nobody knows


def lose(contact: Contact) -> Invoice:
    invoice = buy(contact)
    invoice.pay(None, source=CardFactory.create(contact=contact, number=LOST), amount=invoice.balance)
    return invoice


@pytest.mark.parametrize("role", ["Viewer", "Support"])
def test_an_attempt_of_unknown_outcome_stands_on_top_with_ask_the_gateway(
    client: Client, ada: Contact, role: str
) -> None:
    client.force_login(UserFactory.create(role=role))
    invoice = lose(ada)
    lose(ContactFactory.create())
    attempt = invoice.attempts.get()
    page = read(client, ada)
    top = page.split('id="invoices"')[0]
    assert top.count('id="attempt-') == 1
    assert f'id="attempt-{attempt.pk}"' in top
    assert str(invoice) in top
    assert (f'action="/attempts/{attempt.pk}/ask/"' in top) == (role == "Support")
    assert "badge-pending" in part(page, "invoices")


def test_asking_the_gateway_settles_it_and_leads_back_to_the_same_page(desk: Client, ada: Contact) -> None:
    attempt = lose(ada).attempts.get()
    back = f"/contacts/{ada.pk}/purchases/?invoices=2&payments=3"
    page = desk.post(f"/attempts/{attempt.pk}/ask/", {"next": back}, follow=True).content.decode()
    assert "not charged" in page.lower()
    assert back.replace("&", "&amp;") in page
    assert 'id="attempt-' not in read(desk, ada)
    attempt.refresh_from_db()
    assert attempt.is_final


# -- queries


def queries_of(desk: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert desk.get(path).status_code == 200
    return len(asked)


def full(each: int) -> Contact:
    """A contact with so many of everything, attempts that wait and expired cards among it."""
    contact = ContactFactory.create()
    fill(contact, each)
    for _ in range(each):
        lose(contact)
        CardFactory.create(contact=contact, exp_month=1, exp_year=2025)
        OrderFactory.create(contact=contact)
    return contact


@pytest.mark.parametrize("page", ["purchases", "timeline"])
def test_twenty_of_everything_take_as_many_queries_as_one(desk: Client, page: str) -> None:
    desk.get("/contacts/")  # the session is touched once
    asked = [queries_of(desk, f"/contacts/{full(each).pk}/{page}/") for each in (1, 3, 20)]
    assert len(set(asked)) == 1, asked
    assert asked[0] <= MOST_QUERIES


def test_the_page_of_an_invoice_takes_as_many_queries_whatever_is_on_it(desk: Client, ada: Contact) -> None:
    desk.get("/contacts/")
    asked = []
    for each in (1, 3, 20):
        invoice = buy(ada, lines=each)
        card = CardFactory.create(contact=ada, number=DECLINES)
        for _ in range(each):
            PaymentFactory.create(invoice=invoice, card=card)
            PaymentFactory.create(invoice=invoice, amount=Decimal("0.10"))
            invoice.request_payment(None, recipient="ada@example.com", message="")
        asked.append(queries_of(desk, f"/invoices/{invoice.pk}/"))
    assert len(set(asked)) == 1, asked
    assert asked[0] <= MOST_QUERIES


@pytest.mark.parametrize("query", ["", "?invoices=2&payments=3&history=2&cards=2", "?invoices=-1&payments=x"])
def test_another_page_of_the_lists_takes_a_query_more_for_each_latest_row_that_is_not_on_it(
    desk: Client, query: str
) -> None:
    contact = full(14)
    desk.get("/contacts/")
    path = f"/contacts/{contact.pk}/purchases/"
    more = 3 if "payments=3" in query else 0
    assert queries_of(desk, path + query) == queries_of(desk, path) + more <= MOST_QUERIES
