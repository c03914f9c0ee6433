# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""What staff see of Collections, and what they are asked: before it, during it, and with a new card."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Card, Event, Invoice, RechargeSettings
from billing.statuses import InvoiceStatus
from tests.attempts.desk import CHARGED_LOST, assert_books_agree, moved
from tests.collections.desk import (
    STOLEN,
    Clock,
    collected_by_hand,
    declined_order,
    fresh,
    schedule_of,
    tried_on,
)
from tests.factories import DECLINES, CardFactory, InvoiceFactory, OrderFactory, UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "dialog"}
PREVIEW = {**HTMX, "HX-Target": "preview"}
TYPED = {"exp_month": "11", "exp_year": "2040", "cvc": "918", "holder": "Ada", "number": "5555555555554444"}
ELSEWHERE = [status for status in InvoiceStatus if status != InvoiceStatus.COLLECTIONS]


@pytest.fixture
def support() -> User:
    return UserFactory.create(role="Support")


@pytest.fixture
def desk(client: Client, support: User, settings: Any) -> Client:
    settings.SESSION_COOKIE_AGE = 10**8  # the clock is turned by months
    client.force_login(support)
    return client


def page(desk: Client, path: str, **more: Any) -> str:
    return str(desk.get(path, **more).content.decode())


def section(desk: Client, invoice: Invoice) -> str:
    return page(desk, f"/invoices/{invoice.pk}/").split('id="collection"')[1].split("</section>")[0]


# -- the page of an invoice


def test_an_invoice_shows_its_retries_past_and_to_come(clock: Clock, desk: Client) -> None:
    invoice, card = collected_by_hand()
    other = CardFactory.create(contact=invoice.contact)
    clock.work_daily(4)
    whole = page(desk, f"/invoices/{invoice.pk}/")
    assert "<dt>Next retry</dt><dd><time" in whole
    assert "6 Apr 2026</time>" in whole
    shown = section(desk, invoice)
    text = f"{card} is charged again on 6 Apr 2026, then every 3 days until 29 Jun 2026."
    assert f"{text} If none succeeds, what is owed is written off: on 29 Jun 2026 at the latest." in shown
    so_far = shown.split("Charges so far")[1]
    assert so_far.index("3 Apr 2026</time>") < so_far.index("31 Mar 2026</time>")  # which led there
    for words in ("6 Apr 2026 <small", "18 Apr 2026", "24 more, until 29 Jun 2026"):
        assert words in shown, words
    assert shown.count("Declined") == 2
    assert f'never charged unless somebody chooses it: <span class="nowrap">{other}</span>.' in shown


def test_an_invoice_says_why_it_is_not_retried(clock: Clock, desk: Client) -> None:
    invoice, card = collected_by_hand(STOLEN)
    assert "<dt>Next retry</dt><dd>none" in page(desk, f"/invoices/{invoice.pk}/")
    shown = section(desk, invoice)
    assert f"{card} is not charged again: its bank refused it for good." in shown
    assert "What is owed is written off on 29 Jun 2026." in shown


def test_an_invoice_that_has_left_collections_says_when_and_as_what(clock: Clock, desk: Client) -> None:
    invoice, _card = collected_by_hand()
    clock.work(days=3)
    fresh(invoice).mark_unpaid(None)
    whole = page(desk, f"/invoices/{invoice.pk}/")
    assert "Left Collections on 3 Apr 2026 as Open." in whole
    assert "Next retry" not in whole
    assert "Retry now" not in whole


def test_an_invoice_takes_the_same_queries_for_one_retry_and_for_many(clock: Clock, desk: Client) -> None:
    invoice, _card = collected_by_hand()
    asked = []
    for retries in (1, 10):
        for _ in range(retries):
            clock.work(days=3)
        page(desk, f"/invoices/{invoice.pk}/")  # the session notes that somebody is there
        with CaptureQueriesContext(connection) as queries:
            page(desk, f"/invoices/{invoice.pk}/")
        asked.append(len(queries))
    assert asked[0] == asked[1]
    assert len(tried_on(invoice)) == 12


