# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""A person says whose money it is, or why nothing is recorded."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from django.utils import timezone

from billing import books
from billing.gateways.sandbox import dashboard
from billing.gateways.sandbox.models import Charge
from billing.models import Attempt, Dispute, Event, Invoice, Payment, UnmatchedMoney
from billing.models.guard import AlreadyDone, Invalid, NotAllowed, NotOffered
from billing.statuses import AttemptState, InvoiceStatus, RefundRoute, UnmatchedState
from tests.attempts.desk import assert_books_agree, fresh, give_back, moved, no_answer
from tests.factories import InvoiceFactory, UserFactory
from tests.notices.desk import charged_there, tell

pytestmark = pytest.mark.django_db
KEY = UUID("7c2b54d2-0f34-4c39-a1b1-0f1d1c2b3a45")
URL = "https://desk.example.com/pay/"


def unmatched(amount: int = 70, currency: str = "USD") -> UnmatchedMoney:
    tell("charge.succeeded", charged_there(amount, currency).ref)
    return UnmatchedMoney.objects.latest("pk")


def test_matched_money_is_a_card_payment_of_the_invoice() -> None:
    row, invoice = unmatched(), InvoiceFactory.create()
    event = row.match(None, invoice=invoice)
    payment = Payment.objects.get()
    assert (payment.amount, payment.gateway_ref, payment.method_label) == (70, row.ref, "Visa •• 4242")
    assert payment.moves_by_gateway
    now = fresh(invoice)
    assert (now.status, now.paid, now.balance) == (InvoiceStatus.OPEN, 70, 30)
    row.refresh_from_db()
    assert (row.state, row.payment) == (UnmatchedState.MATCHED, payment)
    assert event.text == f"Payment of $70.00 matched ({row.ref}): balance $100.00 → $30.00."
    assert_books_agree()


def test_an_invoice_that_owes_nothing_more_is_closed() -> None:
    invoice = InvoiceFactory.create(amount=Decimal(70))
    unmatched().match(None, invoice=invoice)
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert_books_agree()


@pytest.mark.parametrize(
    "status", [InvoiceStatus.OPEN, InvoiceStatus.CLOSED, InvoiceStatus.VOIDED, InvoiceStatus.REFUNDED]
)
def test_what_is_not_owed_is_kept_as_overpaid(status: InvoiceStatus) -> None:
    invoice = InvoiceFactory.create(status=status, amount=Decimal(50))
    before = invoice.balance
    unmatched().match(None, invoice=invoice)
    now = fresh(invoice)
    assert (now.overpaid, now.balance) == (70 - before, 0)
    assert_books_agree()


def test_a_draft_takes_no_payment() -> None:
    row = unmatched()
    with pytest.raises(Invalid, match="a draft takes no payments"):
        row.match(None, invoice=InvoiceFactory.create(status=InvoiceStatus.DRAFT))
    assert UnmatchedMoney.objects.get().state == UnmatchedState.OPEN


def test_another_currency_is_refused() -> None:
    with pytest.raises(Invalid, match="Invoice is in USD: money in EUR cannot be matched to it"):
        unmatched(currency="EUR").match(None, invoice=InvoiceFactory.create())
    assert not Payment.objects.exists()


def test_money_is_matched_once() -> None:
    row = unmatched()
    UnmatchedMoney.objects.get().match(None, invoice=InvoiceFactory.create())
    with pytest.raises(NotOffered, match="is “Matched”: it cannot be matched any more"):
        row.match(None, invoice=InvoiceFactory.create())
    with pytest.raises(NotOffered, match="cannot be set aside"):
        row.set_aside(None, reason="Twice")
    assert Payment.objects.count() == 1


def test_a_stale_copy_matches_nothing_twice() -> None:
    """The twin of the race: two requests have read the row before either wrote."""
    first, second = unmatched(), UnmatchedMoney.objects.get()
    first.match(None, invoice=InvoiceFactory.create())
    with pytest.raises(NotOffered):
        second.match(None, invoice=InvoiceFactory.create())
    assert Payment.objects.count() == 1


def test_a_second_click_shows_the_first_result() -> None:
    manager, row, invoice = UserFactory.create(role="Billing manager"), unmatched(), InvoiceFactory.create()
    first = row.match(manager, invoice=invoice, key=KEY)
    with pytest.raises(AlreadyDone) as again:
        UnmatchedMoney.objects.get().match(manager, invoice=invoice, key=KEY)
    assert again.value.event == first
    other = unmatched()
    with pytest.raises(NotOffered, match="one-time key belongs to something else"):
        other.match(manager, invoice=invoice, key=KEY)


def test_a_customers_open_page_is_closed_before_money_is_matched() -> None:
    invoice = InvoiceFactory.create(amount=Decimal(70))
    invoice.open_page(return_url=URL, cancel_url=URL, remember=False, at=timezone.now())
    unmatched().match(None, invoice=fresh(invoice))
    assert Attempt.objects.get().state == AttemptState.NOT_CHARGED


def test_matched_money_goes_back_through_its_gateway() -> None:
    row = unmatched()
    row.match(None, invoice=InvoiceFactory.create())
    give_back(Payment.objects.get(), 70, RefundRoute.GATEWAY)
    assert moved() == [(70, 70)]
    assert_books_agree()


# -- what happened to a payment made elsewhere


def test_refunds_and_disputes_that_wait_for_the_payment_come_with_it() -> None:
    charge = charged_there()
    made = dashboard.refund(charge.ref, amount=Decimal(20), now=timezone.now())
    opened = dashboard.dispute(charge.ref, amount=Decimal(30), now=timezone.now())
    tell("refund.created", made.ref)
    tell("dispute.opened", opened.ref)
    assert UnmatchedMoney.objects.open().count() == 3
    invoice = InvoiceFactory.create()
    UnmatchedMoney.objects.get(kind="charge").match(None, invoice=invoice)
    assert not UnmatchedMoney.objects.open().exists()
    assert (fresh(invoice).paid, fresh(invoice).refunded) == (50, 20)
    assert Dispute.objects.for_a_person().get().payment == Payment.objects.get(type="payment")
    assert_books_agree()


