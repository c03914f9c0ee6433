"""Bugs of the kind that the harness is there to find, to be planted on purpose, some in a gateway's class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.db import transaction

from billing.gateways import Gateway, Outcome
from billing.models import Attempt, Invoice
from billing.statuses import AttemptState


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
    )
}
