"""One trial as a series of acts. Whoever is killed in one of them is followed by another process, which goes
on with the next.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, connections

from billing.gateways import Page
from billing.models import Attempt, Card, Event, Invoice, Payment
from billing.models.attempts.base import WAITING, AttemptQuerySet
from billing.models.guard import AlreadyDone, Refused
from billing.money import ZERO
from billing.statuses import AttemptState, PaymentType, RefundRoute
from billing.tasks import resolve_attempts
from tests.crash.blows import Blow, Fault
from tests.crash.counter import Counter
from tests.crash.forks import fork
from tests.crash.orders import Orders
from tests.crash.plan import Again, Deed, Letting, Trial
from tests.crash.points import struck_at
from tests.crash.scene import Scene, wait_until

URL = "https://desk.example.com/"
LONGEST_UNDER_WAY = 1
"""Hours that a call can be under way before it acts. The desk counts on two: a refund of which the gateway
has not heard two hours after it could last be sent was never made.
"""
HOURS_UNTIL_NOTHING_IS_DUE = (0.05, 1, 6, 19, 24, 24, 24, 24)
"""Steps in which time passes at the end of a trial, until every attempt has its answer."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a dialog sends along: its one-time key, the version that its person looks at, and an amount."""

    key: UUID
    seen: int
    amount: Decimal


