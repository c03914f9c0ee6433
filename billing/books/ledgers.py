"""The desk's card payments beside a gateway's own books, where the gateway can show them whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Protocol, TypeVar, runtime_checkable
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from billing import gateways
from billing.books.problem import Problem
from billing.models import Attempt, Payment, UnmatchedMoney
from billing.models.attempts.base import AttemptQuerySet
from billing.money import ZERO
from billing.statuses import (
    FINAL,
    IN_FLIGHT,
    AttemptKind,
    AttemptState,
    PaymentType,
    UnmatchedKind,
    UnmatchedState,
)

BATCH = 2000


class LedgerLine(Protocol):
    """Money that moved: ``amount`` was taken under an attempt's ``key``, ``refunded`` of it went back.

    Without a key nobody here asked for it.
    """

    @property
    def ref(self) -> str: ...
    @property
    def key(self) -> UUID | None: ...
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
    foreign: dict[str, LedgerLine] = {}
    lines = gateway.ledger()
    while batch := list(islice(lines, BATCH)):
        ours = _charges(name, batch)
        for line in batch:
            charge = ours.get(line.key) if line.key else None
            if charge is None:
                foreign[line.ref] = line
            else:
                agreed += charge.state == AttemptState.APPROVED
                yield from _difference(name, line, charge)
    if agreed != _approved(name).count():
        yield from _never_charged(name, gateway)
    yield from _without_attempt(name, foreign)


def _charges(name: str, lines: list[LedgerLine]) -> dict[UUID, Charge]:
    keys = [line.key for line in lines if line.key]
    charges = Attempt.objects.filter(gateway=name, kind=AttemptKind.CHARGE, key__in=keys)
    rows = list(charges.values_list("key", "id", "state", "amount", "currency"))
    refunds = Attempt.objects.filter(kind=AttemptKind.REFUND, refund_of__attempt__key__in=keys)
    refunded = _refunded_elsewhere(name, lines)
    waiting: set[UUID] = set()
    for key, state, amount in refunds.values_list("refund_of__attempt__key", "state", "amount"):
        if state == AttemptState.APPROVED:
            refunded[key] += amount
        elif state in IN_FLIGHT:
            waiting.add(key)
    return {row[0]: Charge(*row[1:], refunded[row[0]], row[0] in waiting) for row in rows}


def _refunded_elsewhere(name: str, lines: list[LedgerLine]) -> dict[UUID, Decimal]:
    """What went back of each charge at the gateway itself, as the desk has heard, by the charge's key."""
    keys = {line.ref: line.key for line in lines if line.key}
    refunded: dict[UUID, Decimal] = defaultdict(Decimal)
    for ref, amount in _heard_refunds(name, list(keys)):
        refunded[keys[ref]] += amount
    return refunded


def _heard_refunds(name: str, refs: list[str]) -> Iterator[tuple[str, Decimal]]:
    """Refunds without an attempt, booked or still unmatched: the charge's reference and the amount."""
    ours = Attempt.objects.filter(gateway=name, kind=AttemptKind.REFUND).exclude(gateway_ref="")
    by_attempt = Q(gateway_ref__in=ours.values("gateway_ref"))  # or the part of one beyond its payment
    booked = Payment.objects.applied().filter(
        type=PaymentType.REFUND, gateway=name, attempt=None, refund_of__gateway=name
    )
    named = booked.filter(refund_of__gateway_ref__in=refs).exclude(by_attempt)
    for ref, amount in named.values_list("refund_of__gateway_ref", "amount"):
        yield ref, -amount
    unmatched = UnmatchedMoney.objects.filter(gateway=name, kind=UnmatchedKind.REFUND, charge_ref__in=refs)
    waiting = unmatched.exclude(state=UnmatchedState.MATCHED).exclude(ref__in=ours.values("gateway_ref"))
    yield from waiting.values_list("charge_ref", "amount")


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


def _without_attempt(name: str, foreign: dict[str, LedgerLine]) -> Iterator[Problem]:
    """Money that nobody here asked to be moved: every payment of it was made at the gateway, and everything
    that was made there is a payment or waits for a person.
    """
    left = dict(foreign)
    refunded: dict[str, Decimal] = defaultdict(Decimal)
    for ref, amount in _in_batches(list(foreign), lambda refs: _heard_refunds(name, refs)):
        refunded[ref] += amount
    for row in _made_elsewhere(name):
        line = left.pop(row.gateway_ref, None)
        if line is None:
            yield _of_payment(row, "attempt", "missing", f"the one made at {name}")
        else:
            by_attempt = _refunded_by_attempts(row)
            yield from _unlike(name, line, row, refunded[line.ref] + by_attempt)
    yield from _unfounded_refunds(name)
    known = set(_in_batches(list(left), lambda refs: _waiting(name, refs)))
    for ref, line in left.items():
        if ref not in known:
            moved = f"a charge of {line.amount} {line.currency}"
            yield Problem(f"{name} charge", line.key or ref, "", "attempt", "missing", moved)


Item = TypeVar("Item")


def _in_batches(refs: list[str], ask: Callable[[list[str]], Iterable[Item]]) -> Iterator[Item]:
    for first in range(0, len(refs), BATCH):
        yield from ask(refs[first : first + BATCH])


def _made_elsewhere(name: str) -> Iterator[Payment]:
    rows = Payment.objects.received().filter(gateway=name, attempt=None)
    return rows.select_related("invoice").order_by("pk").iterator()


def _waiting(name: str, refs: list[str]) -> Iterable[str]:
    noted = UnmatchedMoney.objects.filter(gateway=name, kind=UnmatchedKind.CHARGE, ref__in=refs)
    return noted.exclude(state=UnmatchedState.MATCHED).values_list("ref", flat=True)


def _refunded_by_attempts(payment: Payment) -> Decimal:
    approved = payment.refund_attempts.filter(state=AttemptState.APPROVED)
    return sum(approved.values_list("amount", flat=True), ZERO)


def _unlike(name: str, line: LedgerLine, payment: Payment, refunded: Decimal) -> Iterator[Problem]:
    expected: dict[str, tuple[object, object]] = {
        "amount": (payment.amount, line.amount),
        "currency": (payment.currency, line.currency),
    }
    if not payment.refund_attempts.in_flight().exists():
        expected["refunds"] = (refunded, line.refunded)
    for column, (stored, told) in expected.items():
        if stored != told:
            yield _of_payment(payment, column, stored, f"{told} as {name} has it")


def _unfounded_refunds(name: str) -> Iterator[Problem]:
    """Refunds said to be made at the gateway of money that came another way."""
    rows = Payment.objects.applied().filter(type=PaymentType.REFUND, gateway=name, attempt=None)
    elsewhere = rows.exclude(refund_of__gateway=name) | rows.filter(refund_of__gateway_ref="")
    for row in elsewhere.select_related("invoice").order_by("pk").iterator():
        yield _of_payment(row, "attempt", "missing", f"the one made at {name}")


def _of_payment(row: Payment, column: str, stored: object, computed: str) -> Problem:
    return Problem("payment", row.pk, row.invoice.number or "draft", column, str(stored), computed)
