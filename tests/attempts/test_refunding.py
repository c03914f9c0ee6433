# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge
from billing.models import Attempt, Payment, UnmatchedMoney
from billing.models.guard import AlreadyDone, Invalid, NotOffered, Stale
from billing.statuses import AttemptState, InvoiceStatus, PaymentMethod, PaymentStatus, RefundRoute
from tests.attempts.desk import (
    assert_books_agree,
    attempt_of,
    fresh,
    give_back,
    moved,
    no_answer,
    owing,
    paid_by_card,
    pay,
)
from tests.factories import CardFactory, InvoiceFactory, PaymentFactory

pytestmark = pytest.mark.django_db
KEY = UUID("0d6a1c5e-51f5-4c0c-8f56-0b6c2f0a9d22")
HOUR = timedelta(hours=1)


def refunds() -> list[tuple[Decimal, str]]:
    rows = Payment.objects.filter(type="refund").order_by("id")
    return [(row.amount, row.status) for row in rows]


def test_a_full_refund_through_the_gateway_makes_the_invoice_refunded() -> None:
    payment = paid_by_card()
    give_back(payment, 100, send_receipt=True)
    now = fresh(payment.invoice)
    assert (now.status, now.paid, now.refunded, now.balance) == (InvoiceStatus.REFUNDED, 0, 100, 0)
    assert refunds() == [(-100, PaymentStatus.APPLIED)]
    assert moved() == [(100, 100)]
    assert now.mails.get().subject == f"Refund of $100.00 for {now}"
    assert_books_agree()


def test_partial_refunds_leave_it_closed_until_nothing_is_left() -> None:
    payment = paid_by_card()
    give_back(payment, 30)
    now = fresh(payment.invoice)
    assert (now.status, now.paid, now.is_partly_refunded) == (InvoiceStatus.CLOSED, 70, True)
    give_back(payment, 70)
    assert fresh(now).status == InvoiceStatus.REFUNDED
    assert refunds() == [(-30, PaymentStatus.APPLIED), (-70, PaymentStatus.APPLIED)]
    assert moved() == [(100, 100)]
    assert_books_agree()


def test_what_was_refunded_elsewhere_is_only_recorded() -> None:
    payment = paid_by_card()
    event = give_back(payment, 40, RefundRoute.RECORDED)
    row = Payment.objects.get(type="refund")
    assert event.attempt is None
    assert (row.amount, row.recorded_only, row.gateway) == (-40, True, "offline")
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_cash_goes_back_as_a_record_whatever_the_route() -> None:
    payment = PaymentFactory.create(method=PaymentMethod.CASH)
    give_back(payment, 100, RefundRoute.GATEWAY)
    assert Payment.objects.get(type="refund").recorded_only
    assert not Attempt.objects.exists()
    assert_books_agree()


def test_a_refused_refund_is_kept_with_the_gateways_words_and_changes_nothing() -> None:
    payment = paid_by_card()
    Charge.objects.update(refuses_refunds=True)
    before = fresh(payment.invoice)
    give_back(payment, 100, send_receipt=True)
    row = Payment.objects.get(type="refund")
    assert (row.status, row.amount, row.decline_code) == (PaymentStatus.DECLINED, -100, "refund_refused")
    assert "refuse refunds" in row.decline_reason
    now = fresh(payment.invoice)
    assert (now.status, now.paid, now.refunded) == (before.status, 100, 0)
    assert not now.mails.exists()
    assert_books_agree()


def test_a_refused_refund_can_be_tried_again_or_recorded() -> None:
    payment = paid_by_card()
    Charge.objects.update(refuses_refunds=True)
    give_back(payment, 100)
    Charge.objects.update(refuses_refunds=False)
    give_back(payment, 60)
    give_back(payment, 40, RefundRoute.RECORDED)
    assert fresh(payment.invoice).status == InvoiceStatus.REFUNDED
    assert moved() == [(100, 60)]
    assert_books_agree()


