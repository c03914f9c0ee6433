"""Answers that no gateway should give. None of them loses money, doubles it, or stops the desk."""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from billing.gateways import CardDetails, Outcome, PageResult
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Card, Invoice, Payment
from billing.models.guard import NotAllowed, NotOffered
from billing.models.visiting import TooManyDeclines
from billing.statuses import AttemptState, InvoiceStatus, PaymentStatus
from tests.attempts.desk import (
    AUTHENTICATES,
    CHARGED_LOST,
    attempt_of,
    fresh,
    give_back,
    owing,
    paid_by_card,
    pay,
)
from tests.factories import DECLINES, CardFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db
URL = "https://desk.example.com/"
APPROVED = AttemptState.APPROVED


def paid_on_a_page(patch: pytest.MonkeyPatch, card: CardDetails, outcome: Outcome) -> Invoice:
    """A customer paid on a page, and this is what the gateway says about it."""
    invoice = InvoiceFactory.create()
    invoice.open_page(return_url=URL, cancel_url=URL, remember=True, at=timezone.now())
    said = PageResult(done=True, card=card, outcome=outcome)
    patch.setattr(SandboxGateway, "page_result", lambda self, ref: said)
    invoice.attempts.get().ask(at=timezone.now())
    return fresh(invoice)


def details(token: str, **more: Any) -> CardDetails:
    given = {"brand": "Visa", "last4": "4242", "exp_month": 12, "exp_year": 2040, **more}
    return CardDetails(token=token, **given)


def test_a_token_of_another_contact_pays_and_is_kept_for_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    others = CardFactory.create()
    invoice = paid_on_a_page(monkeypatch, details(others.token), Outcome(APPROVED, ref="charge_1"))
    assert invoice.status == InvoiceStatus.CLOSED
    payment = Payment.objects.get()
    assert (payment.card, payment.card_last4) == (None, "4242")
    assert Card.objects.get().contact == others.contact


@pytest.mark.parametrize(
    "wrong",
    [{"exp_month": 0}, {"brand": "B" * 300}, {"last4": "no number"}, {"exp_year": -1}, {"brand": "\0"}],
)
def test_money_is_booked_even_if_its_card_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    invoice = paid_on_a_page(monkeypatch, details("tok", **wrong), Outcome(APPROVED, ref="charge_1"))
    assert (invoice.status, invoice.paid) == (InvoiceStatus.CLOSED, Decimal(100))
    assert not invoice.awaiting_gateway


@pytest.mark.parametrize("state", [APPROVED, AttemptState.DECLINED, AttemptState.PENDING])
def test_a_gateways_words_never_keep_its_answer_out_of_the_books(state: AttemptState) -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    attempt.settle(Outcome(state, ref=attempt.gateway_ref, code="c" * 300, message="\0" + "m" * 3000))
    assert Attempt.objects.get().state == state


def test_an_answer_about_another_charge_says_nothing_about_this_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    with caplog.at_level(logging.ERROR):
        attempt.settle(Outcome(APPROVED, ref="another_charge"))
    assert (attempt.state, attempt.gateway_ref.startswith("sbx_")) == (AttemptState.UNKNOWN, True)
    assert not Payment.objects.exists()
    assert "another_charge" in caplog.text


def test_money_that_moves_after_a_decline_is_booked_beside_it(caplog: pytest.LogCaptureFixture) -> None:
    invoice, card = owing(DECLINES)
    attempt = pay(invoice, card)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            Attempt.objects.get(key=attempt.key).settle(Outcome(APPROVED, ref=attempt.gateway_ref))
    invoice = fresh(invoice)
    assert (invoice.status, invoice.paid) == (InvoiceStatus.CLOSED, Decimal(100))
    statuses = Payment.objects.order_by("id").values_list("status", flat=True)
    assert list(statuses) == [PaymentStatus.DECLINED, PaymentStatus.APPLIED]


def test_a_refund_that_goes_through_after_it_was_refused_is_booked_beside_the_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment = paid_by_card()
    refused = Outcome(AttemptState.DECLINED, ref="refund_1", code="no")
    monkeypatch.setattr(SandboxGateway, "refund", lambda *args, **kwargs: refused)
    attempt = attempt_of(give_back(payment, 100))
    attempt.settle(Outcome(APPROVED, ref="refund_1"))
    assert fresh(payment.invoice).status == InvoiceStatus.REFUNDED
    assert Payment.objects.get(pk=payment.pk).refunded_amount == 100


def test_a_refund_waits_for_nobody_and_is_not_called_off_by_a_customer_who_pays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice, card = owing()
    pay(invoice, card, Decimal(40))
    waits = Outcome(AttemptState.NEEDS_ACTION, ref="refund_1")
    monkeypatch.setattr(SandboxGateway, "refund", lambda *args, **kwargs: waits)
    monkeypatch.setattr(
        SandboxGateway, "cancel", lambda self, ref: Outcome(AttemptState.NOT_CHARGED, ref=ref)
    )
    attempt = attempt_of(give_back(Payment.objects.get(), 40))
    assert not attempt.can_be_cancelled
    with pytest.raises(NotOffered):
        fresh(invoice).open_page(return_url=URL, cancel_url=URL, remember=False, at=timezone.now())
    attempt.refresh_from_db()
    assert attempt.state == AttemptState.NEEDS_ACTION


def test_a_customer_who_may_not_pay_calls_nothing_off() -> None:
    invoice, card = owing(AUTHENTICATES)
    now = timezone.now()
    decline_five_times(invoice, now)
    attempt = pay(invoice, card)
    with pytest.raises(TooManyDeclines):
        fresh(invoice).open_page(return_url=URL, cancel_url=URL, remember=False, at=now)
    attempt.refresh_from_db()
    assert attempt.state == AttemptState.NEEDS_ACTION


def test_the_timeline_names_who_called_a_charge_off() -> None:
    invoice, card = owing(AUTHENTICATES)
    attempt = pay(invoice, card)
    with pytest.raises(NotAllowed):
        attempt.cancel(UserFactory.create(role="Viewer"), at=timezone.now())
    grace = UserFactory.create(role="Support")
    attempt.cancel(grace, at=timezone.now())
    assert invoice.events.get(action="cancel_charge").actor == grace


def decline_five_times(invoice: Invoice, at: datetime) -> None:
    for _ in range(5):
        page = invoice.open_page(return_url=URL, cancel_url=URL, remember=False, at=at)
        attempt = invoice.attempts.get(page_ref=page.ref)
        attempt.settle(Outcome(AttemptState.DECLINED, ref=f"charge_{attempt.pk}"), at=at)


def test_a_person_with_the_longest_names_can_act() -> None:
    agent: User = UserFactory.create(role="Support", first_name="F" * 150, last_name="L" * 150)
    invoice = InvoiceFactory.create(by=agent)
    assert invoice.events.first()
