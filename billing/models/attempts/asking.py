"""Asking a gateway how an attempt ended, and calling one off. Nothing here charges."""

from __future__ import annotations

import logging
from datetime import datetime

from django.utils.translation import gettext as _now

from billing import clock, money
from billing.actions import ACTIONS
from billing.gateways import Gateway, Outcome
from billing.models.attempts.base import PAGE_LIVES, REFUND_NEVER_CAME_AFTER, SAME_KEY_FOR
from billing.models.attempts.hosting import Hosting
from billing.models.guard import Actor, Deed, NotAllowed, NotOffered, may, outside_transaction, tell
from billing.models.offering import role_sentence
from billing.statuses import AttemptKind, AttemptState

log = logging.getLogger(__name__)


class Asking(Hosting):
    class Meta:
        abstract = True

    def ask(self, *, at: datetime) -> None:
        """Ask the gateway how this ended and settle it. Never charges again. No transaction may be open."""
        outside_transaction()
        if self.is_final:
            return
        is_open = self.state == AttemptState.PAGE_OPEN
        if is_open and (at - self.started_at > PAGE_LIVES or not self.page_ref or self._is_outdated()):
            self.close_page(at=at)
        elif is_open or (self.page_ref and not self.gateway_ref):
            self._ask_page(at, lambda gateway: gateway.page_result(self.page_ref))
        elif self.kind == AttemptKind.REFUND:
            self.settle(self._asked_safely(lambda gateway: self._ask_refund(gateway, at)), at=at)
        elif not self.gateway_ref:
            words = _now("The charge never reached the gateway. The card was not charged.")
            self.settle(Outcome(AttemptState.NOT_CHARGED, message=words), expected_ref="", at=at)
        else:
            self.settle(self._asked_safely(self._ask_charge), at=at)

    def _is_outdated(self) -> bool:
        """Whether the page asks for what is not owed any more: it could not be closed when that changed."""
        self.invoice.refresh_from_db(fields=["status", "balance"])
        asked_for = self.invoice.is_owing or self.invoice.is_being_ordered
        return not asked_for or self.amount != self.invoice.balance

    def cancel(self, by: Actor, *, at: datetime) -> None:
        """Call off a charge that waits for the customer. Raises NotAllowed, NotOffered.

        The gateway's answer decides: it may say it was paid.
        """
        outside_transaction()
        if not may(by, ACTIONS["pay"].codename):
            raise NotAllowed(role_sentence(ACTIONS["pay"]))
        if not self.can_be_cancelled:
            raise NotOffered(
                _now("This attempt is “%(state)s”: only one that waits for the customer can be cancelled.")
                % {"state": self.get_state_display()}
            )
        words = _now("The card company was asked to call off the charge of %(amount)s.")
        text = words % {"amount": money.show(self.amount, self.currency)}
        tell(self.invoice, by, "cancel_charge", Deed(text, related={"attempt": self}))
        self.settle(self._asked_safely(lambda gateway: gateway.cancel(self.gateway_ref)), at=at)

    def _ask_charge(self, gateway: Gateway) -> Outcome:
        outcome = gateway.retrieve(self.gateway_ref)
        if outcome.state == AttemptState.STARTED:  # written down at the gateway, never confirmed
            return gateway.cancel(self.gateway_ref)
        return outcome

    def _ask_refund(self, gateway: Gateway, at: datetime) -> Outcome:
        assert self.refund_of is not None
        found = gateway.find_refund(self.refund_of.gateway_ref, key=self.key)
        if found:
            return found
        age = at - self.started_at
        if age < SAME_KEY_FOR:
            return self._send_refund(gateway)
        if age < REFUND_NEVER_CAME_AFTER:
            return Outcome(AttemptState.UNKNOWN)
        words = _now("The gateway knows of no such refund. No money went back; it is safe to try again.")
        return Outcome(AttemptState.NOT_CHARGED, message=words)

    def _send_refund(self, gateway: Gateway) -> Outcome:
        """Raises TimeoutError once the gateway may have forgotten the key, even to a process that slept."""
        assert self.refund_of is not None  # a constraint of the table
        if clock.now() - self.started_at >= SAME_KEY_FOR:
            raise TimeoutError("The gateway may have forgotten this key: it could refund twice.")
        return gateway.refund(
            self.refund_of.gateway_ref, key=self.key, amount=self.amount, currency=self.currency
        )
