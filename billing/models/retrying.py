"""What staff see of a stay in Collections, and do about it: charge now, this card or another one."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Q
from django.utils.text import get_text_list
from django.utils.translation import gettext as _now

from billing import clock, periods
from billing.models.card import Card
from billing.models.collecting import Collecting
from billing.models.event import Event
from billing.models.guard import Actor, AlreadyDone, Deed, NotOffered, Refused, guarded, once
from billing.models.recharging.schedule import RechargeSchedule, here
from billing.statuses import AttemptKind, AttemptState

if TYPE_CHECKING:
    from billing.models.attempt import Attempt
    from billing.models.invoice import Invoice

LISTED, CHARGES_LISTED = 5, 10
"""Days to come, and charges so far, that a page lists one by one."""


@dataclass(frozen=True, slots=True)
class Stay:
    """What the page of an invoice tells of its stay in Collections.

    ``attempts``: its charges, the latest first. ``to_come``: the days on which it is retried if nothing
    changes. ``others``: usable cards on file that are not retried.
    """

    schedule: RechargeSchedule
    attempts: list[Attempt]
    to_come: list[date]
    others: list[Card]
    outlook: str

    @property
    def later(self) -> int:
        """How many days are to come after those that a page lists."""
        return max(0, len(self.to_come) - LISTED)

    @property
    def earlier(self) -> int:
        """How many charges were before those that a page lists."""
        return max(0, len(self.attempts) - CHARGES_LISTED)


class Retrying(Collecting):
    class Meta:
        abstract = True

    @guarded("retry")
    def retry(self, by: Actor, *, card: Card) -> Deed:
        """Charge another card, or the same one, with the worker's next run and on the dates that follow.

        Raises Invalid for a card that is not on file.
        """
        now = clock.now()
        card = Card.objects.locked_on_file(card, self.contact)
        self.collect_from(card, at=now)
        self.charge_due_at = now
        self.store("charge_due_at")
        text = _now(
            "%(card)s is charged %(balance)s now, and again on the dates that follow if it is declined."
        )
        words = {"card": card, "balance": self.show(self.balance)}
        return Deed(text % words, {"card": str(card), "balance": str(self.balance)})

    def stay(self) -> Stay | None:
        """The stay in Collections that is, or the last one that was. At most four queries."""
        schedule = self.schedules.select_related("card").order_by("-id").first()
        if schedule is None:
            return None
        attempts = self._told_of(schedule)
        if schedule.left_at:
            return Stay(schedule, attempts, [], [], "")
        made = self._retries_made(schedule)
        to_come = []
        if self.charge_due_at:
            first = periods.day_at(self.charge_due_at, here())
            to_come = [first, *schedule.retries.after(first, made=made + 1)]
        return Stay(
            schedule,
            attempts,
            to_come,
            self.other_cards(schedule),
            schedule.outlook(self.charge_due_at, made=made),
        )

    def _told_of(self, schedule: RechargeSchedule) -> list[Attempt]:
        """The charge that led into Collections, and those during the stay, the latest first."""
        since = Q(kind=AttemptKind.CHARGE, started_at__gt=schedule.entered_at)
        if schedule.left_at:
            since &= Q(started_at__lte=schedule.left_at)
        found = self.attempts.filter(since | Q(pk=schedule.declined_id))
        return list(found.exclude(state=AttemptState.PAGE_OPEN).select_related("card").order_by("-id"))


def retry_all(by: Actor, invoices: Collection[Invoice], *, card: Card, key: UUID) -> Event:
    """Retry each of them with the card, in a transaction of its own; the event says which, and why not the
    others. Raises NotOffered when none could be, and AlreadyDone.
    """
    used_once = card.one_time_key(key, by, "retry_card")
    used_once.refuse_used()
    done, refused = [], []
    for invoice in invoices:
        try:
            invoice.retry(by, card=card, key=uuid.uuid5(key, str(invoice.pk)))
        except AlreadyDone:
            done.append(str(invoice))
        except Refused as refusal:
            refused.append(str(refusal))
        else:
            done.append(str(invoice))
    if not done:
        raise NotOffered(" ".join(refused))
    text = _now("%(card)s is charged now for %(numbers)s.")
    words = {"card": card, "numbers": get_text_list(done, _now("and"))}

    def note() -> Event:
        used_once.refuse_used()
        return card.note(by, "retry_card", " ".join([text % words, *refused]), key)

    return once(used_once, note)
