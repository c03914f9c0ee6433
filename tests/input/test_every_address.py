"""Every address that there is, sent what no page of ours sends: refused in words, never with 500.

The addresses are those of the URL configuration, and the fields those of their own pages, so that what is
added later is swept too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User

from billing import searching
from tests.access.addresses import World
from tests.access.rules import OF_THE_DESK, rule_of
from tests.factories import UserFactory
from tests.input.sweep import Desk, Sent, encoded, in_parts, paths

pytestmark = pytest.mark.django_db

ODD = {
    "a null character": "a%00b",
    "bytes that are no text": "%ff",
    "half a character": "%ed%a0%80",
    "nothing": "",
    "more than 64 bits": "9223372036854775808",
    "more than 32 bits": "2147483648",
    "thousands of digits": "9" * 5000,
    "less than nothing": "-1",
    "no number": "NaN",
    "no end": "Infinity",
    "a number too large": "1e999",
    "a digit that is none": "%C2%B2",
    "another currency": "JPY",
    "a currency of nobody": "XXX",
    "a list": "1,2,%00",
    "JSON": "%7B%22a%22%3A%5B1%5D%7D",
    "a key of nobody": "00000000-0000-0000-0000-000000000000",
    "the first day": "0001-01-01",
    "the last day": "9999-12-31",
    "a card beyond 64 bits": "card:9223372036854775808",
    "an address cut short": "http%3A//%5B",
    "100 kB": "x" * 100_000,
}
"""As an address or a form holds it."""
NAMES = [
    *("q", "page", "sort", "status", "type", "method", "gateway", "currency", "contact", "invoice"),
    *("amount_min", "amount_max", "date_from", "date_to", "invoices", "payments", "history", "cards"),
    *("lines", "events", "next", "ids", "all", "filter", "attempt", "refused", "source", "amount", "ref"),
    *("do", "deed", "state", "seen", "program", "partner", "shares", "referred", "commissions", "payouts"),
]
"""What addresses are asked and pages send besides what their fields hold."""


@pytest.fixture
def somebody() -> User:
    return UserFactory.create(role="Administrator")


@pytest.fixture
def world(somebody: User) -> World:
    return World.made(somebody)


@pytest.fixture
def desk(somebody: User, world: World) -> Desk:
    return Desk(somebody)


def pages(desk: Desk, world: World) -> Iterator[tuple[str, frozenset[str], Sent]]:
    """Each path with its methods and, where it is a page, what that would send as it stands."""
    for address in OF_THE_DESK:
        methods = rule_of(address).methods
        for path in paths(address, world):
            yield path, methods, desk.shows(path) if "GET" in methods else {}


def test_no_address_breaks_when_all_that_it_is_sent_is_no_text(desk: Desk, world: World) -> None:
    """A null character, half a character and a byte of no character, in a query, a form, and parts."""
    for path, methods, fields in pages(desk, world):
        sent = dict.fromkeys([*NAMES, *fields], "a%00%ed%a0%80%ff")
        if "GET" in methods:
            desk.gets(path, encoded(sent))
        if "POST" in methods:
            desk.posts(path, encoded(sent))
            desk.posts(path, in_parts(sent))
    assert desk.broken == []


def test_no_address_breaks_when_all_that_it_is_sent_is_too_large(desk: Desk, world: World) -> None:
    """Under a one-time key that is in order, so that nothing is refused for that alone."""
    for path, methods, fields in pages(desk, world):
        sent = dict.fromkeys([*NAMES, *fields], "9223372036854775808")
        if "GET" in methods:
            desk.gets(path, encoded(sent))
        if "POST" in methods:
            known = {"key": fields["key"]} if "key" in fields else {}
            desk.posts(path, encoded({**sent, **known}))
    assert desk.broken == []


def missing(name: str, fields: Sent) -> str:
    return encoded({each: value for each, value in fields.items() if each != name})


def an_array(name: str, fields: Sent) -> str:
    return f"{missing(name, fields)}&{encoded({f'{name}[]': '1'})}"


def twice(name: str, fields: Sent) -> str:
    return f"{encoded(fields)}&{encoded({name: '%00'})}&{encoded({name: '1'})}"


def a_file(name: str, fields: Sent) -> bytes:
    return in_parts({name: "%ff%00"}, filename="x")


def holding(odd: str) -> Callable[[str, Sent], str]:
    return lambda name, fields: encoded({**fields, name: ODD[odd]})


SPOILT: list[Callable[[str, Sent], str | bytes]] = [missing, an_array, twice, a_file, *map(holding, ODD)]


def test_no_form_breaks_when_one_of_its_fields_is_odd(desk: Desk, world: World) -> None:
    """In turn, across all the pages: there are far too many of them for every value in every field."""
    turn = cycle(SPOILT)
    for path, methods, fields in pages(desk, world):
        as_it_stands = {name: quote(value) for name, value in fields.items()}
        for name in fields if "POST" in methods else ():
            desk.posts(path, next(turn)(name, as_it_stands))
    assert desk.broken == []


def test_a_page_that_breaks_is_noticed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "invoices", None)
    desk.gets("/search/", "q=ada")
    [told] = desk.broken
    assert told.startswith("GET /search/ 'q=ada': TypeError")