class Stage:
    """The trial that is on, with what its acts need."""

    def __init__(self, trial: Trial, scene: Scene, counter: Counter, orders: Orders) -> None:
        self.trial, self.scene, self.counter, self.orders = trial, scene, counter, orders
        self.was_stopped = False

    @property
    def acts(self) -> tuple[Callable[[], None], ...]:
        return (
            self.set_up,
            self.do_the_deed,
            self.pay_on_the_page,
            self.come_back_from_the_page,
            self.try_at_once,
            self.resolve,
            self.wake_the_sleeper,
            self.let_slow_calls_act,
            self.try_later,
            self.settle,
        )

    @property
    def went_well(self) -> bool:
        """What must be so where nothing goes wrong."""
        return bool(self.last_attempt and self.last_attempt.is_approved)

    @property
    def invoice(self) -> Invoice:
        return Invoice.objects.get(pk=self.scene.marks.invoice)

    @property
    def last_attempt(self) -> Attempt | None:
        """The latest attempt at the deed itself; a refund's own charges came before it."""
        kind = "refund" if self.trial.deed is Deed.REFUND else "charge"
        return Attempt.objects.filter(invoice=self.scene.marks.invoice, kind=kind).order_by("id").last()

    # -- what goes wrong

    @contextmanager
    def struck_by(self, blow: Blow | None) -> Iterator[None]:
        with self._struck(blow) if blow else nullcontext():
            yield

    def _struck(self, blow: Blow) -> AbstractContextManager[None]:
        if blow.point is None:
            return self.counter.trouble(blow, self.scene)
        strike = self._die if blow.fault is Fault.KILLED else self._sleep
        return struck_at(blow.point, self.counter.gateway, lambda: strike(blow), nth=blow.nth)

    def _die(self, blow: Blow) -> None:
        self.scene.note(struck=blow.fault, whom=blow.whom)
        os.kill(os.getpid(), signal.SIGKILL)

    def _sleep(self, blow: Blow) -> None:
        self.scene.note(struck=blow.fault, whom=blow.whom)
        self.was_stopped, self.scene.marks.asleep = True, os.getpid()
        os.kill(os.getpid(), signal.SIGSTOP)

    def end_if_woken(self) -> None:
        """Others went on with the trial while this process slept."""
        if self.was_stopped:
            connections.close_all()
            self.scene.marks.asleep = 0
            os._exit(0)

    # -- who does what

    def set_up(self) -> None:
        """What is to be refunded is paid before, by as many charges as there are shares."""
        self.scene.marks.invoice = self.orders.invoices[self.trial.number]
        self.scene.note(invoice=self.scene.marks.invoice)
        if self.trial.deed is Deed.REFUND:
            card = Card.objects.get(pk=self.orders.cards["approves"])
            for share in self.trial.shares:
                self.invoice.pay(None, source=card, amount=share)

    def do_the_deed(self) -> None:
        self.scene.marks.seen = self.invoice.version
        with self.struck_by(self.trial.first):
            self._click(self._first_form())

    def pay_on_the_page(self) -> None:
        """The customer, if a page was shown, or if pressing the button once more shows one."""
        if self.trial.deed is Deed.PAGE and self.trial.customer_pays:
            self._customer_pays()

    def come_back_from_the_page(self) -> None:
        if self.trial.deed is not Deed.PAGE or not self.trial.customer_comes_back:
            return
        attempt = self.last_attempt
        with self.struck_by(self.trial.back):
            if attempt and attempt.page_ref:
                attempt.ask(at=self.scene.now())

    def try_at_once(self) -> None:
        self._try_again(self.trial.again[0])

    def resolve(self) -> None:
        """The first resolvers: they may be killed, cut off, and two at a time."""
        trial, scene = self.trial, self.scene
        now = scene.pass_time(trial.sleeps)
        if trial.letting is Letting.FIRST or trial.sleeps > LONGEST_UNDER_WAY:
            scene.await_slow_calls()
        elif trial.letting is Letting.MEANWHILE:
            scene.let_slow_calls_act()
        another = self.meanwhile(lambda: self.find_out(now)) if trial.resolvers > 1 else nullcontext()
        with another, self.struck_by(trial.resolver):
            self.find_out(now)

    def find_out(self, now: datetime) -> None:
        """What the desk's own round does about what is not known yet."""
        resolve_attempts(now)

    @contextmanager
    def meanwhile(self, deed: Callable[[], object]) -> Iterator[None]:
        """At the same time, in a process of its own, which is awaited where everything settles."""
        marks = self.scene.marks
        wait_until(lambda: not marks.others)
        marks.others, marks.ready = 1, 0
        if not fork():
            try:
                connection.ensure_connection()
                marks.ready = 1
                deed()
            except (Refused, AlreadyDone) as answer:
                self.scene.note(told=str(answer))
            except Exception:  # noqa: BLE001  # whatever it is, it is a finding
                self.scene.note(raised=traceback.format_exc())
            finally:
                connections.close_all()
                marks.others = 0
                os._exit(0)
        connection.ensure_connection()
        wait_until(lambda: bool(marks.ready))
        yield

    def wake_the_sleeper(self) -> None:
        if self.scene.marks.asleep:
            os.kill(self.scene.marks.asleep, signal.SIGCONT)
            wait_until(lambda: not self.scene.marks.asleep)

    def let_slow_calls_act(self) -> None:
        self.scene.await_slow_calls()

    def try_later(self) -> None:
        self._try_again(self.trial.again[1])

    def settle(self) -> None:
        """The gateway is well again: time passes until every attempt has its answer."""
        wait_until(lambda: not self.scene.marks.others)
        for hours in HOURS_UNTIL_NOTHING_IS_DUE:
            waiting = list(self._waiting())
            for attempt in waiting:
                if attempt.can_be_cancelled:
                    attempt.cancel(None, at=self.scene.now())
            if all(attempt.is_final for attempt in waiting):
                break
            resolve_attempts(self.scene.pass_time(hours))
        self.scene.note(waiting=self._waiting().count())

    # -- how

    def _waiting(self) -> AttemptQuerySet:
        return Attempt.objects.filter(invoice=self.scene.marks.invoice, state__in=WAITING)

    def _click(self, form: Form) -> None:
        """The button is pressed: what is refused, or was done before, is no fault."""
        try:
            self._deed(form)
        except (Refused, AlreadyDone) as answer:
            self.scene.note(told=str(answer))

    def _deed(self, form: Form) -> Event | Page | None:
        trial, invoice = self.trial, self.invoice
        if trial.deed is Deed.PAGE:
            return invoice.open_page(return_url=URL, cancel_url=URL, remember=False, at=self.scene.now())
        if form.amount <= 0:
            return None
        asked: dict[str, Any] = {**asdict(form), "send_receipt": trial.receipt}
        if trial.deed is Deed.CHARGE:
            return invoice.pay(None, source=Card.objects.get(pk=self.orders.cards[trial.behaviour]), **asked)
        return invoice.refund(None, route=RefundRoute.GATEWAY, reason="Broken", **asked)

    def _first_form(self) -> Form:
        """As it was opened, however often and however late it is sent."""
        return Form(self.trial.key, self.scene.marks.seen, self.trial.amount)

    def _new_form(self) -> Form:
        """Over what has not gone back yet, and as the invoice is now."""
        seen = self.invoice.version
        return Form(uuid4(), seen, self.trial.amount - self._given_back())

    def _given_back(self) -> Decimal:
        rows = Payment.objects.applied().filter(invoice=self.scene.marks.invoice, type=PaymentType.REFUND)
        return -sum(rows.values_list("amount", flat=True), ZERO)

    def _try_again(self, how: Again) -> None:
        """A person sees no answer. The same form may always be sent again; a new one is for whoever is told
        that nothing moved, and whoever opens it while an attempt is in flight is refused.
        """
        if how is Again.RESENDS:
            self._click(self._first_form())
        elif how is Again.NEW_FORM and may_try_again(self.last_attempt, self.trial):
            self._click(self._new_form())
        if how is not Again.NO and self.trial.deed is Deed.PAGE and self.trial.customer_pays:
            self._customer_pays()

    def _customer_pays(self) -> None:
        attempt = self.last_attempt
        if attempt is None or not attempt.page_ref:
            self._click(self._first_form())
            attempt = self.last_attempt
        if attempt and attempt.page_ref:
            trial = self.trial
            self.counter.pay(
                attempt.page_ref, trial.behaviour, confirms=trial.customer_confirms, at=self.scene.now()
            )


def may_try_again(attempt: Attempt | None, trial: Trial) -> bool:
    """Whether a careful person tries again: the desk said that nothing moved, or has yet to say anything."""
    if trial.deed is Deed.PAGE or attempt is None:
        return True
    return attempt.state == AttemptState.NOT_CHARGED or attempt.is_in_flight
