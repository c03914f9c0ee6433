# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from billing.gateways import CardRefused
from billing.models import Event, Invoice, Payment
from billing.models.guard import AlreadyDone, Invalid, NotOffered, Stale
from billing.statuses import AttemptState, InvoiceStatus, PaymentMethod, PaymentStatus
from tests.attempts.desk import (
    AUTHENTICATES,
    CHARGED_LOST,
    UNCHARGED_LOST,
    assert_books_agree,
    fresh,
    moved,
    owing,
    pay,
)
from tests.factories import NOON, CardFactory, InvoiceFactory

pytestmark = pytest.mark.django_db
KEY = UUID("6f1d7a60-6a52-4b8e-9a3f-2f9d1a7c5e11")


@pytest.mark.parametrize("number", ["4242424242424242", "5555555555554444"])
def test_a_card_that_approves_closes_the_invoice(number: str) -> None:
    invoice, card = owing(number)
    attempt = pay(invoice, card)
    payment = Payment.objects.get()
    assert attempt.state == AttemptState.APPROVED
    assert (payment.amount, payment.status, payment.attempt) == (100, PaymentStatus.APPLIED, attempt)
    assert (payment.card_brand, payment.card_last4) == (card.brand, number[-4:])
    now = fresh(invoice)
    assert (now.status, now.balance, now.paid, now.awaiting_gateway) == (InvoiceStatus.CLOSED, 0, 100, False)
    assert moved() == [(100, 0)]
    assert_books_agree()


@pytest.mark.parametrize(
    ("number", "code", "hard"),
    [
        ("4000000000000341", "generic_decline", False),
        ("4000000000009995", "insufficient_funds", False),
        ("4000000000000069", "expired_card", True),
        ("4000000000009979", "stolen_card", True),
    ],
)
def test_a_card_that_declines_leaves_a_declined_payment_and_the_status(
    number: str, code: str, hard: bool
) -> None:
    invoice, card = owing(number)
    attempt = pay(invoice, card)
    payment = Payment.objects.get()
    assert (attempt.state, attempt.is_hard) == (AttemptState.DECLINED, hard)
    assert (payment.status, payment.amount, payment.decline_code) == (PaymentStatus.DECLINED, 100, code)
    assert payment.decline_reason
    now = fresh(invoice)
    assert (now.status, now.balance, now.paid, now.awaiting_gateway) == (InvoiceStatus.OPEN, 100, 0, False)
    assert moved() == []
    assert_books_agree()


def test_a_declined_invoice_can_be_paid_with_another_card() -> None:
    invoice, card = owing("4000000000009995")
    pay(invoice, card)
    pay(invoice, CardFactory.create(contact=invoice.contact))
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_a_card_that_is_refused_when_saved_never_comes_on_file() -> None:
    with pytest.raises(CardRefused):
        CardFactory.create(number="4000000000000002")


def test_a_lost_answer_is_unknown_and_holds_back_whatever_moves_money() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    assert attempt.state == AttemptState.UNKNOWN
    assert fresh(invoice).awaiting_gateway
    other = CardFactory.create(contact=invoice.contact)
    with pytest.raises(NotOffered, match="ask the gateway first"):
        pay(fresh(invoice), other, Decimal(1))
    with pytest.raises(NotOffered, match="ask the gateway first"):
        fresh(invoice).void(None, reason="")
    assert not Payment.objects.exists()


def test_asking_finds_the_money_behind_a_lost_answer() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    attempt.ask(at=NOON)
    assert attempt.state == AttemptState.APPROVED
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_asking_finds_that_no_money_moved_and_makes_sure_that_none_will() -> None:
    invoice, card = owing(UNCHARGED_LOST)
    attempt = pay(invoice, card)
    assert attempt.state == AttemptState.UNKNOWN
    attempt.ask(at=NOON)
    assert attempt.state == AttemptState.NOT_CHARGED
    now = fresh(invoice)
    assert (now.status, now.balance, now.awaiting_gateway) == (InvoiceStatus.OPEN, 100, False)
    assert not Payment.objects.exists()
    pay(now, CardFactory.create(contact=invoice.contact))
    assert moved() == [(100, 0)]
    assert_books_agree()


