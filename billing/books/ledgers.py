"""The desk's card payments beside a gateway's own books, where the gateway can show them whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Protocol, runtime_checkable
from uuid import UUID

from django.conf import settings

from billing import gateways
from billing.books.problem import Problem
from billing.models import Attempt, Payment
from billing.models.attempt import AttemptQuerySet
from billing.statuses import FINAL, IN_FLIGHT, AttemptKind, AttemptState, PaymentStatus

BATCH = 2000


class LedgerLine(Protocol):
    """Money that moved: ``amount`` was taken under an attempt's ``key``, ``refunded`` of it went back."""

    @property
    def key(self) -> UUID: ...
    @property
    def amount(self) -> Decimal: ...
    @property
    def currency(self) -> str: ...
    @property
    def refunded(self) -> Decimal: ...


@runtime_checkable
class KeepsLedger(Protocol):
    """A gateway that shows its whole books, as the sandbox does and no real one can."""

    def ledger(self) -> Iterator[LedgerLine]: ...


@dataclass(frozen=True, slots=True)
class Charge:
    """The desk's attempt at a charge, and what its finished refunds at the gateway come to."""

    id: int
    state: str
    amount: Decimal
    currency: str
    refunded: Decimal
    is_being_refunded: bool


def gateway_problems() -> Iterator[Problem]:
    """Every charge or refund that the desk and a gateway tell differently.

    What is still in flight is no contradiction: the desk has yet to ask.
    """
    used = Attempt.objects.order_by("gateway").values_list("gateway", flat=True).distinct()
    for name in sorted({settings.GATEWAY, *used}):
        try:
            gateway = gateways.get(name)
        except KeyError:
            continue
        if isinstance(gateway, KeepsLedger):
            yield from _compare(name, gateway)


def _compare(name: str, gateway: KeepsLedger) -> Iterator[Problem]:
    agreed = 0
    lines = gateway.ledger()
    while batch := list(islice(lines, BATCH)):
        ours = _charges(name, [line.key for line in batch])
        for line in batch:
            charge = ours.get(line.key)
            if charge is None:
                moved = f"a charge of {line.amount} {line.currency}"
                yield Problem(f"{name} charge", line.key, "", "attempt", "missing", moved)
            else:
                agreed += charge.state == AttemptState.APPROVED
                yield from _difference(name, line, charge)
    if agreed != _approved(name).count():
        yield from _never_charged(name, gateway)
    yield from _without_attempt(name)


def _charges(name: str, keys: list[UUID]) -> dict[UUID, Charge]:
    charges = Attempt.objects.filter(gateway=name, kind=AttemptKind.CHARGE, key__in=keys)
    rows = list(charges.values_list("key", "id", "state", "amount", "currency"))
    refunds = Attempt.objects.filter(kind=AttemptKind.REFUND, refund_of__attempt__key__in=keys)
    refunded: dict[UUID, Decimal] = defaultdict(Decimal)
    waiting: set[UUID] = set()
    for key, state, amount in refunds.values_list("refund_of__attempt__key", "state", "amount"):
        if state == AttemptState.APPROVED:
            refunded[key] += amount
        elif state in IN_FLIGHT:
            waiting.add(key)
    return {row[0]: Charge(*row[1:], refunded[row[0]], row[0] in waiting) for row in rows}


def _difference(name: str, line: LedgerLine, charge: Charge) -> Iterator[Problem]:
    if charge.state not in FINAL:
        return
    expected: dict[str, tuple[object, object]] = {
        "state": (charge.state, AttemptState.APPROVED.value),
        "amount": (charge.amount, line.amount),
        "currency": (charge.currency, line.currency),
    }
    if not charge.is_being_refunded:
        expected["refunds"] = (charge.refunded, line.refunded)
    for column, (stored, told) in expected.items():
        if stored != told:
            yield Problem("attempt", charge.id, "", column, str(stored), f"{told} as {name} has it")


def _approved(name: str) -> AttemptQuerySet:
    return Attempt.objects.filter(gateway=name, kind=AttemptKind.CHARGE, state=AttemptState.APPROVED)


def _never_charged(name: str, gateway: KeepsLedger) -> Iterator[Problem]:
    keys = {line.key for line in gateway.ledger()}
    for pk, key, state in _approved(name).order_by("pk").values_list("pk", "key", "state").iterator():
        if key not in keys:
            yield Problem("attempt", pk, "", "state", state, f"not charged, as {name} has it")


def _without_attempt(name: str) -> Iterator[Problem]:
    """Money that a gateway is said to have moved, and that nobody asked it to move."""
    rows = Payment.objects.filter(gateway=name, status=PaymentStatus.APPLIED, attempt=None)
    for pk, number in rows.order_by("pk").values_list("pk", "invoice__number").iterator():
        yield Problem("payment", pk, number or "draft", "attempt", "missing", f"the one made at {name}")