# -- before it begins


def test_what_running_collections_will_do_is_said_after_a_decline_and_in_its_dialog(
    clock: Clock, desk: Client
) -> None:
    invoice = InvoiceFactory.create()
    card = CardFactory.create(contact=invoice.contact, number=DECLINES)
    will = f"{card} is charged again on 3 Apr 2026, then every 3 days until 29 Jun 2026."
    asked = {"source": f"card:{card.pk}", "amount": "100"}
    assert will in desk.post(f"/invoices/{invoice.pk}/pay/", asked, headers=HTMX).content.decode()
    dialog = page(desk, f"/invoices/{invoice.pk}/run_collections/")
    assert will in dialog
    assert "written off: on 29 Jun 2026 at the latest." in dialog
    assert 'class="after">3 Apr 2026' in dialog
    assert invoice.schedules.count() == 0
    assert desk.post(f"/invoices/{invoice.pk}/run_collections/").status_code == 302
    assert will in invoice.events.get(action="run_collections").text


def test_an_order_says_what_becomes_of_a_declined_payment(desk: Client) -> None:
    order = OrderFactory.create()
    words = "every 3 days for 90 days; then written off"
    assert f"<dt>If declined</dt><dd>{words}</dd>" in page(desk, f"/orders/{order.pk}/")
    asked = {
        "description": "Club", "unit_price": "9", "quantity": "1", "currency": "USD", "kind": "subscription",
        "every": "1", "unit": "month", "next_charge_on": "2030-01-31", "zone": "UTC", "missed": "every",
        "card": str(order.card_id),
    }  # fmt: skip
    preview = page(
        desk,
        f"/contacts/{order.contact_id}/orders/new/",
        data=asked,
        headers=PREVIEW,
    )
    assert f"If it is declined, the invoice goes to Collections: {words}." in preview


def test_pay_says_that_the_desk_is_about_to_retry(clock: Clock, desk: Client) -> None:
    invoice, card = collected_by_hand()
    dialog = page(desk, f"/invoices/{invoice.pk}/pay/")
    assert f"The desk itself tries {card} again in 3\xa0days." in dialog
    assert f"The news that it is paid after all to {invoice.contact.email}" in dialog


def test_changing_the_card_of_an_order_says_what_becomes_of_its_retries(clock: Clock, desk: Client) -> None:
    invoice = declined_order(clock)
    assert invoice.order_id
    card = CardFactory.create(contact=invoice.contact)
    path = f"/orders/{invoice.order_id}/change_card/"
    assert f"{invoice}: {card} is tried on the next date of the retries." in page(
        desk, path, data={"card": str(card.pk)}, headers=PREVIEW
    )
    assert f"The retries of {invoice} stop." in page(desk, path, data={"card": "none"}, headers=PREVIEW)


# -- retry one


def test_an_agent_retries_an_invoice_with_another_card(clock: Clock, desk: Client, support: User) -> None:
    invoice, old = collected_by_hand(STOLEN)
    card = CardFactory.create(contact=invoice.contact)
    path = f"/invoices/{invoice.pk}/retry/"
    dialog = page(desk, path)
    assert f"Charge $100.00 to {card}, and retry that card from now on." in dialog
    assert f"<td>{old}</td>" in dialog
    assert f"Money moves: {card} is charged $100.00 within minutes." in dialog
    asked = {"card": str(card.pk), "key": str(uuid4())}
    for _ in range(2):
        assert desk.post(path, asked).status_code == 302
    assert invoice.events.get(action="retry").actor == support
    clock.work()
    assert (fresh(invoice).status, moved()) == (InvoiceStatus.CLOSED, [(100, 0)])
    assert_books_agree()


@pytest.mark.parametrize(("card", "words"), [("", "Charge to is missing"), ("7", "Charge to is “7”")])
def test_a_card_that_is_not_on_file_is_refused_at_its_field(
    clock: Clock, desk: Client, card: str, words: str
) -> None:
    invoice, _card = collected_by_hand()
    response = desk.post(f"/invoices/{invoice.pk}/retry/", {"card": card})
    assert response.status_code == 422
    assert words in response.content.decode()


