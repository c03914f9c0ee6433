"""What every page keeps: a strict policy, nothing inline, other people's words as words, no card number."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.test import Client
from django.utils import timezone

from billing.actions import ACTIONS
from billing.models import (
    Attempt,
    Card,
    Event,
    Invoice,
    LineInput,
    Mail,
    OrderForm,
    Payment,
    Product,
    Submission,
)
from billing.statuses import InvoiceStatus
from tests.access.addresses import World
from tests.access.rules import OF_THE_BACK_OFFICE, OF_THE_DESK, rule_of, taking
from tests.factories import APPROVES, DECLINES, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7|add:7 }}'
HTMX = {"HX-Request": "true", "HX-Target": "dialog"}
LOADS = frozenset({"src", "action", "formaction"})


class Inline(HTMLParser):
    """Collects whatever a policy of ``'self'`` keeps a browser from running or painting."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "style" or (tag == "script" and "src" not in given):
            self.found.append(f"<{tag}>")
        for name, value in given.items():
            runs = name == "style" or name.startswith("on") or value.strip().lower().startswith("javascript:")
            leaves = name in LOADS and value.startswith(("http:", "https:", "//"))
            if runs or leaves:
                self.found.append(f"{tag} {name}={value}")


def inline_in(response: Any) -> list[str]:
    parser = Inline()
    parser.feed(response.content.decode())
    return parser.found


def is_page(response: Any) -> bool:
    return not response.streaming and response.headers.get("Content-Type", "").startswith("text/html")


@pytest.fixture
def somebody() -> User:
    return UserFactory.create(role="Administrator", is_staff=True, is_superuser=True)


@pytest.fixture
def world(somebody: User) -> World:
    """Whatever people can write is an attack, there is no e-mail address, and every status has an invoice."""
    world = World.made(somebody, name=EVIL, company=EVIL, notes=EVIL, email="", external_ref=EVIL[:100])
    line = LineInput(EVIL, Decimal(1), Decimal(100), sku=EVIL[:60])
    for status in InvoiceStatus:
        invoice = InvoiceFactory.create(contact=world.contact, status=status, lines=[line])
        Invoice.objects.filter(pk=invoice.pk).update(note=EVIL, internal_note=EVIL, external_ref=EVIL)
    Payment.objects.update(reference=EVIL, decline_reason=EVIL)
    Product.objects.update(name=EVIL, sku=Concat(Value(EVIL[:40]), Cast("pk", CharField())))
    OrderForm.objects.update(title=EVIL, intro=EVIL, terms=EVIL, thanks=EVIL)
    Submission.objects.update(typed={"name": EVIL, "email": EVIL, "agreed": EVIL})
    Event.objects.update(text=EVIL, actor_name=EVIL)
    Attempt.objects.update(message=EVIL, code=EVIL[:60])
    Mail.objects.update(subject=EVIL, text=EVIL, error=EVIL)
    return world


def paths(world: World) -> Iterator[str]:
    """Every page of the desk, and each action of an invoice in each status."""
    for address in OF_THE_DESK:
        if "GET" in rule_of(address).methods:
            yield world.fill(address)
    yield from ("/contacts/?q=%3Cscript%3E", "/invoices/?q=%3Cscript%3E&status=%3Cb%3E", "/nowhere/")
    yield f"/products/?q=script&contact={world.contact.pk}"
    for invoice in Invoice.objects.filter(contact=world.contact):
        yield from (f"/invoices/{invoice.pk}/{action}/" for action in ACTIONS)
        yield from (f"/i/{invoice.token}/", f"/pay/{invoice.token}/", f"/invoices/{invoice.pk}/why-not/")


def assert_page_is_clean(response: Any, path: str) -> None:
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy, path
    assert "unsafe" not in policy, path
    assert inline_in(response) == [], path
    page = response.content.decode()
    assert "<script>alert" not in page, path
    assert "<img src=x" not in page, path
    assert "{{ 7|add:7 }}" in page or ";14" not in page, path


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_no_page_holds_anything_that_the_policy_forbids_or_that_somebody_smuggled_in(
    client: Client, world: World, somebody: User, headers: dict[str, str]
) -> None:
    client.force_login(somebody)
    seen = 0
    for path in paths(world):
        response = client.get(path, headers=headers)
        assert response.status_code < 500, path
        if is_page(response):
            assert_page_is_clean(response, path)
            seen += 1
    assert seen > 100


