"""Who may tell the desk something, and what becomes of a message that cannot be believed or read."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from billing.gateways.sandbox import messages
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Event, GatewayEvent
from billing.statuses import NoticeState
from billing.views.webhooks import LARGEST
from tests.notices.desk import DOOR, post, tell, told

pytestmark = pytest.mark.django_db


def test_a_signed_message_of_a_type_that_nobody_acts_on_is_written_down_and_done() -> None:
    assert post(told("customer.updated", event="e1")) == (200, "processed")
    event = GatewayEvent.objects.get()
    assert (event.event_id, event.kind, event.state, event.tries) == ("e1", "other", NoticeState.PROCESSED, 0)
    assert not Event.objects.exists()


def test_the_same_message_again_is_answered_and_not_acted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    body = told("charge.succeeded", "nothing", event="e1")
    monkeypatch.setattr(SandboxGateway, "charge_made", lambda self, ref: pytest.fail("asked twice"))
    GatewayEvent.objects.create(
        gateway="sandbox",
        event_id="e1",
        type="charge.succeeded",
        kind="charge",
        state=NoticeState.PROCESSED,
        received_at=timezone.now(),
        processed_at=timezone.now(),
    )
    assert post(body) == (200, "processed")
    assert GatewayEvent.objects.count() == 1


def test_a_message_without_a_signature_is_refused_with_a_sentence() -> None:
    status, words = post(told("charge.succeeded"), signature="")
    assert (status, words) == (400, "The header Sandbox-Signature is missing or is not t=…,v1=….")


def test_a_message_signed_with_another_key_is_refused(settings: Settings) -> None:
    body = told("charge.succeeded")
    ours = messages.sign(body, now=timezone.now())[messages.HEADER]
    settings.SECRET_KEY = "another" * 10
    status, words = post(body, signature=ours)
    assert status == 400
    assert "does not match the body" in words


def test_a_body_that_was_changed_is_refused() -> None:
    signature = messages.sign(told("a", event="1"), now=timezone.now())[messages.HEADER]
    assert post(told("a", event="2"), signature=signature)[0] == 400


@pytest.mark.parametrize("seconds", [301, -302])
def test_an_old_signature_and_one_from_the_future_are_refused(seconds: int) -> None:
    at = timezone.now() - timedelta(seconds=seconds)
    status, words = post(told("charge.succeeded"), signed_at=at)
    assert status == 400
    assert "more than 300 seconds" in words


def test_a_signature_of_a_few_minutes_is_taken() -> None:
    assert post(told("a"), signed_at=timezone.now() - timedelta(seconds=290))[0] == 200


GARBAGE = {
    "nothing": b"",
    "no JSON": b"{",
    "other bytes": os.urandom(4000),
    "not UTF-8": b'{"id": "\xff"}',
    "a list": b"[]",
    "a number for a text": b'{"id": 7, "type": "charge.succeeded"}',
    "no id": b'{"type": "charge.succeeded"}',
    "a key that is none": b'{"id": "e", "type": "charge.succeeded", "key": "x"}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_refused_signed_or_not(kind: str) -> None:
    for signature in (None, "", "t=1,v1=x", f"t={'9' * 12},v1={'0' * 64}", "\0"):
        assert post(GARBAGE[kind], signature=signature)[0] == 400
    assert not GatewayEvent.objects.exists()


def test_words_that_no_column_holds_are_stored_as_far_as_they_can_be() -> None:
    body = rb'{"id": "e\u0000\ud800", "type": "' + b"t" * 300 + rb'", "ref": "' + b"r" * 400 + b'"}'
    assert post(body)[0] == 200
    event = GatewayEvent.objects.get()
    assert (event.event_id, len(event.type), len(event.ref)) == ("e?", 100, 255)


def test_a_body_that_is_too_large_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"x" * (LARGEST + 1)
    assert post(body)[0] == 413

    def unread(*args: Any, **kwargs: Any) -> bytes:
        raise AssertionError("it was read")

    monkeypatch.setattr("django.core.handlers.wsgi.WSGIRequest.read", unread)
    assert post(body)[0] == 413


def test_a_gateway_that_is_not_installed_has_no_door(client: Client, settings: Settings) -> None:
    assert client.post("/webhooks/paypal/", b"{}", content_type="application/json").status_code == 404
    settings.SANDBOX_GATEWAY = settings.DEBUG = False
    assert client.post(DOOR, b"{}", content_type="application/json").status_code == 404


def test_whatever_breaks_while_a_message_is_read_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no such field")

    monkeypatch.setattr(messages, "read", breaks)
    assert post(told("charge.succeeded")) == (400, "The message cannot be read.")


def test_nothing_of_the_message_is_kept_but_what_it_takes_to_ask() -> None:
    event = tell("customer.updated", "ref-1", email="ada@example.com", card="4242424242424242")
    stored = " ".join(str(value) for value in GatewayEvent.objects.values().get(pk=event.pk).values())
    assert "ada@" not in stored
    assert "4242424242424242" not in stored
