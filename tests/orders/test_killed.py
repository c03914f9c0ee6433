# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""A billing run is killed at every step at which it can be; the next ones lose nothing and double nothing."""

from __future__ import annotations

import subprocess
import sys
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
from tests.attempts.dying import KILLED
from tests.factories import OrderFactory
from tests.orders.dying import BILLING

pytestmark = pytest.mark.django_db(transaction=True)
DUE = datetime(2026, 3, 31, tzinfo=UTC)
PROGRAM = "import sys, django; django.setup(); from tests.orders import dying; dying.main({!r}, {!r})"


@pytest.mark.parametrize("step", BILLING)
def test_a_run_that_was_killed_is_finished_by_the_next_ones(environment: dict[str, str], step: str) -> None:
    order = OrderFactory.create(payments=1)
    died = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(step, DUE.isoformat())],
        env={**environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == KILLED, died.stderr

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
