# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""What gateways tell about refunds: ours are settled, those made in their dashboard are booked once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from billing.gateways import Movement
from billing.gateways.sandbox import dashboard
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Refund
from billing.models import Attempt, Event, Payment, UnmatchedMoney
from billing.statuses import AttemptState, InvoiceStatus, NoticeState, PaymentStatus, RefundRoute
from tests.attempts.desk import (
    CHARGED_LOST,
    assert_books_agree,
    fresh,
    give_back,
    moved,
    no_answer,
    owing,
    pay,
)
from tests.factories import InvoiceFactory
from tests.notices.desk import charged_here, charged_there, deliver, tell

pytestmark = pytest.mark.django_db


def refund_there(payment: Payment, amount: int | None = None) -> Refund:
    given = None if amount is None else Decimal(amount)
    return dashboard.refund(payment.gateway_ref, amount=given, now=timezone.now())


def test_a_refund_made_at_the_gateway_is_booked_on_its_payment() -> None:
    payment = charged_here()
    made = refund_there(payment, 30)
    assert deliver() == {"processed": 1}
    row = Payment.objects.get(type="refund")
    assert (row.amount, row.status, row.gateway_ref, row.refund_of) == (
        -30,
        PaymentStatus.APPLIED,
        made.ref,
        payment,
    )
    assert (row.attempt, row.recorded_only) == (None, False)
    invoice = fresh(payment.invoice)
    assert (invoice.status, invoice.paid, invoice.is_partly_refunded) == (InvoiceStatus.CLOSED, 70, True)
    event = Event.objects.get(action="refunded_at_gateway")
    assert event.text == "$30.00 went back to Visa •• 4242: refunded at the gateway, not from here."
    assert_books_agree()


def test_when_nothing_is_left_the_invoice_is_refunded() -> None:
    payment = charged_here()
    refund_there(payment, 40)
    refund_there(payment)
    deliver()
    assert fresh(payment.invoice).status == InvoiceStatus.REFUNDED
    assert_books_agree()


def test_told_again_it_is_not_booked_again() -> None:
    payment = charged_here()
    made = refund_there(payment, 30)
    deliver()
    for _ in range(2):
        tell("refund.created", made.ref)
    assert Payment.objects.filter(type="refund").count() == 1
    assert Event.objects.filter(action="refunded_at_gateway").count() == 1
    assert not UnmatchedMoney.objects.exists()


def test_a_refund_of_ours_whose_answer_was_lost_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    payment, original = charged_here(), SandboxGateway.refund

    def made_unheard(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        no_answer()

    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "refund", made_unheard)
        give_back(payment, 40)
    tell("refund.created", Refund.objects.get().ref)
    assert Attempt.objects.latest("pk").state == AttemptState.APPROVED
    assert Payment.objects.get(type="refund").attempt is not None
    assert_books_agree()


def test_a_refund_that_is_told_before_its_charge_brings_the_charge_along() -> None:
    """Our charge's answer was lost; somebody refunded it at the gateway before the desk had asked."""
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    dashboard.refund(attempt.gateway_ref, amount=Decimal(25), now=timezone.now())
    deliver()
    now = fresh(invoice)
    assert (now.status, now.paid, now.refunded) == (InvoiceStatus.CLOSED, 75, 25)
    tell("charge.succeeded", attempt.gateway_ref)
    assert fresh(invoice).paid == 75
    assert_books_agree()


def test_a_refund_of_a_charge_made_elsewhere_is_listed_beside_it() -> None:
    charge = charged_there()
    dashboard.refund(charge.ref, amount=Decimal(20), now=timezone.now())
    deliver()
    kinds = UnmatchedMoney.objects.order_by("kind").values_list("kind", "amount", "charge_ref")
    assert list(kinds) == [("charge", 70, charge.ref), ("refund", 20, charge.ref)]
    assert_books_agree()


def test_no_more_goes_back_than_came_and_the_rest_is_put_before_a_person() -> None:
    payment = charged_here()
    give_back(payment, 60, RefundRoute.RECORDED)
    made = refund_there(payment, 70)
    deliver()
    now = fresh(payment.invoice)
    assert (now.paid, now.refunded, now.status) == (0, 100, InvoiceStatus.REFUNDED)
    rest = UnmatchedMoney.objects.get()
    assert (rest.kind, rest.amount, rest.ref) == ("refund", 30, made.ref)
    tell("refund.created", made.ref)
    assert UnmatchedMoney.objects.count() == 1
    assert_books_agree()