@pytest.mark.parametrize("status", ELSEWHERE)
def test_only_what_is_in_collections_is_retried(desk: Client, status: InvoiceStatus) -> None:
    invoice = InvoiceFactory.create(status=status)
    response = desk.post(f"/invoices/{invoice.pk}/retry/")
    assert response.status_code == 409
    assert "only Collections invoices can be retried." in response.content.decode()


def test_what_is_being_charged_is_not_retried_beside(clock: Clock, desk: Client) -> None:
    invoice, _card = collected_by_hand()
    lost = CardFactory.create(contact=invoice.contact, number=CHARGED_LOST)
    invoice.pay(None, source=lost, amount=invoice.balance)
    assert "Retry now" not in section(desk, invoice)
    response = desk.post(f"/invoices/{invoice.pk}/retry/", {"card": str(lost.pk)})
    assert response.status_code == 409


# -- a new card


def ready(number: str = DECLINES) -> tuple[Invoice, Invoice, Card]:
    """Two invoices in Collections, and a card that could pay them."""
    first, _old = collected_by_hand(number)
    second = InvoiceFactory.create(contact=first.contact, amount=40)
    second.run_collections(None)
    return first, second, CardFactory.create(contact=first.contact)


def test_a_new_default_card_is_offered_for_what_is_in_collections(clock: Clock, desk: Client) -> None:
    first, second, card = ready()
    back = f"/contacts/{card.contact_id}/purchases/#cards"
    response = desk.post(f"/cards/{card.pk}/default/", follow=True)
    asked = response.content.decode()
    assert response.redirect_chain[-1][0].startswith(f"/cards/{card.pk}/retry/?next=")
    assert f"{card} is now the default card." in asked
    assert f"Charge $140.00 to {card}, and retry that card from now on." in asked
    assert f"{first}: $100.00" in asked
    assert f"{second}: $40.00" in asked
    assert moved() == []
    post = {"invoices": [str(first.pk)], "key": str(uuid4()), "next": back}
    for _ in range(2):
        assert desk.post(f"/cards/{card.pk}/retry/", post).headers["Location"] == back
    assert Event.objects.get(action="retry_card").text == f"{card} is charged now for {first}."
    clock.work()
    assert (moved(), fresh(first).status, fresh(second).status) == ([(100, 0)], "closed", "collections")
    assert_books_agree()


def test_in_place_the_question_follows_the_answer_in_the_dialog(clock: Clock, desk: Client) -> None:
    _first, second, card = ready()
    response = desk.post(f"/cards/{card.pk}/default/", headers=HTMX)
    asked = response.content.decode()
    assert "changed" in response.headers["HX-Trigger"]
    assert f"{card} is now the default card." in asked
    assert f'hx-post="/cards/{card.pk}/retry/"' in asked
    fewer = page(
        desk,
        f"/cards/{card.pk}/retry/",
        data={"invoices": str(second.pk)},
        headers=PREVIEW,
    )
    assert "Charge $40.00 to" in fewer


def test_a_card_that_was_added_is_offered_too(clock: Clock, desk: Client) -> None:
    first, _second, _card = ready()
    opened = desk.post(f"/contacts/{first.contact_id}/cards/new/").headers["Location"]
    back = desk.post(opened, TYPED).headers["Location"]
    added = desk.get(back, follow=True)
    card = Card.objects.latest("id")
    assert added.redirect_chain[-1][0].startswith(f"/cards/{card.pk}/retry/?next=")
    assert f"{card} was added." in added.content.decode()


def test_a_card_that_was_added_for_a_retry_is_chosen_there(clock: Clock, desk: Client) -> None:
    first, _second, _card = ready()
    path = f"/invoices/{first.pk}/retry/"
    opened = desk.post(f"/contacts/{first.contact_id}/cards/new/", {"next": path}).headers["Location"]
    added = desk.get(desk.post(opened, TYPED).headers["Location"], follow=True)
    card = Card.objects.latest("id")
    assert added.redirect_chain[-1][0] == f"{path}?card={card.pk}"
    assert f"Charge $100.00 to {card}" in added.content.decode()


