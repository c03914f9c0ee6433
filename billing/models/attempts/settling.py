"""The only place where a gateway's answer becomes money: once, however often and from wherever it is told."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from billing import clock
from billing.gateways import CardDetails, Outcome, fit
from billing.models.attempts.base import TOLD, AttemptBase
from billing.statuses import FINAL, AttemptState

log = logging.getLogger(__name__)


class Settling(AttemptBase):
    class Meta:
        abstract = True

    def settle(
        self,
        outcome: Outcome,
        *,
        card: CardDetails | None = None,
        expected_ref: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Turn the gateway's answer into money, once, however often and from wherever it is told.

        ``expected_ref``: do nothing if a reference has changed since the answer was decided.
        """
        at = at or clock.now()
        page_ref = self.page_ref
        with transaction.atomic(durable=True):
            invoice = self.invoice
            invoice.lock()
            self.refresh_from_db(from_queryset=type(self.row).objects.select_for_update(of=("self",)))
            self.invoice = invoice  # the locked one, which the caller may hold too
            outcome = self._about_this(outcome)
            refs = (self.gateway_ref, self.page_ref)
            moved_on = expected_ref is not None and refs != (expected_ref, page_ref)
            if moved_on or (self.is_final and not self._proves_wrong(outcome)):
                return
            if outcome.state in FINAL:
                self._finish(outcome, card, at)
            else:
                self._wait(outcome)

    def _about_this(self, outcome: Outcome) -> Outcome:
        """The answer, or none when it is about another charge or refund than the one on our books."""
        if not outcome.ref or self.gateway_ref in ("", outcome.ref):
            return outcome
        log.error(
            "Attempt %s: the gateway answered about %s, not %s", self.key, outcome.ref, self.gateway_ref
        )
        return Outcome(AttemptState.UNKNOWN)

    def _proves_wrong(self, outcome: Outcome) -> bool:
        """Whether the gateway moved money after it had said that it never would: booked, with an alarm.

        Payments are final: the one that says *declined* stays, and an applied one comes beside it.
        """
        wrong = self.state != AttemptState.APPROVED and outcome.state == AttemptState.APPROVED
        if wrong:
            log.error("Attempt %s: the gateway moved money after it had said that it would not", self.key)
        return wrong

    def _finish(self, outcome: Outcome, card: CardDetails | None, at: datetime) -> None:
        nobody_came = self.state == AttemptState.PAGE_OPEN and outcome.state == AttemptState.NOT_CHARGED
        self.state = outcome.state
        self.gateway_ref = outcome.ref or self.gateway_ref
        self.code, self.message, self.is_hard = fit(outcome.code, 60), fit(outcome.message, 255), outcome.hard
        self.settled_at = at
        self.save(update_fields=["state", "gateway_ref", "code", "message", "is_hard", "settled_at"])
        if not nobody_came:  # a page that was closed unused blocked nothing and is no news
            self.invoice.book(self.row, card=card, at=at)

    def _wait(self, outcome: Outcome) -> None:
        """Not final: the resolver asks on.

        No answer says nothing new about an attempt of which the gateway has said something before. While
        another attempt is in flight, a page goes on waiting where it is.
        """
        blocked = self.state == AttemptState.PAGE_OPEN and self.invoice.awaiting_gateway
        known = outcome.state == AttemptState.UNKNOWN and self.state in TOLD
        if blocked or known:
            return
        before = self.state
        self.state = outcome.state if outcome.state != AttemptState.STARTED else self.state
        self.gateway_ref = outcome.ref or self.gateway_ref
        self.code, self.message = fit(outcome.code, 60), fit(outcome.message, 255)
        self.save(update_fields=["state", "gateway_ref", "code", "message"])
        if self.state != before:
            self.invoice.wait_for(self.row)
