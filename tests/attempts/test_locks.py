# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""Two who move the same money at once: what the locks keep from happening, and that it happens without them.

On PostgreSQL in threads. The twins below do the same one after the other, with the copy that the slower one
had read before: on SQLite as well, where one writer at a time hides a lock that is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
from django.utils import timezone

from billing.gateways.sandbox import pages
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.numbers import read_card, read_number
from billing.models import Attempt, Card, Invoice, Payment, UnmatchedMoney
from billing.models.attempts.base import AttemptQuerySet
from billing.models.guard import NotOffered, Refused
from billing.statuses import AttemptState, InvoiceStatus, RefundRoute
from tests.attempts.desk import (
    CHARGED_LOST,
    assert_books_agree,
    attempt_of,
    fresh,
    give_back,
    moved,
    no_answer,
    owing,
    paid_by_card,
    pay,
)
from tests.attempts.locks import no_fresh_look, no_locks, race
from tests.factories import APPROVES

in_threads = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
URL = "https://desk.example.com/"
IN_FLIGHT = "has not yet said how the last attempt"


def pays_on_a_page(invoice: Invoice) -> None:
    """The customer opens a page, types a card there and comes back."""
    now = timezone.now()
    page = invoice.open_page(return_url=URL, cancel_url=URL, remember=False, at=now)
    typed = read_card(read_number(APPROVES), exp_month=12, exp_year=2040, today=now.date())
    pages.take_card(page.ref, typed, now=now)
    Attempt.objects.get(page_ref=page.ref).ask(at=now)


def written_down(invoice: Invoice, card: Card) -> Attempt:
    """A charge whose process has yet to send it."""
    started = invoice._start_charge(None, card=card, amount=invoice.balance, send_receipt=False)
    return attempt_of(started)


class TestChargeAgainstCharge:
    pytestmark = in_threads

    def race(self) -> tuple[str, str]:
        invoice, card = owing()
        first, second = fresh(invoice), fresh(invoice)
        return race(lambda: pay(first, card), lambda: pay(second, card), owner=Invoice, call="check_amount")

    def test_one_of_them_charges(self) -> None:
        first, second = self.race()
        assert first == "done"
        assert IN_FLIGHT in second or "Closed" in second
        assert moved() == [(100, 0)]
        assert_books_agree()

    def test_without_the_lock_both_would(self) -> None:
        with no_locks():
            assert self.race() == ("done", "done")
        assert moved() == [(100, 0), (100, 0)]


class TestChargeAgainstPayPage:
    pytestmark = in_threads

    def race(self) -> tuple[str, str]:
        invoice, card = owing()
        agent, customer = fresh(invoice), fresh(invoice)
        return race(lambda: pay(agent, card), lambda: pays_on_a_page(customer), owner=Attempt, call="start")

    def test_the_customer_is_shown_no_page(self) -> None:
        agent, customer = self.race()
        assert agent == "done"
        assert "is being processed" in customer or "nothing left to pay" in customer
        assert moved() == [(100, 0)]
        assert_books_agree()

    def test_without_the_lock_both_would_pay(self) -> None:
        with no_locks():
            assert self.race() == ("done", "done")
        assert moved() == [(100, 0), (100, 0)]


class TestChargeAgainstVoid:
    pytestmark = in_threads

    def race(self) -> tuple[Invoice, str, str]:
        invoice, card = owing()
        payer, voider = fresh(invoice), fresh(invoice)
        told = race(
            lambda: pay(payer, card),
            lambda: voider.void(None, reason="Ordered twice"),
            owner=Invoice,
            call="check_amount",
        )
        return fresh(invoice), *told

    def test_what_is_being_charged_is_not_voided(self) -> None:
        invoice, charge, void = self.race()
        assert charge == "done"
        assert IN_FLIGHT in void
        assert (invoice.status, invoice.paid, invoice.overpaid) == (InvoiceStatus.CLOSED, 100, 0)
        assert_books_agree()

    def test_without_the_lock_a_voided_invoice_would_be_charged(self) -> None:
        with no_locks():
            invoice, *told = self.race()
        assert told == ["done", "done"]
        assert invoice.events.filter(action="void").exists()
        assert moved() == [(100, 0)]
        assert invoice.overpaid == 100 or invoice.status != InvoiceStatus.VOIDED


