# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""Eight requests in the same moment, each in a thread with its own connection to the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from billing.gateways import Outcome
from billing.models import Attempt, Card, Event, Invoice, Payment
from billing.models.base import InvoiceQuerySet
from billing.models.guard import AlreadyDone, Refused
from billing.statuses import AttemptState, InvoiceStatus, PaymentMethod, RefundRoute
from billing.tasks import resolve_attempts
from tests.attempts.desk import (
    CHARGED_LOST,
    assert_books_agree,
    fresh,
    give_back,
    moved,
    owing,
    paid_by_card,
    pay,
)
from tests.gateways.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
KEY = UUID("3c0b8d0e-6f43-4f0a-8a52-7e3f7a6d1c33")


def answers(deed: Callable[[], Any]) -> Counter[str]:
    """How often the deed was done, refused, or shown as done before."""

    def one() -> str:
        try:
            deed()
        except Refused:
            return "refused"
        except AlreadyDone:
            return "done before"
        return "done"

    return Counter(at_once(one))


def test_eight_simultaneous_pay_requests_charge_once() -> None:
    invoice, card = owing()
    found = answers(lambda: pay(fresh(invoice), Card.objects.get(pk=card.pk), Decimal(100)))
    assert found == {"done": 1, "refused": 7}
    assert moved() == [(100, 0)]
    assert (fresh(invoice).status, fresh(invoice).paid) == (InvoiceStatus.CLOSED, 100)
    assert_books_agree()


def test_eight_clicks_with_one_key_charge_once() -> None:
    invoice, card = owing()
    found = answers(lambda: pay(fresh(invoice), card, Decimal(10), key=KEY))
    assert found["done"] == 1
    assert moved() == [(10, 0)]
    assert Event.objects.filter(key=KEY).count() == 1
    assert_books_agree()


def test_eight_offline_payments_of_the_whole_balance_count_one() -> None:
    invoice, _ = owing()
    found = answers(lambda: fresh(invoice).pay(None, source=PaymentMethod.CASH, amount=Decimal(100)))
    assert found == {"done": 1, "refused": 7}
    assert Payment.objects.count() == 1
    assert_books_agree()


def test_eight_offline_payments_with_one_key_count_one() -> None:
    invoice, _ = owing()
    found = answers(lambda: fresh(invoice).pay(None, source=PaymentMethod.CASH, amount=Decimal(10), key=KEY))
    assert found == {"done": 1, "done before": 7}
    assert Payment.objects.count() == 1
    assert_books_agree()


def test_eight_recorded_refunds_give_no_more_back_than_came() -> None:
    payment = paid_by_card()
    found = answers(lambda: give_back(Payment.objects.get(pk=payment.pk), 30, RefundRoute.RECORDED))
    assert found == {"done": 3, "refused": 5}
    assert Payment.objects.get(pk=payment.pk).refunded_amount == 90
    assert_books_agree()


def test_eight_refunds_through_the_gateway_give_no_more_back_than_came() -> None:
    payment = paid_by_card()
    found = answers(lambda: give_back(Payment.objects.get(pk=payment.pk), 60))
    assert found == {"done": 1, "refused": 7}
    assert moved() == [(100, 60)]
    assert_books_agree()


def test_the_same_answer_told_by_eight_counts_once() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    approved = Outcome(AttemptState.APPROVED, ref=attempt.gateway_ref)
    at_once(lambda: Attempt.objects.get(pk=attempt.pk).settle(approved))
    assert (Payment.objects.count(), fresh(invoice).paid) == (1, 100)
    assert Event.objects.filter(action="charge_approved").count() == 1
    assert_books_agree()


def test_eight_resolvers_ask_about_each_attempt_once() -> None:
    attempts = [pay(*owing(CHARGED_LOST)) for _ in range(6)]
    at = max(attempt.due_at for attempt in attempts)
    asked = [each.attempt.pk for result in at_once(lambda: resolve_attempts(at)) for each in result]
    assert sorted(asked) == sorted(attempt.pk for attempt in attempts)
    assert moved() == [(100, 0)] * 6
    assert_books_agree()


def test_eight_opened_pages_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice, _ = owing()
    url = "https://desk.example.com/pay/"

    def opens() -> str:
        page = fresh(invoice).open_page(return_url=url, cancel_url=url, remember=False, at=timezone.now())
        return page.ref

    assert len(set(at_once(opens))) == 1


# -- the lock, and what would happen without it


def both_past_the_check(patch: pytest.MonkeyPatch) -> None:
    """Hold two requests back, each once it has made sure that its amount is owed, until both have."""
    check, barrier = Invoice.check_amount, Barrier(2, timeout=20)

    def checked(self: Invoice, *args: Any, **kwargs: Any) -> None:
        check(self, *args, **kwargs)
        barrier.wait()

    patch.setattr(Invoice, "check_amount", checked)


@pytest.mark.postgres
def test_without_the_lock_two_requests_would_take_the_money_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that the lock is what keeps the races above from being lost."""
    invoice, _ = owing()
    monkeypatch.setattr(InvoiceQuerySet, "locked", lambda self: self.all())
    both_past_the_check(monkeypatch)

    def pays() -> None:
        try:
            fresh(invoice).pay(None, source=PaymentMethod.CASH, amount=Decimal(100))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for request in [pool.submit(pays) for _ in range(2)]:
            request.result()
    assert Payment.objects.aggregate(sum=Sum("amount")) == {"sum": 200}
    with pytest.raises(AssertionError):
        assert_books_agree()
