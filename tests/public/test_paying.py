from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.gateways import NoAnswer, Page
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import HostedPage
from billing.models import Attempt, Card, Invoice, Payment
from billing.statuses import AttemptState, InvoiceStatus, MailKind, PaymentMethod, PaymentStatus
from tests.factories import CardFactory, ContactFactory, InvoiceFactory, PaymentFactory
from tests.public.customer import AUTHENTICATES, CHARGED_LOST, DECLINES, Customer, way_back

pytestmark = pytest.mark.django_db
PAY = "/pay/TOKEN/"


@pytest.fixture
def customer() -> Customer:
    return Customer()


def fresh(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def no_answer(*args: Any, **kwargs: Any) -> Any:
    raise NoAnswer("The line is dead.")


def meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], Any]) -> None:
    """Let something else happen once, after the gateway opened a page and before the desk hears of it."""
    open_page = SandboxGateway.pay_page
    waiting = [do]

    def page(self: SandboxGateway, **asked: Any) -> Page:
        opened = open_page(self, **asked)
        while waiting:
            waiting.pop()()
        return opened

    monkeypatch.setattr(SandboxGateway, "pay_page", page)


def test_a_customer_pays_and_the_invoice_is_closed_with_a_receipt(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    assert "Pay $100.00" in customer.opens(PAY, invoice)
    text = customer.pays(invoice)
    assert (customer.status, fresh(invoice).status) == (200, InvoiceStatus.CLOSED)
    payment = invoice.payments.get()
    assert (payment.amount, payment.status, payment.made_by) == (Decimal(100), PaymentStatus.APPLIED, None)
    for words in ("your payment has arrived", "$100.00", payment.gateway_ref, "A receipt"):
        assert words in text
    assert invoice.mails.get().kind == MailKind.RECEIPT
    assert not Card.objects.exists()


def test_a_receipt_is_promised_only_to_a_contact_with_an_address(customer: Customer) -> None:
    text = customer.pays(InvoiceFactory.create(contact=ContactFactory.create(email="")))
    assert "your payment has arrived" in text
    assert "receipt" not in text


def test_a_card_is_remembered_when_the_customer_asks_for_it(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    text = customer.pays(invoice, remember="on")
    card = Card.objects.get()
    assert (card.contact, card.last4, invoice.payments.get().card) == (invoice.contact, "4242", card)
    assert "The card is remembered" in text
    assert "Visa •• 4242" in text


def test_what_is_left_of_a_part_payment_is_asked_for(customer: Customer) -> None:
    invoice = InvoiceFactory.create(paid=Decimal(30))
    assert "Pay $70.00" in customer.opens(PAY, invoice)
    customer.pays(invoice)
    assert (fresh(invoice).paid, fresh(invoice).status) == (Decimal(100), InvoiceStatus.CLOSED)


def test_money_is_taken_in_collections_too(customer: Customer) -> None:
    invoice = InvoiceFactory.create(status="collections")
    customer.pays(invoice)
    assert fresh(invoice).status == InvoiceStatus.CLOSED


def test_a_decline_is_told_with_its_reason_and_another_card_may_be_tried(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    text = customer.pays(invoice, DECLINES)
    assert "The bank declined this card and gave no reason." in text
    assert "Try again or use another card" in text
    assert (fresh(invoice).status, invoice.payments.get().status) == ("open", PaymentStatus.DECLINED)
    assert "your payment has arrived" in customer.pays(invoice)
    assert invoice.payments.applied().count() == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("closed", "Paid in full"),
        ("declined", "nothing is owed"),
        ("refunded", "Nothing is owed"),
        ("voided", "This invoice was cancelled"),
        ("written_off", "This invoice is closed"),
    ],
)
def test_the_pay_page_of_a_settled_invoice_says_why_it_takes_nothing(
    customer: Customer, status: str, words: str
) -> None:
    invoice = InvoiceFactory.create(status=status)
    text = customer.opens(PAY, invoice)
    assert (customer.status, words in text, "<form" in text) == (200, True, False)
    text = customer.presses_pay(invoice)
    assert (customer.status, words in text, "<form" in text) == (409, True, False)
    assert not invoice.attempts.exists()


def test_pressing_pay_needs_the_pages_own_token() -> None:
    invoice = InvoiceFactory.create()
    assert Client(enforce_csrf_checks=True).post(f"/pay/{invoice.token}/").status_code == 403
    assert not invoice.attempts.exists()


def test_only_get_head_and_post_are_answered(client: Client) -> None:
    path = f"/pay/{InvoiceFactory.create().token}/"
    assert [client.head(path).status_code, client.put(path).status_code] == [200, 405]


def test_two_tabs_lead_to_the_same_page_and_pay_once(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    first, second = customer.presses_pay(invoice), customer.presses_pay(invoice)
    assert first == second
    assert "your payment has arrived" in customer.comes_back(customer.types_card(first))
    customer.types_card(second)
    assert invoice.payments.count() == 1


def test_a_double_click_opens_one_page(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = InvoiceFactory.create()
    pages: list[str] = []
    meanwhile(monkeypatch, lambda: pages.append(Customer().presses_pay(invoice)))
    pages.append(customer.presses_pay(invoice))
    assert pages[0] == pages[1]
    assert (invoice.attempts.count(), HostedPage.objects.count()) == (1, 1)
    assert "your payment has arrived" in customer.comes_back(customer.types_card(pages[0]))


def test_another_wish_about_the_card_closes_the_page_before(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    first, second = customer.presses_pay(invoice), customer.presses_pay(invoice, remember="on")
    assert first != second
    assert customer.types_card(first) == ""
    assert "your payment has arrived" in customer.comes_back(customer.types_card(second))


def test_a_balance_that_changed_closes_the_page_before(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    old = customer.presses_pay(invoice)
    invoice.pay(None, source=PaymentMethod.CASH, amount=Decimal(40))
    assert customer.types_card(old) == ""
    customer.pays(invoice)
    assert (fresh(invoice).paid, fresh(invoice).overpaid) == (Decimal(100), Decimal(0))


def test_pressing_pay_again_after_paying_shows_that_it_is_paid(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    customer.types_card(customer.presses_pay(invoice))  # and the browser never comes back
    text = customer.presses_pay(invoice)
    assert (customer.status, "Paid in full" in text) == (409, True)
    assert invoice.payments.get().amount == Decimal(100)


def test_coming_back_twice_records_the_money_once(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    url = customer.types_card(customer.presses_pay(invoice))
    texts = [customer.comes_back(url), customer.comes_back(url)]
    assert ["your payment has arrived" in text for text in texts] == [True, True]
    assert (invoice.payments.count(), invoice.mails.count()) == (1, 1)


def test_an_abandoned_page_is_nothing_and_can_be_gone_on_with(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    page = customer.presses_pay(invoice)
    text = customer.comes_back(way_back(invoice))
    assert "This payment is not finished" in text
    assert (fresh(invoice).awaiting_gateway, invoice.payments.count()) == (False, 0)
    assert "A payment was begun" in customer.opens(PAY, invoice)
    assert customer.presses_pay(invoice) == page


def test_cancelling_at_the_gateway_leads_back_to_the_same_words(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    customer.presses_pay(invoice)
    assert "This payment is not finished" in customer.comes_back(HostedPage.objects.get().cancel_url)


def test_a_page_that_the_desk_closed_says_that_nothing_was_charged(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    customer.presses_pay(invoice)
    invoice.void(None, reason="Ordered twice")
    text = customer.comes_back(way_back(invoice))
    assert "Nothing was charged" in text
    assert "This invoice was cancelled" in text


def test_a_lost_answer_is_found_out_when_the_customer_looks_again(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    assert customer.types_card(customer.presses_pay(invoice), CHARGED_LOST) == ""
    assert "your payment has arrived" in customer.comes_back(way_back(invoice))
    assert fresh(invoice).status == InvoiceStatus.CLOSED


def test_a_card_whose_bank_asks_is_paid_once_the_customer_confirms(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    page = customer.presses_pay(invoice)
    customer.types_card(page, AUTHENTICATES)
    assert "This payment is not finished" in customer.comes_back(way_back(invoice))
    back = customer.client.post(f"{page}approve/")["Location"]
    assert "your payment has arrived" in customer.comes_back(back)


def test_an_outcome_that_nobody_knows_yet_is_called_processing(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    customer.presses_pay(invoice)
    attempt = invoice.attempts.get()
    attempt.state = AttemptState.UNKNOWN
    attempt.gateway_ref = HostedPage.objects.get().charge.ref  # type: ignore[union-attr]
    attempt.save(update_fields=["state", "gateway_ref"])
    Invoice.objects.filter(pk=invoice.pk).update(awaiting_gateway=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SandboxGateway, "retrieve", no_answer)
        text = customer.comes_back(way_back(invoice))
    assert "Please do not pay a second time" in text
    assert "Look again" in text
    text = customer.opens(PAY, invoice)
    assert ("is being processed" in text, "<form" in text) == (True, False)
    customer.presses_pay(invoice)
    assert (customer.status, invoice.attempts.count()) == (409, 1)


def test_a_staff_charge_that_waits_for_the_customer_gives_way(customer: Customer) -> None:
    payer = ContactFactory.create()
    card = CardFactory.create(contact=payer, number=AUTHENTICATES)
    invoice = InvoiceFactory.create(contact=payer)
    invoice.pay(None, source=card, amount=Decimal(100))
    assert fresh(invoice).awaiting_gateway
    assert "Pay $100.00" in customer.opens(PAY, invoice)
    assert "your payment has arrived" in customer.pays(invoice)
    assert (fresh(invoice).paid, fresh(invoice).awaiting_gateway) == (Decimal(100), False)


def test_a_gateway_out_of_reach_is_a_sentence_and_leaves_nothing_stuck(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = InvoiceFactory.create()
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "pay_page", no_answer)
        text = customer.presses_pay(invoice)
    assert customer.status == 409
    assert "The card company did not answer, so no payment page could be opened." in text
    assert "<form" in text
    assert invoice.attempts.get().state == AttemptState.PAGE_OPEN  # it may have been opened all the same
    assert not fresh(invoice).awaiting_gateway
    assert "your payment has arrived" in customer.pays(invoice)
    assert invoice.attempts.count() == 1  # under the same key, so no second page takes money


def test_a_gateway_out_of_reach_on_the_way_back_is_no_verdict(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = InvoiceFactory.create()
    url = customer.types_card(customer.presses_pay(invoice))
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "page_result", no_answer)
        text = customer.comes_back(url)
    assert (customer.status, "look again in a minute" in text) == (200, True)
    assert "your payment has arrived" in customer.comes_back(url)


def test_a_page_finished_after_a_void_is_recorded_as_overpaid(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = InvoiceFactory.create()
    page = customer.presses_pay(invoice)
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "expire_page", no_answer)
        invoice.void(None, reason="Ordered twice")
    text = customer.comes_back(customer.types_card(page))
    assert "$100.00 of it was not owed when it came" in text
    voided = fresh(invoice)
    assert (voided.status, voided.overpaid, voided.balance) == ("voided", Decimal(100), Decimal(0))
    assert "$100.00 more than was owed has been received." in customer.opens("/i/TOKEN/", invoice)


def test_a_void_while_a_page_is_being_opened_leaves_no_page_that_takes_money(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = InvoiceFactory.create()
    meanwhile(monkeypatch, lambda: fresh(invoice).void(None, reason="Ordered twice"))
    text = customer.presses_pay(invoice)
    assert (customer.status, "This invoice was cancelled" in text) == (409, True)
    assert HostedPage.objects.get().closed
    assert not invoice.payments.exists()


def test_a_page_opened_while_it_is_being_closed_still_has_its_attempt(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = InvoiceFactory.create()
    customer.presses_pay(invoice)
    stale = invoice.attempts.get()
    stale.page_ref = ""  # as it was read before the page's reference was written down
    stale.close_page(at=timezone.now())
    assert HostedPage.objects.get().closed
    assert Attempt.objects.get().state == AttemptState.NOT_CHARGED


def test_an_attempt_whose_process_died_is_not_led_to(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    customer.presses_pay(invoice)
    long_ago = timezone.now() - timedelta(minutes=10)
    invoice.attempts.update(page_ref="", started_at=long_ago)
    HostedPage.objects.all().delete()
    assert "your payment has arrived" in customer.pays(invoice)
    assert sorted(invoice.attempts.values_list("state", flat=True)) == ["approved", "not_charged"]


@pytest.mark.parametrize("query", ["", "?attempt=", "?attempt=7", "?attempt=%00", "?attempt=" + "a" * 4000])
def test_a_way_back_that_names_no_payment_leads_to_the_pay_page(client: Client, query: str) -> None:
    invoice = InvoiceFactory.create()
    answer = client.get(f"/pay/{invoice.token}/return/{query}")
    assert (answer.status_code, answer["Location"]) == (302, f"/pay/{invoice.token}/")


def test_another_invoices_payment_is_not_shown(customer: Customer) -> None:
    mine, other = InvoiceFactory.create(), InvoiceFactory.create()
    customer.presses_pay(other)
    key = other.attempts.get().key
    answer = customer.client.get(f"/pay/{mine.token}/return/?attempt={key}")
    assert answer.status_code == 302


def test_what_staff_charged_is_not_shown_to_whoever_has_the_link(customer: Customer) -> None:
    payer = ContactFactory.create()
    payment: Payment = PaymentFactory.create(
        invoice=InvoiceFactory.create(contact=payer), card=CardFactory.create(contact=payer)
    )
    assert payment.attempt is not None
    answer = customer.client.get(f"/pay/{payment.invoice.token}/return/?attempt={payment.attempt.key}")
    assert answer.status_code == 302


def test_the_address_is_not_believed(customer: Customer) -> None:
    invoice = InvoiceFactory.create()
    customer.presses_pay(invoice)
    text = customer.comes_back(f"{way_back(invoice)}&status=approved&paid=1")
    assert "This payment is not finished" in text
    assert fresh(invoice).status == InvoiceStatus.OPEN