class TestRefundAgainstRefund:
    pytestmark = in_threads

    def race(self) -> tuple[Payment, str, str]:
        payment = paid_by_card()
        first, second = Payment.objects.get(), Payment.objects.get()
        told = race(
            lambda: give_back(first, 60),
            lambda: give_back(second, 60, RefundRoute.RECORDED),
            owner=Invoice,
            call="check_amount",
        )
        return Payment.objects.get(pk=payment.pk), *told

    def test_no_more_goes_back_than_came(self) -> None:
        payment, first, second = self.race()
        assert first == "done"
        assert IN_FLIGHT in second or "at most" in second
        assert (moved(), payment.refunded_amount) == ([(100, 60)], 60)
        assert_books_agree()

    def test_without_the_lock_more_would_go_back_than_came(self, caplog: pytest.LogCaptureFixture) -> None:
        with no_locks():
            payment, *_told = self.race()
        beyond = UnmatchedMoney.objects.get(kind="refund")  # what the books have no room for
        assert (moved(), payment.refunded_amount, beyond.amount) == ([(100, 60)], 100, 20)


class TestResolverAgainstConfirm:
    pytestmark = in_threads

    def race(self) -> tuple[Attempt, str, str]:
        attempt = written_down(*owing())
        sender, resolver = Attempt.objects.get(), Attempt.objects.get()
        at = attempt.due_at
        told = race(lambda: resolver.ask(at=at), sender.run, owner=Attempt, call="_about_this")
        return Attempt.objects.get(), *told

    def test_what_was_called_off_is_not_charged(self) -> None:
        attempt, *told = self.race()
        assert told == ["done", "done"]
        assert (attempt.state, moved()) == (AttemptState.NOT_CHARGED, [])
        assert_books_agree()

    def test_without_the_lock_it_would_be(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.CRITICAL, logger="billing")
        with no_locks(AttemptQuerySet):
            attempt, *_told = self.race()
        assert attempt.invoice.events.filter(action="charge_not_made").exists()
        assert moved() == [(100, 0)]


# -- the twins


def charges_a_paid_one() -> None:
    invoice, card = owing()
    stale = fresh(invoice)
    pay(invoice, card)
    pay(stale, card)


def opens_a_page_during_a_charge() -> None:
    invoice, card = owing(CHARGED_LOST)
    stale = fresh(invoice)
    pay(invoice, card)
    pays_on_a_page(stale)


def charges_a_voided_one() -> None:
    invoice, card = owing()
    stale = fresh(invoice)
    invoice.void(None, reason="Ordered twice")
    pay(stale, card)


def voids_during_a_charge() -> None:
    invoice, card = owing(CHARGED_LOST)
    stale = fresh(invoice)
    pay(invoice, card)
    stale.void(None, reason="Ordered twice")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("deed", "why_not", "harm"),
    [
        (charges_a_paid_one, "only", [(100, 0), (100, 0)]),
        (opens_a_page_during_a_charge, "is being processed", [(100, 0), (100, 0)]),
        (charges_a_voided_one, "only", [(100, 0)]),
        (voids_during_a_charge, IN_FLIGHT, [(100, 0)]),
    ],
)
def test_a_copy_that_was_read_before_is_read_again_and_refused(
    deed: Callable[[], None], why_not: str, harm: list[tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="billing")
    with pytest.raises(Refused, match=why_not):
        deed()
    assert_books_agree()
    before = moved()
    with no_fresh_look():
        deed()
    assert moved() == [*before, *harm]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("look", "why_not"),
    [(nullcontext, IN_FLIGHT), (no_fresh_look, "changed at this very moment")],
)
def test_a_second_refund_is_refused_by_the_lock_and_without_it_by_the_database(
    look: Callable[[], AbstractContextManager[None]],
    why_not: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="billing")
    payment = paid_by_card()
    stale = Payment.objects.select_related("invoice").get()
    monkeypatch.setattr(SandboxGateway, "refund", no_answer)
    give_back(payment, 60)
    with look(), pytest.raises(NotOffered, match=why_not):
        give_back(stale, 40)
    assert Attempt.objects.filter(kind="refund").count() == 1


@pytest.mark.django_db
def test_a_sender_that_was_overtaken_by_the_resolver_stops_and_without_looking_it_would_charge(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.CRITICAL, logger="billing")
    attempt = written_down(*owing())
    Attempt.objects.get().ask(at=attempt.due_at)
    attempt.run()
    assert (attempt.state, moved()) == (AttemptState.NOT_CHARGED, [])

    attempt = written_down(*owing())
    Attempt.objects.get(pk=attempt.pk).ask(at=attempt.due_at)
    monkeypatch.setattr(Attempt, "_write_down", lambda self, ref: True)
    attempt.run()
    assert moved() == [(100, 0)]
