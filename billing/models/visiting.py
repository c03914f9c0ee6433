"""What a customer does with an invoice's links: opening them, and paying on a page of the gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.models.attempt import Attempt
from billing.models.attempts.base import GRACE
from billing.models.base import InvoiceBase
from billing.models.guard import Deed, NotOffered, Refused, tell
from billing.models.payment import Payment
from billing.statuses import AttemptKind, AttemptState

if TYPE_CHECKING:
    from billing.gateways import Page

HOUR = timedelta(hours=1)
MOST_DECLINES = 5
"""So many within an hour, on one link or from one address, look like somebody trying out stolen cards."""
LATELY = timedelta(days=2)
"""A payment of the same amount within so long may be the one that the customer is calling about."""
PAGE_USED_FOR = timedelta(hours=23)
"""How long an open payment page is led to again; gateways close theirs after a day."""
OPENINGS = {
    "invoice_opened": _("The invoice was opened by its link."),
    "pay_page_opened": _("The pay page was opened by its link."),
}


class TooManyDeclines(Refused):
    """Cards seem to be tried out here; nothing is taken before ``until``."""

    def __init__(self, sentence: str, *, until: datetime) -> None:
        super().__init__(sentence)
        self.until = until


def refused_until(declines: Sequence[datetime]) -> datetime | None:
    """An hour after the last of five declines within an hour. ``declines`` must be in order."""
    ends = [
        last + HOUR
        for first, last in zip(declines, declines[MOST_DECLINES - 1 :], strict=False)
        if last - first <= HOUR
    ]
    return max(ends, default=None)


def too_many(sources: Iterable[Sequence[datetime]], sentence: str, at: datetime) -> TooManyDeclines | None:
    """The refusal while any of the ``sources`` closes the page; ``sentence`` says until what ``time``."""
    ends = [refused_until(declines) for declines in sources]
    until = max((end for end in ends if end and end > at), default=None)
    if until is None:
        return None
    time = time_format(timezone.localtime(until), "H:i e")
    return TooManyDeclines(sentence % {"time": time}, until=until)


def _ago(moment: datetime, at: datetime) -> str:
    """``just now``, ``2 minutes ago``."""
    if at - moment < timedelta(minutes=1):
        return _now("just now")
    return _now("%(time)s ago") % {"time": timesince(moment, at)}


class Visiting(InvoiceBase):
    class Meta:
        abstract = True

    # -- opening a link

    def note_opened(self, action: str, *, at: datetime) -> None:
        """Note in the timeline that a link was opened, at most once an hour for each of ``OPENINGS``."""
        recent = self.events.filter(action=action, at__gt=at - HOUR)
        if recent.exists():
            return
        with transaction.atomic(durable=True):
            self.lock()
            if not recent.all().exists():  # asked again, now that nobody else can be noting it
                tell(self.row, None, action, Deed(str(OPENINGS[action])))

    # -- paying

    def open_page(
        self, *, return_url: str, cancel_url: str, remember: bool, at: datetime, opened_from: str = ""
    ) -> Page:
        """A hosted page on which the customer pays the whole balance; the one that is open already, if any.

        ``return_url`` and ``cancel_url`` may hold ``{attempt}``, filled with the attempt's key.
        ``opened_from`` stands for the customer's address. Raises NotOffered and TooManyDeclines.
        """
        refusal = self.refusal_to_pay(at=at, opened_from=opened_from)
        if refusal:
            raise refusal
        self._call_off_waiting(at)
        for attempt in self._open_pages():
            if not self._serves(attempt, remember=remember, at=at):
                attempt.close_page(at=at)
            elif attempt.page_ref or at - attempt.started_at > GRACE:  # otherwise it is being opened just now
                attempt.ask(at=at)
        attempt = self._start_page(remember=remember, opened_from=opened_from, at=at)
        key = str(attempt.key)
        return attempt.open_page(
            description=str(self),
            return_url=return_url.replace("{attempt}", key),
            cancel_url=cancel_url.replace("{attempt}", key),
        )

    def close_pages(self) -> None:
        """Close the customers' open payment pages; one that was completed just now is recorded instead."""
        now = clock.now()
        for attempt in self._open_pages():
            attempt.close_page(at=now)

    def _open_pages(self) -> list[Attempt]:
        attempts = list(Attempt.objects.open_pages().filter(invoice_id=self.pk))
        for attempt in attempts:
            attempt.invoice = self.row
        return attempts

    def _serves(self, attempt: Attempt, *, remember: bool, at: datetime) -> bool:
        """Whether an open page still asks for what this customer would be asked for now."""
        asks = (attempt.amount, attempt.remember_card)
        return asks == (self.balance, remember) and at - attempt.started_at < PAGE_USED_FOR

    def _start_page(self, *, remember: bool, opened_from: str, at: datetime) -> Attempt:
        """The attempt to lead the customer to. Two clicks at once are given the same."""
        with transaction.atomic(durable=True):
            self.lock()
            refusal = self.refusal_to_pay(at=at, opened_from=opened_from)
            if refusal or self.awaiting_gateway:
                raise refusal or self._in_progress()
            serving = (one for one in self._open_pages() if self._serves(one, remember=remember, at=at))
            return next(serving, None) or Attempt.start(
                self.row,
                None,
                kind=AttemptKind.CHARGE,
                gateway=settings.GATEWAY,
                state=AttemptState.PAGE_OPEN,
                amount=self.balance,
                remember_card=remember,
                send_receipt=True,
                opened_from=opened_from,
            )

    def _call_off_waiting(self, at: datetime) -> None:
        """A charge that waits for the customer's confirmation gives way when that customer comes to pay."""
        for attempt in self.attempts.filter(kind=AttemptKind.CHARGE, state=AttemptState.NEEDS_ACTION):
            attempt.invoice = self.row
            attempt.cancel(None, at=at)

    # -- what an agent should know first

    def cautions(self, amount: Decimal, *, at: datetime) -> list[str]:
        """Signs that this money is on its way, or came, by another channel, for whoever is about to take it.

        A sentence each; none forbids anything. At most three queries.
        """
        return [*self._charged_soon(at), *self._customer_is_here(at), *self._paid_lately(amount, at)]

    def _charged_soon(self, at: datetime) -> Iterator[str]:
        if self.charge_due_at:
            due = max(self.charge_due_at, at)
            when = _now("now") if due == at else _now("in %(time)s") % {"time": timesince(at, due)}
            schedule = self.row.schedule()
            if schedule:
                text = _now("The desk itself tries %(card)s again %(when)s.")
                yield text % {"card": schedule.card, "when": when}
            else:
                yield _now("The desk itself charges this to the card of its order %(when)s.") % {"when": when}

    def _customer_is_here(self, at: datetime) -> Iterator[str]:
        visits = self.events.filter(action="pay_page_opened", at__range=(at - HOUR, at))
        opened = visits.order_by("-at").first()
        if opened:
            yield _now("The customer opened the pay page %(ago)s.") % {"ago": _ago(opened.at, at)}

    def _paid_lately(self, amount: Decimal, at: datetime) -> Iterator[str]:
        same = Payment.objects.of(self.contact).received().filter(amount=amount, currency=self.currency)
        lately = same.filter(made_at__range=(at - LATELY, at), refunded_amount=0).for_list().first()
        if lately:
            yield _now("The same amount, %(amount)s, was paid by %(method)s on %(invoice)s %(ago)s.") % {
                "amount": self.show(amount),
                "method": lately.method_label,
                "invoice": lately.invoice,
                "ago": _ago(lately.made_at, at),
            }

    # -- why not

    def refusal_to_pay(self, *, at: datetime, opened_from: str) -> Refused | None:
        """Why a customer cannot pay now, or None. At most three queries."""
        if not self.is_owing or not self.balance:
            return NotOffered(_now("%(invoice)s has nothing left to pay.") % {"invoice": self})
        gives_way = Q(kind=AttemptKind.CHARGE, state=AttemptState.NEEDS_ACTION)
        others = Attempt.objects.in_flight().filter(invoice=self.row).exclude(gives_way)
        if self.awaiting_gateway and others.exists():
            return self._in_progress()
        return self._too_many_declines(at, opened_from)

    def _in_progress(self) -> NotOffered:
        sentence = _now("A payment of %(invoice)s is being processed. Please look again in a few minutes.")
        return NotOffered(sentence % {"invoice": self})

    def _too_many_declines(self, at: datetime, opened_from: str) -> TooManyDeclines | None:
        declines = Attempt.objects.page_declines(since=at - 2 * HOUR)
        sources = [declines.filter(invoice_id=self.pk)]
        if opened_from:
            sources.append(declines.filter(opened_from=opened_from))
        sentence = _now(
            "Five payments were declined here within an hour. To keep cards from being tried out, this page"
            " takes no payment before %(time)s. Please come back then."
        )
        moments = [[one.settled_at for one in source if one.settled_at] for source in sources]
        return too_many(moments, sentence, at)
