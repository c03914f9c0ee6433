"""The gateway's own books beside ours, trial by trial."""

from __future__ import annotations

import json
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

from billing import books
from billing.models import Attempt, Commission, Order, Payment
from billing.money import ZERO
from billing.statuses import AttemptKind, AttemptState, PaymentType
from tests.crash.counter import Counter, Moved
from tests.crash.plan import Deed, Trial
from tests.crash.sold import (
    CARDS,
    COMMISSIONS,
    COUPONS,
    ORDERS,
    PAGES,
    REFUNDED_TWICE,
    TWICE,
    coupons_of,
    lost_cards,
    submissions,
    trial_of,
    wrong_sales,
)

NOT_RECORDED = "charged and not recorded"
NOT_CHARGED = "recorded and not charged"
REFUND_NOT_RECORDED = "refunded and not recorded"
REFUND_NOT_MADE = "recorded and not refunded"
NO_ANSWER = "without a final answer"
BOOKS = "books that do not add up"
RAISED = "errors and open transactions"
KINDS = (
    *(TWICE, NOT_RECORDED, NOT_CHARGED, REFUNDED_TWICE, REFUND_NOT_RECORDED),
    *(REFUND_NOT_MADE, NO_ANSWER, PAGES, CARDS, ORDERS, COUPONS, COMMISSIONS, BOOKS, RAISED),
)


@dataclass(slots=True)
class Verdict:
    """How one trial ended. ``ended`` is the state of its last attempt, or nothing if there was none."""

    trial: int
    ended: str = ""
    struck: bool = False
    differences: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Trace:
    """What the journal says about a trial."""

    invoice: int = 0
    began: bool = False
    waiting: int | None = None
    struck: bool = False
    raised: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """The pages on which a card was left that nothing was charged to."""


Key = tuple[UUID | None, bool]


@dataclass(frozen=True, slots=True)
class Ours:
    """The desk's side: attempts by key, what is recorded under each key, and the trial that each is of."""

    attempts: dict[int, list[Attempt]]
    recorded: dict[Key, Decimal]
    trial_of_key: dict[Key, int]
    trial_of_invoice: dict[int, int]
    trial_of_amount: dict[tuple[Decimal, str], int]

    def trial_of(self, moved: Moved) -> int:
        """By its key; money that moved under no key of ours gives itself away by its amount."""
        key = (moved.key, moved.is_refund)
        return self.trial_of_key.get(key, self.trial_of_amount.get((moved.amount, moved.currency), -1))


def verdicts(trials: Sequence[Trial], journal: Path, counter: Counter) -> list[Verdict]:
    """One for each trial that was done; a difference that no trial explains is held against the last."""
    traces = read(journal)
    done = [trial for trial in trials if traces[trial.number].began]
    found = {trial.number: Verdict(trial.number, struck=traces[trial.number].struck) for trial in done}
    if not done:
        return []
    invoices = {trace.invoice: number for number, trace in traces.items()}
    sold = {submission.invoice_id: trial_of(submission) for submission in submissions()}
    ours = look_up(invoices | sold, done)
    theirs = list(counter.ledger())
    ended = dict(ends(ours))
    for trial in done:
        found[trial.number].ended = ended.get(trial.number, "")
        found[trial.number].differences += [(RAISED, words) for words in traces[trial.number].raised]
        if traces[trial.number].waiting != 0:
            found[trial.number].differences.append((NO_ANSWER, f"{traces[trial.number].waiting} waiting"))
    for number, kind, words in chain(
        compare(ours, theirs),
        overdone({t.number: t for t in done if not t.selling}, ours, theirs),
        wrong_sales({t.number: t for t in done if t.selling}, theirs),
        lost_cards({page: number for number, trace in traces.items() for page in trace.left}),
        contradictions(ours),
    ):
        found[number if number in found else done[-1].number].differences.append((kind, words))
    return list(found.values())


def read(journal: Path) -> Mapping[int, Trace]:
    traces: dict[int, Trace] = defaultdict(Trace)
    for line in journal.read_text().splitlines():
        facts: dict[str, Any] = json.loads(line)
        trace = traces[facts["trial"]]
        trace.invoice = facts.get("invoice", trace.invoice)
        trace.began = trace.began or "invoice" in facts or "began" in facts
        if "waiting" in facts:  # a sale is to be settled before staff deal with it, and once more
            trace.waiting = max(trace.waiting or 0, facts["waiting"])
        trace.struck = trace.struck or facts.get("whom") == "the deed"
        trace.raised += [facts["raised"]] if "raised" in facts else []
        trace.left += [facts["left"]] if "left" in facts else []
    return traces