def test_a_charge_that_waits_for_the_bank_can_be_called_off() -> None:
    invoice, card = owing(AUTHENTICATES)
    attempt = pay(invoice, card)
    assert attempt.state == AttemptState.NEEDS_ACTION
    assert fresh(invoice).awaiting_gateway
    attempt.cancel(None, at=NOON)
    assert attempt.state == AttemptState.NOT_CHARGED
    assert not fresh(invoice).awaiting_gateway
    with pytest.raises(NotOffered, match="only one that waits for the customer"):
        attempt.cancel(None, at=NOON)
    assert moved() == []
    assert_books_agree()


def test_partial_payments_leave_the_rest_to_pay() -> None:
    invoice, card = owing()
    pay(invoice, card, Decimal("30.50"))
    assert (invoice.status, invoice.balance) == (InvoiceStatus.OPEN, Decimal("69.50"))
    invoice.pay(None, source=PaymentMethod.CHEQUE, amount=Decimal("19.50"), reference="17")
    assert (invoice.status, invoice.balance) == (InvoiceStatus.OPEN, 50)
    pay(invoice, card, Decimal(50))
    assert (invoice.status, invoice.balance, invoice.paid) == (InvoiceStatus.CLOSED, 0, 100)
    assert moved() == [(Decimal("30.50"), 0), (50, 0)]
    assert_books_agree()


def test_collections_stay_until_all_is_paid() -> None:
    invoice, card = owing(status=InvoiceStatus.COLLECTIONS)
    pay(invoice, card, Decimal(40))
    assert (invoice.status, invoice.balance) == (InvoiceStatus.COLLECTIONS, 60)
    pay(invoice, card)
    assert invoice.status == InvoiceStatus.CLOSED
    assert_books_agree()


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("0", "it must be more than 0"),
        ("-5", "it must be more than 0"),
        ("1.005", "USD has 2 decimals"),
        ("100.01", "at most .100.00 is possible"),
    ],
)
@pytest.mark.parametrize("by_card", [True, False])
def test_an_impossible_amount_is_refused_before_anything_is_written(
    amount: str, sentence: str, by_card: bool
) -> None:
    invoice, card = owing()
    source = card if by_card else PaymentMethod.CASH
    with pytest.raises(Invalid, match=sentence) as refusal:
        invoice.pay(None, source=source, amount=Decimal(amount))
    assert refusal.value.field == "amount"
    assert not invoice.attempts.exists()
    assert not fresh(invoice).awaiting_gateway
    assert moved() == []


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "7"), ("KWD", "0.125")])
def test_a_payment_uses_the_decimals_of_its_currency(currency: str, amount: str) -> None:
    invoice, card = owing(currency=currency)
    pay(invoice, card, Decimal(amount))
    assert invoice.balance == 100 - Decimal(amount)
    assert_books_agree()


def test_only_a_card_of_this_contact_can_be_charged() -> None:
    invoice, _ = owing()
    with pytest.raises(Invalid, match="not on file for this contact") as refusal:
        pay(invoice, CardFactory.create())
    assert refusal.value.field == "source"
    assert not invoice.attempts.exists()


def test_a_card_that_was_removed_meanwhile_is_not_charged() -> None:
    invoice, card = owing()
    type(card).objects.get(pk=card.pk).remove(None, at=NOON)
    with pytest.raises(Invalid, match="not on file"):
        pay(invoice, card)
    assert moved() == []


@pytest.mark.parametrize(
    "status",
    [status for status in InvoiceStatus if status not in (InvoiceStatus.OPEN, InvoiceStatus.COLLECTIONS)],
)
def test_only_what_is_owed_can_be_paid(status: InvoiceStatus) -> None:
    invoice, card = owing(status=status)
    with pytest.raises(NotOffered, match="only Open and Collections invoices can be paid"):
        pay(invoice, card, Decimal(1))
    assert moved() == []


