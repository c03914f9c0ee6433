# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""A declined card is charged again on its dates, by itself, until the money comes or the end does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from billing.gateways import NoAnswer
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Event, Mail, Order, RechargeSettings
from billing.models.attempts.base import GRACE
from billing.statuses import AtTheEnd, InvoiceStatus, OrderStatus, PastDue, PaymentMethod, Stopped
from billing.tasks import charge_due_invoices, end_collections, tick
from tests.attempts.desk import AUTHENTICATES, CHARGED_LOST, UNCHARGED_LOST, assert_books_agree, moved
from tests.collections.desk import (
    BEGUN,
    STOLEN,
    Clock,
    behaves,
    change_settings,
    collected_by_hand,
    declined_order,
    fresh,
    mails,
    schedule_of,
    told,
    tried_on,
)
from tests.factories import DECLINES, CardFactory, InvoiceFactory, OrderFactory, PaymentFactory, UserFactory

pytestmark = pytest.mark.django_db

EXPIRED = "4000000000000069"


# -- when


def test_a_declined_payment_of_an_order_is_charged_again_every_three_days(clock: Clock) -> None:
    invoice = declined_order(clock)
    assert fresh(invoice).charge_due_at == datetime(2026, 4, 3, tzinfo=UTC)
    clock.work_daily(7)
    assert tried_on(invoice) == ["03-31", "04-03", "04-06"]
    assert fresh(invoice).charge_due_at == datetime(2026, 4, 9, tzinfo=UTC)
    assert_books_agree()


def test_an_invoice_without_an_order_is_charged_to_the_card_that_was_declined(clock: Clock) -> None:
    invoice, card = collected_by_hand()
    CardFactory.create(contact=invoice.contact)
    clock.work_daily(4)
    assert tried_on(invoice) == ["03-31", "04-03"]
    assert {attempt.card for attempt in invoice.attempts.all()} == {card}
    assert fresh(invoice).status == InvoiceStatus.COLLECTIONS
    assert_books_agree()