def test_a_refund_that_a_person_set_aside_is_not_booked_when_its_message_comes_again() -> None:
    charge = charged_there()
    made = dashboard.refund(charge.ref, amount=Decimal(20), now=timezone.now())
    deliver()
    UnmatchedMoney.objects.get(kind="refund").set_aside(None, reason="A test of the terminal")
    UnmatchedMoney.objects.get(kind="charge").match(None, invoice=InvoiceFactory.create())
    tell("refund.created", made.ref)
    assert not Payment.objects.filter(type="refund").exists()
    assert_books_agree()


def test_a_refund_in_another_currency_is_put_before_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    payment = charged_here()
    refund_there(payment, 30)
    original = SandboxGateway.refund_made

    def in_euros(self: SandboxGateway, ref: str) -> Movement:
        made = original(self, ref)
        return Movement(made.ref, made.charge_ref, None, made.outcome, made.amount, "EUR", made.at)

    monkeypatch.setattr(SandboxGateway, "refund_made", in_euros)
    deliver()
    assert UnmatchedMoney.objects.get().currency == "EUR"
    assert fresh(payment.invoice).paid == 100


def test_a_refund_that_the_gateway_declined_is_no_news() -> None:
    payment = charged_here()
    made = refund_there(payment, 30)
    Refund.objects.update(state="declined")
    assert tell("refund.created", made.ref).state == NoticeState.PROCESSED
    assert not Payment.objects.filter(type="refund").exists()


@pytest.mark.parametrize("from_here", [True, False])
def test_a_refund_that_fails_after_it_was_booked_is_put_before_a_person(from_here: bool) -> None:
    payment = charged_here()
    if from_here:
        give_back(payment, 30)
    else:
        refund_there(payment, 30)
        deliver()
    made = Refund.objects.get()
    Refund.objects.update(state="declined", message="The account was closed.")
    for _ in range(2):
        tell("refund.created", made.ref)
    row = UnmatchedMoney.objects.get()
    assert (row.kind, row.amount, row.ref) == ("charge", 30, made.ref)
    assert row.description.endswith("the money came back. The account was closed.")
    assert fresh(payment.invoice).refunded == 30


def test_the_database_takes_no_refund_of_a_gateway_twice() -> None:
    payment = charged_here()
    refund_there(payment, 30)
    deliver()
    row = Payment.objects.get(type="refund")
    row.pk, row._state.adding = None, True
    with pytest.raises(IntegrityError):
        row.save()


def test_more_can_be_refunded_from_here_and_no_more_than_is_left() -> None:
    payment = charged_here()
    refund_there(payment, 30)
    deliver()
    give_back(Payment.objects.get(pk=payment.pk), 70)
    assert moved() == [(100, 100)]
    assert fresh(payment.invoice).status == InvoiceStatus.REFUNDED
    assert_books_agree()


def test_a_refund_that_failed_while_it_waited_for_a_person_is_never_booked() -> None:
    charge = charged_there()
    made = dashboard.refund(charge.ref, amount=Decimal(20), now=timezone.now())
    deliver()
    Refund.objects.update(state="declined", message="The account is closed.")
    tell("refund.created", made.ref)
    dropped = UnmatchedMoney.objects.get(kind="refund")
    assert (dropped.state, "The account is closed." in dropped.reason) == ("set_aside", True)
    UnmatchedMoney.objects.get(kind="charge").match(None, invoice=InvoiceFactory.create())
    assert not Payment.objects.filter(type="refund").exists()


def test_money_of_a_refund_that_failed_after_it_was_matched_is_put_before_a_person() -> None:
    charge = charged_there()
    made = dashboard.refund(charge.ref, amount=Decimal(20), now=timezone.now())
    deliver()
    UnmatchedMoney.objects.get(kind="charge").match(None, invoice=InvoiceFactory.create())
    assert Payment.objects.get(type="refund").amount == -20
    Refund.objects.update(state="declined", message="The account is closed.")
    for _ in range(2):
        tell("refund.created", made.ref)
    back = UnmatchedMoney.objects.open().get()
    assert (back.kind, back.amount, back.ref) == ("charge", 20, made.ref)
