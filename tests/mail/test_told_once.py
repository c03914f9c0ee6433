"""What the desk tells by itself: truthfully, to whom it concerns, and once for each cause."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.models import Attempt, Invoice, Mail, MailSettings, Order
from billing.roles import BILLING_MANAGER
from billing.statuses import InvoiceStatus, MailKind, MailState, PastDue
from tests.factories import DECLINES, NOON, CardFactory, InvoiceFactory, OrderFactory, UserFactory

pytestmark = pytest.mark.django_db
NEXT = date(2026, 4, 3)


def declined(invoice: Invoice) -> Attempt:
    """Of a charge by an agent: about those that the desk makes by itself it writes by itself."""
    card = CardFactory.create(contact=invoice.contact, number=DECLINES)
    attempt = invoice.pay(UserFactory.create(role="Support"), source=card, amount=invoice.balance).attempt
    assert attempt is not None
    return attempt


def billed(order: Order) -> Invoice:
    assert Order.objects.get(pk=order.pk).next_charge_at
    Order.bill_next(order.next_charge_at or NOON)
    return order.invoices.get()


def tell_failed(
    invoice: Invoice, attempt: Attempt, *, next_try_on: date | None = NEXT, first: bool = True
) -> None:
    with transaction.atomic():
        invoice.lock()
        invoice.queue_payment_failed(attempt, next_try_on=next_try_on, first=first)


def test_a_failed_payment_names_card_amount_reason_and_next_try_and_leads_to_the_card_page() -> None:
    order = OrderFactory.create(number=DECLINES)
    invoice = billed(order)
    tell_failed(invoice, declined(invoice))
    mail = Mail.objects.get()
    assert (mail.kind, mail.to, mail.invoice) == (MailKind.PAYMENT_FAILED, order.contact.email, invoice)
    assert mail.subject == f"The payment of $30.00 for {invoice} failed"
    for words in (mail.text, mail.html):
        assert "We could not charge $30.00 for Garden club to Visa •• 0341." in words
        assert "The bank declined this card and gave no reason." in words
        assert "We will try this card again on 3 Apr 2026." in words
        assert f"/card/{order.token}/" in words
        assert f"/pay/{invoice.token}/" in words


def test_the_last_failure_promises_no_further_try() -> None:
    invoice = InvoiceFactory.create()
    tell_failed(invoice, declined(invoice), next_try_on=None, first=False)
    mail = Mail.objects.get()
    assert mail.subject == f"The payment of $100.00 for {invoice} failed again"
    assert "This card is not tried again." in mail.text
    assert "/card/" not in mail.text + mail.html  # no order is charged to a card
    assert f"/pay/{invoice.token}/" in mail.text


def test_each_attempt_is_told_once_however_often_it_is_asked_for() -> None:
    invoice = InvoiceFactory.create()
    for attempt in (declined(invoice), declined(invoice)):
        for _ in range(2):
            tell_failed(invoice, attempt)
    assert Mail.objects.count() == 2


def test_what_staff_send_again_is_a_copy_without_the_cause() -> None:
    invoice = InvoiceFactory.create()
    attempt = declined(invoice)
    tell_failed(invoice, attempt)
    Mail.objects.update(state=MailState.SENT, sent_at=NOON)
    copy = Mail.objects.get().send_again(NOON)
    assert (copy.cause, copy.state) == (None, MailState.QUEUED)
    tell_failed(invoice, attempt)
    assert Mail.objects.count() == 2


def test_a_recovered_payment_is_told_once_with_what_a_receipt_states() -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)
    for _ in range(2):
        with transaction.atomic():
            invoice.lock()
            invoice.queue_recovered()
    mail = Mail.objects.get()
    assert mail.subject == f"Your payment for {invoice} has come through"
    assert "This invoice is paid in full: we received $100.00." in mail.text
    assert "Cash: $100.00" in mail.text


def test_no_recovery_is_claimed_while_money_is_owed() -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.COLLECTIONS, paid=Decimal(40))
    with transaction.atomic():
        invoice.lock()
        invoice.queue_recovered()
    mail = Mail.objects.get()
    assert mail.subject == f"{invoice} is not paid in full: $60.00 to pay"
    assert "come through" not in mail.text


def tell_written_off(invoice: Invoice) -> list[str]:
    with transaction.atomic():
        invoice.lock()
        invoice.queue_written_off_notice()
    return list(Mail.objects.order_by("pk").values_list("to", flat=True))


def test_staff_learn_of_a_write_off_and_the_customer_does_not() -> None:
    UserFactory.create(role=BILLING_MANAGER, email="grace@example.com")
    UserFactory.create(role=BILLING_MANAGER, email="Grace@Example.com")
    UserFactory.create(role=BILLING_MANAGER, email="gone@example.com", is_active=False)
    UserFactory.create(role=BILLING_MANAGER, email="")
    UserFactory.create(role="Support", email="support@example.com")
    invoice = InvoiceFactory.create(status=InvoiceStatus.WRITTEN_OFF)
    assert len(tell_written_off(invoice)) == len(tell_written_off(invoice)) == 1
    mail = Mail.objects.get()
    assert mail.to.casefold() == "grace@example.com"
    assert mail.subject == f"{invoice} was written off: $100.00"
    assert f"was not collected from {invoice.contact.name} and is written off." in mail.text
    assert f"/invoices/{invoice.pk}/" in mail.text
    assert f"/i/{invoice.token}/" not in mail.text


def test_the_address_of_the_settings_takes_the_place_of_the_managers() -> None:
    UserFactory.create(role=BILLING_MANAGER, email="grace@example.com")
    MailSettings.objects.create(pk=1, staff_address="books@example.com")
    assert tell_written_off(InvoiceFactory.create(status=InvoiceStatus.WRITTEN_OFF)) == ["books@example.com"]


@pytest.mark.parametrize("past_due", PastDue)
def test_a_cancelled_order_is_told_with_what_stays_owed(past_due: PastDue) -> None:
    order = OrderFactory.create(number="")
    invoice = billed(order)
    Mail.objects.all().delete()
    order.refresh_from_db()
    order.cancel(None, past_due=past_due, reason="")
    mail = Mail.objects.get(kind=MailKind.ORDER_CANCELLED)
    assert (mail.order, mail.invoice, mail.subject) == (order, None, "Garden club is cancelled")
    owed = past_due == PastDue.LEAVE
    assert ("What was asked for before is still to pay:" in mail.text) is owed
    assert (f"{invoice}: $30.00, " in mail.text) is owed
    assert (f"/pay/{invoice.token}/" in mail.html) is owed


def test_who_has_no_address_is_told_nothing_and_the_deed_is_done() -> None:
    order = OrderFactory.create(contact__email="")
    order.cancel(None, past_due=PastDue.LEAVE, reason="")
    assert order.status == "cancelled"
    assert not Mail.objects.exists()


def test_a_mail_is_about_one_record() -> None:
    order = OrderFactory.create()
    mail = {"contact": order.contact, "kind": MailKind.RECEIPT, "to": "ada@example.com", "next_try_at": NOON}
    for about in ({}, {"order": order, "card": order.card}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Mail.objects.create(**mail, **about)