def test_the_days_begin_where_the_desk_is(clock: Clock, settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"
    clock.now = datetime(2026, 3, 6, 3, tzinfo=UTC)  # still 5 March there, and the clocks change on the 8th
    invoice, _card = collected_by_hand()
    assert schedule_of(invoice).entered_on == date(2026, 3, 5)
    assert fresh(invoice).charge_due_at == datetime(2026, 3, 8, 5, tzinfo=UTC)
    clock.now = datetime(2026, 3, 8, 5, tzinfo=UTC)
    clock.work()
    assert fresh(invoice).charge_due_at == datetime(2026, 3, 11, 4, tzinfo=UTC)


def test_the_dates_are_those_of_the_settings_at_the_time_of_entering(clock: Clock) -> None:
    change_settings(every_days=7, for_days=21)
    invoice, _card = collected_by_hand()
    change_settings(every_days=1, at_the_end=AtTheEnd.STAY, most_retries=1)
    for days in (3, 4, 7, 7, 1):
        clock.work(days=days)
    assert tried_on(invoice) == ["03-31", "04-07", "04-14", "04-21"]
    assert fresh(invoice).status == InvoiceStatus.WRITTEN_OFF


def test_a_worker_that_slept_for_weeks_charges_once_and_goes_on_with_the_dates_to_come(clock: Clock) -> None:
    invoice = declined_order(clock)
    clock.work(days=40)
    for _ in range(3):
        clock.work()
    assert tried_on(invoice) == ["03-31", "05-10"]
    assert fresh(invoice).charge_due_at == datetime(2026, 5, 12, tzinfo=UTC)
    assert_books_agree()


def test_a_worker_that_slept_beyond_the_end_charges_once_more_before_it_gives_up(clock: Clock) -> None:
    invoice = declined_order(clock)
    clock.work(days=200)
    assert len(tried_on(invoice)) == 2
    assert fresh(invoice).status == InvoiceStatus.WRITTEN_OFF
    assert_books_agree()


# -- the money comes


def test_a_retry_that_succeeds_closes_the_invoice_and_the_order_is_up_to_date(clock: Clock) -> None:
    invoice = declined_order(clock)
    order = invoice.order
    assert order
    assert order.card
    behaves(order.card, "approves")
    clock.work(days=3)
    now, schedule = fresh(invoice), schedule_of(invoice)
    assert (now.status, now.charge_due_at, moved()[-1]) == (InvoiceStatus.CLOSED, None, (30, 0))
    assert (schedule.left_as, schedule.left_at, schedule.end_due_at) == ("closed", clock.now, None)
    assert Order.objects.get().status == OrderStatus.ACTIVE
    assert mails(invoice) == ["payment_failed", "recovered"]  # which says what a receipt does
    assert_books_agree()


@pytest.mark.parametrize("deed", ["pay", "part by part", "void", "write_off", "mark_unpaid"])
def test_whatever_leads_out_of_collections_ends_the_retries(clock: Clock, deed: str) -> None:
    invoice, _card = collected_by_hand()
    match deed:
        case "pay":
            invoice.pay(None, source=PaymentMethod.CASH, amount=invoice.balance)
        case "mark_unpaid":
            invoice.mark_unpaid(None)
        case "part by part":
            for _half in range(2):
                PaymentFactory.create(invoice=invoice, amount=Decimal(50))
        case _:
            getattr(invoice, deed)(None, reason="Agreed")
    left = {"pay": "closed", "part by part": "closed", "void": "voided", "write_off": "written_off"}.get(
        deed, "open"
    )
    assert (schedule_of(invoice).left_as, fresh(invoice).charge_due_at) == (left, None)
    for days in (3, 3):
        clock.work(days=days)
    assert tried_on(invoice) == ["03-31"]
    assert_books_agree()


def test_a_part_that_is_paid_leaves_the_rest_to_the_next_date(clock: Clock) -> None:
    invoice, card = collected_by_hand()
    invoice.pay(None, source=PaymentMethod.CASH, amount=Decimal(60))
    invoice.pay(None, source=CardFactory.create(contact=invoice.contact), amount=Decimal(15))
    assert fresh(invoice).charge_due_at == datetime(2026, 4, 3, tzinfo=UTC)
    behaves(card, "approves")
    clock.work(days=3)
    assert moved() == [(15, 0), (25, 0)]
    assert fresh(invoice).status == InvoiceStatus.CLOSED
    assert_books_agree()


def test_a_charge_by_hand_that_is_declined_takes_no_retry_away(clock: Clock) -> None:
    invoice, card = collected_by_hand()
    clock.work(days=1)
    agent = UserFactory.create(role="Support")
    fresh(invoice).pay(agent, source=card, amount=invoice.balance)
    assert fresh(invoice).charge_due_at == datetime(2026, 4, 3, tzinfo=UTC)
    assert mails(invoice) == []  # whoever charged by hand has the customer on the phone


def test_an_invoice_may_enter_again_and_counts_anew(clock: Clock) -> None:
    invoice, _card = collected_by_hand()
    clock.work(days=3)
    fresh(invoice).mark_unpaid(None)
    clock.work(days=10)
    fresh(invoice).run_collections(None)
    assert fresh(invoice).charge_due_at == datetime(2026, 4, 16, tzinfo=UTC)
    assert invoice.schedules.count() == 2
    assert_books_agree()


# -- the end


def test_after_the_last_retry_the_settings_write_it_off_as_anybody_would(clock: Clock) -> None:
    manager = UserFactory.create(role="Billing manager", email="boss@example.com")
    change_settings(every_days=3, for_days=9)
    invoice = declined_order(clock)
    for days in (3, 3, 2):
        clock.work(days=days)
    assert fresh(invoice).status == InvoiceStatus.COLLECTIONS
    clock.work(days=1)
    now = fresh(invoice)
    assert (now.status, now.written_off_amount, now.balance) == (InvoiceStatus.WRITTEN_OFF, 30, 0)
    event = invoice.events.get(action="write_off")
    assert (event.actor, event.actor_name) == (None, "Recharge settings")
    assert "Reason: nothing could be collected from its card" in event.text
    assert tried_on(invoice) == ["03-31", "04-03", "04-06", "04-09"]
    assert mails(invoice) == [*["payment_failed"] * 4, "written_off"]
    assert Mail.objects.get(kind="written_off").to == manager.email
    assert "We will try" not in Mail.objects.filter(kind="payment_failed").latest("id").text
    assert_books_agree()


def test_the_settings_may_leave_it_in_collections_and_say_so_once(clock: Clock) -> None:
    change_settings(at_the_end=AtTheEnd.STAY, for_days=6)
    invoice, _card = collected_by_hand()
    for days in (3, 3, 1, 23):
        clock.work(days=days)
    now, schedule = fresh(invoice), schedule_of(invoice)
    assert (now.status, now.balance, now.charge_due_at) == (InvoiceStatus.COLLECTIONS, 100, None)
    assert (schedule.stopped, schedule.end_due_at) == (Stopped.OVER, None)
    event = invoice.events.get(action="retries_ended")
    assert event.text == "The retries have ended. $100.00 stays owed, and the invoice in Collections."
    assert (event.actor_name, len(tried_on(invoice))) == ("Recharge settings", 3)
    assert_books_agree()


def test_no_more_retries_are_made_than_the_settings_allow(clock: Clock) -> None:
    change_settings(most_retries=2)
    invoice, _card = collected_by_hand()
    for days in (3, 3, 4):
        clock.work(days=days)
    assert tried_on(invoice) == ["03-31", "04-03", "04-06"]
    assert fresh(invoice).status == InvoiceStatus.WRITTEN_OFF


def test_the_end_waits_for_a_charge_in_the_air(clock: Clock) -> None:
    change_settings(for_days=3)
    invoice, card = collected_by_hand()
    clock.work(days=2)
    lost = CardFactory.create(contact=invoice.contact, number=CHARGED_LOST)
    fresh(invoice).pay(None, source=lost, amount=Decimal(100))
    assert not end_collections(clock.now + timedelta(days=30))
    clock.work(days=30)
    assert (fresh(invoice).status, moved()) == (InvoiceStatus.CLOSED, [(100, 0)])
    assert card.attempts.count() == 1
    assert_books_agree()


# -- hard declines, and no card


@pytest.mark.parametrize("number", [STOLEN, EXPIRED])
def test_a_hard_decline_stops_the_retries_and_the_end_comes_all_the_same(clock: Clock, number: str) -> None:
    order = OrderFactory.create(number=number, every=10, unit="year")
    other = CardFactory.create(contact=order.contact, number="5555555555554444")
    clock.work()
    invoice = order.invoices.get()
    entered = invoice.events.get(action="run_collections").text
    assert f"{order.card} is not charged again: its bank refused it for good." in entered
    assert "What is owed is written off on 29 Jun 2026." in entered
    assert f"Also on file: {other}, charged only if somebody chooses it." in entered
    assert (fresh(invoice).charge_due_at, schedule_of(invoice).stopped) == (None, Stopped.HARD)
    for days in (3, 3, 83):
        clock.work(days=days)
    assert (tried_on(invoice), fresh(invoice).status) == (["03-31"], InvoiceStatus.COLLECTIONS)
    clock.work(days=1)
    assert fresh(invoice).status == InvoiceStatus.WRITTEN_OFF
    assert mails(invoice)[0] == "payment_failed"
    assert_books_agree()


def test_a_hard_decline_on_a_later_date_stops_them_too(clock: Clock) -> None:
    invoice, card = collected_by_hand()
    behaves(card, "stolen")
    clock.work(days=3)
    assert schedule_of(invoice).stopped == Stopped.HARD
    assert told(invoice)[-1] == "retries_stopped"
    clock.work(days=3)
    assert len(tried_on(invoice)) == 2
    assert_books_agree()


def test_hard_declines_are_retried_where_the_settings_say_so(clock: Clock) -> None:
    change_settings(stops_on_hard=False)
    invoice, _card = collected_by_hand(STOLEN)
    clock.work(days=3)
    assert len(tried_on(invoice)) == 2
    assert fresh(invoice).charge_due_at == datetime(2026, 4, 6, tzinfo=UTC)


def test_a_card_that_expires_meanwhile_is_not_charged_any_more(clock: Clock) -> None:
    invoice, card = collected_by_hand()
    type(card).objects.update(exp_month=3, exp_year=2026)
    clock.work(days=3)
    assert (schedule_of(invoice).stopped, fresh(invoice).charge_due_at) == (Stopped.NO_CARD, None)
    assert "there is no card that can be charged" in invoice.events.get(action="retries_stopped").text
    assert len(tried_on(invoice)) == 1
    assert_books_agree()


def test_an_expired_card_of_an_order_is_a_decline_for_good(clock: Clock) -> None:
    invoice = declined_order(clock, exp_year=2025)
    assert (fresh(invoice).status, fresh(invoice).charge_due_at) == (InvoiceStatus.COLLECTIONS, None)
    assert schedule_of(invoice).stopped == Stopped.NO_CARD
    assert mails(invoice) == ["unpaid_invoice"]  # or nobody would tell the customer
    order = Order.objects.get()
    order.change_card(None, card=CardFactory.create(contact=order.contact), charge_now=True)
    clock.work()
    assert (fresh(invoice).status, moved()) == (InvoiceStatus.CLOSED, [(30, 0)])
    assert_books_agree()


def test_without_any_card_nothing_is_charged_and_the_end_comes(clock: Clock) -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.COLLECTIONS)
    assert schedule_of(invoice).stopped == Stopped.NO_CARD
    clock.work(days=90)
    assert fresh(invoice).status == InvoiceStatus.WRITTEN_OFF


