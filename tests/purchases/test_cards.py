"""Cards on file: typed on the card company's page, made default, removed, and nobody else's."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from billing.gateways import NoAnswer
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import StoredCard
from billing.models import Card, Event
from billing.roles import ROLES
from billing.statuses import AttemptState
from contacts.models import Contact
from tests.factories import APPROVES, CardFactory, ContactFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "dialog"}
REFUSED, LOST = "4000000000000002", "4000000000000127"
TYPED = {"exp_month": "11", "exp_year": "2040", "cvc": "918", "holder": "Ada Lovelace"}


@pytest.fixture
def support() -> User:
    return UserFactory.create(role="Support")


@pytest.fixture
def desk(client: Client, support: User) -> Client:
    client.force_login(support)
    return client


@pytest.fixture
def ada() -> Contact:
    return ContactFactory.create(name="Ada Lovelace")


def tab(contact: Contact) -> str:
    return f"/contacts/{contact.pk}/purchases/"


def go_to_the_card_page(desk: Client, contact: Contact, **asked: str) -> str:
    response = desk.post(f"/contacts/{contact.pk}/cards/new/", asked)
    assert response.status_code == 302
    return str(response.headers["Location"])


def type_card(desk: Client, page: str, number: str = APPROVES) -> str:
    """Where the card company sends the agent; empty while it keeps them on its page."""
    return str(desk.post(page, {**TYPED, "number": number}).headers.get("Location", ""))


def cancel_link(desk: Client, page: str) -> str:
    found = re.search(r'<a class="button" href="([^"]+)">Cancel</a>', desk.get(page).content.decode())
    assert found
    return found[1]


def test_a_card_is_typed_at_the_card_company_and_lands_on_file(
    desk: Client, ada: Contact, support: User
) -> None:
    asked = desk.get(f"/contacts/{ada.pk}/cards/new/").content.decode()
    assert "its number never comes here. Nothing is charged." in asked

    back = type_card(desk, go_to_the_card_page(desk, ada))
    page = desk.get(back, follow=True)

    card = Card.objects.get()
    assert page.redirect_chain[-1][0] == tab(ada)
    assert "Visa •• 4242 was added." in page.content.decode()
    assert (card.contact, card.last4, card.expiry, card.is_default) == (ada, "4242", "11/40", True)
    event = Event.objects.get()
    assert (event.action, event.actor, event.contact) == ("add_card", support, ada)


def test_htmx_is_sent_to_the_card_page_too(desk: Client, ada: Contact) -> None:
    response = desk.post(f"/contacts/{ada.pk}/cards/new/", headers=HTMX)
    assert response.headers["HX-Redirect"].startswith("/sandbox/pages/")


def test_a_card_that_the_bank_refuses_is_not_kept(desk: Client, ada: Contact) -> None:
    page = go_to_the_card_page(desk, ada)
    assert type_card(desk, page, REFUSED) == ""
    assert desk.get(cancel_link(desk, page)).status_code == 200
    assert not Card.objects.exists()
    assert type_card(desk, page) != ""  # another card may still be typed


def test_who_cancels_is_back_on_the_tab_without_a_card(desk: Client, ada: Contact) -> None:
    page = go_to_the_card_page(desk, ada)
    assert cancel_link(desk, page) == f"http://testserver{tab(ada)}"
    assert not Card.objects.exists()


def test_coming_back_before_a_card_was_typed_adds_none(desk: Client, ada: Contact) -> None:
    go_to_the_card_page(desk, ada)
    ((key, _opened),) = desk.session["card_pages"].items()
    page = desk.get(f"/contacts/{ada.pk}/cards/{key}/", follow=True)
    assert "No card was added." in page.content.decode()
    assert not Card.objects.exists()


def test_coming_back_twice_adds_one_card_and_says_so_once_more(desk: Client, ada: Contact) -> None:
    back = type_card(desk, go_to_the_card_page(desk, ada))
    for _ in range(2):
        page = desk.get(back, follow=True)
        assert page.status_code == 200
        assert "Visa •• 4242 was added." in page.content.decode()
    assert Card.objects.count() == 1
    assert Event.objects.filter(action="add_card").count() == 1


def test_the_address_of_somebody_elses_page_adds_nothing(desk: Client, ada: Contact) -> None:
    back = type_card(desk, go_to_the_card_page(desk, ada))
    other = Client()
    other.force_login(UserFactory.create(role="Support"))
    assert other.get(back).headers["Location"] == tab(ada)
    assert not Card.objects.exists()


def test_a_card_typed_for_one_contact_never_lands_at_another(desk: Client, ada: Contact) -> None:
    grace = ContactFactory.create(name="Grace Hopper")
    back = type_card(desk, go_to_the_card_page(desk, ada))
    assert desk.get(back.replace(f"/contacts/{ada.pk}/", f"/contacts/{grace.pk}/")).headers[
        "Location"
    ] == tab(grace)
    assert not Card.objects.exists()
    desk.get(back)
    assert Card.objects.get().contact == ada


def test_a_card_added_from_a_payment_is_chosen_there(desk: Client, ada: Contact) -> None:
    invoice = InvoiceFactory.create(contact=ada)
    pay = f"/invoices/{invoice.pk}/pay/"
    back = type_card(desk, go_to_the_card_page(desk, ada, next=pay))
    page = desk.get(back, follow=True)
    card = Card.objects.get()
    assert page.redirect_chain[-1][0] == f"{pay}?source=card%3A{card.pk}"
    assert "Charge $100.00 to Visa •• 4242" in page.content.decode()


def test_when_the_gateway_is_silent_nothing_is_lost_and_the_agent_is_told(
    desk: Client, ada: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = type_card(desk, go_to_the_card_page(desk, ada))
    with monkeypatch.context() as silence:
        for name in ("page_result", "card_page"):
            silence.setattr(SandboxGateway, name, silent)
        told = desk.get(back)
        refused = desk.post(f"/contacts/{ada.pk}/cards/new/")
    assert told.status_code == refused.status_code == 409
    assert "Reload this page to see whether the card was stored." in told.content.decode()
    assert "no card can be added just now" in refused.content.decode()
    desk.get(back)
    assert Card.objects.count() == 1


def silent(*args: object, **kwargs: object) -> None:
    raise NoAnswer("The line is dead.")


# -- default


def defaults(contact: Contact) -> list[Card]:
    return list(contact.cards.filter(is_default=True))


def test_the_first_card_is_the_default_and_another_takes_its_place(desk: Client, ada: Contact) -> None:
    first, second = CardFactory.create(contact=ada), CardFactory.create(contact=ada)
    assert defaults(ada) == [first]
    key = {"key": str(uuid4())}
    for _ in range(2):
        assert desk.post(f"/cards/{second.pk}/default/", key).headers["Location"] == f"{tab(ada)}#cards"
    assert defaults(ada) == [second]
    assert Event.objects.filter(action="default_card").count() == 1
    page = desk.get(tab(ada)).content.decode().split('id="cards"')[1]
    assert page.count("badge-default") == 1
    assert f"/cards/{second.pk}/default/" not in page
    assert f"/cards/{first.pk}/default/" in page


def test_a_default_is_that_of_its_own_contact(desk: Client, ada: Contact) -> None:
    theirs = CardFactory.create()
    mine = [CardFactory.create(contact=ada) for _ in range(2)]
    desk.post(f"/cards/{mine[1].pk}/default/")
    assert defaults(theirs.contact) == [theirs]


def test_a_card_says_when_it_expires_and_was_last_used(desk: Client, ada: Contact) -> None:
    invoice = InvoiceFactory.create(contact=ada)
    used = CardFactory.create(contact=ada)
    CardFactory.create(contact=ada, exp_month=1, exp_year=2025)
    invoice.pay(None, source=used, amount=invoice.balance)
    cards = desk.get(tab(ada)).content.decode().split('id="cards"')[1]
    for words in ("12/40", "01/25", "Expired", "never used", f"last used {timezone.localdate():%-d %b %Y}"):
        assert words in cards, words


# -- removing


def test_a_removed_card_is_forgotten_here_and_at_the_gateway(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada)
    asked = desk.get(f"/cards/{card.pk}/remove/", headers=HTMX).content.decode()
    assert "The gateway forgets the card and it can no longer be charged." in asked
    key = {"key": str(uuid4())}
    for _ in range(2):
        assert desk.post(f"/cards/{card.pk}/remove/", key).status_code == 302
    card.refresh_from_db()
    assert card.removed_at is not None
    assert not card.is_default
    gateway, now = SandboxGateway(), uuid4()
    ref = gateway.prepare(key=now, amount=InvoiceFactory.create().balance, currency="USD", token=card.token)
    assert gateway.confirm(ref, key=now).state == AttemptState.DECLINED
    assert Event.objects.filter(action="remove_card").count() == 1
    assert "A card kept here" in desk.get(tab(ada)).content.decode()
    again = desk.post(f"/cards/{card.pk}/remove/", {"key": str(uuid4())})
    assert (again.status_code, "has been removed already" in again.content.decode()) == (409, True)


@pytest.mark.parametrize("verb", ["default", "remove"])
def test_a_card_that_is_being_charged_is_left_alone(desk: Client, ada: Contact, verb: str) -> None:
    CardFactory.create(contact=ada)
    card = CardFactory.create(contact=ada, number=LOST)
    invoice = InvoiceFactory.create(contact=ada)
    invoice.pay(None, source=card, amount=invoice.balance)
    response = desk.post(f"/cards/{card.pk}/{verb}/")
    assert response.status_code == 409
    assert "Visa •• 0127 is being charged: wait for the card company" in response.content.decode()
    card.refresh_from_db()
    assert (card.removed_at, card.is_default) == (None, False)
    assert StoredCard.objects.filter(token=card.token).exists()


def test_a_card_stays_on_file_when_the_gateway_cannot_be_told(
    desk: Client, ada: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = CardFactory.create(contact=ada)
    monkeypatch.setattr(SandboxGateway, "detach_card", silent)
    response = desk.post(f"/cards/{card.pk}/remove/")
    assert response.status_code == 409
    assert "is still on file: the gateway did not answer" in response.content.decode()
    card.refresh_from_db()
    assert card.removed_at is None


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_with_cards_what_its_permissions_say(
    client: Client, ada: Contact, role: str
) -> None:
    client.force_login(UserFactory.create(role=role))
    card = CardFactory.create(contact=ada)
    add = client.post(f"/contacts/{ada.pk}/cards/new/").status_code
    change = client.post(f"/cards/{card.pk}/remove/").status_code
    assert add == (302 if "billing.add_card" in ROLES[role] else 403)
    assert change == (302 if "billing.change_card" in ROLES[role] else 403)
    card.refresh_from_db()
    assert (card.removed_at is None) == (change == 403)