def test_a_refund_of_the_invoice_takes_the_latest_payments_first() -> None:
    invoice = InvoiceFactory.create(paid=Decimal(20))
    first, second = (CardFactory.create(contact=invoice.contact) for _ in range(2))
    pay(invoice, first, Decimal(50))
    pay(invoice, second, Decimal(30))
    invoice.refund(None, amount=Decimal(60), route=RefundRoute.GATEWAY, reason="", send_receipt=False)
    assert moved() == [(50, 30), (30, 30)]
    assert fresh(invoice).paid == 40
    invoice.refund(None, amount=Decimal(40), route=RefundRoute.GATEWAY, reason="", send_receipt=False)
    assert fresh(invoice).status == InvoiceStatus.REFUNDED
    assert moved() == [(50, 50), (30, 30)]
    assert_books_agree()


def test_a_refund_over_two_cards_stops_at_the_first_that_is_refused() -> None:
    invoice, card = owing()
    pay(invoice, card, Decimal(50))
    pay(invoice, card, Decimal(50))
    Charge.objects.filter(pk=Charge.objects.latest("pk").pk).update(refuses_refunds=True)
    invoice.refund(None, amount=Decimal(100), route=RefundRoute.GATEWAY, reason="", send_receipt=False)
    assert refunds() == [(-50, PaymentStatus.DECLINED)]
    assert moved() == [(50, 0), (50, 0)]
    assert_books_agree()


@pytest.mark.parametrize(
    ("amount", "words"), [("100.01", "at most"), ("0", "more than 0"), ("1.001", "decimals")]
)
@pytest.mark.parametrize("route", RefundRoute)
def test_an_impossible_amount_is_refused(amount: str, words: str, route: str) -> None:
    payment = paid_by_card()
    with pytest.raises(Invalid, match=words):
        payment.refund(None, amount=Decimal(amount), route=route, reason="", send_receipt=False)
    assert refunds() == []
    assert moved() == [(100, 0)]


def test_no_more_goes_back_than_came() -> None:
    payment = paid_by_card()
    give_back(payment, 70)
    with pytest.raises(Invalid, match="at most"):
        give_back(payment, 31, RefundRoute.RECORDED)
    give_back(payment, 30)
    with pytest.raises(NotOffered, match="All of this payment has been refunded"):
        give_back(payment, 1)
    assert_books_agree()


def test_a_stale_copy_of_the_payment_gives_nothing_back_twice() -> None:
    """The twin of the race: two requests have read the payment before either wrote."""
    payment = paid_by_card()
    first, second = (Payment.objects.get(pk=payment.pk) for _ in range(2))
    give_back(first, 80, RefundRoute.RECORDED)
    with pytest.raises(Invalid, match="at most"):
        give_back(second, 80, RefundRoute.RECORDED)
    assert_books_agree()


def test_the_same_one_time_key_refunds_once() -> None:
    payment = paid_by_card()
    first = give_back(payment, 30, key=KEY)
    with pytest.raises(AlreadyDone) as replay:
        give_back(Payment.objects.get(pk=payment.pk), 30, key=KEY)
    assert replay.value.event == first
    assert moved() == [(100, 30)]


def test_a_dialog_opened_on_a_state_that_has_changed_gives_nothing_back() -> None:
    payment = paid_by_card()
    seen = fresh(payment.invoice).version
    give_back(payment, 30)
    with pytest.raises(Stale):
        give_back(payment, 30, seen=seen)
    assert moved() == [(100, 30)]


@pytest.mark.parametrize("status", [InvoiceStatus.VOIDED, InvoiceStatus.WRITTEN_OFF])
def test_money_goes_back_from_an_invoice_that_keeps_its_status(status: InvoiceStatus) -> None:
    invoice, card = owing()
    payment = PaymentFactory.create(invoice=invoice, card=card, amount=Decimal(40))
    end = fresh(invoice).void if status == InvoiceStatus.VOIDED else fresh(invoice).write_off
    end(None, reason="")
    give_back(Payment.objects.get(pk=payment.pk), 40)
    now = fresh(invoice)
    assert (now.status, now.paid, now.refunded, now.balance) == (status, 0, 40, 0)
    assert_books_agree()


def test_a_partly_paid_invoice_owes_again_what_goes_back() -> None:
    invoice, card = owing()
    payment = PaymentFactory.create(invoice=invoice, card=card, amount=Decimal(40))
    give_back(payment, 25)
    now = fresh(invoice)
    assert (now.status, now.balance, now.paid) == (InvoiceStatus.OPEN, 85, 15)
    assert_books_agree()


