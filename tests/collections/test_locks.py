# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""The worker and staff at the same invoice in Collections: what the locks keep from happening, and that it
happens without them.

On PostgreSQL in threads. The twins below do the same one after the other, with the copy that the slower one
had read before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from django.utils import timezone

from billing.models import Card, Invoice, Order, RechargeSchedule
from billing.models.guard import Refused
from billing.models.recharging.schedule import ScheduleQuerySet
from billing.statuses import InvoiceStatus, PaymentMethod
from billing.tasks import charge_due_invoices, end_collections, tick
from tests.attempts.desk import assert_books_agree, moved, pay
from tests.attempts.locks import no_fresh_look, no_locks, race
from tests.collections.desk import behaves, collected_by_hand, fresh, schedule_of
from tests.factories import DECLINES, CardFactory, OrderFactory
from tests.gateways.races import at_once

in_threads = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def due() -> tuple[Invoice, Card]:
    """In Collections, with a retry due now that its bank would approve."""
    invoice, card = collected_by_hand()
    behaves(card, "approves")
    Invoice.objects.update(charge_due_at=None)  # nothing that an earlier round left is claimed instead
    Invoice.objects.filter(pk=invoice.pk).update(charge_due_at=timezone.now())
    return fresh(invoice), card


def claimed() -> Invoice:
    invoice = Invoice.objects.claim_charge(timezone.now())
    assert invoice
    return invoice


def ending() -> Invoice:
    """In Collections, with its end claimed."""
    invoice, _card = collected_by_hand()
    Invoice.objects.filter(pk=invoice.pk).update(charge_due_at=None)
    RechargeSchedule.objects.filter(invoice=invoice).update(end_due_at=timezone.now())
    schedule = RechargeSchedule.objects.claim_end(timezone.now())
    assert schedule
    assert schedule.invoice == invoice
    return schedule.invoice


def by_itself(invoice: Invoice) -> None:
    invoice.charge_by_itself(at=timezone.now())


class TestRetryAgainstPay:
    pytestmark = in_threads

    def race(self) -> tuple[str, str]:
        invoice, card = due()
        retry, agent = claimed(), fresh(invoice)
        return race(lambda: by_itself(retry), lambda: pay(agent, card), owner=Invoice, call="check_amount")

    def test_one_of_them_charges(self) -> None:
        first, second = self.race()
        assert first == "done"
        assert second != "done"
        assert moved() == [(100, 0)]
        assert_books_agree()

    def test_without_the_lock_both_would(self) -> None:
        with no_locks():
            assert self.race() == ("done", "done")
        assert moved() == [(100, 0), (100, 0)]


class TestEndAgainstPay:
    pytestmark = in_threads

    def race(self) -> tuple[Invoice, str, str]:
        to_end = ending()
        agent, card = fresh(to_end), CardFactory.create(contact=to_end.contact)
        told = race(
            lambda: pay(agent, card),
            lambda: to_end.end_retries(at=timezone.now()),
            owner=Invoice,
            call="check_amount",
        )
        return fresh(to_end), *told

    def test_what_is_being_paid_is_not_written_off(self) -> None:
        invoice, payer, end = self.race()
        assert payer == "done"
        assert end != "done"
        assert (invoice.status, invoice.paid, invoice.written_off_amount) == (InvoiceStatus.CLOSED, 100, 0)
        assert_books_agree()

    def test_without_the_lock_it_would_be(self) -> None:
        with no_locks():
            invoice, *told = self.race()
        assert told == ["done", "done"]
        assert invoice.events.filter(action="write_off").exists()
        assert moved() == [(100, 0)]


class TestClaimAgainstClaim:
    pytestmark = in_threads

    def race(self) -> list[bool]:
        """Whether each of two workers was given the end of the one invoice."""
        collected_by_hand()
        Invoice.objects.update(charge_due_at=None)
        RechargeSchedule.objects.update(end_due_at=timezone.now())
        given: list[bool] = []

        def claim() -> None:
            given.append(RechargeSchedule.objects.claim_end(timezone.now()) is not None)

        race(claim, claim, owner=RechargeSchedule, call="save")
        return sorted(given)

    def test_an_end_is_given_to_one_of_them(self) -> None:
        assert self.race() == [False, True]

    def test_without_the_lock_both_would_have_it(self) -> None:
        with no_locks(ScheduleQuerySet):
            assert self.race() == [True, True]


