"""Any sequence of deeds, by staff, customers and the resolver, keeps the books right: also when whoever does
one dies in the middle of it, when the gateway's answers get lost, and as time passes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext, suppress
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

from billing import money
from billing.gateways.sandbox import dashboard, pages
from billing.gateways.sandbox.dashboard import NotPossible
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge, Message
from billing.gateways.sandbox.models import Dispute as SandboxDispute
from billing.gateways.sandbox.numbers import NUMBERS, read_card, read_number
from billing.models import (
    Attempt,
    Card,
    Dispute,
    Event,
    GatewayEvent,
    Header,
    Invoice,
    LineInput,
    Payment,
    UnmatchedMoney,
)
from billing.models.guard import Refused
from billing.statuses import (
    IN_FLIGHT,
    TRANSITIONS,
    DisputeState,
    InvoiceStatus,
    NoticeState,
    PaymentMethod,
    RefundRoute,
)
from billing.tasks import act_on_notices, resolve_attempts
from tests.attempts.desk import assert_books_agree
from tests.factories import APPROVES, NOON, CardFactory, ContactFactory
from tests.money.mishaps import IN_CHARGES, IN_REFUNDS, ON_PAGES, ON_RETURN, WHEN_ASKING, WITH_PAGES, Mishap

URL = "https://desk.example.com/"
APPROVING = [APPROVES] * 6
"""Most cards are good ones, or few stories would get far."""
SAVED = sorted(number for number, kind in NUMBERS.items() if kind.behaviour.can_be_saved)
CURRENCIES = ["USD", "JPY", "KWD"]
MOST_INVOICES = 6

ELSEWHERE: dict[str, Callable[..., Any]] = {
    "dispute": dashboard.dispute,
    "pay_again": dashboard.pay_again,
    "refund": dashboard.refund,
}

which = st.integers(0, MOST_INVOICES - 1)
DRAFTING: dict[str, Callable[[Invoice], Any]] = {
    "issue": lambda draft: draft.issue(None, at=NOON),
    "delete": lambda draft: draft.discard(None),
}
DECIDING: dict[str, Callable[[Invoice], Any]] = {
    "run_collections": lambda invoice: invoice.run_collections(None),
    "mark_unpaid": lambda invoice: invoice.mark_unpaid(None),
    "void": lambda invoice: invoice.void(None, reason="Ordered twice"),
    "write_off": lambda invoice: invoice.write_off(None, reason="Moved abroad"),
}

parts = st.sampled_from([Decimal(1), Decimal(1), Decimal("0.5"), Decimal("0.3")])
number = st.sampled_from([*APPROVING, *SAVED])
number_or_none = st.sampled_from([*APPROVING, *SAVED, ""])
prices = st.lists(st.integers(0, 5000), min_size=1, max_size=3)
routes = st.sampled_from([route.value for route in RefundRoute])

Among = Callable[[Invoice], bool]


def any_of_them(invoice: Invoice) -> bool:
    return True


def owing(invoice: Invoice) -> bool:
    return invoice.is_owing


def paid(invoice: Invoice) -> bool:
    return bool(invoice.paid)


def what_goes_wrong(among: dict[str, Mishap]) -> st.SearchStrategy[str]:
    """Mostly nothing, or few stories would get far."""
    return st.sampled_from([""] * len(among) + sorted(among))


class Desk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone._from_testcase = True  # type: ignore[attr-defined]  # durable blocks may stand in it
        self.undone.__enter__()
        self.ahead = timedelta()
        self.clock = patch.object(timezone, "now", lambda: datetime.now(tz=UTC) + self.ahead)
        self.clock.start()
        self.statuses: dict[int, str] = {}
        self.told = 0

    def teardown(self) -> None:
        try:
            self.settle_everything()
            assert_ledger_is_ours()
        finally:
            self.clock.stop()
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    @initialize()
    def open_the_desk(self) -> None:
        """Three invoices in three kinds of currency: paid by card, paid in part, and not paid."""
        self.contact = ContactFactory.create()
        self.cards = {each: CardFactory.create(contact=self.contact, number=each) for each in SAVED}
        for currency in CURRENCIES:
            self.draft(currency, [4995, 1001])
        first, second, third = Invoice.objects.order_by("pk")
        for invoice in (first, second, third):
            invoice.issue(None, at=NOON)
        first.pay(None, source=self.cards[APPROVES], amount=first.balance)
        second.pay(None, source=PaymentMethod.CASH, amount=Decimal(1000))

    # -- who does what to which

    def invoice(self, n: int, among: Among = any_of_them) -> Invoice | None:
        """One of those that it makes sense for; of all, where there are none, since people err."""
        found = list(Invoice.objects.order_by("pk"))
        found = [invoice for invoice in found if among(invoice)] or found
        return found[n % len(found)] if found else None

    def attempt(
        self,
        verb: Callable[[Invoice], Any],
        n: int,
        mishap: Mishap = nullcontext,
        *,
        among: Among = any_of_them,
    ) -> None:
        """Do it to one of the invoices; what is refused changes nothing."""
        invoice = self.invoice(n, among)
        if invoice is None:
            return
        before, has_page = state_of(invoice), invoice.attempts.open_pages().exists()
        try:
            with mishap():
                verb(invoice)
        except Refused:
            assert has_page or state_of(invoice) == before

    def draft(self, currency: str, prices: list[int]) -> None:
        header = Header(currency, date(2026, 3, 2), date(2026, 3, 16), shipping=money.quantum(currency))
        Invoice.draft(None, contact=self.contact, header=header, lines=lines_of(prices, currency))

    # -- staff

    @rule(n=which, currency=st.sampled_from(CURRENCIES), prices=prices, do=st.sampled_from(sorted(DRAFTING)))
    def draft_issue_or_delete(self, n: int, currency: str, prices: list[int], do: str) -> None:
        if Invoice.objects.count() < MOST_INVOICES:
            self.draft(currency, prices)
        self.attempt(DRAFTING[do], n)

    @rule(
        n=which,
        prices=prices,
        currency=st.sampled_from([*CURRENCIES, ""]),
        wrong=st.sampled_from(sorted(WITH_PAGES)),
    )
    def edit(self, n: int, prices: list[int], currency: str, wrong: str) -> None:
        """Without a currency: to exactly what is paid."""

        def edit(invoice: Invoice) -> None:
            header = Header(currency or invoice.currency, invoice.invoice_date, invoice.due_on)
            to_what_is_paid = [LineInput("Rest", Decimal(1), invoice.paid)]
            lines = lines_of(prices, currency) if currency else to_what_is_paid
            invoice.edit(None, header=header, lines=lines)

        self.attempt(edit, n, WITH_PAGES[wrong])

    @rule(n=which, part=parts, number=number_or_none, wrong=what_goes_wrong(IN_CHARGES))
    def pay(self, n: int, part: Decimal, number: str, wrong: str) -> None:
        """Without a number: in cash."""

        def pay(invoice: Invoice) -> None:
            source = Card.objects.get(pk=self.cards[number].pk) if number else PaymentMethod.CASH
            amount = part_of(invoice.balance, part, invoice)
            invoice.pay(None, source=source, amount=amount, send_receipt=True)

        self.attempt(pay, n, IN_CHARGES[wrong], among=owing)

    @rule(n=which, part=parts, route=routes, wrong=what_goes_wrong(IN_REFUNDS))
    def refund_the_invoice(self, n: int, part: Decimal, route: str, wrong: str) -> None:
        def refund(invoice: Invoice) -> None:
            amount = part_of(invoice.paid, part, invoice)
            invoice.refund(None, amount=amount, route=route, reason="Broken", send_receipt=True)

        self.attempt(refund, n, IN_REFUNDS[wrong], among=paid)

    @rule(n=which, of=st.integers(0, 3), part=parts, route=routes, wrong=what_goes_wrong(IN_REFUNDS))
    def refund_a_payment(self, n: int, of: int, part: Decimal, route: str, wrong: str) -> None:
        def refund(invoice: Invoice) -> None:
            received = list(invoice.payments.order_by("id"))
            if received:
                payment = received[of % len(received)]
                amount = part_of(payment.refundable, part, invoice)
                payment.refund(None, amount=amount, route=route, reason="", send_receipt=False)

        self.attempt(refund, n, IN_REFUNDS[wrong], among=paid)

    @rule(n=which, do=st.sampled_from(list(DECIDING)), wrong=st.sampled_from(sorted(WITH_PAGES)))
    def decide_what_becomes_of_it(self, n: int, do: str, wrong: str) -> None:
        self.attempt(DECIDING[do], n, WITH_PAGES[wrong])

    # -- the customer

    @rule(
        n=which,
        number=number_or_none,
        remember=st.booleans(),
        comes_back=st.booleans(),
        wrong=what_goes_wrong(ON_PAGES),
    )
    def pay_on_a_page(self, n: int, number: str, remember: bool, comes_back: bool, wrong: str) -> None:
        """Without a number: the customer leaves the page open."""
        now = timezone.now()

        def opens(invoice: Invoice) -> None:
            invoice.open_page(return_url=URL, cancel_url=URL, remember=remember, at=now)

        self.attempt(opens, n, ON_PAGES[wrong], among=owing)
        if number:
            self.type_a_card(n, number, comes_back=comes_back, confirms=True, wrong="")

    @rule(
        n=which,
        number=number,
        comes_back=st.booleans(),
        confirms=st.booleans(),
        wrong=what_goes_wrong(ON_RETURN),
    )
    def type_a_card(self, n: int, number: str, comes_back: bool, confirms: bool, wrong: str) -> None:
        """On any page that was ever opened, since a browser may have kept it."""
        opened = list(Attempt.objects.exclude(page_ref="").order_by("-pk"))
        if not opened:
            return
        attempt, now = opened[n % len(opened)], timezone.now()
        typed = read_card(read_number(number), exp_month=12, exp_year=2040, today=now.date())
        pages.take_card(attempt.page_ref, typed, now=now)
        (pages.approve_at_bank if confirms else pages.refuse_at_bank)(attempt.page_ref, now=now)
        if comes_back:
            with ON_RETURN[wrong]():
                attempt.ask(at=now)

    # -- the gateway and the resolver

    @rule(n=which)
    def refuse_refunds_from_now_on(self, n: int) -> None:
        taken = list(Charge.objects.order_by("pk"))
        if taken:
            Charge.objects.filter(pk=taken[n % len(taken)].pk).update(refuses_refunds=True)

    @rule(hours=st.sampled_from([1, 12, 30]))
    def time_passes(self, hours: int) -> None:
        """And nobody does anything."""
        self.ahead += timedelta(hours=hours)

    @rule(n=which, hours=st.sampled_from([0, 1, 30, 100]), wrong=what_goes_wrong(WHEN_ASKING))
    def learn_how_attempts_ended(self, n: int, hours: int, wrong: str) -> None:
        """Ask about one invoice now, or let time pass until the resolver does it."""
        self.ahead += timedelta(hours=hours)
        with WHEN_ASKING[wrong]():
            if hours:
                asked = resolve_attempts(timezone.now())
                assert not [each.error for each in asked if each.error]
            for attempt in Attempt.objects.in_flight().filter(invoice=self.invoice(n)):
                attempt.ask(at=timezone.now())

    @rule(n=which)
    def call_off(self, n: int) -> None:
        def cancel(invoice: Invoice) -> None:
            for attempt in invoice.attempts.in_flight():
                attempt.cancel(None, at=timezone.now())

        self.attempt(cancel, n)

    # -- what happens at the gateway without the desk, and is told to it

    @rule(n=which, do=st.sampled_from(sorted(ELSEWHERE)), part=parts, times=st.integers(1, 2))
    def happen_elsewhere(self, n: int, do: str, part: Decimal, times: int) -> None:
        """Told once or twice; in the dashboard, what is not possible is refused."""
        charges, now = list(Charge.objects.moved()), timezone.now()
        if not charges:
            return
        charge = charges[n % len(charges)]
        amount = money.round_half_up(charge.left * part, charge.currency)
        with suppress(NotPossible):
            ELSEWHERE[do](charge.ref, amount=amount, now=now)
        for _ in range(times):
            act_on_notices(now)
            Message.objects.update(delivered_at=None)
        act_on_notices(now)
        assert not GatewayEvent.objects.exclude(state=NoticeState.PROCESSED).exists()

    @rule(n=which, of=which)
    def match_what_nobody_knows(self, n: int, of: int) -> None:
        waiting = list(UnmatchedMoney.objects.open())

        def match(invoice: Invoice) -> None:
            if waiting:
                waiting[of % len(waiting)].match(None, invoice=invoice)

        self.attempt(match, n)

    @rule(n=which, state=st.sampled_from([DisputeState.WON, DisputeState.LOST]))
    def end_a_dispute(self, n: int, state: DisputeState) -> None:
        now = timezone.now()
        for opened in SandboxDispute.objects.filter(state=DisputeState.OPEN)[: n + 1]:
            dashboard.close_dispute(opened.ref, state, now=now)
        act_on_notices(now)
        for dispute in Dispute.objects.for_a_person():
            with suppress(Refused):
                dispute.record(None)

    # -- what is true after each deed

    @invariant()
    def the_books_add_up_after_every_deed(self) -> None:
        told = Event.objects.count()
        if told != self.told:  # what leaves no line in the timeline is looked at when the story ends
            self.told = told
            assert_books_agree()

    @invariant()
    def statuses_change_by_the_products_transitions(self) -> None:
        now = dict(Invoice.objects.values_list("pk", "status"))
        for pk, was in self.statuses.items():
            if pk in now:
                assert now[pk] in reachable(InvoiceStatus(was)), (was, now[pk])
            else:
                assert was == InvoiceStatus.DRAFT
        self.statuses = now

    @invariant()
    def a_balance_is_what_is_owed_and_no_more_goes_back_than_came(self) -> None:
        for invoice in Invoice.objects.all():
            owed = max(Decimal(0), invoice.total - invoice.paid) if invoice.is_unsettled else Decimal(0)
            assert invoice.balance == owed
            assert invoice.paid >= 0
            assert not invoice.overpaid or not invoice.is_unsettled
        for payment in Payment.objects.received():
            assert 0 <= payment.refunded_amount <= payment.amount

    def settle_everything(self) -> None:
        for days in (2, 4, 6):
            resolve_attempts(timezone.now() + timedelta(days=days))
        assert_books_agree()


def reachable(status: InvoiceStatus) -> set[InvoiceStatus]:
    """What it is, or becomes in steps: one message may bring a payment and its refund at once."""
    found = {status}
    while more := {each for one in found for each in TRANSITIONS[one]} - found:
        found |= more
    return found


def state_of(invoice: Invoice) -> tuple[Any, ...]:
    return Invoice.objects.values_list("status", "paid", "balance", "version").get(pk=invoice.pk)


def lines_of(prices: list[int], currency: str) -> list[LineInput]:
    """Prices in the smallest coin of the currency; every line is taxed, so that rounding has work to do."""
    coin = money.quantum(currency)
    return [LineInput("Lantern", Decimal(1), price * coin, tax_percent=Decimal("7.7")) for price in prices]


def part_of(amount: Decimal, part: Decimal, invoice: Invoice) -> Decimal:
    return money.round_half_up(amount * part, invoice.currency)


def assert_ledger_is_ours() -> None:
    """Once nothing is in flight any more, what the gateway kept is what our card payments say, per charge."""
    waiting = Attempt.objects.filter(state__in=IN_FLIGHT)
    unsettled = {str(key) for attempt in waiting for key in [attempt.key]}
    lines = list(SandboxGateway().ledger())
    kept = {str(line.key or line.ref): line.amount - line.refunded for line in lines}
    called = {line.ref: str(line.key or line.ref) for line in lines}
    ours: dict[str, Decimal] = {}
    for payment in Payment.objects.applied().filter(gateway="sandbox"):
        name = called[(payment.refund_of or payment).gateway_ref]
        ours[name] = ours.get(name, Decimal(0)) + payment.amount
    for row in UnmatchedMoney.objects.open().exclude(kind="dispute"):
        name = called[row.charge_ref]
        ours[name] = ours.get(name, Decimal(0)) + (row.amount if row.kind == "charge" else -row.amount)
    assert {key: amount for key, amount in kept.items() if key not in unsettled} == ours


@pytest.mark.django_db
def test_any_story_keeps_the_books_right(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="billing")  # some of the cards lose every answer
    bounds = settings(max_examples=50, stateful_step_count=25, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Desk, settings=bounds)