# -- answers that got lost


def test_a_refund_that_was_made_and_not_heard_of_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    payment, original = paid_by_card(), SandboxGateway.refund

    def made_unheard(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        no_answer()

    monkeypatch.setattr(SandboxGateway, "refund", made_unheard)
    attempt = attempt_of(give_back(payment, 40))
    assert attempt.state == AttemptState.UNKNOWN
    with pytest.raises(NotOffered, match="ask the gateway first"):
        give_back(Payment.objects.get(pk=payment.pk), 40)
    attempt.ask(at=attempt.started_at + 72 * HOUR)
    assert attempt.state == AttemptState.APPROVED
    assert moved() == [(100, 40)]
    assert_books_agree()


def lost_refund(monkeypatch: pytest.MonkeyPatch) -> Attempt:
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "refund", no_answer)
        return attempt_of(give_back(paid_by_card(), 40))


def test_a_refund_that_never_arrived_is_sent_again_under_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = lost_refund(monkeypatch)
    attempt.ask(at=attempt.started_at + 22 * HOUR)
    assert attempt.state == AttemptState.APPROVED
    assert moved() == [(100, 40)]
    assert_books_agree()


def test_a_refund_is_not_sent_again_once_the_gateway_may_have_forgotten_its_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = lost_refund(monkeypatch)
    attempt.ask(at=attempt.started_at + 23 * HOUR)
    assert attempt.state == AttemptState.UNKNOWN
    assert moved() == [(100, 0)]


def test_a_refund_that_the_gateway_does_not_know_of_long_after_was_never_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = lost_refund(monkeypatch)
    attempt.ask(at=attempt.started_at + 26 * HOUR)
    assert attempt.state == AttemptState.NOT_CHARGED
    give_back(Payment.objects.get(type="payment"), 40)
    assert moved() == [(100, 40)]
    assert_books_agree()


def test_a_gateway_that_does_not_answer_ends_no_refund(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = lost_refund(monkeypatch)
    monkeypatch.setattr(SandboxGateway, "find_refund", no_answer)
    attempt.ask(at=attempt.started_at + 720 * HOUR)
    assert attempt.state == AttemptState.UNKNOWN
    assert attempt.needs_a_person(attempt.started_at + 720 * HOUR)


def test_a_process_that_slept_for_a_day_sends_no_refund(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = lost_refund(monkeypatch)
    Attempt.objects.update(started_at=timezone.now() - 24 * HOUR)
    sleeper = Attempt.objects.get(pk=attempt.pk)
    sleeper.run()
    assert sleeper.state == AttemptState.UNKNOWN
    assert moved() == [(100, 0)]


@pytest.mark.parametrize(("recorded", "booked"), [(100, 0), (70, 30)])
def test_a_refund_that_comes_late_books_what_is_left_and_puts_the_rest_before_a_person(
    monkeypatch: pytest.MonkeyPatch, recorded: int, booked: int
) -> None:
    """It seemed never to have been made, so an agent gave the money back another way."""
    payment = paid_by_card()
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "refund", no_answer)
        attempt = attempt_of(give_back(payment, 100))
    attempt.ask(at=timezone.now() + 26 * HOUR)
    assert attempt.state == AttemptState.NOT_CHARGED
    give_back(Payment.objects.get(pk=payment.pk), recorded, RefundRoute.RECORDED)

    late = SandboxGateway().refund(
        payment.gateway_ref, key=attempt.key, amount=attempt.amount, currency=attempt.currency
    )
    attempt.settle(late)

    now = fresh(payment.invoice)
    assert (now.paid, now.refunded, now.status) == (0, 100, InvoiceStatus.REFUNDED)
    rest = UnmatchedMoney.objects.get()
    assert (rest.kind, rest.amount, rest.ref) == ("refund", 100 - booked, late.ref)
    assert [amount for amount, _status in refunds()] == [-recorded, *([-booked] if booked else [])]
    assert f"${100 - booked}.00 of it is more than was left" in now.events.latest("id").text
    assert_books_agree()
