# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""What gateways tell about charges: ours are settled, and money that is nobody's is put before a person."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from billing.gateways import Outcome
from billing.gateways.sandbox import dashboard, messages, pages
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.numbers import read_card, read_number
from billing.models import Attempt, GatewayEvent, Payment, UnmatchedMoney
from billing.models.gateway_event import MOST_TRIES
from billing.statuses import AttemptState, InvoiceStatus, NoticeState
from billing.tasks import act_on_notices, tick
from tests.attempts.desk import (
    AUTHENTICATES,
    CHARGED_LOST,
    assert_books_agree,
    fresh,
    moved,
    no_answer,
    owing,
    pay,
)
from tests.factories import APPROVES
from tests.notices.desk import charged_here, charged_there, deliver, tell, told

pytestmark = pytest.mark.django_db
URL = "https://desk.example.com/pay/"


def test_a_charge_of_ours_whose_answer_was_lost_is_settled() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    tell("charge.succeeded", attempt.gateway_ref)
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert Attempt.objects.get().state == AttemptState.APPROVED
    assert_books_agree()


def test_what_was_settled_before_is_not_booked_again() -> None:
    payment = charged_here()
    for _ in range(2):
        assert tell("charge.succeeded", payment.gateway_ref).state == NoticeState.PROCESSED
    assert Payment.objects.count() == 1
    assert not UnmatchedMoney.objects.exists()
    assert_books_agree()


def test_the_payload_is_not_believed() -> None:
    """The message says that the charge succeeded; the gateway, asked, says that the bank still waits."""
    invoice, card = owing(AUTHENTICATES)
    attempt = pay(invoice, card)
    tell("charge.succeeded", attempt.gateway_ref)
    assert Attempt.objects.get().state == AttemptState.NEEDS_ACTION
    assert not Payment.objects.exists()


def test_a_charge_that_is_written_down_and_not_confirmed_is_left_to_whoever_began_it() -> None:
    invoice, card = owing()
    attempt = pay(invoice, card, Decimal(10))
    ref = SandboxGateway().prepare(key=uuid4(), amount=Decimal(9), currency="USD", token=card.token)
    tell("charge.succeeded", ref)
    assert SandboxGateway().retrieve(ref).state == AttemptState.STARTED
    assert Attempt.objects.get() == attempt
    assert not UnmatchedMoney.objects.exists()


def test_a_page_that_its_customer_never_came_back_from_is_settled() -> None:
    invoice, _card = owing()
    now = timezone.now()
    invoice.open_page(return_url=URL, cancel_url=URL, remember=False, at=now)
    attempt = Attempt.objects.get()
    tell("page.completed", page=attempt.page_ref)
    assert Attempt.objects.get().state == AttemptState.PAGE_OPEN
    typed = read_card(read_number(APPROVES), exp_month=12, exp_year=2040, today=now.date())
    pages.take_card(attempt.page_ref, typed, now=now)
    tell("page.completed", page=attempt.page_ref)
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert_books_agree()


def test_money_that_came_after_we_thought_it_never_would_is_booked() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    attempt.settle(Outcome(AttemptState.NOT_CHARGED, message="Never"))
    tell("charge.succeeded", attempt.gateway_ref)
    assert fresh(invoice).paid == 100
    assert_books_agree()


def test_a_payment_made_elsewhere_is_listed_once() -> None:
    charge = charged_there()
    for _ in range(2):
        tell("charge.succeeded", charge.ref)
    row = UnmatchedMoney.objects.get()
    assert (row.kind, row.amount, row.currency, row.card_label) == ("charge", 70, "USD", "Visa •• 4242")
    assert row.description == "Terminal 2"
    assert not Payment.objects.exists()
    assert_books_agree()


def test_a_key_that_we_do_not_have_is_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    _invoice, card = owing()
    key = uuid4()
    ref = SandboxGateway().prepare(key=key, amount=Decimal(9), currency="USD", token=card.token)
    SandboxGateway().confirm(ref, key=key)
    tell("charge.succeeded", ref, key=str(key))
    assert UnmatchedMoney.objects.get().ref == ref
    assert f"under {key}, which no attempt explains" in caplog.text
    assert_books_agree()


def test_a_charge_that_was_declined_elsewhere_is_no_news() -> None:
    charge = charged_there()
    charge.state = "declined"
    charge.save(update_fields=["state"])
    assert tell("charge.failed", charge.ref).state == NoticeState.PROCESSED
    assert not UnmatchedMoney.objects.exists()


def test_the_sandboxs_own_messages_reach_the_desk_with_a_tick() -> None:
    payment = charged_here()
    dashboard.pay_again(payment.gateway_ref, amount=Decimal(5), now=timezone.now())
    assert tick(timezone.now())["act_on_notices"] == {"processed": 1}
    assert UnmatchedMoney.objects.get().amount == 5
    assert deliver() == {}
    assert moved() == [(100, 0), (5, 0)]


# -- a gateway that does not answer


def test_a_gateway_that_does_not_answer_is_asked_again_by_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "charge_made", no_answer)
        event = tell("charge.succeeded", attempt.gateway_ref)
    assert (event.state, event.tries, event.error) == (NoticeState.FAILED, 1, "NoAnswer: The line is dead.")
    assert event.due_at
    assert act_on_notices(event.due_at - timedelta(seconds=1)) == {}
    assert act_on_notices(event.due_at) == {"processed": 1}
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    event.refresh_from_db()
    assert (event.state, event.error, event.due_at) == (NoticeState.PROCESSED, "", None)


def test_the_tries_grow_apart_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SandboxGateway, "charge_made", no_answer)
    event = tell("charge.succeeded", "somewhere")
    waits = []
    while (before := event.due_at) is not None:
        assert act_on_notices(before) == {"failed": 1}
        event.refresh_from_db()
        waits.append(event.due_at and event.due_at - before)
    assert event.tries == MOST_TRIES
    assert waits[0] == timedelta(minutes=4)
    assert waits[-2] == timedelta(minutes=2 ** (MOST_TRIES - 1))
    assert list(GatewayEvent.objects.given_up()) == [event]


def test_a_message_whose_reader_died_is_acted_on_by_tick() -> None:
    charge = charged_there()
    notice = SandboxGateway().parse_webhook(*signed(charge.ref))
    event = GatewayEvent.objects.write_down("sandbox", notice, at=timezone.now())
    assert event.due_at
    assert act_on_notices(event.due_at) == {"processed": 1}
    assert UnmatchedMoney.objects.get().ref == charge.ref


def signed(ref: str) -> tuple[bytes, dict[str, str]]:
    body = told("charge.succeeded", ref)
    return body, messages.sign(body, now=timezone.now())


def test_an_event_that_is_given_up_is_acted_on_when_it_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    charge = charged_there()
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "charge_made", no_answer)
        event = tell("charge.succeeded", charge.ref, event="e1")
    GatewayEvent.objects.update(tries=MOST_TRIES, due_at=None)
    assert tell("charge.succeeded", charge.ref, event="e1") == event
    assert GatewayEvent.objects.get().state == NoticeState.PROCESSED
