"""A browser that sends anything anywhere, and what the forms of the pages would send as they stand."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from django.contrib.auth.models import User
from django.core.signals import got_request_exception
from django.db import transaction
from django.test import Client

from billing.actions import ACTIONS, ORDER_ACTIONS
from billing.views.saved_filters import LISTS
from tests.access.addresses import Address, World

Sent = dict[str, str]


class _Fields(HTMLParser):
    """Of two fields with one name the first that is on counts, as a person finds the page."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: Sent = {}
        self.select = self.textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "select":
            self.select = name
            self.sent.setdefault(name, "")
        elif tag == "textarea":
            self.textarea = name
            self.sent.setdefault(name, "")
        elif tag == "option" and self.select and "selected" in given:
            self.sent[self.select] = value
        elif tag in ("input", "button") and name:
            is_off = given.get("type") in ("checkbox", "radio") and "checked" not in given
            if not self.sent.get(name):
                self.sent[name] = "" if is_off else value or "on" * (given.get("type") == "checkbox")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            self.select = self.textarea = ""

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.sent[self.textarea] += data.removeprefix("\n")


def asked_by(page: str) -> Sent:
    """Each field of the page with its value; not the mark against forged forms, which no test needs."""
    fields = _Fields()
    fields.feed(page)
    fields.sent.pop("csrfmiddlewaretoken", None)
    return fields.sent


WORDS: dict[str, tuple[str, Iterable[str]]] = {
    "<action:action>": ("action", ACTIONS),
    "<order_action:action>": ("action", ORDER_ACTIONS),
    "<slug:page>": ("page", LISTS),
}


def paths(address: Address, world: World) -> Iterator[str]:
    """The path of an address, and where it holds a word from a table one for each of the words."""
    for parameter, (name, words) in WORDS.items():
        if parameter in address.route:
            yield from (world.fill(address, **{name: word}) for word in words)
            return
    yield world.fill(address)


def encoded(fields: dict[str, str]) -> str:
    """``fields``: what each holds, encoded already, so that it can be what no text is."""
    return "&".join(f"{quote(name)}={value}" for name, value in fields.items())


def in_parts(fields: dict[str, str], *, filename: str = "") -> bytes:
    """The same as a form of several parts; under ``filename`` each is a file."""
    named = f'; filename="{filename}"' if filename else ""
    head = '--b\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    each = (head.format(name, named).encode() + unquote_to_bytes(value) for name, value in fields.items())
    return b"\r\n".join([*each, b"--b--\r\n"])


class Desk:
    """A browser of somebody. What it sends leaves no trace: each answer is followed by the desk as it was.

    ``broken``: what was answered with 500, with the error.
    """

    def __init__(self, user: User) -> None:
        self.client = Client(raise_request_exception=False)
        self.client.force_login(user)
        self.signed_in = self.client.cookies.output(header="", sep=";")
        self.broken: list[str] = []
        self.error: object = None

    def shows(self, path: str) -> Sent:
        """The fields of a page as it stands."""
        answer = self.client.get(path)
        return {} if answer.streaming else asked_by(answer.content.decode(errors="replace"))

    def gets(self, path: str, query: str) -> None:
        self._sends("GET", path, QUERY_STRING=query)

    def posts(self, path: str, body: str | bytes) -> None:
        kind = (
            "multipart/form-data; boundary=b"
            if isinstance(body, bytes)
            else "application/x-www-form-urlencoded"
        )
        self._sends("POST", path, data=body, content_type=kind)

    def _sends(self, method: str, path: str, **sent: Any) -> None:
        self.client.cookies = SimpleCookie(self.signed_in)
        self.error = None
        before = transaction.savepoint()
        got_request_exception.connect(self._hears)
        answer = self.client.generic(method, path, **sent)
        answer.getvalue()  # a file may break while it is written
        got_request_exception.disconnect(self._hears)
        transaction.savepoint_rollback(before)
        if answer.status_code >= 500:
            asked = sent.get("QUERY_STRING") or sent.get("data") or ""
            self.broken.append(f"{method} {path} {asked[:200]!r}: {self.error!r}")

    def _hears(self, **_signal: Any) -> None:
        self.error = sys.exc_info()[1]
