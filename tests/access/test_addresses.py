"""Every address: who opens it, by which method, and what a stranger or a viewer gets."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from billing import models
from billing.actions import ACTIONS
from billing.gateways.sandbox.models import Charge, HostedPage, StoredCard
from contacts.models import Contact
from tests.access.addresses import World
from tests.access.rules import CHANGES, OF_THE_BACK_OFFICE, OF_THE_DESK, RULES, rule_of, taking
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

KEPT: list[type[Model]] = [
    *(getattr(models, name) for name in models.__all__ if isinstance(getattr(models, name), type(Contact))),
    *(Contact, User, Charge, HostedPage, StoredCard),
]


@pytest.fixture
def somebody() -> User:
    return UserFactory.create(role="Administrator", is_staff=True)


@pytest.fixture
def world(somebody: User) -> World:
    return World.made(somebody)


def everything() -> dict[str, list[Any]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in KEPT}


def send(client: Client, method: str, path: str, data: dict[str, str] | None = None) -> HttpResponse:
    if method == "POST":
        return client.post(path, data or {})  # type: ignore[return-value]
    return client.generic(method, path)  # type: ignore[return-value]


def test_every_address_has_a_rule_and_every_rule_an_address() -> None:
    assert {address.name for address in OF_THE_DESK} == RULES.keys()


def test_a_method_that_is_not_meant_is_refused_as_such(client: Client, world: World, somebody: User) -> None:
    client.force_login(somebody)
    answers = {
        f"{method} {address}": send(client, method, world.fill(address)).status_code
        for address in OF_THE_DESK
        for method in (*CHANGES, "FOO", "GET", "POST")
        if method not in rule_of(address).methods
    }
    assert {asked: status for asked, status in answers.items() if status != 405} == {}


def test_a_stranger_is_led_to_the_sign_in_from_all_but_the_public_pages(client: Client, world: World) -> None:
    for address in OF_THE_DESK:
        before = everything()
        for method in rule_of(address).methods:
            response = send(client, method, world.fill(address))
            door = response.status_code == 302 and response.headers["Location"].startswith("/login/?next=")
            assert door != rule_of(address).is_public, f"{method} {address}"
        if not rule_of(address).is_public:
            assert everything() == before, address


def test_a_stranger_is_led_from_the_whole_back_office_to_the_sign_in(client: Client, world: World) -> None:
    before = everything()
    for address in OF_THE_BACK_OFFICE:
        if address.name != "admin:logout":  # it says that one is signed out
            response = client.get(world.fill(address), follow=True)
            assert response.redirect_chain[-1][0].startswith("/login/"), address
            assert client.post(world.fill(address)).status_code in (302, 405), address
    assert everything() == before


def test_nobody_without_a_role_opens_a_page_of_the_desk(client: Client, world: World) -> None:
    client.force_login(UserFactory.create())
    before = everything()
    for address in OF_THE_DESK:
        for method in rule_of(address).methods:
            if not rule_of(address).is_public:
                response = send(client, method, world.fill(address))
                assert (response.status_code == 403) == rule_of(address).needs_role, f"{method} {address}"
                assert everything() == before, f"{method} {address}"


def test_a_viewer_changes_nothing_anywhere(client: Client, world: World) -> None:
    client.force_login(UserFactory.create(role="Viewer"))
    before = everything()
    asked = {"source": "cash", "amount": "1", "ids": str(world.invoice.pk), "name": "Ada", "do": "save"}
    expected = {
        "billing:totals": 404,  # neither an invoice nor a contact is named; it is a sum, and stores nothing
        "billing:bulk": 404,  # a run is seen by whoever started it
    }
    for address in taking("POST"):
        if not (rule_of(address).is_public or rule_of(address).is_own):
            status = client.post(world.fill(address), asked).status_code
            assert status == expected.get(address.name, 403), address
            assert everything() == before, address


@pytest.mark.parametrize("action", ACTIONS)
def test_a_viewer_takes_no_action_on_one_invoice_or_on_many(
    client: Client, world: World, action: str
) -> None:
    client.force_login(UserFactory.create(role="Viewer"))
    before = everything()
    one = client.post(f"/invoices/{world.invoice.pk}/{action}/", {"amount": "1", "source": "cash"})
    many = client.post(f"/invoices/{action}/", {"ids": str(world.invoice.pk)})
    assert one.status_code == 403
    assert many.status_code == (403 if ACTIONS[action].bulk else 404)
    assert everything() == before


def test_no_form_is_taken_without_its_mark(world: World, somebody: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(somebody)
    before = everything()
    forms = [address for address in taking("POST") if not rule_of(address).is_signed]
    for address in [*forms, *OF_THE_BACK_OFFICE]:
        response = client.post(world.fill(address), {"source": "cash", "amount": "1"})
        assert response.status_code == 403, address
        assert "without its security mark" in response.content.decode(), address
        assert everything() == before, address


OF_A_MODEL = tuple(f"admin:{app}_" for app in ("auth", "axes", "billing", "contacts", "sandbox"))


def test_being_staff_opens_the_back_office_and_nothing_in_it(client: Client, world: World) -> None:
    client.force_login(UserFactory.create(is_staff=True))
    before = everything()
    assert client.get("/admin/").status_code == 200
    for address in OF_THE_BACK_OFFICE:
        path = world.fill(address)
        if address.name.startswith(OF_A_MODEL) and not address.name.endswith("_history"):
            assert client.get(path).status_code == 403, path
            assert client.post(path, {"action": "delete_selected"}).status_code == 403, path
    assert everything() == before


def test_a_role_alone_does_not_open_the_back_office(client: Client, world: World) -> None:
    client.force_login(UserFactory.create(role="Administrator"))
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/login/?next=")


def test_whoever_is_no_longer_active_is_signed_out(client: Client, world: World, somebody: User) -> None:
    client.force_login(somebody)
    User.objects.filter(pk=somebody.pk).update(is_active=False)
    assert client.get("/contacts/").headers["Location"].startswith("/login/")


def test_signing_out_ends_the_session_for_good(client: Client, somebody: User) -> None:
    client.force_login(somebody)
    old = client.cookies["sessionid"].value
    assert client.post(reverse("logout")).headers["Location"] == "/login/"
    assert not Session.objects.exists()
    client.cookies["sessionid"] = old
    assert client.get("/contacts/").headers["Location"].startswith("/login/")


def test_a_session_cookie_is_read_by_no_script(client: Client, somebody: User) -> None:
    client.force_login(somebody)
    assert client.get("/contacts/").status_code == 200
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_a_role_that_is_taken_away_counts_at_once(client: Client, somebody: User) -> None:
    client.force_login(somebody)
    assert client.get("/invoices/").status_code == 200
    somebody.groups.clear()
    assert client.get("/invoices/").status_code == 403
