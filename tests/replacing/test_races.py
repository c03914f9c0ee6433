"""Several at once on one card page: clicks, returns, messages and the billing run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.gateways.sandbox.models import HostedPage
from billing.models import CardPage, Event, Order
from billing.models.card_page import CardPageQuerySet
from billing.models.guard import Refused, Stale
from billing.models.orders.base import OrderQuerySet
from billing.statuses import PastDue
from billing.tasks import bill_due_orders
from tests.attempts.locks import no_locks, race
from tests.factories import OrderFactory
from tests.gateways.races import at_once
from tests.replacing.customer import Customer, failed_order, fresh, page_of

pytestmark = pytest.mark.django_db(transaction=True)


def typed() -> tuple[Order, CardPage]:
    """A card that was typed at the gateway, and of which nobody has told the desk."""
    order, _ = failed_order()
    customer = Customer(order)
    customer.types_card(customer.presses())
    return order, page_of(order)


def take(page: CardPage) -> None:
    CardPage.objects.get(pk=page.pk).take(at=timezone.now())


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


def test_a_card_that_comes_while_the_order_is_cancelled_is_lost_by_neither() -> None:
    order, page = typed()
    turns = iter(range(8))

    def deed() -> None:
        try:
            if next(turns) % 2:
                take(page)
            else:
                Order.objects.get(pk=order.pk).cancel(None, past_due=PastDue.FORGIVE, reason="")
        except Refused:
            pass

    at_once(deed)
    take(page)
    assert order.contact.cards.count() == 2
    assert CardPage.objects.get().card


def test_a_payment_that_is_asked_for_at_this_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its invoice would have to be locked before the order: the card is put in place on a second try."""
    order, page = typed()
    look, looks = Order._owed_on, []

    def asked_for_meanwhile(self: Order, orders: list[Order]) -> list[object]:
        found = look(self, orders)
        looks.append(found)
        return found[:-1] if len(looks) == 1 else found  # type: ignore[return-value]

    monkeypatch.setattr(Order, "_owed_on", asked_for_meanwhile)
    take(page)
    assert len(looks) == 4
    assert fresh(order).card != order.card


def test_a_card_that_never_finds_its_order_at_rest_stays_to_be_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order, page = typed()

    def restless(self: Order) -> list[Order]:
        raise Stale("It changed.")

    with monkeypatch.context() as busy:
        busy.setattr(Order, "_lock_alike", restless)
        with pytest.raises(Stale):
            take(page)
    assert order.contact.cards.count() == 1
    take(page)
    assert fresh(order).card != order.card


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
