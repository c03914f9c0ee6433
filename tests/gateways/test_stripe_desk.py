"""The desk with Stripe behind it: what staff and customers do, and what they are told when it fails."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from billing import books
from billing.models import Attempt, Card, Event, Invoice
from billing.statuses import AttemptState, InvoiceStatus, PaymentMethod, PaymentStatus, RefundRoute
from contacts.models import Contact
from tests.factories import ContactFactory, InvoiceFactory, UserFactory
from tests.public.customer import Customer, way_back
from tests.stripe.desk import Stripe
from tests.stripe.signing import signed

pytestmark = pytest.mark.django_db
UNREACHABLE = "http://127.0.0.1:9"
WRONG_KEY = "sk_test_wrong_key"


@pytest.fixture
def agent(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager"))
    return client


@pytest.fixture
def customer() -> Customer:
    return Customer()


@pytest.fixture(params=["wrong key", "unreachable"])
def trouble(request: pytest.FixtureRequest, stripe: Stripe, settings: Any) -> str:
    """Stripe as it was set up until now, and no longer."""
    settings.STRIPE_API_KEY = WRONG_KEY if request.param == "wrong key" else "sk_test_1"
    settings.STRIPE_API_BASE = stripe.origin if request.param == "wrong key" else UNREACHABLE
    return str(request.param)


def owing(stripe: Stripe, card: str = "approves", **given: Any) -> tuple[Invoice, Card]:
    invoice = InvoiceFactory.create(**given)
    return invoice, keep(stripe, invoice.contact, card)


def keep(stripe: Stripe, contact: Contact, card: str) -> Card:
    with transaction.atomic():
        return Card.keep(contact, stripe.details(card), gateway="stripe")


def fresh(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def pays(agent: Client, invoice: Invoice, card: Card, amount: str = "100") -> tuple[int, str]:
    """What an agent is told after pressing Pay in the dialog."""
    asked = {"source": f"card:{card.pk}", "amount": amount}
    answer = agent.post(f"/invoices/{invoice.pk}/pay/", asked, follow=True)
    return answer.status_code, answer.content.decode()


def told(invoice: Invoice) -> str:
    return " ".join(Event.objects.filter(invoice=invoice).order_by("id").values_list("text", flat=True))


def assert_books_agree(stripe: Stripe) -> None:
    """Our figures with our rows, and what we hold applied with what Stripe took and gave back."""
    assert [str(problem) for problem in books.problems()] == []
    ours = {
        str(one.key): int(one.amount * 100) for one in Attempt.objects.filter(state="approved", kind="charge")
    }
    assert ours == {one["attempt"]: one["amount"] for one in stripe.ledger["charges"]}


# -- staff


def test_a_card_is_stored_at_stripe_charged_and_refunded(agent: Client, stripe: Stripe) -> None:
    invoice = InvoiceFactory.create(contact=ContactFactory.create(name="Ada Lovelace"))
    page = agent.post(f"/contacts/{invoice.contact_id}/cards/new/")["Location"]
    assert page.startswith(f"{stripe.origin}/c/pay/cs_test_")
    back = agent.get(stripe.pays(page), follow=True).content.decode()
    card = Card.objects.get()
    customer = invoice.contact.customers.get()
    assert "Visa •• 4242 was added." in back
    assert (card.gateway, card.token.partition("/")[0]) == ("stripe", customer.ref)

    status, text = pays(agent, invoice, card)
    assert (status, fresh(invoice).status) == (200, InvoiceStatus.CLOSED)
    assert card.token not in text
    payment = invoice.payments.get()
    fresh(invoice).refund(None, amount=Decimal(40), route=RefundRoute.GATEWAY, reason="", send_receipt=False)
    assert stripe.ledger["charges"][0]["refunded"] == 4000
    payment.refresh_from_db()
    assert (payment.gateway, payment.refunded_amount) == ("stripe", Decimal(40))
    assert_books_agree(stripe)


def test_a_second_card_is_stored_to_the_same_customer(agent: Client, stripe: Stripe) -> None:
    ada = ContactFactory.create()
    for _ in range(2):
        page = agent.post(f"/contacts/{ada.pk}/cards/new/")["Location"]
        agent.get(stripe.pays(page))
    assert ada.cards.count() == 2
    assert {card.token.partition("/")[0] for card in ada.cards.all()} == {ada.customers.get().ref}


def test_a_card_is_kept_though_the_browser_that_typed_it_never_came_back(
    agent: Client, stripe: Stripe
) -> None:
    ada = ContactFactory.create()
    back = stripe.pays(agent.post(f"/contacts/{ada.pk}/cards/new/")["Location"])
    (told,) = [event for event in stripe.events if event["type"] == "checkout.session.completed"]
    for _ in range(2):
        body, headers = signed(told)
        answer = Client().post("/webhooks/stripe/", body, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.content) == (200, b"processed")
    card = ada.cards.get()
    assert Event.objects.filter(action="add_card").count() == 1
    assert f"{card} was added." in agent.get(back, follow=True).content.decode()
    assert ada.cards.count() == 1


def test_a_removed_card_is_forgotten_at_stripe(agent: Client, stripe: Stripe) -> None:
    _invoice, card = owing(stripe)
    assert agent.post(f"/cards/{card.pk}/remove/").status_code == 302
    method = stripe.shim.answer("GET", f"/v1/payment_methods/{card.token.partition('/')[2]}", {})[1]
    assert method["customer"] is None


@pytest.mark.parametrize(("card", "reason"), [("insufficient", "insufficient funds"), ("stolen", "declined")])
def test_a_declined_card_leaves_its_reason(agent: Client, stripe: Stripe, card: str, reason: str) -> None:
    invoice, on_file = owing(stripe, card)
    _status, text = pays(agent, invoice, on_file)
    assert "The card was declined. No money was taken." in text
    payment = invoice.payments.get()
    assert payment.status == PaymentStatus.DECLINED
    assert reason in payment.decline_reason
    assert_books_agree(stripe)


def test_a_bank_that_asks_the_customer_is_answered_on_the_pay_page(
    agent: Client, stripe: Stripe, customer: Customer
) -> None:
    invoice, card = owing(stripe, "authenticates")
    pays(agent, invoice, card)
    assert invoice.attempts.get().state == AttemptState.NEEDS_ACTION
    page = customer.presses_pay(invoice)
    assert invoice.attempts.earliest("id").state == AttemptState.NOT_CHARGED
    stripe.pays(page, "authenticates")
    text = customer.comes_back(stripe.acts(page, do="approve"))
    assert "your payment has arrived" in text
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert_books_agree(stripe)


@pytest.mark.parametrize("kind", ["dropped_after", "500_after"])
def test_a_lost_answer_is_asked_about_and_nothing_is_charged_twice(
    agent: Client, stripe: Stripe, kind: str
) -> None:
    invoice, card = owing(stripe)
    stripe.fault(kind, "/confirm$")
    pays(agent, invoice, card)
    attempt = invoice.attempts.get()
    assert attempt.state == AttemptState.UNKNOWN
    attempt.ask(at=timezone.now())
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert_books_agree(stripe)


def test_an_amount_that_stripe_cannot_take_ends_in_a_sentence(agent: Client, stripe: Stripe) -> None:
    invoice, card = owing(stripe, currency="KWD")
    status, text = pays(agent, invoice, card, amount="1.234")
    attempt = invoice.attempts.get()
    assert (status, attempt.state) == (200, AttemptState.NOT_CHARGED)
    assert attempt.message.startswith("Stripe takes KWD in steps of 0.010")
    assert "Stripe takes KWD in steps of 0.010" in text
    pays(agent, invoice, card, amount="1.230")
    assert invoice.payments.get().amount == Decimal("1.230")


def test_a_card_stays_with_stripe_when_new_cards_go_elsewhere(
    agent: Client, stripe: Stripe, settings: Any
) -> None:
    invoice, card = owing(stripe)
    settings.GATEWAY = "sandbox"
    pays(agent, invoice, card)
    assert (fresh(invoice).status, len(stripe.ledger["charges"])) == (InvoiceStatus.CLOSED, 1)


# -- trouble: a sentence, never an error page


def test_no_card_can_be_added_and_the_agent_reads_why(agent: Client, trouble: str) -> None:
    ada = ContactFactory.create()
    answer = agent.post(f"/contacts/{ada.pk}/cards/new/")
    text = answer.content.decode()
    assert answer.status_code == 409
    if trouble == "wrong key":
        assert "Stripe does not know the key that is set in STRIPE_API_KEY, so nothing was done." in text
    else:
        assert "The gateway did not answer, so no card can be added just now." in text


def test_a_card_typed_while_stripe_was_in_trouble_is_added_later(
    agent: Client, stripe: Stripe, settings: Any
) -> None:
    ada = ContactFactory.create()
    back = stripe.pays(agent.post(f"/contacts/{ada.pk}/cards/new/")["Location"])
    settings.STRIPE_API_KEY = WRONG_KEY
    answer = agent.get(back)
    assert (answer.status_code, "STRIPE_API_KEY" in answer.content.decode()) == (409, True)
    settings.STRIPE_API_KEY = "sk_test_right"
    agent.get(back)
    assert ada.cards.count() == 1


def test_the_pay_dialog_says_that_nothing_was_charged_and_why(
    agent: Client, stripe: Stripe, trouble: str
) -> None:
    invoice, card = owing(stripe)
    status, text = pays(agent, invoice, card)
    attempt = invoice.attempts.get()
    assert (status, attempt.state) == (200, AttemptState.NOT_CHARGED)
    words = "Stripe does not know the key" if trouble == "wrong key" else "it is safe to try again"
    assert words in text
    assert words in told(invoice)
    assert not fresh(invoice).awaiting_gateway
    assert stripe.ledger["charges"] == []


def test_the_pay_page_says_that_it_cannot_be_paid_now(
    customer: Customer, stripe: Stripe, trouble: str
) -> None:
    invoice = InvoiceFactory.create()
    text = customer.presses_pay(invoice)
    assert customer.status == 409
    assert "STRIPE_API_KEY" not in text
    if trouble == "wrong key":
        assert "The card company does not take this payment" in text
        assert "Stripe does not know the key" in told(invoice)
    else:
        assert "The card company did not answer" in text
    ended = (
        trouble == "wrong key"
    )  # otherwise the page may be open at Stripe, and is led to by the next click
    assert invoice.attempts.get().state == (AttemptState.NOT_CHARGED if ended else AttemptState.PAGE_OPEN)


def test_a_refund_under_a_wrong_key_is_known_not_to_have_been_made(
    agent: Client, stripe: Stripe, settings: Any
) -> None:
    invoice, card = owing(stripe)
    pays(agent, invoice, card)
    settings.STRIPE_API_KEY = WRONG_KEY
    fresh(invoice).refund(None, amount=Decimal(40), route=RefundRoute.GATEWAY, reason="", send_receipt=False)
    attempt = invoice.attempts.get(kind="refund")
    assert (attempt.state, "STRIPE_API_KEY" in attempt.message) == (AttemptState.NOT_CHARGED, True)


def test_a_card_stays_on_file_while_stripe_cannot_be_told(
    agent: Client, stripe: Stripe, trouble: str
) -> None:
    _invoice, card = owing(stripe)
    answer = agent.post(f"/cards/{card.pk}/remove/")
    assert answer.status_code == 409
    why = "Stripe does not know the key" if trouble == "wrong key" else "the gateway did not answer"
    assert f"Visa •• 4242 is still on file: {why}" in answer.content.decode()


# -- customers


def test_a_customer_pays_at_checkout_and_is_remembered(customer: Customer, stripe: Stripe) -> None:
    invoice = InvoiceFactory.create()
    page = customer.presses_pay(invoice, remember="on")
    text = customer.comes_back(stripe.pays(page))
    card = Card.objects.get()
    assert "your payment has arrived" in text
    assert (card.contact, card.gateway, card.last4) == (invoice.contact, "stripe", "4242")
    assert card.token.partition("/")[0] == invoice.contact.customers.get().ref
    assert_books_agree(stripe)
    assert InvoiceFactory.create(contact=invoice.contact).pay(None, source=card, amount=Decimal(1)).attempt
    assert_books_agree(stripe)


def test_a_card_is_not_kept_unless_the_customer_says_so(customer: Customer, stripe: Stripe) -> None:
    invoice = InvoiceFactory.create()
    customer.comes_back(stripe.pays(customer.presses_pay(invoice)))
    assert not Card.objects.exists()
    assert not invoice.contact.customers.exists()
    assert invoice.payments.get().card_last4 == "4242"


def test_who_cancels_at_checkout_may_come_back_to_the_same_page(customer: Customer, stripe: Stripe) -> None:
    invoice = InvoiceFactory.create()
    page = customer.presses_pay(invoice)
    assert way_back(invoice).partition("?")[0] in stripe.words(page)
    text = customer.comes_back(way_back(invoice))
    assert "your payment has arrived" not in text
    assert customer.presses_pay(invoice) == page
    assert invoice.attempts.get().state == AttemptState.PAGE_OPEN


def test_a_decline_at_checkout_ends_nothing(customer: Customer, stripe: Stripe) -> None:
    invoice = InvoiceFactory.create()
    page = customer.presses_pay(invoice)
    stripe.pays(page, "insufficient")
    customer.comes_back(way_back(invoice))
    assert invoice.attempts.get().state == AttemptState.PAGE_OPEN
    customer.comes_back(stripe.pays(page))
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert_books_agree(stripe)


@pytest.mark.parametrize("deed", ["paid", "voided", "charged"])
def test_a_page_is_closed_when_its_invoice_is_settled_meanwhile(
    customer: Customer, stripe: Stripe, deed: str
) -> None:
    invoice, card = owing(stripe)
    page = customer.presses_pay(invoice)
    if deed == "voided":
        fresh(invoice).void(None, reason="")
    else:
        source = card if deed == "charged" else PaymentMethod.CASH
        fresh(invoice).pay(None, source=source, amount=Decimal(100))
    assert "expired" in stripe.words(page)
    stripe.pays(page)
    assert_books_agree(stripe)
    assert len(stripe.ledger["charges"]) == (1 if deed == "charged" else 0)


def test_another_amount_is_another_page(customer: Customer, stripe: Stripe) -> None:
    invoice = InvoiceFactory.create()
    first = customer.presses_pay(invoice)
    fresh(invoice).pay(None, source=PaymentMethod.CASH, amount=Decimal(30))
    second = customer.presses_pay(invoice)
    assert first != second
    assert "Pay 7000 usd" in stripe.words(second)


def test_money_that_comes_after_a_void_is_recorded_as_not_owed(customer: Customer, stripe: Stripe) -> None:
    invoice = InvoiceFactory.create()
    page = customer.presses_pay(invoice)
    stripe.fault("500_before", "/expire$")
    fresh(invoice).void(None, reason="")
    text = customer.comes_back(stripe.pays(page))
    payment = invoice.payments.get()
    assert "$100.00" in text
    assert (payment.status, payment.excess) == (PaymentStatus.APPLIED, Decimal(100))
    assert fresh(invoice).status == InvoiceStatus.VOIDED
    assert_books_agree(stripe)


def test_a_page_that_cannot_be_looked_up_again_stays_the_customers(
    customer: Customer, stripe: Stripe
) -> None:
    invoice = InvoiceFactory.create()
    page = customer.presses_pay(invoice)
    stripe.fault("500_before", "/v1/checkout/sessions", times=2)
    customer.presses_pay(invoice)
    assert customer.status == 409
    assert invoice.attempts.get().state == AttemptState.PAGE_OPEN
    customer.comes_back(stripe.pays(page))
    assert fresh(invoice).status == InvoiceStatus.CLOSED