def test_a_form_that_is_refused_writes_back_words_and_not_markup(
    client: Client, world: World, somebody: User
) -> None:
    client.force_login(somebody)
    fields = ("source", "amount", "reference", "recipient", "message", "reason", "route", "received_on")
    asked = dict.fromkeys(
        [*fields, "name", "email", "line-description", "line-tax", "currency", "mode"], EVIL
    )
    for address in taking("POST"):
        for path in (world.fill(address), world.fill(address, action="request_payment")):
            response = client.post(path, {**asked, "ids": str(world.invoice.pk), "key": EVIL, "all": EVIL})
            if address.name == "logout":
                client.force_login(somebody)
            if is_page(response) and response.content:
                assert_page_is_clean(response, path)


def test_the_back_office_keeps_the_policy_too(client: Client, world: World, somebody: User) -> None:
    client.force_login(somebody)
    for address in OF_THE_BACK_OFFICE:
        response = client.get(world.fill(address))
        if is_page(response):
            assert_page_is_clean(response, str(address))


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_refusals_keep_the_policy(client: Client, somebody: User, status: int) -> None:
    client.force_login(somebody)
    stranger = Client()
    stranger.force_login(UserFactory.create())
    if status == 400:
        response = client.get("/contacts/", headers={"cookie": r'messages="\000"'})
    elif status == 403:
        response = stranger.get("/contacts/")
    elif status == 404:
        response = client.get("/contacts/0/")
    else:
        response = client.post("/invoices/")
    assert response.status_code == status
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]


# -- card numbers

LONG_NUMBER = re.compile(r"(?<![0-9A-Fa-f-])[0-9](?:[ -]?[0-9]){12,18}(?![0-9A-Fa-f-])")


def is_card_number(digits: str) -> bool:
    """ISO/IEC 7812: the last digit makes the weighted sum a multiple of 10."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return len(digits) >= 13 and sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def card_numbers(text: str) -> list[str]:
    found = (re.sub("[ -]", "", match[0]) for match in LONG_NUMBER.finditer(text))
    return [digits for digits in found if is_card_number(digits)]


def everything_stored() -> str:
    """Every value of every table, as text."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            rows += [str(value) for row in cursor.fetchall() for value in row]
    return "\n".join(rows)


def test_a_card_number_is_recognized() -> None:
    assert card_numbers(f"x {APPROVES} y 4000 0000 0000 0341 z") == [APPROVES, DECLINES]
    assert card_numbers("4242424242424241 20260302120000 INV-000017") == []


@pytest.mark.parametrize("number", [APPROVES, DECLINES, "4000000000000002", "4000000000000119"])
def test_a_card_number_stays_nowhere(
    client: Client, somebody: User, caplog: pytest.LogCaptureFixture, number: str
) -> None:
    """Typed on the card company's page by an agent and by a customer, right and wrong."""
    caplog.set_level(logging.DEBUG)
    client.force_login(somebody)
    invoice = InvoiceFactory.create()
    typed = {"number": number, "exp_month": "11", "exp_year": "2040", "cvc": "918", "holder": number}
    add = client.post(f"/contacts/{invoice.contact_id}/cards/new/").headers["Location"]
    pay = client.post(f"/pay/{invoice.token}/", {"remember": "on"}).headers["Location"]

    shown = []
    for page in (add, pay):
        for holder in (number, "Ada Lovelace"):
            answer = client.post(page, {**typed, "holder": holder})
            shown.append(re.sub("<code>[0-9]+</code>", "", answer.content.decode()))  # the list of test cards
            if answer.status_code == 302:
                shown.append(client.get(answer.headers["Location"], follow=True).content.decode())
    for attempt in Attempt.objects.all():
        attempt.ask(at=timezone.now())
    pages = [f"/contacts/{invoice.contact_id}/purchases/", f"/invoices/{invoice.pk}/"]
    pages += [f"/attempts/{attempt.pk}/" for attempt in Attempt.objects.all()]
    shown += [client.get(path).content.decode() for path in pages]

    assert Card.objects.exists() == (number != "4000000000000002")
    assert card_numbers("\n".join(shown)) == []
    assert card_numbers(everything_stored()) == []
    assert card_numbers(caplog.text) == []
