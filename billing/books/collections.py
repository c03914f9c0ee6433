"""What must be true of the invoices in Collections and their schedules."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import F, Q

from billing.books.problem import Problem
from billing.models import Invoice, RechargeSchedule
from billing.models.recharging.schedule import ScheduleQuerySet
from billing.statuses import TRANSITIONS, InvoiceStatus, Stopped


def problems_of_collections() -> Iterator[Problem]:
    """An invoice in Collections has one schedule that runs, and something that comes next; no other has."""
    yield from _without_schedule()
    running = RechargeSchedule.objects.running().select_related("invoice", "card").order_by("pk")
    for schedule in running.iterator(chunk_size=1000):
        yield from _problems_of(schedule)
    for schedule in _left_as_something_impossible().select_related("invoice").order_by("pk").iterator():
        yield _of(schedule, "left_as", schedule.left_as, "what Collections can become")


def _without_schedule() -> Iterator[Problem]:
    running = RechargeSchedule.objects.running().values("invoice")
    found = Invoice.objects.filter(status=InvoiceStatus.COLLECTIONS).exclude(pk__in=running)
    for pk, number in found.order_by("pk").values_list("pk", "number").iterator():
        yield Problem("invoice", pk, number or "draft", "schedule", "missing", "one that runs")


def _problems_of(schedule: RechargeSchedule) -> Iterator[Problem]:
    invoice = schedule.invoice
    if not invoice.is_in_collections:
        yield _of(schedule, "left_at", None, f"when it became {invoice.status}")
        return
    if schedule.card and schedule.card.contact_id != invoice.contact_id:
        yield _of(schedule, "card", schedule.card_id, "a card of its contact")
    if invoice.awaiting_gateway or invoice.charge_due_at or schedule.end_due_at:
        return
    if schedule.stopped != Stopped.OVER:
        yield _of(schedule, "end_due_at", None, "a moment: nothing else comes next")


def _left_as_something_impossible() -> ScheduleQuerySet:
    possible = Q(left_as__in=sorted(TRANSITIONS[InvoiceStatus.COLLECTIONS]), left_at__gte=F("entered_at"))
    return RechargeSchedule.objects.exclude(left_at=None).exclude(possible)


def _of(schedule: RechargeSchedule, column: str, stored: object, computed: object) -> Problem:
    return Problem("schedule", schedule.pk, str(schedule.invoice), column, str(stored), str(computed))
