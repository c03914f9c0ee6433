"""Any sequence of deeds and days, by the worker and by staff, keeps an order and its invoices consistent."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing.gateways.sandbox.numbers import NUMBERS
from billing.models import Invoice, Order
from billing.models.attempts.base import GRACE
from billing.models.guard import Refused
from billing.models.orders.steering import Taxation
from billing.statuses import ORDER_TRANSITIONS, Missed, OrderStatus, PastDue, PaymentMethod, RefundRoute, Unit
from billing.tasks import tick
from tests.attempts.desk import assert_books_agree
from tests.factories import APPROVES, CardFactory, OrderFactory

SAVED = sorted(number for number, kind in NUMBERS.items() if kind.behaviour.can_be_saved)
numbers = st.sampled_from([*[APPROVES] * 4, *SAVED, ""])
days = st.integers(0, 70)
BEGUN = datetime(2026, 3, 2, 12, tzinfo=UTC)

STEERING: dict[str, Callable[[Order], Any]] = {
    "pause": lambda order: order.pause(None),
    "resume": lambda order: order.resume(None),
    "cancel": lambda order: order.cancel(None, past_due=PastDue.LEAVE, reason=""),
    "forgive": lambda order: order.cancel(None, past_due=PastDue.FORGIVE, reason=""),
}
ENDING: dict[str, Callable[[Invoice], Any]] = {
    "pay": lambda invoice: invoice.pay(None, source=PaymentMethod.CASH, amount=invoice.balance),
    "part": lambda invoice: invoice.pay(None, source=PaymentMethod.CASH, amount=Decimal(1)),
    "void": lambda invoice: invoice.void(None, reason=""),
    "write_off": lambda invoice: invoice.write_off(None, reason=""),
    "mark_unpaid": lambda invoice: invoice.mark_unpaid(None),
    "run_collections": lambda invoice: invoice.run_collections(None),
    "retry": lambda invoice: [invoice.retry(None, card=card) for card in invoice.contact.cards.all()[:1]],
    "refund": lambda invoice: invoice.refund(
        None, amount=invoice.paid, route=RefundRoute.RECORDED, reason="", send_receipt=False
    ),
}


class Desk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone._from_testcase = True  # type: ignore[attr-defined]  # durable blocks may stand in it
        self.undone.__enter__()
        self.now = BEGUN
        self.clock = patch.object(timezone, "now", lambda: self.now)
        self.clock.start()

    def teardown(self) -> None:
        self.clock.stop()
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    @initialize(
        number=numbers,
        unit=st.sampled_from(Unit.values),
        every=st.integers(1, 3),
        payments=st.sampled_from([None, 1, 2, 5]),
        trial=st.integers(0, 2),
        day=st.integers(0, 40),
        zone=st.sampled_from(["UTC", "America/Havana", "Pacific/Apia"]),
        missed=st.sampled_from(Missed.values),
    )
    def begin(self, day: int, trial: int, **given: Any) -> None:
        first = date(2026, 3, 3) + timedelta(days=day)
        self.order: Order = OrderFactory.create(
            first_charge_on=first, trial_payments=trial, at=BEGUN, **given
        )
        self.was = OrderStatus(self.order.status)

    def fresh(self) -> Order:
        return Order.objects.get(pk=self.order.pk)

    @rule(days=days)
    def work(self, days: int) -> None:
        self.now += timedelta(days=days)
        tick(self.now)
        self.now += GRACE + timedelta(seconds=1)
        tick(self.now)

    @rule(deed=st.sampled_from(sorted(STEERING)), luck=st.integers(0, 3))
    def steer(self, deed: str, luck: int) -> None:
        if luck and deed in ("cancel", "forgive"):
            return  # or most stories would end early
        self.attempt(lambda: STEERING[deed](self.fresh()))

    @rule(number=numbers, now=st.booleans())
    def change_card(self, number: str, now: bool) -> None:
        card = CardFactory.create(contact=self.order.contact, number=number) if number else None
        self.attempt(lambda: self.fresh().change_card(None, card=card, charge_now=now))

    @rule(price=st.integers(0, 99), wait=st.integers(0, 60))
    def edit(self, price: int, wait: int) -> None:
        next_on = self.now.date() + timedelta(days=wait + 1)
        asked: dict[str, Any] = {"product": None, "quantity": Decimal(1), "tax": Taxation(None, Decimal(7))}
        self.attempt(
            lambda: self.fresh().edit(
                None,
                description="Club",
                unit_price=Decimal(price),
                next_charge_on=next_on,
                missed=Missed.EVERY,
                send_invoices=False,
                **asked,
            )
        )

    @rule(deed=st.sampled_from(sorted(ENDING)), which=st.integers(0, 5))
    def end(self, deed: str, which: int) -> None:
        found = list(self.order.invoices.order_by("-period")[: which + 1])
        if found:
            self.attempt(lambda: ENDING[deed](found[-1]))

    @staticmethod
    def attempt(deed: Callable[[], Any]) -> None:
        with suppress(Refused):
            deed()

    @invariant()
    def books_agree(self) -> None:
        if not hasattr(self, "order"):
            return
        assert_books_agree()
        now = OrderStatus(self.fresh().status)
        reached = {self.was} | ORDER_TRANSITIONS[self.was]
        further = set().union(*(ORDER_TRANSITIONS[status] for status in reached))
        assert now in reached | further
        self.was = now


@pytest.mark.django_db
def test_any_sequence_of_deeds_and_days_keeps_the_books_of_an_order_right(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    bounds = settings(max_examples=60, stateful_step_count=20, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Desk, settings=bounds)
