"""The desk's card payments and the sandbox's own books must tell the same story."""

import uuid
from decimal import Decimal

import pytest
from pytest_django import Settings

from billing import books
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge, Refund
from billing.models import Attempt, Event, Payment
from billing.statuses import AttemptState, RefundRoute
from tests.factories import CardFactory, InvoiceFactory, PaymentFactory

pytestmark = pytest.mark.django_db


def found() -> set[tuple[str, object, str]]:
    return {(problem.kind, problem.id, problem.column) for problem in books.gateway_problems()}


@pytest.fixture
def payment() -> Payment:
    invoice = InvoiceFactory.create()
    return PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=invoice.contact))


@pytest.fixture
def attempt(payment: Payment) -> Attempt:
    assert payment.attempt
    return payment.attempt


def give_back(payment: Payment, amount: int) -> None:
    payment.refund(
        None, amount=Decimal(amount), route=RefundRoute.GATEWAY, reason="Broken", send_receipt=False
    )


def test_charges_and_refunds_agree(payment: Payment) -> None:
    give_back(payment, 30)
    give_back(payment, 20)
    assert found() == set()


def test_money_that_was_charged_and_not_recorded_is_named(payment: Payment, attempt: Attempt) -> None:
    gateway, key = SandboxGateway(), uuid.UUID(int=7)
    ref = gateway.prepare(key=key, amount=Decimal(5), currency="USD", token=attempt.card_token)
    gateway.confirm(ref, key=key)
    assert found() == {("sandbox charge", key, "attempt")}


def test_money_that_was_recorded_and_not_charged_is_named(payment: Payment, attempt: Attempt) -> None:
    Charge.objects.all().delete()
    assert found() == {("attempt", attempt.pk, "state")}


def test_money_at_a_gateway_without_an_attempt_is_named(payment: Payment) -> None:
    Charge.objects.all().delete()
    Payment.objects.update(attempt=None)
    Event.objects.update(attempt=None)
    Attempt.objects.all().delete()
    assert found() == {("payment", payment.pk, "attempt")}


@pytest.mark.parametrize("state", [AttemptState.DECLINED, AttemptState.NOT_CHARGED])
def test_a_charge_that_we_think_failed_is_named(payment: Payment, attempt: Attempt, state: str) -> None:
    Attempt.objects.update(state=state)
    assert found() == {("attempt", attempt.pk, "state")}


def test_a_charge_of_which_we_do_not_know_yet_is_no_contradiction(payment: Payment) -> None:
    Attempt.objects.update(state=AttemptState.UNKNOWN)
    assert found() == set()


@pytest.mark.parametrize(("column", "value"), [("amount", Decimal(99)), ("currency", "EUR")])
def test_another_amount_or_currency_is_named(
    payment: Payment, attempt: Attempt, column: str, value: object
) -> None:
    Attempt.objects.update(**{column: value})
    assert found() == {("attempt", attempt.pk, column)}


def test_a_refund_that_only_the_gateway_knows_is_named(payment: Payment, attempt: Attempt) -> None:
    SandboxGateway().refund(payment.gateway_ref, key=uuid.UUID(int=8), amount=Decimal(5), currency="USD")
    assert found() == {("attempt", attempt.pk, "refunds")}


def test_a_refund_that_only_we_know_is_named(payment: Payment, attempt: Attempt) -> None:
    give_back(payment, 30)
    Refund.objects.all().delete()
    Charge.objects.update(refunded=0)
    assert found() == {("attempt", attempt.pk, "refunds")}


def test_a_refund_under_way_is_no_contradiction(payment: Payment) -> None:
    give_back(payment, 30)
    Attempt.objects.exclude(refund_of=None).update(state=AttemptState.UNKNOWN)
    assert found() == set()


def test_a_gateway_that_is_switched_off_is_passed_over(payment: Payment, settings: Settings) -> None:
    Charge.objects.all().delete()
    settings.SANDBOX_GATEWAY = False
    assert found() == set()
