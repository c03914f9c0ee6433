# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""What staff do to an order that goes on, and what it leaves behind."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from billing.models import Event, Invoice, Order, Product
from billing.models.guard import AlreadyDone, Invalid, NotOffered, Stale
from billing.models.orders.steering import Steering, Taxation
from billing.statuses import InvoiceStatus, Missed, OrderStatus, PastDue, PaymentMethod
from billing.tasks import bill_due_orders, charge_due_invoices, tick
from tests.attempts.desk import CHARGED_LOST, assert_books_agree, moved
from tests.factories import APPROVES, DECLINES, CardFactory, OrderFactory, ProductFactory, UserFactory

pytestmark = pytest.mark.django_db
DUE = datetime(2026, 3, 31, tzinfo=UTC)
TODAY = date(2026, 4, 10)


@pytest.fixture
def manager() -> User:
    return UserFactory.create(role="Billing manager")


@pytest.fixture(autouse=True)
def tenth_of_april(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 4, 10, 12, tzinfo=UTC))


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def edit(order: Order, **changed: Any) -> Event:
    asked: dict[str, Any] = {
        "product": None,
        "description": "Garden club",
        "quantity": Decimal(1),
        "unit_price": Decimal(30),
        "tax": Taxation(None, Decimal(0)),
        "next_charge_on": order.next_charge_on,
        "missed": order.missed,
        "send_invoices": order.send_invoices,
    }
    return order.edit(None, **{**asked, **changed})


def past_due(**given: Any) -> Order:
    order = OrderFactory.create(number=DECLINES, **given)
    tick(DUE)
    return fresh(order)


# -- edit


def test_an_edit_changes_what_the_next_payments_ask_for() -> None:
    order = OrderFactory.create()
    bill_due_orders(DUE)
    order = fresh(order)
    event = edit(order, description="Garden club, large", quantity=Decimal(2), unit_price=Decimal("24.50"))
    bill_due_orders(datetime(2026, 4, 30, tzinfo=UTC))
    totals = list(order.invoices.order_by("period").values_list("total", "summary"))
    assert totals == [(30, "Garden club"), (49, "Garden club, large")]
    assert "$30.00 → $49.00 every month" in event.text
    assert_books_agree()


def test_moving_the_next_charge_moves_all_that_follow() -> None:
    order = OrderFactory.create(first_charge_on=date(2026, 4, 30))
    edit(order, next_charge_on=date(2026, 5, 15))
    bill_due_orders(datetime(2026, 6, 20, tzinfo=UTC))
    days = [str(day) for day in order.invoices.order_by("period").values_list("invoice_date", flat=True)]
    assert days == ["2026-05-15", "2026-06-15"]
    assert_books_agree()


def test_the_next_charge_is_not_moved_into_the_past() -> None:
    order = OrderFactory.create(first_charge_on=date(2026, 4, 30))
    with pytest.raises(Invalid, match="Next charge is 2026-04-09: it must be today, 2026-04-10, or later"):
        edit(order, next_charge_on=date(2026, 4, 9))
    with pytest.raises(Invalid, match="USD has 2 decimals"):
        edit(order, unit_price=Decimal("1.005"))
    assert (fresh(order).next_charge_on, fresh(order).amount) == (date(2026, 4, 30), 30)


def test_tax_is_asked_for_with_every_payment() -> None:
    order = OrderFactory.create()
    edit(order, tax=Taxation(None, Decimal(20)))
    assert fresh(order).amount == 36


