"""Requests that no page of ours makes: what is broken in them is refused, never with 500."""

from __future__ import annotations

from html import unescape
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from billing.models import Invoice
from config.middleware import LegibleRequest
from contacts.models import Contact
from tests.access.addresses import PARAMETER, World
from tests.access.rules import OF_THE_BACK_OFFICE, OF_THE_DESK, rule_of, taking
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

MEGABYTE = 1024 * 1024
NUL_IN_A_COOKIE = r'"\000\000\000\000\000\000\000\000abc"'
"""A browser's own notation: in quotes, a character is written as its octal number."""


@pytest.fixture
def somebody() -> User:
    return UserFactory.create(role="Administrator", is_staff=True, is_superuser=True)


@pytest.fixture
def desk(somebody: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(somebody)
    return client


@pytest.fixture
def world(somebody: User) -> World:
    return World.made(somebody)


def multipart(disposition: str, value: bytes = b"x") -> bytes:
    head = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()
    return head + value + b"\r\n--b--\r\n"


def send(desk: Client, path: str, body: bytes, content_type: str) -> HttpResponse:
    return desk.generic("POST", path, body, content_type=content_type)  # type: ignore[return-value]


TOO_MUCH = {
    "10 MB in one field": (b"name=" + b"x" * 10 * MEGABYTE, "application/x-www-form-urlencoded"),
    "30,000 fields": (b"&".join(b"f%d=1" % n for n in range(30_000)), "application/x-www-form-urlencoded"),
    "10 MB in parts": (multipart('name="name"', b"x" * 10 * MEGABYTE), "multipart/form-data; boundary=b"),
    "101 files": (
        b"".join(multipart(f'name="f{n}"; filename="f"').removesuffix(b"--b--\r\n") for n in range(101))
        + b"--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    "no boundary": (b"name=x", "multipart/form-data"),
    "a boundary of other letters": (b"name=x", "multipart/form-data; boundary=\xff"),
    "a boundary too long": (b"name=x", f"multipart/form-data; boundary={'b' * 500}"),
    "base64 that is none": (
        multipart('name="name"\r\nContent-Transfer-Encoding: base64', b"!"),
        "multipart/form-data; boundary=b",
    ),
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_a_body_that_nobody_means_is_refused_by_every_form(somebody: User, world: World, kind: str) -> None:
    before = Contact.objects.count()
    desk = Client(enforce_csrf_checks=True, raise_request_exception=False)
    desk.force_login(somebody)
    body, content_type = TOO_MUCH[kind]
    before = Contact.objects.count()
    answers = {
        str(address): send(desk, world.fill(address), body, content_type).status_code
        for address in taking("POST")
    }
    assert {name: status for name, status in answers.items() if not 400 <= status < 500} == {}
    assert Contact.objects.count() == before


OTHER_ENCODINGS = ["utf-16", "utf-7", "rot13", "idna", "unicode_escape", "latin-1", "nope"]


@pytest.mark.parametrize("charset", OTHER_ENCODINGS)
def test_a_form_in_another_encoding_is_refused(desk: Client, charset: str) -> None:
    parts = multipart('name="name"', rb"+2AA-\ud800")  # half a character in some of these encodings
    for content_type in ("multipart/form-data; boundary=b", "application/x-www-form-urlencoded"):
        answer = send(desk, "/contacts/new/", parts, f"{content_type}; charset={charset}")
        assert answer.status_code == 400
    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    "charset", [f"charset={each}" for each in OTHER_ENCODINGS] + ["charset*=utf-8''a%00"]
)
@pytest.mark.parametrize("debug", [False, True])
def test_an_address_in_another_encoding_is_refused_before_it_is_read(
    settings: Settings, charset: str, debug: bool
) -> None:
    settings.DEBUG = debug
    environ = {"CONTENT_TYPE": f"text/plain; {charset}", "QUERY_STRING": r"q=+2AA-%5cud800"}
    server, start = WSGIHandler(), Mock()
    server.request_class = LegibleRequest

    page = server({**RequestFactory().get("/contacts/").environ, **environ}, start)

    assert start.call_args[0][0] == "400 Bad Request"
    assert ("cannot read" if not debug else "it must be UTF-8") in unescape(b"".join(page).decode())


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8"])
def test_a_form_that_says_that_it_is_utf_8_is_taken(desk: Client, charset: str) -> None:
    content_type = f"application/x-www-form-urlencoded; charset={charset}"
    assert send(desk, "/contacts/new/", "name=Ægir".encode(), content_type).status_code == 302


@pytest.mark.parametrize(
    "name", ["name*=rot13''a%20b", "name*=utf-7''+2AA-", "name*=utf-8''a%00%ff%ed%a0%80"]
)
def test_a_field_whose_name_cannot_be_read_is_no_field(desk: Client, name: str) -> None:
    response = send(desk, "/contacts/new/", multipart(name), "multipart/form-data; boundary=b")
    assert response.status_code == 422
    assert "Name is missing" in response.content.decode()


@pytest.mark.parametrize("cookie", ["sessionid", "csrftoken", "messages"])
def test_a_null_character_in_a_cookie_is_refused(db: None, cookie: str) -> None:
    client = Client(raise_request_exception=False)
    assert client.get("/contacts/", HTTP_COOKIE=f"{cookie}={NUL_IN_A_COOKIE}").status_code == 400


@pytest.mark.parametrize("value", ["", '"', "x" * 5000, "é" * 20, "../../etc/passwd", "a:b:c", "null"])
@pytest.mark.parametrize("cookie", ["sessionid", "csrftoken", "messages"])
def test_a_broken_cookie_is_no_sign_in_and_no_error(db: None, cookie: str, value: str) -> None:
    client = Client(raise_request_exception=False)
    assert client.get("/contacts/", HTTP_COOKIE=f"{cookie}={value}").status_code == 302
    assert client.get("/login/", HTTP_COOKIE=f"{cookie}={value}").status_code == 200


@pytest.mark.parametrize("host", ["elsewhere.example", "", "[", "a" * 500, "testserver:x", "testserver\0"])
def test_a_host_that_is_not_ours_is_refused(desk: Client, host: str) -> None:
    assert desk.get("/contacts/", headers={"host": host}).status_code == 400


HEADERS = {
    "HX-Current-URL": "http://[",
    "HX-Target": "%ff%00",
    "HX-Target-URI-AutoEncoded": "true",
    "HX-Trigger": "<script>",
    "HX-Triggering-Event": "{nope",
    "HX-Prompt": "\xff",
    "HX-Boosted": "maybe",
    "HX-History-Restore-Request": "2",
    "Referer": "http://[",
    "Origin": "null",
    "Accept": ";;q=,",
    "Accept-Language": "x" * 5000,
    "If-None-Match": "W/",
    "If-Modified-Since": "yesterday",
    "Range": "bytes=9-1",
    "X-Forwarded-For": "nowhere",
    "X-Forwarded-Proto": "gopher",
    "X-CSRFToken": "x" * 5000,
    "User-Agent": "x" * 9000,
    "Content-Length": "many",
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_of_nonsense_changes_nothing(desk: Client, world: World, header: str) -> None:
    headers = {"HX-Request": "true", header: HEADERS[header]}
    for path in (f"/contacts/{world.contact.pk}/purchases/", "/contacts/", "/invoices/", "/payments/"):
        assert desk.get(path, headers=headers).status_code == 200
    pay = f"/invoices/{world.invoice.pk}/pay/"
    assert desk.get(pay, headers=headers).status_code == 200
    assert desk.post(pay, {"amount": "x"}, headers=headers).status_code == 422


@pytest.mark.parametrize("header", ["User-Agent", "Accept", "Referer", "HX-Target", "X-Forwarded-For"])
def test_a_null_character_in_a_header_is_refused(db: None, header: str) -> None:
    client = Client(raise_request_exception=False)
    answer = client.post("/login/", {"username": "ines", "password": "x"}, headers={header: "a\0b"})
    assert answer.status_code == 400


def test_a_sign_in_with_a_null_character_in_its_address_is_a_failed_sign_in(db: None) -> None:
    client = Client(raise_request_exception=False)
    answer = client.post("/login/?next=%00&x=%ed%a0%80", {"username": "ines", "password": "x\0", "y": "\0"})
    assert answer.status_code == 200


BACK = [
    "//evil.example",
    "///evil.example",
    r"/\evil.example",
    "https://evil.example/",
    "https:///evil.example",
    "javascript:alert(1)",
    "http://[::1",
    "\x00",
    "data:text/html,x",
]
ODD_BUT_OURS = ["/x\ny", "/x\r\nSet-Cookie: a=b", "/é😀", "/x" * 3000, "?invoices=2&payments=3"]


@pytest.mark.parametrize("wanted", BACK)
def test_the_way_back_never_leads_out_of_the_desk(desk: Client, world: World, wanted: str) -> None:
    ask = f"/attempts/{world.attempt.pk}/ask/"
    for headers in ({}, {"HX-Request": "true"}):
        page = desk.post(ask, {"next": wanted}, headers=headers, follow=True).content.decode()
        assert f'data-close href="/invoices/{world.attempt.invoice_id}/"' in page
    again = desk.post(f"/mail/{world.mail.pk}/again/", {"next": wanted})
    assert again.headers["Location"] == f"/mail/{world.mail.pk}/"
    door = Client().post("/login/", {"username": "x", "password": "y", "next": wanted})
    assert door.status_code == 200


@pytest.mark.parametrize("wanted", ODD_BUT_OURS)
def test_the_way_back_survives_whatever_is_in_it(desk: Client, world: World, wanted: str) -> None:
    for headers in ({}, {"HX-Request": "true"}):
        deleted = Invoice.objects.count()
        draft = world.invoice
        answer = desk.post(f"/invoices/{draft.pk}/void/", {"next": wanted}, headers=headers)
        assert answer.status_code in (302, 204, 409)
        assert "Set-Cookie" not in answer.headers
        assert Invoice.objects.count() == deleted


def test_a_query_in_the_way_back_is_kept_whole(desk: Client, world: World) -> None:
    wanted = f"/contacts/{world.contact.pk}/purchases/?invoices=2&payments=3"
    page = desk.post(f"/attempts/{world.attempt.pk}/ask/", {"next": wanted}, follow=True)
    assert f'data-close href="{wanted.replace("&", "&amp;")}"' in page.content.decode()


STRANGE_PATHS = [
    "/%00",
    "/%ff",
    "/%ed%a0%80",
    "/" + "a" * 20_000,
    "/static/%00",
    "/static/../manage.py",
    "/static/%2e%2e/%2e%2e/etc/passwd",
    "/static/css/tokens.css%00",
    "/static/" + "a" * 5000,
    "/static/css/",
    "/favicon.ico",
    "/admin/%00/",
    "/admin/billing/invoice/%00/change/",
    "/admin/billing/invoice/99999999999999999999/change/",
    "/admin/billing/product/_5Fx_ff/change/",
    "/admin/r/1/%00/",
    "/admin/r/99999999999999999999/1/",
    "/.env",
    "/i/" + "a" * 5000 + "/",
]


@pytest.mark.parametrize("path", STRANGE_PATHS, ids=lambda path: path[:40])
def test_an_address_that_is_none_is_not_found(desk: Client, path: str) -> None:
    assert 300 <= desk.get(path, follow=True).status_code < 500 or path.startswith("/admin/billing/")


BEYOND = [
    "99999999999999999999",
    "9223372036854775808",
    "9" * 5000,
    "-1",
    "1.0",
    "%D9%A3",
    "%00",
    "%ed%a0%80",
]


@pytest.mark.parametrize("key", BEYOND, ids=lambda key: key[:20])
def test_a_number_that_no_record_can_have_is_not_found(desk: Client, world: World, key: str) -> None:
    """In each place of an address where something is named."""
    for address in OF_THE_DESK:
        for name in PARAMETER.findall(address.route):
            path = world.fill(address, **{name: key})
            for method in rule_of(address).methods:
                status = (desk.get if method == "GET" else desk.post)(path).status_code
                # a number where an action's name belongs is an invoice's page, which takes no POST
                assert status in (404, 405), f"{method} {path[:80]}"


@pytest.mark.parametrize("key", [*BEYOND, "a_00b", "'"], ids=lambda key: key[:20])
def test_the_back_office_finds_no_such_record_either(desk: Client, world: World, key: str) -> None:
    for address in OF_THE_BACK_OFFICE:
        if "<" in address.route:
            path = world.fill(address, object_id=key, content_type_id=key, id=key, url=key)
            assert desk.get(path).status_code < 500, path[:80]
            assert desk.post(path).status_code < 500, path[:80]
