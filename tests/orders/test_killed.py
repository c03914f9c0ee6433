# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""A billing run is killed at every step at which it can be; the next ones lose nothing and double nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from billing.models import Attempt, Event, Invoice, Mail, Order, Payment
from billing.models.attempts.base import GRACE
from billing.models.base import LEASE
from billing.models.recurring import AGAIN
from billing.statuses import InvoiceStatus, OrderStatus
from billing.tasks import tick
from tests.attempts.desk import assert_books_agree, moved
from tests.factories import OrderFactory
from tests.killed import run_to_death
from tests.orders.dying import BILLING

pytestmark = pytest.mark.django_db(transaction=True)
DUE = datetime(2026, 3, 31, tzinfo=UTC)


@pytest.mark.parametrize("step", BILLING)
def test_a_run_that_was_killed_is_finished_by_the_next_ones(environment: dict[str, str], step: str) -> None:
    order = OrderFactory.create(payments=1)
    run_to_death(environment, "tests.orders.dying", step, DUE.isoformat())

    now = timezone.now()
    for wait in (timedelta(0), LEASE, GRACE + timedelta(seconds=1), GRACE + 2 * AGAIN):
        tick(max(now, DUE) + wait)

    assert moved() == [(30, 0)]
    invoice = Invoice.objects.get()
    assert (invoice.period, invoice.status, invoice.charge_due_at) == (1, InvoiceStatus.CLOSED, None)
    assert (Payment.objects.count(), Mail.objects.count()) == (1, 1)
    assert not Attempt.objects.in_flight().exists()
    order = Order.objects.get()
    assert (order.status, order.payments_made) == (OrderStatus.COMPLETED, 1)
    assert Event.objects.filter(action="bill").count() == 1
    assert_books_agree()
