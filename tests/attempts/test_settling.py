# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""One attempt, several processes: whoever comes late finds it done, and does nothing."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.gateways import NoAnswer, Outcome, Page
from billing.gateways.sandbox import pages
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.numbers import read_card, read_number
from billing.models import Attempt, Event, Invoice, Payment
from billing.models.attempts.base import GIVE_UP_AFTER, GRACE
from billing.models.guard import NotOffered
from billing.statuses import AttemptKind, AttemptState, InvoiceStatus, PaymentMethod
from billing.tasks import resolve_attempts
from tests.attempts.desk import (
    AUTHENTICATES,
    CHARGED_LOST,
    assert_books_agree,
    fresh,
    give_back,
    just_after,
    just_before,
    moved,
    no_answer,
    owing,
    pay,
)
from tests.factories import APPROVES, NOON, CardFactory, InvoiceFactory

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def resolver_asks() -> None:
    """Another process, with its own copy of the attempt, after the first was silent for long."""
    Attempt.objects.latest("id").ask(at=timezone.now() + GRACE)


# -- the process that charges, and the resolver


def test_a_charge_that_the_resolver_closed_before_its_reference_was_known_is_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    just_after(monkeypatch, "prepare", resolver_asks)
    invoice, card = owing()
    attempt = pay(invoice, card)
    assert attempt.state == AttemptState.NOT_CHARGED
    assert moved() == []
    pay(fresh(invoice), card)
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_a_resolver_that_read_the_attempt_before_its_reference_was_written_closes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stale: list[Attempt] = []
    just_after(monkeypatch, "prepare", lambda: stale.append(Attempt.objects.latest("id")))
    just_before(monkeypatch, "confirm", lambda: stale[0].ask(at=timezone.now() + GRACE))
    invoice, card = owing()
    attempt = pay(invoice, card)
    assert stale[0].state == AttemptState.STARTED
    assert attempt.state == AttemptState.APPROVED
    assert_books_agree()


def test_a_charge_that_the_resolver_called_off_before_it_was_confirmed_is_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    just_before(monkeypatch, "confirm", resolver_asks)
    invoice, card = owing()
    attempt = pay(invoice, card)
    assert attempt.state == AttemptState.NOT_CHARGED
    assert not Payment.objects.exists()
    assert moved() == []
    assert_books_agree()


def test_a_charge_that_is_confirmed_while_the_resolver_calls_it_off_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice, card = owing()
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "confirm", no_answer)
        attempt = pay(invoice, card)
    gateway = SandboxGateway()
    just_before(monkeypatch, "cancel", lambda: gateway.confirm(attempt.gateway_ref, key=attempt.key))
    attempt.ask(at=NOON)
    assert attempt.state == AttemptState.APPROVED
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_a_charge_that_the_resolver_settled_first_is_booked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    just_after(monkeypatch, "confirm", resolver_asks)
    invoice, card = owing()
    attempt = pay(invoice, card)
    assert attempt.state == AttemptState.APPROVED
    assert Payment.objects.count() == 1
    assert Event.objects.filter(action="charge_approved").count() == 1
    assert_books_agree()


def test_a_refund_that_the_resolver_sent_too_goes_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice, card = owing()
    pay(invoice, card)
    just_before(monkeypatch, "refund", resolver_asks)
    give_back(Payment.objects.get(), 30)
    assert moved() == [(100, 30)]
    assert Payment.objects.filter(type="refund").count() == 1
    assert_books_agree()


def test_a_charge_that_never_got_to_the_gateway_is_not_charged_and_can_be_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice, card = owing()
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "prepare", no_answer)
        attempt = pay(invoice, card)
    assert attempt.state == AttemptState.NOT_CHARGED
    assert "safe to try again" in attempt.message
    pay(fresh(invoice), card)
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_the_same_answer_told_by_four_counts_once() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    copies = [Attempt.objects.get(pk=attempt.pk) for _ in range(4)]
    for copy in copies:
        copy.settle(Outcome(AttemptState.APPROVED, ref=attempt.gateway_ref))
    assert Payment.objects.count() == 1
    assert fresh(invoice).paid == 100
    assert_books_agree()


def test_a_late_decline_does_not_undo_what_was_approved() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    late = Attempt.objects.get(pk=attempt.pk)
    attempt.ask(at=NOON)
    late.settle(Outcome(AttemptState.DECLINED, code="late"))
    assert late.state == AttemptState.APPROVED
    assert_books_agree()


