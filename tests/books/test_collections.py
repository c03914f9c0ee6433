"""verify_books knows that what is in Collections has one schedule that runs, and something to come."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing import books
from billing.models import Card, Invoice, RechargeSchedule
from billing.statuses import InvoiceStatus
from tests.collections.desk import collected_by_hand
from tests.factories import CardFactory, InvoiceFactory

pytestmark = pytest.mark.django_db


def found() -> set[tuple[str, str]]:
    return {(problem.kind, problem.column) for problem in books.problems()}


def test_what_is_in_collections_without_a_schedule_is_named() -> None:
    invoice = InvoiceFactory.create()
    Invoice.objects.filter(pk=invoice.pk).update(status=InvoiceStatus.COLLECTIONS)
    assert found() == {("invoice", "schedule")}


def test_a_schedule_that_runs_for_what_has_left_is_named() -> None:
    collected_by_hand()
    Invoice.objects.update(status=InvoiceStatus.OPEN, charge_due_at=None)
    assert found() == {("schedule", "left_at")}


@pytest.mark.parametrize(
    ("lie", "column"),
    [({"end_due_at": None}, "end_due_at"), ({"end_due_at": None, "stopped": "hard"}, "end_due_at")],
)
def test_a_schedule_after_which_nothing_comes_is_named(lie: dict[str, Any], column: str) -> None:
    collected_by_hand()
    Invoice.objects.update(charge_due_at=None)
    RechargeSchedule.objects.update(**lie)
    assert found() == {("schedule", column)}


def test_retries_of_somebody_elses_card_are_named() -> None:
    collected_by_hand()
    other = CardFactory.create()
    RechargeSchedule.objects.update(card=other)
    assert found() == {("schedule", "card")}
    assert Card.objects.count() == 2


@pytest.mark.parametrize("lie", [{"left_as": "refunded"}, {"left_at": timezone.now() - timedelta(days=9999)}])
def test_a_stay_that_ended_as_none_can_is_named(lie: dict[str, Any]) -> None:
    invoice, _card = collected_by_hand()
    invoice.mark_unpaid(None)
    RechargeSchedule.objects.update(**lie)
    assert found() == {("schedule", "left_as")}