def look_up(trial_of_invoice: dict[int, int], trials: Sequence[Trial]) -> Ours:
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    trial_of_key: dict[Key, int] = {}
    for attempt in Attempt.objects.order_by("id").iterator():
        attempts[attempt.invoice_id].append(attempt)
        key = (attempt.key, attempt.kind == AttemptKind.REFUND)
        trial_of_key[key] = trial_of_invoice.get(attempt.invoice_id, -1)
    recorded: dict[Key, Decimal] = defaultdict(Decimal)
    for payment in Payment.objects.applied().exclude(attempt=None).select_related("attempt").iterator():
        assert payment.attempt is not None
        recorded[payment.attempt.key, payment.type == PaymentType.REFUND] += abs(payment.amount)
    amounts = {
        (amount, t.currency): t.number for t in trials if not t.selling for amount in (*t.shares, t.amount)
    }
    return Ours(attempts, recorded, trial_of_key, trial_of_invoice, amounts)


def ends(ours: Ours) -> Iterator[tuple[int, str]]:
    """How each trial's last attempt ended; an order that was taken without one counts as approved."""
    for invoice, attempts in sorted(ours.attempts.items()):
        yield ours.trial_of_invoice.get(invoice, -1), attempts[-1].state
    for submission in submissions():
        if submission.is_accepted:
            yield trial_of(submission), AttemptState.APPROVED


def compare(ours: Ours, theirs: Sequence[Moved]) -> Iterator[tuple[int, str, str]]:
    """Key by key: what moved and what is recorded."""
    moved: dict[Key, Decimal] = defaultdict(Decimal)
    trials = dict(ours.trial_of_key)
    times = Tally((each.key, each.is_refund) for each in theirs)
    for each in theirs:
        moved[each.key, each.is_refund] += each.amount
        trials[each.key, each.is_refund] = ours.trial_of(each)
    for key in moved.keys() | ours.recorded.keys():
        there, here = moved.get(key, ZERO), ours.recorded.get(key, ZERO)
        words = f"key {key[0]}: {there} at the gateway in {times[key]}, {here} here"
        trial = trials.get(key, -1)
        if there > here:
            yield trial, REFUND_NOT_RECORDED if key[1] else NOT_RECORDED, words
        elif there < here:
            yield trial, REFUND_NOT_MADE if key[1] else NOT_CHARGED, words


def overdone(
    trials: Mapping[int, Trial], ours: Ours, theirs: Sequence[Moved]
) -> Iterator[tuple[int, str, str]]:
    """More at the gateway than anybody of the trial had asked for."""
    moved: dict[tuple[int, bool], Decimal] = defaultdict(Decimal)
    for each in theirs:
        moved[ours.trial_of(each), each.is_refund] += each.amount
    for number, trial in trials.items():
        is_refund = trial.deed is Deed.REFUND
        taken, asked = moved[number, False], sum(trial.shares, ZERO) if is_refund else trial.amount
        if taken > asked:
            yield number, TWICE, f"{taken} taken, {asked} {trial.currency} asked for"
        if is_refund and moved[number, True] > trial.amount:
            yield number, REFUNDED_TWICE, f"{moved[number, True]} went back, {trial.amount} asked for"


def contradictions(ours: Ours) -> Iterator[tuple[int, str, str]]:
    """What the desk itself finds when it checks its books. Most rows are known by their invoice."""
    coupons = {coupon.pk: number for number, coupon in coupons_of(ours.trial_of_invoice.values())}
    invoices: dict[str, dict[int, int]] = {
        "invoice": {pk: pk for pk in ours.trial_of_invoice},
        "attempt": {each.pk: invoice for invoice, attempts in ours.attempts.items() for each in attempts},
        "payment": dict(Payment.objects.values_list("pk", "invoice_id")),
        "commission": dict(Commission.objects.values_list("pk", "invoice_id")),
        "order": dict(Order.objects.values_list("pk", "origin_id")),
    }
    for problem in chain(books.problems(), books.gateway_problems()):
        row = problem.id if isinstance(problem.id, int) else -1
        invoice = invoices.get(problem.kind, {}).get(row, -1)
        trial = coupons.get(row, -1) if problem.kind == "coupon" else ours.trial_of_invoice.get(invoice, -1)
        yield trial, BOOKS, str(problem)


def counts_as(verdict: Verdict) -> str:
    """The column of the table: approved, declined or not charged."""
    return verdict.ended if verdict.ended in (AttemptState.APPROVED, AttemptState.DECLINED) else "not charged"