@pytest.mark.parametrize("why", ["nothing in Collections", "no role to pay"])
def test_nothing_is_asked_where_nothing_can_be_retried(clock: Clock, client: Client, why: str) -> None:
    _first, _second, card = ready()
    user = UserFactory.create(role="Support")
    if why == "no role to pay":
        user = UserFactory.create()
        user.user_permissions.set(permissions("change_card", "view_card", "view_contact", "view_invoice"))
    else:
        for invoice in Invoice.objects.all():
            invoice.mark_unpaid(None)
    client.force_login(user)
    response = client.post(f"/cards/{card.pk}/default/")
    assert response.headers["Location"] == f"/contacts/{card.contact_id}/purchases/#cards"
    expected = 403 if why == "no role to pay" else 409
    assert client.get(f"/cards/{card.pk}/retry/").status_code == expected
    assert client.post(f"/cards/{card.pk}/retry/", {"key": str(uuid4())}).status_code == expected


def permissions(*names: str) -> Any:
    return Permission.objects.filter(codename__in=names)


def test_what_cannot_be_retried_just_now_is_left_out_with_the_reason(clock: Clock, desk: Client) -> None:
    first, second, card = ready()
    lost = CardFactory.create(contact=first.contact, number=CHARGED_LOST)
    first.pay(None, source=lost, amount=first.balance)
    asked = page(desk, f"/cards/{card.pk}/retry/")
    assert "ended: ask the gateway first, so that nothing is charged" in asked
    assert f"Charge $40.00 to {card}" in asked
    post = {"invoices": [str(first.pk), str(second.pk)], "key": str(uuid4())}
    response = desk.post(f"/cards/{card.pk}/retry/", post)
    assert response.status_code == 422
    assert f"In Collections has “{first.pk}”: it cannot be retried any more." in response.content.decode()


@pytest.mark.parametrize("post", [{}, {"key": "x"}, {"key": str(uuid4()), "invoices": "\0"}])
def test_what_comes_back_damaged_is_asked_again(clock: Clock, desk: Client, post: dict[str, str]) -> None:
    _first, _second, card = ready()
    assert desk.post(f"/cards/{card.pk}/retry/", post).status_code == 422


# -- the settings


def test_an_administrator_changes_the_settings_in_the_back_office(client: Client) -> None:
    client.force_login(UserFactory.create(role="Administrator", is_staff=True))
    asked = {"every_days": "5", "for_days": "30", "at_the_end": "stay", "stops_on_hard": "on"}
    assert client.post("/admin/billing/rechargesettings/add/", asked).status_code == 302
    now = RechargeSettings.current()
    assert (now.every_days, now.for_days, now.at_the_end, now.mails_recovered) == (5, 30, "stay", False)
    wrong = client.post("/admin/billing/rechargesettings/1/change/", {**asked, "every_days": "31"})
    assert "For … days is 30: it must be at least 31, for one retry" in wrong.content.decode()
    assert client.get("/admin/billing/rechargesettings/add/").status_code == 403
    assert client.post("/admin/billing/rechargesettings/1/delete/", {"post": "yes"}).status_code == 403


def test_nobody_else_changes_them(client: Client) -> None:
    client.force_login(UserFactory.create(role="Billing manager", is_staff=True))
    assert client.post("/admin/billing/rechargesettings/add/", {"every_days": "5"}).status_code == 403


def test_schedules_are_read_in_the_back_office(clock: Clock, client: Client) -> None:
    invoice, _card = collected_by_hand()
    client.force_login(UserFactory.create(role="Administrator", is_staff=True))
    assert str(invoice) in page(client, "/admin/billing/rechargeschedule/")
    assert schedule_of(invoice).words in page(client, "/admin/billing/rechargeschedule/")
