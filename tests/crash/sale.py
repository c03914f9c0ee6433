"""One sale on an order form as a series of acts: the visitor's, the gateway's message, the desk's, and what
staff make of it in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing import gateways
from billing.gateways import Notice, NoticeKind
from billing.models import Attempt, Commission, GatewayEvent, Invoice, OrderForm, PartnerProgram, Submission
from billing.models.attempts.base import WAITING, AttemptQuerySet
from billing.models.guard import AlreadyDone, Invalid, Refused
from billing.models.selling.submission import Sent, SubmissionQuerySet
from billing.statuses import CommissionStatus, RefundRoute
from billing.tasks import act_on_notices, look_after_forms, resolve_attempts
from tests.crash.acts import HOURS_UNTIL_NOTHING_IS_DUE, URL, Stage
from tests.crash.plan import Again
from tests.crash.scene import wait_until
from tests.crash.selling import Basket, Beside, Item, Message, Place, Selling, Staff
from tests.crash.shop import code_of, link_of

FROM = "trial "
"""Stands in the place of the address from which an order comes, with the trial's number behind it."""


class Sale(Stage):
    """The invoice that staff deal with is the one in ``marks.invoice``, once there is one."""

    @property
    def acts(self) -> tuple[Callable[[], None], ...]:
        return (
            self.set_up,
            self.order,
            self.change_it,
            self.type_the_first_card,
            self.hear_at_once,
            self.come_back_from_the_page,
            self.try_another_card,
            self.resolve,
            self.wake_the_sleeper,
            self.let_slow_calls_act,
            self.pay_late,
            self.hear_late,
            self.settle,
            self.pay_partners,
            self.deal_with_it,
            self.resolve,
            self.wake_the_sleeper,
            self.let_slow_calls_act,
            self.deal_with_it_again,
            self.settle,
        )

    @property
    def selling(self) -> Selling:
        assert self.trial.selling is not None
        return self.trial.selling

    @property
    def submissions(self) -> SubmissionQuerySet:
        found = Submission.objects.filter(opened_from=f"{FROM}{self.trial.number}")
        return found.with_invoice().order_by("id")

    @property
    def went_well(self) -> bool:
        """The visitor's order was taken."""
        first = self.submissions.get(visit=self.selling.visits[0])
        return first.is_accepted

    # -- the visitor

    def set_up(self) -> None:
        self.scene.note(began=True)

    def order(self) -> None:
        """In the same moment the same is sent once more, or a rival wants the last of the coupon."""
        beside: AbstractContextManager[None]
        match self.selling.beside:
            case Beside.SECOND_CLICK:
                beside = self.meanwhile(lambda: self._send(self.selling.first))
            case Beside.RIVAL:
                beside = self.meanwhile(self._let_rival_order)
            case _:
                beside = nullcontext()
        with beside, self.struck_by(self.selling.blow_at(Place.SENDING)):
            self._click_order(self.selling.first)

    def change_it(self) -> None:
        """Perhaps on a second page, while the card is typed on the first one."""
        if not self.selling.changed:
            return
        pays = self.selling.changes_while_paying and self.trial.customer_pays
        paying = self.meanwhile(lambda: self._type(self.selling.cards[0], self.selling.first))
        with paying if pays else nullcontext(), self.struck_by(self.selling.blow_at(Place.CHANGING)):
            self._click_order(self.selling.changed)

    def type_the_first_card(self) -> None:
        if self.trial.customer_pays and not self.selling.pays_late:
            self._type(self.selling.cards[0], self.selling.last)

    def come_back_from_the_page(self) -> None:
        if not self.trial.customer_comes_back:
            return
        meanwhile = self.selling.message is Message.MEANWHILE
        told = self._told() if meanwhile else []
        hearing = self.meanwhile(lambda: self._hear(told)) if meanwhile else nullcontext()
        with hearing, self.struck_by(self.selling.blow_at(Place.RETURNING)):
            self._look(self.selling.visits[0])

    def try_another_card(self) -> None:
        """Only who is told that the order was not taken, or still sees the page, types another one."""
        if not self.trial.customer_comes_back or len(self.selling.cards) == 1:
            return
        mine = self._found(self.selling.visits[0])
        if mine and mine.is_accepted:
            return
        visit = self.selling.visits[2] if mine and mine.was_refused else self.selling.visits[0]
        self._click_order(self.selling.last, visit)
        self._type(self.selling.cards[1], self.selling.last, visit)
        self._look(visit)

    def pay_late(self) -> None:
        if self.trial.customer_pays and self.selling.pays_late:
            self._type(self.selling.cards[0], self.selling.last)

    # -- the gateway's message

    def hear_at_once(self) -> None:
        if self.selling.message not in (Message.SOON, Message.TWICE):
            return
        told = self._told()
        twice = self.meanwhile(lambda: self._hear(told)) if self.selling.message is Message.TWICE else None
        with twice or nullcontext(), self.struck_by(self.selling.blow_at(Place.HEARING)):
            self._hear(told)

    def hear_late(self) -> None:
        """Once more in other words, as where a page and its charge are told of."""
        if self.selling.message is Message.LATE:
            told = self._told()
            with self.struck_by(self.selling.blow_at(Place.HEARING)):
                self._hear(told)
            self._hear([replace(notice, id=f"{notice.id} once more") for notice in told])

    def _hear(self, told: Sequence[Notice]) -> None:
        """Under the same id it is the same message."""
        for notice in told:
            event = GatewayEvent.objects.write_down(self.counter.name, notice, at=self.scene.now())
            if not event.is_processed:
                event.act(at=self.scene.now())

    def _told(self) -> list[Notice]:
        """What the gateway tells of the pages that have ended."""
        mine = self.submissions.filter(visit__in=self.selling.visits[::2])
        return [notice for each in mine if (notice := self._notice(each))]

    def _notice(self, mine: Submission) -> Notice | None:
        name, attempt = str(mine.visit), mine.last_attempt()
        if attempt and attempt.page_ref:
            outcome = gateways.get(self.counter.name).page_result(attempt.page_ref).outcome
            if outcome is None:
                return None
            return Notice(name, "page", NoticeKind.CHARGE, outcome.ref, attempt.key, attempt.page_ref)
        if mine.card_page:
            return Notice(name, "page", NoticeKind.CARD, page_ref=mine.card_page.page_ref)
        return None

    # -- the desk

    def find_out(self, now: datetime) -> None:
        resolve_attempts(now)
        look_after_forms(now)

    def settle(self) -> None:
        wait_until(lambda: not self.scene.marks.others)
        for hours in HOURS_UNTIL_NOTHING_IS_DUE:
            if not self._left():
                break
            now = self.scene.pass_time(hours)
            act_on_notices(now)
            self.find_out(now)
        self.scene.note(waiting=self._left())

    def _left(self) -> int:
        """How much the desk still has to find out."""
        messages = GatewayEvent.objects.waiting()
        return self._waiting().count() + self.submissions.unfinished().count() + messages.count()

    def _waiting(self) -> AttemptQuerySet:
        return Attempt.objects.filter(invoice__submission__in=self.submissions, state__in=WAITING)

    # -- staff

    def pay_partners(self) -> None:
        """What is earned on the sale is approved and paid out, before anything of it goes back."""
        earned = Commission.objects.filter(invoice__submission__in=self.submissions)
        ids = earned.filter(status=CommissionStatus.PENDING).values_list("pk", flat=True)
        if not self.selling.is_paid_out or not ids:
            return
        program = PartnerProgram.objects.get(pk=self.orders.shop.programs[self.trial.number])
        Commission.approve(None, ids=list(ids), at=self.scene.now())
        program.pay_out(None, currency=self.trial.currency, at=self.scene.now())

    def deal_with_it(self) -> None:
        taken = [each.invoice for each in self.submissions if each.is_accepted]
        if not taken:
            return
        self.scene.marks.invoice, self.scene.marks.seen = taken[0].pk, taken[0].version
        with self.struck_by(self.selling.blow_at(Place.STAFF)):
            self._deal()

    def deal_with_it_again(self) -> None:
        if self.scene.marks.invoice and self.trial.again[1] is Again.RESENDS:
            self._deal()

    def _deal(self) -> None:
        """As the dialog was opened, however often it is sent."""
        asked = {"key": self.trial.key, "seen": self.scene.marks.seen}
        try:
            match self.selling.staff:
                case Staff.REFUND:
                    self._refund(self.invoice)
                case Staff.VOID:
                    self.invoice.void(None, reason="Ordered by mistake", **asked)
                case Staff.RERUN:
                    self.invoice.rerun_commissions(None, **asked)
        except (Refused, AlreadyDone) as answer:
            self.scene.note(told=str(answer))

    def _refund(self, invoice: Invoice) -> None:
        amount = refunded(self.selling, invoice.total, self.orders.shop.coins[invoice.currency])
        if amount:
            invoice.refund(
                None,
                amount=amount,
                route=RefundRoute.GATEWAY,
                reason="Broken",
                send_receipt=self.trial.receipt,
                key=self.trial.key,
                seen=self.scene.marks.seen,
            )

    # -- how

    def _found(self, visit: UUID) -> Submission | None:
        return self.submissions.filter(visit=visit).first()

    def _look(self, visit: UUID) -> None:
        mine = self._found(visit)
        if mine:
            mine.look(at=self.scene.now())

    def _click_order(self, basket: Basket, visit: UUID | None = None) -> None:
        """The button is pressed: what is refused is no fault, and a code that is used up is left out."""
        try:
            self._send(basket, visit)
        except (Refused, AlreadyDone) as answer:
            self.scene.note(told=str(answer))

    def _let_rival_order(self) -> None:
        rival = Basket(self.selling.first.item, 1, with_code=True)
        self._send(rival, self.selling.visits[1], name="Rival")

    def _send(self, basket: Basket, visit: UUID | None = None, *, name: str = "Visitor") -> None:
        form = OrderForm.objects.get(pk=self.orders.shop.forms[self.trial.currency])
        visit = visit or self.selling.visits[0]
        code = code_of(self.trial) if basket.with_code else ""
        try:
            submission = Submission.send(form, visit, self._sent(form, basket, name, code))
        except Invalid:
            submission = Submission.send(form, visit, self._sent(form, basket, name, ""))
        submission.lead_on(back=URL, at=self.scene.now())

    def _sent(self, form: OrderForm, basket: Basket, name: str, code: str) -> Sent:
        offers = form.offers()
        item = offers[list(Item).index(basket.item)].item
        now = self.scene.now()
        typed = {"name": name, "email": f"{name.lower()}-{self.trial.number}@example.com"}
        return Sent(
            {**typed, "coupon": code} if code else typed,
            form.basket(offers, {item.pk: basket.quantity}),
            at=now,
            opened_from=f"{FROM}{self.trial.number}",
            referrals=[[link_of(self.trial), now.isoformat()]] if self.selling.with_link else [],
        )

    def _type(self, card: str, basket: Basket, visit: UUID | None = None) -> None:
        """On the page, if one was shown, or if pressing the button once more shows one."""
        visit = visit or self.selling.visits[0]
        page = self._page(visit)
        if not page:
            self._click_order(basket, visit)
            page = self._page(visit)
        if page:
            self.counter.pay(page, card, confirms=self.trial.customer_confirms, at=self.scene.now())
            self._note_card(page)

    def _note_card(self, page: str) -> None:
        """Where a card was left that nothing is charged to, the order must be taken in the end."""
        result = gateways.get(self.counter.name).page_result(page)
        if result.card and not result.outcome:
            self.scene.note(left=page)

    def _page(self, visit: UUID) -> str:
        mine = self._found(visit)
        if mine is None or mine.finished_at:
            return ""
        attempt = mine.last_attempt()
        if attempt and not attempt.is_final:
            return attempt.page_ref
        return mine.card_page.page_ref if mine.card_page else ""


def refunded(selling: Selling, total: Decimal, coin: Decimal) -> Decimal:
    """What staff ask to be given back of the price, in coins that the gateway takes."""
    return total * selling.part / 100 // coin * coin
