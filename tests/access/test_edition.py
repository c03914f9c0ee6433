"""Below the edition *plus* the purchases are off on the server, and every page of theirs says so."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from contacts.models import Contact
from tests.access.addresses import World
from tests.access.rules import OF_THE_DESK, rule_of
from tests.access.test_addresses import everything, send
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

OF_PURCHASES = [
    address
    for address in OF_THE_DESK
    if address.name.startswith("billing:") and not rule_of(address).is_public
]


@pytest.fixture
def world() -> World:
    return World.made(UserFactory.create())


@pytest.fixture
def basic(client: Client, settings: Settings) -> Client:
    settings.EDITION = "basic"
    client.force_login(UserFactory.create(role="Administrator"))
    return client


def test_every_page_of_purchases_is_refused_and_says_which_edition_it_takes(
    basic: Client, world: World
) -> None:
    before = everything()
    assert len(OF_PURCHASES) > 25
    for address in OF_PURCHASES:
        for method in rule_of(address).methods:
            response = send(basic, method, world.fill(address))
            assert response.status_code == 403, f"{method} {address}"
            page = response.content.decode()
            assert "Purchases belong to the Plus edition" in page, address
            assert "This installation runs the basic edition" in page, address
    assert everything() == before


def test_the_tab_stands_among_the_tabs_and_says_why_it_is_empty(basic: Client, world: World) -> None:
    tab = f"/contacts/{world.contact.pk}/purchases/"
    assert f'href="{tab}"' in basic.get(f"/contacts/{world.contact.pk}/").content.decode()
    page = basic.get(tab).content.decode()
    assert "switch them on with the setting EDITION" in page
    assert str(world.invoice) not in page


def test_contacts_are_still_found_made_and_edited(basic: Client, world: World) -> None:
    assert world.contact.name in basic.get("/contacts/").content.decode()
    assert basic.get(f"/contacts/{world.contact.pk}/").status_code == 200
    made = basic.post("/contacts/new/", {"name": "Grace Hopper"})
    assert made.status_code == 302
    edit = f"/contacts/{Contact.objects.get(name='Grace Hopper').pk}/edit/"
    assert basic.get(edit).status_code == 200


def test_customers_still_read_the_invoices_they_were_sent(
    basic: Client, world: World, client: Client
) -> None:
    assert Client().get(f"/i/{world.invoice.token}/").status_code == 200


@pytest.mark.parametrize("edition", ["plus", "pro", "enterprise"])
def test_every_other_edition_has_them(client: Client, settings: Settings, edition: str) -> None:
    settings.EDITION = edition
    client.force_login(UserFactory.create(role="Viewer"))
    assert client.get("/invoices/").status_code == 200


def test_whoever_has_no_role_learns_of_the_role_first(client: Client, settings: Settings) -> None:
    settings.EDITION = "basic"
    client.force_login(UserFactory.create())
    response = client.get("/invoices/")
    assert response.status_code == 403
    assert "Your role does not allow this" in response.content.decode()
