# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""A process is killed at every step at which it can be; the resolver then finds out how it ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import Attempt, Invoice, Payment
from billing.models.attempts.base import GRACE
from billing.statuses import InvoiceStatus
from billing.tasks import resolve_attempts
from tests.attempts.desk import assert_books_agree, fresh, moved, owing, paid_by_card, pay
from tests.crash.points import CHARGING, REFUNDING
from tests.killed import run_to_death

pytestmark = pytest.mark.django_db(transaction=True)
CHARGED = {"after the money moved", "inside the last transaction", "after all of it"}
UNWRITTEN = "inside the first transaction"


def killed(environment: dict[str, str], deed: str, step: str, invoice: Invoice) -> None:
    run_to_death(environment, "tests.attempts.dying", deed, step, invoice.pk)


def resolved() -> int:
    """How many attempts a resolver finds once the dead process has had its time."""
    return len(resolve_attempts(timezone.now() + GRACE + timedelta(seconds=1)))


@pytest.mark.parametrize("step", CHARGING)
def test_a_charge_that_was_killed_is_neither_lost_nor_doubled(environment: dict[str, str], step: str) -> None:
    invoice, card = owing()
    killed(environment, "charge", step, invoice)
    money = [(100, 0)] if step in CHARGED else []
    assert moved() == money

    found = resolved()
    assert found == (0 if step in (UNWRITTEN, "after all of it") else 1)
    now = fresh(invoice)
    assert not now.awaiting_gateway
    assert not Attempt.objects.in_flight().exists()
    assert moved() == money
    assert Payment.objects.count() == invoice.mails.count() == len(money)
    assert now.status == (InvoiceStatus.CLOSED if money else InvoiceStatus.OPEN)
    assert_books_agree()

    if not money:  # it is safe to try again, as the desk says
        pay(now, card)
    assert moved() == [(100, 0)]
    assert_books_agree()


@pytest.mark.parametrize("step", REFUNDING)
def test_a_refund_that_was_killed_is_neither_lost_nor_doubled(environment: dict[str, str], step: str) -> None:
    payment = paid_by_card()
    killed(environment, "refund", step, payment.invoice)
    resolved()
    back = 0 if step == UNWRITTEN else 40
    assert moved() == [(100, back)]
    now = fresh(payment.invoice)
    assert (now.paid, now.refunded, now.awaiting_gateway) == (100 - back, back, False)
    assert Payment.objects.filter(type="refund").count() == now.mails.count() == bool(back)
    assert_books_agree()


@pytest.mark.parametrize(
    ("charge_dies", "resolver_dies"),
    [
        ("after the money moved", "before the gateway was asked"),
        ("after the money moved", "after the gateway answered"),
        ("after the money moved", "inside the last transaction"),
        ("after the reference was written down", "after the gateway called it off"),
    ],
)
def test_a_resolver_that_was_killed_leaves_its_attempt_to_the_next(
    environment: dict[str, str], charge_dies: str, resolver_dies: str
) -> None:
    invoice, _ = owing()
    killed(environment, "charge", charge_dies, invoice)
    killed(environment, "resolve", resolver_dies, invoice)
    assert fresh(invoice).awaiting_gateway
    assert resolve_attempts(timezone.now()) == []
    assert resolved() == 1
    assert not fresh(invoice).awaiting_gateway
    assert moved() == ([(100, 0)] if charge_dies in CHARGED else [])
    assert_books_agree()
