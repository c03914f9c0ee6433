"""Order forms at Stripe: what its Checkout is asked, and what becomes of the order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import Attempt, Card, CardPage, Customer, Invoice, Order, Submission
from billing.tasks import look_after_forms
from tests.factories import CardFactory, ContactFactory, ProductFactory, SubmissionFactory
from tests.stripe.desk import Stripe

pytestmark = pytest.mark.django_db
BACK = "https://desk.example.com/order/club/"


def club(**terms: int) -> Submission:
    """Somebody known, with a file and a card at the gateway, orders the garden club."""
    ada = ContactFactory.create(email="ada@example.com")
    CardFactory.create(contact=ada)
    product = ProductFactory.create(sold_as="subscription", price=30, **terms)
    return SubmissionFactory.create(form__products=[product], email="ada@example.com")


def test_a_subscription_is_paid_at_checkout_with_a_card_of_its_own(stripe: Stripe) -> None:
    sent = club()
    page = sent.lead_on(back=BACK, at=timezone.now())
    assert stripe.pays(page, "stolen") == page
    sent.look(at=timezone.now())
    assert Invoice.objects.get().status == "draft"  # another card may be tried on the same page
    assert stripe.pays(page) == BACK
    sent.look(at=timezone.now())
    order, invoice = Order.objects.get(), Invoice.objects.get()
    assert (invoice.status, order.card) == ("closed", Card.objects.get(gateway="stripe"))
    assert not Customer.objects.exists()  # the page could have shown what is on file there
    assert len(stripe.ledger["charges"]) == 1


def test_a_checkout_that_is_left_for_a_day_ends_as_declined(stripe: Stripe) -> None:
    sent = club()
    page = sent.lead_on(back=BACK, at=timezone.now())
    later = timezone.now() + timedelta(hours=26)
    Attempt.objects.get().ask(at=later)
    look_after_forms(later)
    assert Invoice.objects.get().status == "declined"
    stripe.pays(page)
    assert stripe.ledger["charges"] == []


def test_a_free_trial_leaves_a_card_though_the_browser_never_comes_back(stripe: Stripe) -> None:
    sent = club(trial_days=14)
    stripe.acts(sent.lead_on(back=BACK, at=timezone.now()), do="pay", number="4242424242424242")
    look_after_forms(timezone.now() + timedelta(minutes=3))
    assert (Invoice.objects.get().status, CardPage.objects.get().gateway) == ("closed", "stripe")
    assert Order.objects.get().card == Card.objects.get(gateway="stripe")
