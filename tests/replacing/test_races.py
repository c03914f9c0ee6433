"""Several at once on one card page: clicks, returns, messages and the billing run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.gateways.sandbox.models import HostedPage
from billing.models import CardPage, Event, Order
from billing.models.card_page import CardPageQuerySet
from billing.models.orders.base import OrderQuerySet
from billing.tasks import bill_due_orders
from tests.attempts.locks import no_locks, race
from tests.factories import OrderFactory
from tests.gateways.races import at_once
from tests.replacing.customer import Customer, fresh, take, typed

pytestmark = pytest.mark.django_db(transaction=True)


def replaced() -> int:
    return Event.objects.filter(action="replace_card").count()


def test_eight_clicks_at_once_lead_to_one_page() -> None:
    order = OrderFactory.create()
    pages = set(at_once(lambda: Customer(order).presses()))
    assert pages == {f"/sandbox/pages/{HostedPage.objects.get().ref}/"}
    assert CardPage.objects.count() == 1


def test_eight_that_are_told_at_once_put_one_card_in_place() -> None:
    order, page = typed()
    at_once(lambda: take(page))
    assert order.contact.cards.count() == 2
    assert replaced() == 1
    assert fresh(order).card == CardPage.objects.get().card


# -- the locks, and what would happen without them


@pytest.mark.postgres
@pytest.mark.parametrize("locked", [True, False])
def test_who_is_told_second_waits_for_the_first(locked: bool) -> None:
    _, page = typed()

    def both() -> None:
        race(lambda: take(page), lambda: take(page), owner=Order, call="take_new_card")

    if locked:
        both()
    else:
        with no_locks(CardPageQuerySet):
            both()
    assert replaced() == (1 if locked else 2)


@pytest.mark.postgres
@pytest.mark.parametrize("locked", [True, False])
def test_the_billing_run_leaves_an_order_alone_whose_card_is_being_replaced(locked: bool) -> None:
    """Or one of the two changes would be counted as the other, and open dialogs would notice only one."""
    order, page = typed()
    assert order.next_charge_at
    at = order.next_charge_at + timedelta(minutes=1)

    def deeds() -> None:
        race(lambda: take(page), lambda: bill_due_orders(at), owner=Order, call="replace_card")

    if locked:
        deeds()
        bill_due_orders(at)
    else:
        with no_locks(OrderQuerySet):
            deeds()
    assert order.invoices.count() == 2
    assert fresh(order).version == order.version + (2 if locked else 1)
