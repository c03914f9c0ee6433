"""An invoice in Collections: its declined card is charged again, until the money comes or the end does.

Only the card that was declined is retried; another one is, when somebody chooses it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.utils.text import get_text_list
from django.utils.translation import gettext as _now

from billing import clock, periods
from billing.models.card import Card
from billing.models.ending import Ending
from billing.models.guard import Actor, Deed, guarded, tell
from billing.models.recharging.schedule import RechargeSchedule, here
from billing.models.recharging.settings import NAME, RechargeSettings
from billing.statuses import AttemptKind, AttemptState, InvoiceStatus, Stopped

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.attempt import Attempt


class Collecting(Ending):
    if TYPE_CHECKING:
        schedules: RelatedManager[RechargeSchedule]

    class Meta:
        abstract = True

    tells_recovery = False
    """Whether a mail of this moment says that a payment which had failed has come: it is the receipt, too."""

    @property
    def is_in_collections(self) -> bool:
        return self.status == InvoiceStatus.COLLECTIONS

    def schedule(self) -> RechargeSchedule | None:
        """The one that runs. One query."""
        return self.schedules.filter(left_at=None).select_related("card").first()

    # -- in

    @guarded("run_collections")
    def run_collections(self, by: Actor) -> Deed:
        """Hand the invoice over to Collections: the card that was declined is charged again by itself."""
        return self.enter_collections(at=clock.now())

    def enter_collections(self, *, at: datetime) -> Deed:
        """The one way into Collections, in the caller's transaction with this row locked.

        ``at``: when the card was declined, which is when the schedule of retries begins.
        """
        schedule = self.schedule_from(at)
        schedule.save()
        self.charge_due_at = schedule.next_at(at, made=0)
        text = f"{_now('Moved to Collections.')} {self.outlook_of(schedule, self.charge_due_at)}"
        return self._end(InvoiceStatus.COLLECTIONS, text, "")

    def schedule_from(self, at: datetime) -> RechargeSchedule:
        """The schedule that it would have if it entered Collections at that moment, not stored.

        The card is the one that was declined last, or else its order's. At most three queries.
        """
        today, declined = periods.day_at(at, here()), self._last_declined()
        order = self.row.order
        card = (declined.card if declined else None) or (order.card if order else None)
        schedule = RechargeSchedule(
            **RechargeSettings.current().terms(),
            invoice=self.row,
            card=card,
            declined=declined,
            entered_at=at,
            entered_on=today,
        )
        schedule.end_due_at = schedule.ends_at()
        if card is None or card.cannot_be_charged(today):
            schedule.stopped = Stopped.NO_CARD
        elif declined and _refuses_for_good(declined, schedule):
            schedule.stopped = Stopped.HARD
        return schedule

    def _last_declined(self) -> Attempt | None:
        charges = self.attempts.filter(kind=AttemptKind.CHARGE, state=AttemptState.DECLINED)
        return charges.select_related("card").order_by("-settled_at", "-id").first()

    def outlook_of(self, schedule: RechargeSchedule, next_at: datetime | None) -> str:
        """What happens by itself, and which other card exists."""
        words = schedule.outlook(next_at, made=self._retries_made(schedule))
        return f"{words} {self._others_words(schedule)}".strip()

    def _others_words(self, schedule: RechargeSchedule) -> str:
        cards = get_text_list([str(card) for card in self.other_cards(schedule)], _now("and"))
        text = _now("Also on file: %(cards)s, charged only if somebody chooses it.")
        return text % {"cards": cards} if cards else ""

    def other_cards(self, schedule: RechargeSchedule) -> list[Card]:
        """Cards on file that could be charged and are not retried."""
        today = clock.today()
        cards = Card.objects.on_file(self.contact).exclude(pk=schedule.card_id or 0)
        return [card for card in cards if not card.cannot_be_charged(today)]

    # -- on

    def retry_by_itself(self, *, at: datetime) -> None:
        """Charge the schedule's card with all that is owed, once the caller has claimed the charge.

        Raises Refused when the invoice has changed since: the claim ends, and a later run looks again.
        """
        schedule = self.schedule()
        card = schedule.card if schedule else None
        if schedule is None or card is None or card.cannot_be_charged(periods.day_at(at, here())):
            self._stop_without_card(seen=self.version)
            return
        receipt = self.row.order.send_invoices if self.row.order else True
        self.row.pay(None, source=card, amount=self.balance, send_receipt=receipt, seen=self.version)

    def _stop_without_card(self, *, seen: int) -> None:
        with transaction.atomic(durable=True):
            self.lock()
            schedule = self.schedule()
            if self.version != seen or schedule is None:
                return  # somebody else has seen to it
            self.charge_due_at = None
            self._stop(schedule, Stopped.NO_CARD)
            self.store("charge_due_at")

    def _stop(self, schedule: RechargeSchedule, why: Stopped) -> None:
        """Charge it no more, for the caller to store the invoice. The end stays where it is."""
        schedule.stopped = why
        schedule.save(update_fields=["stopped"])
        words = self.outlook_of(schedule, None)
        tell(self.row, None, "retries_stopped", Deed(words, {"why": why, "card": str(schedule.card or "")}))

    def is_retry(self, attempt: Attempt) -> bool:
        """Whether the desk made the charge by itself in Collections: no member of staff, no customer."""
        return attempt.started_by_id is None and not attempt.page_ref and self.is_in_collections

    def _retries_made(self, schedule: RechargeSchedule) -> int:
        """How often the desk has charged by itself, and was declined, in this stay."""
        if not schedule.pk:
            return 0
        declined = self.charges_of(schedule).filter(state=AttemptState.DECLINED)
        return declined.filter(started_by=None, page_ref="").count()

    def charges_of(self, schedule: RechargeSchedule) -> models.QuerySet[Attempt]:
        """Those since it entered Collections."""
        return self.attempts.filter(kind=AttemptKind.CHARGE, started_at__gt=schedule.entered_at)

    def go_on_collecting(self, attempt: Attempt, *, at: datetime) -> None:
        """Put down what comes after a charge that was booked, in the caller's transaction with this row
        locked. Nothing, when the invoice is not in Collections any more.
        """
        if self.is_in_collections:
            self.plan_retry(attempt, at=at)
            self.store("charge_due_at")
            self._tell_of_failure(attempt, first=False)

    def enter_declined(self, attempt: Attempt | None, *, at: datetime) -> None:
        """Enter Collections with a charge that the desk made by itself, or without one when there was no
        card to charge, in the caller's transaction.
        """
        tell(self.row, None, "run_collections", self.enter_collections(at=at))
        self._tell_of_failure(attempt, first=True)

    def _tell_of_failure(self, attempt: Attempt | None, *, first: bool) -> None:
        """Write to the customer, as the settings have it, about a charge that nobody made by hand."""
        schedule = self.schedule()
        if schedule is None or not (schedule.mails_first_failure if first else schedule.mails_each_failure):
            return
        if attempt is None:
            self.row.queue_request()
        elif attempt.state == AttemptState.DECLINED and self.is_retry(attempt):
            next_on = periods.day_at(self.charge_due_at, here()) if self.charge_due_at else None
            self.row.queue_payment_failed(attempt, next_try_on=next_on, first=first)

    def plan_retry(self, attempt: Attempt, *, at: datetime) -> None:
        """Put down when the card is charged again, or that it is not, for the caller to store.

        A charge that is due already stays so. After the last retry the end is due at once.
        """
        schedule = self.schedule()
        if schedule is None or self.awaiting_gateway or self.charge_due_at:
            return
        if not schedule.stopped and _refuses_for_good(attempt, schedule):
            self._stop(schedule, Stopped.HARD)
        self.charge_due_at = schedule.next_at(at, made=self._retries_made(schedule))
        was_last = self.is_retry(attempt) and attempt.state == AttemptState.DECLINED
        if was_last and not self.charge_due_at and not schedule.stopped:
            schedule.end_due_at = at
            schedule.save(update_fields=["end_due_at"])

    def may_repeat(self, at: datetime) -> bool:
        """Whether a charge that was not made may be made before its next date: until the last day is over,
        so that one of the last day is not lost. The end waits for it.
        """
        schedule = self.schedule()
        if schedule is None or schedule.end_due_at is None:
            return True
        return periods.day_at(at, here()) <= schedule.ends_on

    # -- another card

    def collect_from(self, card: Card | None, *, at: datetime) -> None:
        """Retry this card from now on, or none, in the caller's transaction with this row locked, for the
        caller to store.
        """
        schedule = self.schedule()
        if schedule is None:
            return
        schedule.card = card
        if schedule.stopped != Stopped.OVER:
            schedule.stopped = "" if card else Stopped.NO_CARD
        if card is None:
            self.charge_due_at = None
        elif not self.charge_due_at and not self.awaiting_gateway:
            self.charge_due_at = schedule.next_at(at, made=self._retries_made(schedule))
        schedule.save(update_fields=["card", "stopped"])

    # -- out

    def leave_collections(self) -> None:
        """End the schedule of an invoice that has become something else, in the caller's transaction."""
        schedule = self.schedule()
        if schedule is None:
            return
        schedule.left_at, schedule.left_as, schedule.end_due_at = clock.now(), self.status, None
        schedule.save(update_fields=["left_at", "left_as", "end_due_at"])
        if self.status == InvoiceStatus.CLOSED and schedule.mails_recovered and self.contact.email:
            self.row.queue_recovered()
            self.tells_recovery = True

    def end_retries(self, *, at: datetime) -> None:
        """Carry out what the settings say of the end, once the caller has claimed it.

        Raises Refused when the invoice has changed since, and when it cannot be written off just now.
        """
        schedule = self.schedule()
        if schedule and schedule.is_written_off:
            self._write_off_at_the_end(None, seen=self.version)
        elif schedule:
            self._stay_for_good(seen=self.version)

    @guarded("write_off")
    def _write_off_at_the_end(self, by: Actor) -> Deed:
        schedule = self.schedule()
        deed = self._as_bad_debt(_now("nothing could be collected from its card"))
        if schedule and schedule.mails_written_off:
            self.row.queue_written_off_notice()
        return replace(deed, actor_name=str(NAME))

    def _stay_for_good(self, *, seen: int) -> None:
        with transaction.atomic(durable=True):
            self.lock()
            schedule = self.schedule()
            if self.version != seen or schedule is None:
                return
            schedule.stopped, schedule.end_due_at = Stopped.OVER, None
            schedule.save(update_fields=["stopped", "end_due_at"])
            text = _now("The retries have ended. %(balance)s stays owed, and the invoice in Collections.")
            deed = Deed(text % {"balance": self.show(self.balance)}, actor_name=str(NAME))
            tell(self.row, None, "retries_ended", deed)
            self.store("charge_due_at")


def _refuses_for_good(attempt: Attempt, schedule: RechargeSchedule) -> bool:
    hard = attempt.state == AttemptState.DECLINED and attempt.is_hard and schedule.stops_on_hard
    return hard and attempt.card_id is not None and attempt.card_id == schedule.card_id