class TestNewCardAgainstDecline:
    """An order is given another card while the answer about the old one is being written down."""

    pytestmark = in_threads

    def race(self) -> Invoice:
        order = OrderFactory.create(number=DECLINES)
        assert order.next_charge_at
        tick(order.next_charge_at)
        Invoice.objects.update(charge_due_at=timezone.now())
        retry, agent = claimed(), Order.objects.get()
        card = CardFactory.create(contact=order.contact)
        told = race(
            lambda: by_itself(retry),
            lambda: agent.change_card(None, card=card, charge_now=True),
            owner=Invoice,
            call="_book_charge",
        )
        assert told == ("done", "done")
        assert schedule_of(retry).card == card
        return fresh(retry)

    def test_the_new_card_is_charged_at_once(self) -> None:
        invoice = self.race()
        assert invoice.charge_due_at
        assert invoice.charge_due_at <= timezone.now()
        charge_due_invoices(timezone.now())
        assert moved() == [(30, 0)]
        assert_books_agree()

    def test_without_the_lock_the_schedule_would_be_lost(self) -> None:
        with no_locks():
            invoice = self.race()
        assert (invoice.status, invoice.charge_due_at) == (InvoiceStatus.COLLECTIONS, None)


@pytest.mark.django_db(transaction=True)
def test_eight_workers_retry_an_invoice_once_and_end_another_once() -> None:
    ended, _card = collected_by_hand()
    RechargeSchedule.objects.update(end_due_at=timezone.now())
    Invoice.objects.update(charge_due_at=None)
    invoice, card = collected_by_hand()
    behaves(card, "approves")
    Invoice.objects.filter(pk=invoice.pk).update(charge_due_at=timezone.now())

    def work() -> None:
        charge_due_invoices(timezone.now())
        end_collections(timezone.now())

    at_once(work)
    assert moved() == [(100, 0)]
    assert (fresh(invoice).status, fresh(ended).status) == ("closed", "written_off")
    assert ended.events.filter(action="write_off").count() == 1
    assert_books_agree()


# -- the twins


def retries_a_paid_one() -> Invoice:
    invoice, card = due()
    stale = claimed()
    pay(fresh(invoice), card, invoice.balance / 2)
    Invoice.objects.filter(pk=invoice.pk).update(charge_due_at=None)
    by_itself(stale)
    return invoice


def ends_a_paid_one() -> Invoice:
    stale = ending()
    fresh(stale).pay(None, source=PaymentMethod.CASH, amount=stale.balance)
    stale._write_off_at_the_end(None, seen=stale.version)
    return stale


def retries_a_card_that_was_replaced() -> Invoice:
    """The worker has read the schedule, and stands still before it charges."""
    invoice, old = due()
    stale = claimed()
    fresh(invoice).retry(None, card=CardFactory.create(contact=invoice.contact))
    stale.pay(None, source=old, amount=stale.balance, seen=stale.version)
    return invoice


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("deed", "why_not", "harm"),
    [
        (retries_a_paid_one, "has changed since", lambda invoice: invoice.paid == 150),
        (ends_a_paid_one, "only Open and Collections", lambda invoice: invoice.status == "written_off"),
        (
            retries_a_card_that_was_replaced,
            "has changed since",
            lambda invoice: invoice.attempts.filter(card__last4=DECLINES[-4:]).count() == 2,
        ),
    ],
)
def test_a_copy_that_was_read_before_is_read_again_and_refused(
    deed: Callable[[], Invoice],
    why_not: str,
    harm: Callable[[Invoice], bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="billing")
    with pytest.raises(Refused, match=why_not):
        deed()
    with no_fresh_look():
        invoice = deed()
    assert harm(fresh(invoice))


@pytest.mark.django_db
def test_a_worker_that_slept_after_its_claim_stops_no_schedule_that_has_changed_since() -> None:
    """It has read an expired card, and an agent has put a good one in its place."""
    invoice, _card = due()
    Card.objects.update(exp_month=1, exp_year=2020)
    stale, staler, card = claimed(), fresh(invoice), CardFactory.create(contact=invoice.contact)
    fresh(invoice).retry(None, card=card)
    stale._stop_without_card(seen=stale.version)
    staler._stay_for_good(seen=staler.version)
    now = schedule_of(invoice)
    assert (now.stopped, now.card, fresh(invoice).charge_due_at is None) == ("", card, False)