# -- what nobody knows yet


def test_a_retry_whose_answer_is_lost_is_not_made_again_before_it_is_known(clock: Clock) -> None:
    invoice, _card = collected_by_hand()
    lost = CardFactory.create(contact=invoice.contact, number=CHARGED_LOST)
    invoice.retry(None, card=lost)
    charge_due_invoices(clock.now)
    charge_due_invoices(clock.now + timedelta(days=30))
    assert (moved(), fresh(invoice).awaiting_gateway) == ([(100, 0)], True)
    clock.work(seconds=int(GRACE.total_seconds()) + 1)
    assert (moved(), fresh(invoice).status) == ([(100, 0)], InvoiceStatus.CLOSED)
    assert_books_agree()


def test_a_retry_that_certainly_was_not_made_is_made_in_an_hour(clock: Clock) -> None:
    invoice, _card = collected_by_hand()
    lost = CardFactory.create(contact=invoice.contact, number=UNCHARGED_LOST)
    invoice.retry(None, card=lost)
    clock.work()
    clock.work(seconds=int(GRACE.total_seconds()) + 1)
    assert fresh(invoice).charge_due_at == clock.now + timedelta(hours=1)
    assert Attempt.objects.filter(state="not_charged").count() == 1
    assert_books_agree()


def test_a_gateway_that_is_gone_for_long_does_not_put_off_the_end(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    change_settings(for_days=3)
    invoice, _card = collected_by_hand()

    def gone(self: SandboxGateway, **asked: Any) -> str:
        raise NoAnswer("The line is dead.")

    monkeypatch.setattr(SandboxGateway, "prepare", gone)
    clock.work(days=3)
    clock.work(hours=2)
    assert fresh(invoice).status == InvoiceStatus.COLLECTIONS  # the last day is not over
    clock.work(days=1)
    clock.work()
    assert fresh(invoice).status == InvoiceStatus.WRITTEN_OFF
    assert_books_agree()


def test_a_retry_that_waits_for_the_customer_holds_the_next_one_back(clock: Clock) -> None:
    invoice = declined_order(clock, AUTHENTICATES)
    assert fresh(invoice).status == InvoiceStatus.OPEN  # nobody has said no
    other, _card = collected_by_hand()
    other.retry(None, card=CardFactory.create(contact=other.contact, number=AUTHENTICATES))
    clock.work_daily(5)
    assert len(tried_on(other)) == 2
    Attempt.objects.filter(invoice=other).latest("id").cancel(None, at=clock.now)
    assert fresh(other).charge_due_at == datetime(2026, 4, 6, tzinfo=UTC)
    assert_books_agree()


# -- another card


def test_another_card_is_charged_at_once_and_on_the_dates_that_follow(clock: Clock) -> None:
    invoice, _card = collected_by_hand(STOLEN)
    card = CardFactory.create(contact=invoice.contact, number=DECLINES)
    clock.work(days=10)
    event = fresh(invoice).retry(UserFactory.create(role="Support"), card=card)
    assert event.text.startswith(f"{card} is charged $100.00 now")
    clock.work()
    assert (tried_on(invoice), schedule_of(invoice).card) == (["03-31", "04-10"], card)
    assert (fresh(invoice).charge_due_at, schedule_of(invoice).stopped) == (
        datetime(2026, 4, 12, tzinfo=UTC),
        "",
    )
    assert_books_agree()


def test_a_card_may_still_be_tried_after_the_retries_have_ended(clock: Clock) -> None:
    change_settings(at_the_end=AtTheEnd.STAY, for_days=3)
    invoice, card = collected_by_hand()
    clock.work_daily(4)
    with transaction.atomic():  # as an order does that is left without a card
        invoice.lock()
        invoice.collect_from(None, at=clock.now)
    assert_books_agree()
    fresh(invoice).retry(None, card=card)
    clock.work()
    now = fresh(invoice)
    assert (len(tried_on(invoice)), now.status, now.charge_due_at) == (3, InvoiceStatus.COLLECTIONS, None)
    assert invoice.events.filter(action="retries_ended").count() == 1
    assert_books_agree()


def test_an_order_that_is_given_another_card_is_retried_with_it_now_or_on_the_next_date(clock: Clock) -> None:
    invoice = declined_order(clock, STOLEN)
    order = Order.objects.get()
    card = CardFactory.create(contact=order.contact)
    order.change_card(None, card=card, charge_now=False)
    assert fresh(invoice).charge_due_at == datetime(2026, 4, 3, tzinfo=UTC)
    assert (schedule_of(invoice).card, schedule_of(invoice).stopped) == (card, "")
    order.change_card(None, card=None, charge_now=True)
    assert (fresh(invoice).charge_due_at, schedule_of(invoice).stopped) == (None, Stopped.NO_CARD)
    order.change_card(None, card=card, charge_now=True)
    clock.work()
    assert (moved(), fresh(invoice).status) == ([(30, 0)], InvoiceStatus.CLOSED)
    assert_books_agree()


def test_a_card_that_the_customer_stores_in_its_place_is_charged_at_once(clock: Clock) -> None:
    invoice = declined_order(clock, STOLEN)
    details = SandboxGateway().store_card(
        "5555555555554444", exp_month=12, exp_year=2040, today=clock.now.date()
    )
    with transaction.atomic():
        Order.objects.get().take_new_card(details, gateway="sandbox")
    assert schedule_of(invoice).card == Order.objects.get().card
    clock.work()
    assert (moved(), fresh(invoice).status) == ([(30, 0)], InvoiceStatus.CLOSED)
    assert_books_agree()


@pytest.mark.parametrize("past_due", PastDue)
def test_cancelling_the_order_stops_the_retries_only_if_it_forgives(clock: Clock, past_due: PastDue) -> None:
    invoice = declined_order(clock)
    Order.objects.get().cancel(None, past_due=past_due, reason="Moved abroad")
    clock.work(days=3)
    assert len(tried_on(invoice)) == (1 if past_due == PastDue.FORGIVE else 2)
    assert_books_agree()


# -- e-mails


@pytest.mark.parametrize(
    ("switch", "missing"),
    [
        ("mails_first_failure", 0),
        ("mails_each_failure", 1),
        ("mails_recovered", 2),
    ],
)
def test_each_mail_has_its_switch(clock: Clock, switch: str, missing: int) -> None:
    change_settings(**{switch: False})
    invoice = declined_order(clock, send_invoices=False)
    clock.work(days=3)
    assert invoice.order
    assert invoice.order.card
    behaves(invoice.order.card, "approves")
    clock.work(days=3)
    expected = ["payment_failed", "payment_failed", "recovered"]
    assert mails(invoice) == expected[:missing] + expected[missing + 1 :]


def test_without_the_mail_of_the_recovery_a_receipt_goes_out(clock: Clock) -> None:
    change_settings(mails_recovered=False, mails_written_off=False, mails_first_failure=False)
    invoice, card = collected_by_hand()
    behaves(card, "approves")
    clock.work(days=3)
    assert mails(invoice) == ["receipt"]


def test_no_notice_is_written_where_staff_do_not_want_it(clock: Clock) -> None:
    UserFactory.create(role="Billing manager", email="boss@example.com")
    change_settings(mails_written_off=False, mails_each_failure=False, most_retries=1)
    invoice, _card = collected_by_hand()
    clock.work(days=3)
    assert (fresh(invoice).status, mails(invoice)) == (InvoiceStatus.WRITTEN_OFF, [])


# -- the settings


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"every_days": 0}, "Retry every … days is 0: it must be at least 1."),
        ({"for_days": 2}, "For … days is 2: it must be at least 3"),
        ({"for_days": 4000}, "at most 3650"),
        ({"most_retries": 0}, "At most … retries is 0: leave it empty for no limit."),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_words(given: dict[str, int], words: str) -> None:
    with pytest.raises(ValidationError, match=words.replace("…", ".")):
        change_settings(**given)
    assert not RechargeSettings.objects.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "every 3 days for 90 days; then written off"),
        (
            {"every_days": 1, "most_retries": 5, "at_the_end": AtTheEnd.STAY},
            "every day for 90 days, at most 5 times; then it stays in Collections",
        ),
    ],
)
def test_the_settings_say_themselves_in_words(given: dict[str, Any], words: str) -> None:
    assert RechargeSettings(**given).words == words


def test_a_run_that_cannot_end_one_ends_the_others(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (InvoiceFactory.create(status=InvoiceStatus.COLLECTIONS) for _ in range(2))
    clock.now += timedelta(days=90)
    monkeypatch.setattr("billing.models.collecting.replace", fails_once())
    assert end_collections(clock.now) == {"failed": 1, "ended": 1}
    assert [fresh(one).status for one in (first, second)] == ["collections", "written_off"]
    clock.now += timedelta(minutes=11)
    tick(clock.now)
    assert fresh(first).status == InvoiceStatus.WRITTEN_OFF
    assert Event.objects.filter(action="write_off").count() == 2
    assert clock.now > BEGUN


def fails_once() -> Any:
    calls = iter([True])

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls, False):
            raise RuntimeError("The disk is full.")
        return replace(*args, **kwargs)

    return call
