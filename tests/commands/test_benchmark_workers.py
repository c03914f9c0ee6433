"""Measuring workers charges what was made for it, once, and nothing else."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from billing.models import Invoice, Order, Payment
from billing.statuses import OrderStatus
from tests.attempts.desk import assert_books_agree
from tests.factories import OrderFactory


@pytest.mark.django_db(transaction=True)
def test_all_orders_are_charged_once_and_the_rate_is_printed(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", environment["DATABASE_URL"])
    monkeypatch.setenv("DEBUG", "1")
    out = StringIO()
    call_command("benchmark_workers", orders=5, workers=[2], stdout=out)
    head, columns, row = out.getvalue().splitlines()
    assert head.endswith(", 5 due orders for each number of workers")
    assert columns.split() == ["workers", "seconds", "orders/s"]
    workers, seconds, rate = row.split()
    assert workers == "2"
    assert float(rate) == pytest.approx(5 / float(seconds), rel=0.1)
    assert Order.objects.filter(status=OrderStatus.COMPLETED).count() == 5
    assert (Invoice.objects.count(), Payment.objects.count()) == (5, 5)
    assert_books_agree()


@pytest.mark.django_db
def test_orders_of_others_are_never_charged() -> None:
    OrderFactory.create()
    with pytest.raises(CommandError, match="take a database to throw away"):
        call_command("benchmark_workers")
    assert not Invoice.objects.exists()


@pytest.mark.parametrize("given", [{"GATEWAY": "stripe"}, {"SANDBOX_GATEWAY": False}])
def test_real_money_is_never_moved(settings: Settings, given: dict[str, Any]) -> None:
    for name, value in given.items():
        setattr(settings, name, value)
    with pytest.raises(CommandError, match="Only play money"):
        call_command("benchmark_workers")


@pytest.mark.parametrize("typed", ["0", "-1", "many", "1000000"])
def test_a_number_that_is_none_is_refused(typed: str) -> None:
    with pytest.raises(CommandError, match="--orders"):
        call_command("benchmark_workers", "--orders", typed)
