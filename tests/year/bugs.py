"""Bugs of the kind that the year is there to find, to be planted on purpose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Invoice, Order
from billing.retries import Retries
from tests.crash import bugs as crash_bugs

ONE_IN = 3


def _plant_in_billing(error: int, *, at_rest: int) -> None:
    """Every so many payments an order is moved on by so many steps too much or too little."""
    bill = Order.bill

    def billed_wrongly(self: Order, at: datetime) -> None:
        bill(self, at)
        if (self.pk + self.next_period) % ONE_IN == at_rest and self.next_charge_on:
            self.next_step += error
            self.store(*self.schedule())

    Order.bill = billed_wrongly  # type: ignore[assignment, method-assign]


def asks_twice() -> None:
    _plant_in_billing(-1, at_rest=0)


def leaves_out() -> None:
    _plant_in_billing(+1, at_rest=1)


def mails_twice() -> None:
    queue = Invoice.queue_receipt

    def queued_twice(self: Invoice, *given: Any) -> None:
        queue(self, *given)
        queue(self, *given)

    Invoice.queue_receipt = queued_twice  # type: ignore[assignment, method-assign]


def charges_twice() -> None:
    crash_bugs.gateway_charges_twice(SandboxGateway)


def retries_late() -> None:
    dates = Retries.after

    def a_day_late(self: Retries, day: date, *, made: int = 0) -> list[date]:
        return [each + date.resolution for each in dates(self, day, made=made)]

    Retries.after = a_day_late  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    plant.__name__.replace("_", "-"): plant
    for plant in (asks_twice, leaves_out, mails_twice, charges_twice, retries_late)
}
