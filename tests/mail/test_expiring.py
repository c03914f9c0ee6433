"""Customers are told of a card that their order cannot charge next time: in time, and once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing.models import Card, Mail, MailSettings, Order
from billing.models.orders.expiring import cards_to_tell_of
from billing.statuses import MailKind, OrderStatus, PastDue
from billing.tasks import JOBS, PERIODS, tell_of_expiring_cards
from tests.factories import OrderFactory
from tests.gateways.races import at_once

pytestmark = pytest.mark.django_db
NOTICE = datetime(2026, 5, 2, 8, tzinfo=UTC)
"""Thirty days before June, in which the card expires."""
DAY = timedelta(days=1)


def order_on_a_card(
    month: int = 6, year: int = 2026, *, charged_next: date = date(2026, 7, 3), **more: Any
) -> Order:
    order = OrderFactory.create(first_charge_on=charged_next, **more)
    Card.objects.filter(orders=order).update(exp_month=month, exp_year=year)
    return order


def told(at: datetime = NOTICE) -> dict[str, int]:
    return dict(tell_of_expiring_cards(at))


def test_the_mail_names_the_card_its_last_day_and_the_orders_and_leads_to_the_card_page() -> None:
    order = order_on_a_card()
    second = order_on_a_card(contact=order.contact, number="", price=Decimal(12), every=2)
    Order.objects.filter(pk=second.pk).update(card=order.card)
    assert told() == {"told": 1}
    mail = Mail.objects.get()
    assert (mail.kind, mail.card, mail.invoice) == (MailKind.CARD_EXPIRING, order.card, None)
    assert (mail.to, mail.subject) == (order.contact.email, "Visa •• 4242 expires on 30 Jun 2026")
    for words in (mail.text, mail.html):
        assert "can be charged until 30 Jun 2026, and a payment is to come after that." in words
        assert "Garden club, $30.00 every month" in words.replace("</span>", "")
        assert "Garden club, $12.00 every 2 months" in words.replace("</span>", "")
        assert "next charge 3 Jul 2026" in words
        assert f"/card/{order.token}/" in words


def test_each_card_and_expiry_is_told_of_once() -> None:
    order = order_on_a_card()
    assert told() == {"told": 1}
    assert told(NOTICE + 20 * DAY) == {}
    Card.objects.filter(orders=order).update(exp_year=2027)
    Order.objects.update(next_charge_on=date(2027, 7, 3))
    assert told(NOTICE + 365 * DAY) == {"told": 1}


def test_the_notice_begins_so_many_days_before_the_month_as_the_settings_say() -> None:
    order_on_a_card()
    assert told(NOTICE - DAY) == {}
    MailSettings.objects.create(pk=1, expiry_notice_days=7)
    assert told(NOTICE) == {}
    assert told(datetime(2026, 5, 25, tzinfo=UTC)) == {"told": 1}


def test_a_card_that_has_expired_already_is_called_so() -> None:
    order_on_a_card()
    assert told(datetime(2026, 7, 1, tzinfo=UTC)) == {"told": 1}
    assert Mail.objects.get().subject == "Visa •• 4242 has expired"


@pytest.mark.parametrize(
    ("charged_next", "expected"),
    [(date(2026, 6, 30), 0), (date(2026, 7, 1), 1), (date(2027, 1, 1), 1)],
)
def test_only_a_charge_after_its_last_day_matters(charged_next: date, expected: int) -> None:
    order_on_a_card(charged_next=charged_next)
    assert cards_to_tell_of(NOTICE.date()).count() == expected


def test_the_turn_of_a_year_is_counted_right() -> None:
    order_on_a_card(12, 2026, charged_next=date(2027, 1, 1))
    assert not cards_to_tell_of(date(2026, 10, 31))
    assert cards_to_tell_of(date(2026, 11, 1))


@pytest.mark.parametrize("status", [OrderStatus.PAUSED, OrderStatus.CANCELLED])
def test_a_card_that_is_not_going_to_be_charged_is_no_news(status: OrderStatus) -> None:
    order = order_on_a_card()
    if status == OrderStatus.PAUSED:
        order.pause(None)
    else:
        order.cancel(None, past_due=PastDue.LEAVE, reason="")
        Mail.objects.all().delete()
    assert told() == {}


def test_who_has_no_address_holds_nobody_else_up() -> None:
    order_on_a_card(contact__email="")
    order_on_a_card()
    assert told() == {"told": 1}


def test_words_that_cannot_be_found_hold_nobody_else_up(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = order_on_a_card(), order_on_a_card()
    facts = Order.facts

    def broken(self: Order) -> Any:
        if self.pk == first.pk:
            raise ValueError("no words")
        return facts(self)

    monkeypatch.setattr(Order, "facts", broken)
    assert told() == {"failed": 1, "told": 1}
    assert Mail.objects.get().card == second.card


def test_it_is_one_of_the_jobs_and_runs_once_a_day() -> None:
    order_on_a_card(1, 2020)
    assert JOBS["tell_of_expiring_cards"](timezone.now(), lambda: True) == {"told": 1}
    assert PERIODS["tell_of_expiring_cards"] == DAY


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_tell_of_each_card_once() -> None:
    for _ in range(3):
        order_on_a_card()
    at_once(told)
    assert Mail.objects.count() == 3
