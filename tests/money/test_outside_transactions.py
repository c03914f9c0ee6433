"""No transaction is ever open while a gateway is asked: one that is slow would keep every writer waiting."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.utils import timezone

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Card, Customer, Invoice, Payment
from tests.attempts.desk import AUTHENTICATES, CHARGED_LOST, give_back, no_answer, owing, paid_by_card, pay
from tests.crash.job import CALLS, watched
from tests.factories import ContactFactory, UserFactory
from tests.public.customer import Customer as Visitor

pytestmark = pytest.mark.django_db(transaction=True)
URL = "https://desk.example.com/"
NOT_OF_THE_DESK = {"check", "parse_webhook", "charge_made", "refund_made", "dispute"}
"""Nothing here calls these yet."""


class Watch:
    """Which calls were made, and which of them inside a transaction."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made: set[str] = set()
        self.raised: list[str] = []
        for name in set(CALLS) - NOT_OF_THE_DESK:
            patch.setattr(SandboxGateway, name, self._noted(name, getattr(SandboxGateway, name)))

    def _noted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        watching = watched(call, self)

        def calling(*args: Any, **kwargs: Any) -> Any:
            self.made.add(name)
            return watching(*args, **kwargs)

        return calling

    def note(self, *, raised: str) -> None:
        self.raised.append(raised)


@pytest.fixture
def agent() -> User:
    return UserFactory.create(role="Administrator")


def test_every_call_of_the_desk_is_made_outside(monkeypatch: pytest.MonkeyPatch, agent: User) -> None:
    watch, desk = Watch(monkeypatch), Client()
    desk.force_login(agent)

    contact = ContactFactory.create()
    page = desk.post(f"/contacts/{contact.pk}/cards/new/")["Location"]
    desk.get(Visitor().types_card(page))
    Card.objects.get().remove(agent, at=timezone.now())

    payment = paid_by_card()
    give_back(payment, 40)
    invoice, card = owing(AUTHENTICATES)
    attempt = pay(invoice, card)
    attempt.cancel(None, at=timezone.now())
    lost = pay(*owing(CHARGED_LOST))
    lost.ask(at=timezone.now())
    monkeypatch.setattr(SandboxGateway, "refund", no_answer)
    give_back(payment, 10)
    Attempt.objects.latest("id").ask(at=timezone.now())

    shown = owing()[0]
    Visitor().presses_pay(shown)
    shown.void(None, reason="Ordered twice")

    assert watch.made == set(CALLS) - NOT_OF_THE_DESK
    assert watch.raised == []


def started() -> Attempt:
    invoice, card = owing()
    event = invoice._start_charge(None, card=card, amount=invoice.balance, send_receipt=False)
    assert event.attempt
    return event.attempt


def on_a_page() -> Attempt:
    invoice, _ = owing()
    invoice.open_page(return_url=URL, cancel_url=URL, remember=False, at=timezone.now())
    return Attempt.objects.get()


def owing_at_a_page() -> Invoice:
    return on_a_page().invoice


VERBS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "run": (started, lambda attempt: attempt.run()),
    "ask": (started, lambda attempt: attempt.ask(at=timezone.now())),
    "cancel": (lambda: pay(*owing(AUTHENTICATES)), lambda attempt: attempt.cancel(None, at=timezone.now())),
    "show a page": (
        on_a_page,
        lambda attempt: attempt.open_page(description="", return_url=URL, cancel_url=URL),
    ),
    "close a page": (on_a_page, lambda attempt: attempt.close_page(at=timezone.now())),
    "open a page": (
        lambda: owing()[0],
        lambda invoice: invoice.open_page(return_url=URL, cancel_url=URL, remember=False, at=timezone.now()),
    ),
    "pay": (owing, lambda both: both[0].pay(None, source=both[1], amount=Decimal(10))),
    "refund": (paid_by_card, lambda payment: give_back(payment, 10)),
    "void": (owing_at_a_page, lambda invoice: invoice.void(None, reason="")),
    "remove a card": (lambda: owing()[1], lambda card: card.remove(None, at=timezone.now())),
    "open a file": (ContactFactory.create, lambda contact: Customer.ref_of(contact, gateway="sandbox")),
}


@pytest.mark.parametrize("verb", VERBS)
def test_inside_a_transaction_the_gateway_is_not_asked(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given, do = VERBS[verb]
    subject = given()
    watch = Watch(monkeypatch)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        do(subject)
    assert watch.made == set()
    assert Payment.objects.count() == (verb == "refund")