@pytest.mark.parametrize("by_card", [True, False])
def test_the_same_one_time_key_pays_once_and_shows_the_first_result(by_card: bool) -> None:
    invoice, card = owing()
    source = card if by_card else PaymentMethod.CASH
    first = invoice.pay(None, source=source, amount=Decimal(40), key=KEY)
    with pytest.raises(AlreadyDone) as replay:
        fresh(invoice).pay(None, source=source, amount=Decimal(40), key=KEY)
    assert replay.value.event == first
    assert (Payment.objects.count(), fresh(invoice).balance) == (1, 60)
    assert_books_agree()


def test_a_dialog_opened_on_a_state_that_has_changed_pays_nothing() -> None:
    invoice, card = owing()
    seen = invoice.version
    invoice.pay(None, source=PaymentMethod.CASH, amount=Decimal(10))
    with pytest.raises(Stale, match="now Open with a balance of"):
        pay(fresh(invoice), card, Decimal(90), seen=seen)
    assert moved() == []


def test_a_stale_copy_of_the_invoice_pays_nothing_twice() -> None:
    """The twin of the race: two requests have read the invoice before either wrote."""
    invoice, _ = owing()
    first, second = fresh(invoice), fresh(invoice)
    first.pay(None, source=PaymentMethod.CASH, amount=Decimal(100))
    with pytest.raises(NotOffered, match="is Closed"):
        second.pay(None, source=PaymentMethod.CASH, amount=Decimal(100))
    assert Payment.objects.count() == 1
    assert_books_agree()


def test_without_reading_afresh_a_stale_copy_would_pay_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that the test above tests something."""
    invoice, _ = owing()
    first, second = fresh(invoice), fresh(invoice)
    monkeypatch.setattr(Invoice, "lock", lambda self: None)
    for copy in (first, second):
        copy.pay(None, source=PaymentMethod.CASH, amount=Decimal(100))
    assert sum(payment.amount for payment in Payment.objects.all()) == 200
    with pytest.raises(AssertionError):
        assert_books_agree()


def test_an_offline_payment_keeps_how_and_when_it_came() -> None:
    invoice = InvoiceFactory.create()
    event = invoice.pay(
        None,
        source=PaymentMethod.CHEQUE,
        amount=Decimal(100),
        reference="no. 17",
        received_on=date(2026, 3, 9),
    )
    payment = event.payment
    assert payment
    assert (payment.method_label, payment.received_on, payment.recorded_only) == (
        "Cheque no. 17",
        date(2026, 3, 9),
        True,
    )
    assert moved() == []


@pytest.mark.parametrize("number", ["4242424242424242", CHARGED_LOST])
def test_a_receipt_that_was_asked_for_goes_out_once_the_money_came(number: str) -> None:
    invoice, card = owing(number)
    attempt = pay(invoice, card, send_receipt=True)
    attempt.ask(at=NOON)
    mail = invoice.mails.get()
    assert (mail.kind, mail.to) == ("receipt", invoice.contact.email)
    assert "paid in full: we received $100.00" in mail.text


@pytest.mark.parametrize("number", ["4000000000000341", UNCHARGED_LOST, AUTHENTICATES])
def test_no_receipt_goes_out_for_money_that_did_not_come(number: str) -> None:
    invoice, card = owing(number)
    pay(invoice, card, send_receipt=True).ask(at=NOON)
    assert not invoice.mails.exists()


def test_money_is_booked_even_if_its_receipt_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*facts: object, **more: object) -> None:
        raise KeyError("a template that somebody broke")

    monkeypatch.setattr("billing.mail.receipt", broken)
    invoice, card = owing()
    pay(invoice, card, send_receipt=True)
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert not invoice.mails.exists()
    assert Event.objects.filter(action="mail_not_written", invoice=invoice).count() == 1
    assert_books_agree()


def test_a_charge_tells_its_start_and_its_end_in_the_timeline() -> None:
    invoice, card = owing()
    pay(invoice, card)
    told = list(invoice.events.order_by("id").values_list("action", "text"))
    assert told[-2:] == [
        ("pay", "Charge of $100.00 to Visa •• 4242 started."),
        ("charge_approved", "$100.00 charged to Visa •• 4242: balance $100.00 → $0.00."),
    ]