def test_an_order_may_be_for_another_product_from_then_on(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    first, second = ProductFactory.create(sku="CLUB"), ProductFactory.create(name="Large club", sku="")
    order = OrderFactory.create()
    order.lines.update(product=first, sku="CLUB")
    page = client.get(f"/orders/{order.pk}/edit/").content.decode()
    assert 'name="product" value="CLUB"' in page
    Product.objects.filter(pk=first.pk).update(is_active=False)
    kept = {"description": "Club", "quantity": "1", "unit_price": "9", "missed": "every", "product": "CLUB"}
    assert client.post(f"/orders/{order.pk}/edit/", kept).status_code == 302
    assert order.lines.get().product == first
    asked = {"description": "Large", "quantity": "1", "unit_price": "9", "missed": "every"}
    refused = client.post(f"/orders/{order.pk}/edit/", {**asked, "product": "Nothing"})
    assert refused.status_code == 422
    assert "Product is “Nothing”: no product has this SKU or name." in refused.content.decode()
    assert client.post(f"/orders/{order.pk}/edit/", {**asked, "product": "large CLUB"}).status_code == 302
    assert (order.lines.get().product, order.lines.get().sku) == (second, "")


# -- the card


def test_another_card_is_charged_from_then_on() -> None:
    order = OrderFactory.create(number=DECLINES)
    card = CardFactory.create(contact=order.contact, number=APPROVES)
    order.change_card(None, card=card, charge_now=False)
    tick(DUE)
    assert moved() == [(30, 0)]


def test_what_is_past_due_is_charged_to_the_new_card_if_the_agent_wants() -> None:
    order = past_due()
    card = CardFactory.create(contact=order.contact)
    event = order.change_card(None, card=card, charge_now=True)
    invoice = order.invoices.get()
    assert str(invoice) in event.text
    assert invoice.charge_due_at == timezone.now()
    charge_due_invoices(timezone.now())
    assert moved() == [(30, 0)]
    assert fresh(order).status == OrderStatus.ACTIVE
    assert_books_agree()


def test_a_card_of_somebody_else_is_refused() -> None:
    order = OrderFactory.create()
    with pytest.raises(Invalid, match="not on file for this contact"):
        order.change_card(None, card=CardFactory.create(), charge_now=False)


def test_a_card_that_an_open_order_uses_cannot_be_removed(client: Client) -> None:
    order = OrderFactory.create()
    card = order.card
    assert card
    client.force_login(UserFactory.create(role="Support"))
    response = client.post(f"/cards/{card.pk}/remove/")
    assert response.status_code == 409
    words = f"{card} is charged for Subscription {order.pk}: give the order another card first."
    assert words in response.content.decode()
    order.change_card(None, card=None, charge_now=False)
    assert client.post(f"/cards/{card.pk}/remove/").status_code == 302


def test_a_card_of_an_order_that_ended_can_be_removed() -> None:
    order = OrderFactory.create(status=OrderStatus.CANCELLED)
    assert order.card
    order.card.remove(None, at=timezone.now())
    assert order.card.removed_at


# -- pause and resume


def test_nothing_is_asked_for_during_a_pause_nor_for_it_later() -> None:
    order = OrderFactory.create(unit="week", first_charge_on=date(2026, 3, 2), payments=10)
    order.pause(None)
    assert not bill_due_orders(timezone.now())
    event = order.resume(None)
    now = fresh(order)
    assert (now.status, now.next_charge_on, now.next_period) == (OrderStatus.ACTIVE, date(2026, 4, 13), 1)
    assert "6 payments that fell into the pause are not asked for." in event.text
    assert now.payments_left == 10
    assert_books_agree()


def test_a_payment_on_the_day_of_resuming_is_asked_for() -> None:
    order = OrderFactory.create(first_charge_on=TODAY, status=OrderStatus.PAUSED)
    order.resume(None)
    assert fresh(order).next_charge_on == TODAY


def test_what_was_asked_for_before_a_pause_stays_owed_and_is_charged() -> None:
    order = OrderFactory.create()
    bill_due_orders(DUE)
    order = fresh(order)
    order.pause(None)
    charge_due_invoices(DUE)
    assert moved() == [(30, 0)]
    assert fresh(order).status == OrderStatus.PAUSED
    assert fresh(order).payments_made == 1


def test_an_order_resumed_with_something_owed_is_past_due() -> None:
    order = past_due()
    order.pause(None)
    order.resume(None)
    assert fresh(order).status == OrderStatus.PAST_DUE
    assert_books_agree()


# -- cancel


def test_cancelling_may_leave_what_is_past_due() -> None:
    order = past_due()
    order.cancel(None, past_due=PastDue.LEAVE, reason="Moved abroad")
    now, invoice = fresh(order), order.invoices.get()
    assert (now.status, now.next_charge_on) == (OrderStatus.CANCELLED, None)
    assert (invoice.status, invoice.balance) == (InvoiceStatus.COLLECTIONS, 30)
    invoice.pay(None, source=PaymentMethod.CASH, amount=Decimal(30))
    assert (fresh(order).status, fresh(order).payments_made) == (OrderStatus.CANCELLED, 1)
    assert not bill_due_orders(DUE + timedelta(days=365))
    assert_books_agree()


def test_cancelling_may_forgive_what_is_past_due(manager: User) -> None:
    order = past_due()
    event = order.cancel(manager, past_due=PastDue.FORGIVE, reason="A gesture")
    now, invoice = fresh(order), order.invoices.get()
    assert (now.status, now.payments_forgiven) == (OrderStatus.CANCELLED, 1)
    assert (invoice.status, invoice.written_off_amount) == (InvoiceStatus.WRITTEN_OFF, 30)
    assert f"What was past due is forgiven: {invoice}." in event.text
    assert Event.objects.get(invoice=invoice, action="write_off").actor == manager
    assert_books_agree()


def test_forgiving_stops_a_charge_that_was_due() -> None:
    order = OrderFactory.create()
    bill_due_orders(DUE)
    fresh(order).cancel(None, past_due=PastDue.FORGIVE, reason="")
    assert not charge_due_invoices(DUE)
    assert moved() == []


def test_forgiving_waits_for_a_charge_in_the_air() -> None:
    order = OrderFactory.create(number=CHARGED_LOST)
    tick(DUE)
    with pytest.raises(NotOffered, match="ask the gateway first"):
        fresh(order).cancel(None, past_due=PastDue.FORGIVE, reason="")
    assert fresh(order).status == OrderStatus.ACTIVE
    assert order.invoices.get().status == InvoiceStatus.OPEN


def test_an_invoice_that_comes_while_forgiving_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    order = past_due()
    owed, calls = Steering.owed, list[int]()

    def owed_and_then_more(self: Order) -> list[Invoice]:
        found = owed(self)
        calls.append(1)
        return found[:0] if len(calls) < 3 else found

    monkeypatch.setattr(Steering, "owed", owed_and_then_more)
    with pytest.raises(Stale, match="changed at this very moment"):
        order.cancel(None, past_due=PastDue.FORGIVE, reason="")
    assert fresh(order).status == OrderStatus.PAST_DUE


# -- once, and on the state that was looked at


def test_the_same_key_a_second_time_does_nothing() -> None:
    order, key = OrderFactory.create(), uuid4()
    order.pause(None, key=key)
    with pytest.raises(AlreadyDone) as already:
        order.pause(None, key=key)
    assert already.value.event.text.startswith("Paused")
    with pytest.raises(NotOffered, match="one-time key belongs to something else"):
        order.resume(None, key=key)


def test_a_second_click_shows_the_first_result(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    order, asked = OrderFactory.create(), {"past_due": "leave", "key": str(uuid4())}
    first, second = (client.post(f"/orders/{order.pk}/cancel/", asked) for _ in range(2))
    assert first.status_code == second.status_code == 302
    assert Event.objects.filter(action="cancel").count() == 1


def test_an_order_that_moved_on_is_not_changed_by_a_dialog_opened_before(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    order = OrderFactory.create()
    seen = order.version
    bill_due_orders(DUE)
    asked = {"description": "Mine", "quantity": "1", "unit_price": "9", "missed": "every", "seen": str(seen)}
    response = client.post(f"/orders/{order.pk}/edit/", asked)
    page = response.content.decode()
    assert response.status_code == 409
    assert "has changed since you opened it: it is now Active, next charge 30 Apr 2026." in page
    assert 'value="Mine"' in page
    assert fresh(order).summary == "Garden club"


def test_a_current_only_order_says_so_when_it_is_edited() -> None:
    order = OrderFactory.create()
    edit(order, missed=Missed.CURRENT, send_invoices=False)
    assert (fresh(order).missed, fresh(order).send_invoices) == (Missed.CURRENT, False)
