"""Bugs of the kind that the harness is there to find, to be planted on purpose, some in a gateway's class."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import sleep
from typing import Any
from uuid import uuid4

from django.db import transaction

from billing.gateways import Gateway, Outcome
from billing.models import Attempt, Card, CardPage, Coupon, Invoice, Submission
from billing.models.coupons.coupon import CouponQuerySet
from billing.models.orders.base import OrderQuerySet
from billing.models.partners import settling
from billing.statuses import AttemptState, CommissionStatus

A_MOMENT = 0.05
"""Seconds in which somebody else gets as far."""


def gateway_charges_twice(gateway: Any) -> None:
    """As if a second charge were made under a key that nobody wrote down."""
    confirm = gateway.confirm

    def confirm_twice(self: Gateway, ref: str, *, key: Any) -> Outcome:
        outcome: Outcome = confirm(self, ref, key=key)
        attempt = Attempt.objects.get(key=key)
        again = self.prepare(
            key=uuid4(), amount=attempt.amount, currency=attempt.currency, token=attempt.card_token
        )
        confirm(self, again, key=uuid4())
        return outcome

    gateway.confirm = confirm_twice


def settle_drops_the_payment(gateway: Any) -> None:
    Invoice.book = lambda self, attempt, **more: None  # type: ignore[method-assign]


def resolver_charges_again(gateway: Any) -> None:
    """Instead of asking how the charge ended."""

    def charge_again(self: Attempt, gateway: Any) -> Outcome:
        ref = gateway.prepare(key=uuid4(), amount=self.amount, currency=self.currency, token=self.card_token)
        outcome: Outcome = gateway.confirm(ref, key=uuid4())
        return Outcome(outcome.state, ref=self.gateway_ref)

    Attempt._ask_charge = charge_again  # type: ignore[assignment, method-assign]


def no_answer_means_not_charged(gateway: Any) -> None:
    asked_safely = Attempt._asked_safely

    def not_charged(self: Attempt, ask: Any) -> Outcome:
        outcome = asked_safely(self, ask)
        if outcome.state != AttemptState.UNKNOWN:
            return outcome
        return Outcome(AttemptState.NOT_CHARGED, ref=outcome.ref)

    Attempt._asked_safely = not_charged  # type: ignore[assignment, method-assign]


def refunds_use_a_new_key(gateway: Any) -> None:
    refund = gateway.refund

    def under_a_new_key(self: Gateway, ref: str, *, key: Any, **more: Any) -> Outcome:
        outcome: Outcome = refund(self, ref, key=uuid4(), **more)
        return outcome

    gateway.refund = under_a_new_key


def asks_inside_a_transaction(gateway: Any) -> None:
    """Where PostgreSQL and SQLite would let it: the sandbox's reading calls open no transaction."""
    ask_charge = Attempt._ask_charge

    def asked_inside(self: Attempt, gateway: Any) -> Outcome:
        with transaction.atomic():
            return ask_charge(self, gateway)

    Attempt._ask_charge = asked_inside  # type: ignore[assignment, method-assign]


def resolver_never_comes(gateway: Any) -> None:
    Attempt.ask = lambda self, *, at: None  # type: ignore[method-assign]


def coupon_is_counted_without_a_lock(gateway: Any) -> None:
    """From what was read before the transaction began, when somebody else could still redeem it."""
    begin, get = Submission._begin, CouponQuerySet.get
    seen: dict[int, int] = {}

    def begin_late(cls: type[Submission], *given: Any) -> Submission:
        seen.update(Coupon.objects.values_list("pk", "redeemed"))
        sleep(A_MOMENT)
        try:
            return begin(*given)
        finally:
            seen.clear()

    def get_as_seen(self: CouponQuerySet, *args: Any, **kwargs: Any) -> Coupon:
        coupon = get(self, *args, **kwargs)
        coupon.redeemed = seen.get(coupon.pk, coupon.redeemed)
        return coupon

    Submission._begin = classmethod(begin_late)  # type: ignore[assignment, method-assign]
    CouponQuerySet.get = get_as_seen  # type: ignore[assignment, method-assign]


def declined_order_keeps_its_coupon(gateway: Any) -> None:
    Invoice.give_back_coupon = lambda self, by: None  # type: ignore[method-assign]


def order_is_taken_twice(gateway: Any) -> None:
    """Nobody looks whether it has ended, as a card is told of again, or money moves that is on the books."""
    Invoice.is_being_ordered = property(  # type: ignore[assignment, method-assign]
        lambda self: self.order_form_id is not None
    )


def card_that_was_left_is_not_taken(gateway: Any) -> None:
    CardPage.take = lambda self, *, at: None  # type: ignore[method-assign]


def subscription_begins_twice(gateway: Any) -> None:
    """Once for each time that its card is told of."""
    take_card = Submission.take_card

    def take_card_again(self: Submission, card: Card, *, at: datetime) -> None:
        begun = not self.invoice.is_being_ordered
        take_card(self, card, at=at)
        if begun:
            with transaction.atomic():
                self.invoice.lock()
                self.invoice.start_orders(None, at=at)
                self.invoice.started_orders.charge_to(card)

    Submission.take_card = take_card_again  # type: ignore[method-assign]


def subscription_goes_without_its_card(gateway: Any) -> None:
    OrderQuerySet.keep_card = lambda self, attempt, *, at: None  # type: ignore[method-assign]


def commissions_are_worked_out_twice(gateway: Any) -> None:
    """As if nothing that was paid out had been earned on the invoice."""
    held = settling._held

    def held_unpaid(ids: Any, *, lock: bool) -> Any:
        found = held(ids, lock=lock)
        for places in found.values():
            for rows in places.values():
                rows[:] = [row for row in rows if row.status != CommissionStatus.PAID]
            for place in [place for place, rows in places.items() if not rows]:
                del places[place]
        return found

    settling._held = held_unpaid


def nobody_looks_after_orders(gateway: Any) -> None:
    Submission.look_after = lambda self, *, at: None  # type: ignore[method-assign]


BUGS: dict[str, Callable[[Any], None]] = {
    plant.__name__.replace("_", "-"): plant
    for plant in (
        gateway_charges_twice,
        settle_drops_the_payment,
        resolver_charges_again,
        no_answer_means_not_charged,
        refunds_use_a_new_key,
        asks_inside_a_transaction,
        resolver_never_comes,
        coupon_is_counted_without_a_lock,
        declined_order_keeps_its_coupon,
        order_is_taken_twice,
        card_that_was_left_is_not_taken,
        subscription_begins_twice,
        subscription_goes_without_its_card,
        commissions_are_worked_out_twice,
        nobody_looks_after_orders,
    )
}
