# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""A worker that dies at any step of a retry, or of the end, loses no schedule and doubles no charge."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Invoice
from billing.models.attempts.base import GRACE
from billing.models.base import LEASE, InvoiceQuerySet
from billing.models.recharging.schedule import ScheduleQuerySet
from billing.statuses import InvoiceStatus
from tests.attempts.desk import assert_books_agree, moved
from tests.collections.desk import Clock, behaves, change_settings, collected_by_hand, fresh, mails, tried_on
from tests.crash.points import Points, after, before, struck_at

pytestmark = pytest.mark.django_db

RETRYING: Points = {
    "after the charge was claimed": after(InvoiceQuerySet, "claim_charge"),
    "inside the transaction that starts it": after(Attempt, "start"),
    "after the attempt was written down": before(Attempt, "run"),
    "after the reference was written down": after(Attempt, "_write_down"),
    "after the gateway answered": after(SandboxGateway, "confirm"),
    "inside the transaction that books it": after(Invoice, "go_on_collecting"),
    "after all of it": after(Attempt, "settle"),
}
ENDING: Points = {
    "after the end was claimed": after(ScheduleQuerySet, "claim_end"),
    "inside the transaction that writes off": after(Invoice, "leave_collections"),
    "after all of it": after(Invoice, "end_retries"),
}
BEFORE_THE_GATEWAY = {
    "inside the transaction that starts it",
    "after the charge was claimed",
    "after the attempt was written down",
    "after the reference was written down",
}


class Killed(BaseException):
    """Passes what catches mere errors, as death does."""


def die() -> None:
    raise Killed


def revive(clock: Clock) -> None:
    """The worker comes back, and goes round until every lease has ended."""
    for wait in (timedelta(0), GRACE + timedelta(seconds=1), LEASE, timedelta(hours=1)):
        clock.work(seconds=int(wait.total_seconds()))


@pytest.mark.parametrize("step", RETRYING)
def test_a_declined_retry_keeps_its_schedule(clock: Clock, step: str) -> None:
    invoice, _card = collected_by_hand()
    with struck_at(RETRYING[step], SandboxGateway, die), pytest.raises(Killed):
        clock.work(days=3)
    revive(clock)
    now = fresh(invoice)
    assert (now.status, now.awaiting_gateway) == (InvoiceStatus.COLLECTIONS, False)
    assert now.charge_due_at
    assert now.charge_due_at > clock.now
    declined = invoice.attempts.filter(state="declined")
    assert declined.count() == len(mails(invoice)) + 1 == 2  # the first was an agent's
    assert_books_agree()


@pytest.mark.parametrize("step", [*sorted(BEFORE_THE_GATEWAY), "after the gateway answered"])
def test_an_approved_retry_charges_once(clock: Clock, step: str) -> None:
    invoice, card = collected_by_hand()
    behaves(card, "approves")
    with struck_at(RETRYING[step], SandboxGateway, die), pytest.raises(Killed):
        clock.work(days=3)
    assert moved() == ([] if step in BEFORE_THE_GATEWAY else [(100, 0)])
    revive(clock)
    assert (moved(), fresh(invoice).status) == ([(100, 0)], InvoiceStatus.CLOSED)
    assert mails(invoice) == ["recovered"]
    assert_books_agree()


@pytest.mark.parametrize("step", sorted(BEFORE_THE_GATEWAY))
def test_the_last_retry_is_not_lost_to_the_end(clock: Clock, step: str) -> None:
    change_settings(for_days=3)
    invoice, card = collected_by_hand()
    behaves(card, "approves")
    with struck_at(RETRYING[step], SandboxGateway, die), pytest.raises(Killed):
        clock.work(days=3)
    revive(clock)
    assert (moved(), fresh(invoice).status) == ([(100, 0)], InvoiceStatus.CLOSED)
    assert_books_agree()


@pytest.mark.parametrize("step", ENDING)
def test_an_end_is_carried_out_once(clock: Clock, step: str) -> None:
    change_settings(for_days=3)
    invoice, _card = collected_by_hand()
    with struck_at(ENDING[step], SandboxGateway, die), pytest.raises(Killed):
        clock.work(days=3)
    revive(clock)
    assert fresh(invoice).status == InvoiceStatus.WRITTEN_OFF
    assert invoice.events.filter(action="write_off").count() == 1
    assert len(tried_on(invoice)) == 2
    assert_books_agree()