def test_money_that_moves_after_the_gateway_denied_it_is_booked_with_an_alarm(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(SandboxGateway, "cancel", lambda self, ref: Outcome(AttemptState.NOT_CHARGED, ref))
    just_before(monkeypatch, "confirm", resolver_asks)
    invoice, card = owing()
    attempt = pay(invoice, card)
    assert attempt.state == AttemptState.APPROVED
    assert (fresh(invoice).status, fresh(invoice).paid) == (InvoiceStatus.CLOSED, 100)
    assert "after it had said that it would not" in caplog.text
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_one_attempt_in_flight_per_invoice_is_the_databases_rule() -> None:
    invoice, card = owing(CHARGED_LOST)
    pay(invoice, card)
    with pytest.raises(IntegrityError), transaction.atomic():
        Attempt.start(invoice, None, kind=AttemptKind.CHARGE, gateway="sandbox", amount=Decimal(1))


# -- what the gateway says while it is not over


def test_no_answer_says_nothing_new_about_a_charge_that_waits_for_the_bank(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice, card = owing(AUTHENTICATES)
    attempt = pay(invoice, card)
    told = invoice.events.count()
    monkeypatch.setattr(SandboxGateway, "retrieve", no_answer)
    attempt.ask(at=NOON)
    assert attempt.state == AttemptState.NEEDS_ACTION
    assert attempt.can_be_cancelled
    assert invoice.events.count() == told


def test_an_attempt_is_asked_about_at_growing_distance_and_never_failed_by_age(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SandboxGateway, "retrieve", no_answer)
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    at = attempt.due_at
    assert at == attempt.started_at + 2 * MINUTE
    for minutes in (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440, 1440):
        assert resolve_attempts(at - MINUTE) == []
        (asked,) = resolve_attempts(at)
        assert asked.attempt.due_at == at + minutes * MINUTE
        at = asked.attempt.due_at
    attempt.refresh_from_db()
    assert attempt.state == AttemptState.UNKNOWN
    assert attempt.needs_a_person(attempt.started_at + GIVE_UP_AFTER + MINUTE)
    assert not attempt.needs_a_person(attempt.started_at + GIVE_UP_AFTER)


def test_the_timeline_keeps_the_gateways_answer_as_evidence() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    (asked,) = resolve_attempts(attempt.due_at)
    lost, found = Event.objects.filter(attempt=attempt, action__in=["attempt_unknown", "charge_approved"])
    assert (lost.figures["answer"], lost.figures["asked"]) == ("unknown", 0)
    assert (found.figures["answer"], found.figures["asked"]) == ("approved", 1)
    assert found.figures["gateway"] == "sandbox"
    assert found.figures["gateway_ref"] == asked.attempt.gateway_ref != ""


def test_whoever_asks_before_it_is_due_puts_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A customer who reloads the page, or an impatient agent."""
    monkeypatch.setattr(SandboxGateway, "retrieve", no_answer)
    attempt = pay(*owing(CHARGED_LOST))
    due = attempt.due_at
    for _ in range(10):
        attempt.ask(at=attempt.started_at + MINUTE)
    assert (Attempt.objects.get().due_at, Attempt.objects.get().asked) == (due, 0)


def test_opening_an_invoice_asks_about_what_is_overdue_and_about_nothing_else() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    pay(*owing(CHARGED_LOST))
    assert fresh(invoice).ask_overdue(at=attempt.due_at - MINUTE) == 0
    assert fresh(invoice).ask_overdue(at=attempt.due_at + MINUTE) == 1
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert Attempt.objects.in_flight().count() == 1


# -- a customer's page, and staff


def opened(invoice: Invoice) -> Page:
    url = "https://desk.example.com/pay/"
    return fresh(invoice).open_page(return_url=url, cancel_url=url, remember=False, at=timezone.now())


def customer_pays(page: Page, number: str = APPROVES) -> None:
    today = date(2026, 3, 2)
    typed = read_card(read_number(number), exp_month=12, exp_year=2040, today=today)
    pages.take_card(page.ref, typed, now=timezone.now())


def test_a_page_that_nobody_used_makes_no_dialog_stale_and_no_news() -> None:
    invoice, _ = owing()
    opened(invoice)
    seen, told = fresh(invoice).version, invoice.events.count()
    fresh(invoice).pay(None, source=PaymentMethod.CASH, amount=Decimal(10), seen=seen)
    assert invoice.events.count() == told + 1
    assert Attempt.objects.get().state == AttemptState.NOT_CHARGED


def test_what_the_customer_paid_a_moment_ago_is_not_charged_again() -> None:
    invoice, card = owing()
    customer_pays(opened(invoice))
    with pytest.raises(NotOffered, match="is Closed"):
        pay(fresh(invoice), card, Decimal(100))
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_a_closed_page_takes_no_money_after_staff_charged_the_card() -> None:
    invoice, card = owing()
    page = opened(invoice)
    pay(fresh(invoice), card, Decimal(100))
    customer_pays(page)
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_no_card_is_charged_beside_a_page_that_could_not_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice, card = owing()
    page = opened(invoice)
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "expire_page", no_answer)
        with pytest.raises(NotOffered, match="has not been closed yet"):
            pay(fresh(invoice), card, Decimal(100))
    customer_pays(page)
    Attempt.objects.get().ask(at=timezone.now())
    assert moved() == [(100, 0)]
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert_books_agree()


def test_a_page_that_was_opened_between_the_look_and_the_lock_stops_the_charge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice, card = owing()
    closing = Invoice.close_pages

    def close_and_then_a_customer_comes(self: Invoice) -> None:
        closing(self)
        opened(invoice)

    monkeypatch.setattr(Invoice, "close_pages", close_and_then_a_customer_comes)
    with pytest.raises(NotOffered, match="has not been closed yet"):
        pay(fresh(invoice), card, Decimal(100))
    assert moved() == []


def test_a_void_with_an_open_page_out_of_reach_keeps_the_money_that_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice, _ = owing()
    page = opened(invoice)
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "expire_page", no_answer)
        fresh(invoice).void(None, reason="Ordered twice")
    customer_pays(page)
    Attempt.objects.get().ask(at=timezone.now())
    now, payment = fresh(invoice), Payment.objects.get()
    assert (now.status, now.balance, now.paid, now.overpaid) == (InvoiceStatus.VOIDED, 0, 100, 100)
    give_back(payment, 100)
    assert (fresh(invoice).status, fresh(invoice).overpaid) == (InvoiceStatus.VOIDED, 0)
    assert moved() == [(100, 100)]
    assert_books_agree()


def test_two_channels_at_once_leave_an_overpaid_invoice_and_drop_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice, _ = owing()
    page = opened(invoice)
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "expire_page", no_answer)
        fresh(invoice).pay(None, source=PaymentMethod.CASH, amount=Decimal(70))
    customer_pays(page)
    Attempt.objects.get().ask(at=timezone.now())
    now = fresh(invoice)
    assert (now.status, now.paid, now.overpaid, now.balance) == (InvoiceStatus.CLOSED, 170, 70, 0)
    assert_books_agree()


def test_a_page_that_declined_blocks_nobody() -> None:
    invoice, card = owing()
    customer_pays(opened(invoice), "4000000000000341")
    Attempt.objects.get().ask(at=timezone.now())
    pay(fresh(invoice), card, Decimal(100))
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_a_page_whose_gateway_says_pending_is_asked_about_on_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some gateways say *pending* before they name the charge: no reference does not mean no money."""
    invoice, _ = owing()
    page = opened(invoice)
    attempt = Attempt.objects.get()
    attempt.settle(Outcome(AttemptState.PENDING))
    assert fresh(invoice).awaiting_gateway
    customer_pays(page)
    attempt.ask(at=timezone.now())
    assert attempt.state == AttemptState.APPROVED
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert_books_agree()


def test_an_invoice_without_a_page_asks_no_gateway_to_close_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SandboxGateway, "expire_page", no_answer)
    invoice = InvoiceFactory.create()
    pay(invoice, CardFactory.create(contact=invoice.contact))
    assert invoice.status == InvoiceStatus.CLOSED


def test_of_two_clicks_the_one_that_gets_no_answer_leaves_the_page_to_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gateway answers the second with “still at work on this key”."""
    invoice, _ = owing()
    open_page, clicks = SandboxGateway.pay_page, list[str]()

    def pay_page(self: SandboxGateway, **order: Any) -> Page:
        clicks.append("")
        if len(clicks) > 1:
            raise NoAnswer("It is still at work on this key.")
        with pytest.raises(NotOffered, match="try again in a few minutes"):
            opened(invoice)
        return open_page(self, **order)

    monkeypatch.setattr(SandboxGateway, "pay_page", pay_page)
    customer_pays(opened(invoice))
    Attempt.objects.get().ask(at=timezone.now())
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert_books_agree()


def test_a_page_that_could_not_be_closed_is_closed_by_the_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice, _ = owing()
    page = opened(invoice)
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "expire_page", no_answer)
        fresh(invoice).void(None, reason="Ordered twice")
    (asked,) = resolve_attempts(timezone.now() + 3 * MINUTE)
    assert asked.attempt.state == AttemptState.NOT_CHARGED
    assert pages.look(page.ref, now=timezone.now()).result.expired
