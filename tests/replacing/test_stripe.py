"""The card page with Stripe behind it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from billing.models import Card, Event, Order
from billing.statuses import InvoiceStatus
from billing.tasks import bill_due_orders, charge_due_invoices
from tests.factories import OrderFactory
from tests.replacing.customer import Customer, fresh
from tests.stripe.desk import Stripe
from tests.stripe.signing import signed

pytestmark = pytest.mark.django_db


def failed_order(stripe: Stripe) -> Order:
    """An order whose card at Stripe was declined for its first payment."""
    order = OrderFactory.create(number="")
    with transaction.atomic():
        card = Card.keep(order.contact, stripe.details("declines"), gateway="stripe")
    order.change_card(None, card=card, charge_now=False)
    at = order.next_charge_at
    assert at
    bill_due_orders(at)
    charge_due_invoices(at + timedelta(minutes=1))
    assert order.invoices.get().status == InvoiceStatus.COLLECTIONS
    return fresh(order)


def test_a_card_that_is_typed_at_stripe_takes_the_place_of_the_old_one(stripe: Stripe) -> None:
    order = failed_order(stripe)
    customer = Customer(order)
    page = customer.presses()
    assert customer.presses() == page
    assert "your new card is stored" in customer.comes_back(stripe.pays(page))
    assert fresh(order).card != order.card
    assert order.contact.cards.filter(is_default=True).get() == fresh(order).card
    charge_due_invoices(timezone.now() + timedelta(seconds=1))
    assert order.invoices.get().status == InvoiceStatus.CLOSED
    again = customer.presses()
    assert again != page
    assert again.startswith(stripe.origin)


def test_a_message_puts_it_in_place_though_the_browser_never_came_back(stripe: Stripe) -> None:
    order = failed_order(stripe)
    customer = Customer(order)
    back = stripe.pays(customer.presses())
    (told,) = [event for event in stripe.events if event["type"] == "checkout.session.completed"]
    for _ in range(2):
        body, headers = signed(told)
        answer = Client().post("/webhooks/stripe/", body, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.content) == (200, b"processed")
    assert fresh(order).card != order.card
    assert order.invoices.get().charge_due_at
    assert "your new card is stored" in customer.comes_back(back)
    assert Event.objects.filter(action="replace_card").count() == 1
    assert order.contact.cards.count() == 2