def test_a_refund_is_matched_to_the_payment_that_it_names_and_to_no_other() -> None:
    charge = charged_there()
    made = dashboard.refund(charge.ref, amount=Decimal(20), now=timezone.now())
    tell("refund.created", made.ref)
    refund = UnmatchedMoney.objects.get(kind="refund")
    with pytest.raises(Invalid, match=f"has no payment {charge.ref}, which this refund returns"):
        refund.match(None, invoice=InvoiceFactory.create())


def test_a_refund_above_what_is_left_cannot_be_matched() -> None:
    charge, invoice = charged_there(), InvoiceFactory.create()
    tell("charge.succeeded", charge.ref)
    UnmatchedMoney.objects.get().match(None, invoice=invoice)
    give_back(Payment.objects.get(), 60, RefundRoute.RECORDED)
    made = dashboard.refund(charge.ref, amount=Decimal(30), now=timezone.now())
    tell("refund.created", made.ref)
    rest = UnmatchedMoney.objects.get(kind="refund")
    assert rest.amount == 20
    with pytest.raises(Invalid, match=r"Only \$0\.00 of the payment"):
        rest.match(None, invoice=fresh(invoice))
    assert_books_agree()


def test_a_dispute_follows_its_charge() -> None:
    opened = dashboard.dispute(charged_there().ref, amount=None, now=timezone.now())
    tell("dispute.opened", opened.ref)
    with pytest.raises(NotOffered, match="A dispute follows its charge"):
        UnmatchedMoney.objects.get(kind="dispute").match(None, invoice=InvoiceFactory.create())


# -- setting aside


def test_money_is_set_aside_with_a_reason() -> None:
    manager, row = UserFactory.create(role="Billing manager"), unmatched()
    event = row.set_aside(manager, reason="Belongs to the shop next door")
    now = UnmatchedMoney.objects.get()
    assert (now.state, now.reason, now.settled_by) == (
        UnmatchedState.SET_ASIDE,
        "Belongs to the shop next door",
        manager,
    )
    assert event.text.endswith("set aside. Reason: Belongs to the shop next door")
    assert (event.actor, event.invoice) == (manager, None)
    assert not Payment.objects.exists()
    assert_books_agree()


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_set_aside_without_a_reason(reason: str) -> None:
    with pytest.raises(Invalid, match="say why nothing is recorded"):
        unmatched().set_aside(None, reason=reason)
    assert not Event.objects.filter(action="set_aside").exists()


@pytest.mark.parametrize("role", ["Viewer", "Support"])
def test_whoever_may_not_is_told_who_may(role: str) -> None:
    user, row = UserFactory.create(role=role), unmatched()
    with pytest.raises(NotAllowed, match="it takes Billing manager or Administrator"):
        row.match(user, invoice=InvoiceFactory.create())
    with pytest.raises(NotAllowed, match="Your role does not include “Set aside”"):
        row.set_aside(user, reason="No")
    assert UnmatchedMoney.objects.get().state == UnmatchedState.OPEN


# -- the books find what nobody moved


def assert_books_say(words: str) -> None:
    found = [str(problem) for problem in books.gateway_problems()]
    assert len([problem for problem in found if words in problem]) == 1, found


def test_the_books_find_a_matched_payment_that_the_gateway_does_not_know() -> None:
    row = unmatched()
    row.match(None, invoice=InvoiceFactory.create())
    Charge.objects.all().delete()
    assert_books_say("attempt is missing, should be the one made at sandbox")


@pytest.mark.parametrize(("column", "value"), [("amount", Decimal(71)), ("currency", "EUR")])
def test_the_books_find_a_matched_payment_that_the_gateway_tells_differently(
    column: str, value: object
) -> None:
    unmatched().match(None, invoice=InvoiceFactory.create())
    Charge.objects.update(**{column: value})
    assert_books_say(f"{column} is ")


def test_the_books_find_one_charge_that_is_two_payments() -> None:
    row = unmatched()
    for _ in range(2):
        UnmatchedMoney.objects.update(state="open", settled_at=None, payment=None)
        UnmatchedMoney.objects.get().match(None, invoice=InvoiceFactory.create())
    assert Payment.objects.filter(gateway_ref=row.ref).count() == 2
    assert_books_say("the one made at sandbox")


def test_the_books_find_money_of_which_nobody_has_told_the_desk() -> None:
    charge = charged_there()
    assert_books_say(f"sandbox charge {charge.ref}: attempt is missing")


def test_the_books_find_a_refund_that_the_gateway_never_made() -> None:
    charge, invoice = charged_there(), InvoiceFactory.create()
    made = dashboard.refund(charge.ref, amount=Decimal(20), now=timezone.now())
    tell("refund.created", made.ref)
    UnmatchedMoney.objects.get(kind="charge").match(None, invoice=invoice)
    assert_books_agree()
    Charge.objects.update(refunded=0)
    assert_books_say("refunds is 20")


def test_a_page_that_cannot_be_closed_does_not_keep_money_from_being_matched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice = InvoiceFactory.create()
    invoice.open_page(return_url=URL, cancel_url=URL, remember=False, at=timezone.now())
    row = unmatched()
    monkeypatch.setattr("billing.gateways.sandbox.gateway.SandboxGateway.expire_page", no_answer)
    row.match(None, invoice=Invoice.objects.get(pk=invoice.pk))
    assert fresh(invoice).paid == 70
