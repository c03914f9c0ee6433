"""An invoice and the orders it belongs to: those that its issuing starts, and the one that asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db import transaction
from django.utils.translation import gettext as _now

from billing import periods
from billing.models.editing import Editing, Header
from billing.models.guard import Actor, Deed, tell
from billing.models.line import LineInput
from billing.statuses import AttemptState, InvoiceStatus

if TYPE_CHECKING:
    from billing.models.attempt import Attempt
    from billing.models.orders.order import Order

AGAIN = timedelta(hours=1)
"""How long the desk waits before it charges again what certainly was not charged."""


class Recurring(Editing):
    class Meta:
        abstract = True

    # -- orders that the invoice starts

    def start_orders(self, by: Actor, *, at: datetime) -> None:
        """Start what its lines sell, in the transaction that issues it. Raises Invalid."""
        if self.order_id is None:
            self.row.started_orders.start_from(self.row, by, at=at)

    def tell_orders(self) -> None:
        """Let its orders follow what has become of it, in the caller's transaction with this row locked.

        An invoice is always locked before its orders, and orders one by one in their order.
        """
        for order in self.row.started_orders.order_by("pk").locked():
            order.follow()
        if self.order_id and self.row.order:
            self.row.order.lock()
            self.row.order.follow()

    # -- the invoice of one period

    @classmethod
    def issued_for(
        cls, order: Order, *, period: int, header: Header, lines: Sequence[LineInput], at: datetime
    ) -> Self:
        """The invoice of a period, issued as it is made, in the caller's transaction with the order locked.

        Its charge is due at once. Raises Invalid.
        """
        invoice = cls(contact=order.contact, order=order, period=period)
        invoice._take(header)
        invoice.save()
        invoice._put_lines(lines)
        invoice.store(*invoice.summarize(), *invoice.recompute())
        invoice.charge_due_at = at
        tell(invoice, None, "issue", invoice._number(at))
        return invoice

    # -- charging by itself

    def charge_by_itself(self, *, at: datetime) -> None:
        """Charge the order's card with all that is owed, through an attempt like any other.

        Without a card that could pay, the timeline says so and the invoice stays as it is. Raises Refused
        when the invoice has changed since it was claimed: the claim ends, and a later run looks again.
        """
        order = self.row.order
        assert order is not None  # a constraint of the table
        card = order.card
        if card is None or card.removed_at:
            self._tell_unchargeable(_now("%(order)s has no card") % {"order": order})
        elif card.is_expired(periods.day_at(at, order.here)):
            words = {"card": card, "order": order}
            self._tell_unchargeable(_now("%(card)s of %(order)s has expired") % words)
        else:
            receipt = order.send_invoices
            self.row.pay(None, source=card, amount=self.balance, send_receipt=receipt, seen=self.version)

    def _tell_unchargeable(self, why: str) -> None:
        with transaction.atomic(durable=True):
            self.lock()
            if not self.charge_due_at:
                return  # somebody else has seen to it
            self.charge_due_at = None
            words = {"why": why, "balance": self.show(self.balance)}
            text = _now("%(why)s: %(balance)s was not charged and stays owed.") % words
            tell(self.row, None, "charge_not_possible", Deed(text))
            self.store("charge_due_at")

    def is_by_itself(self, attempt: Attempt) -> bool:
        """Whether the desk started the attempt, not a member of staff, nor the customer on a page."""
        by_nobody = attempt.started_by_id is None and not attempt.page_ref
        return by_nobody and self.order_id is not None

    def charge_again(self, attempt: Attempt, *, at: datetime) -> None:
        """Put down when to charge again what the desk did not manage to, for the caller to save.

        A charge that waited for the customer is not repeated: it would wait again. Neither is one that the
        gateway refuses to be asked for.
        """
        waited = attempt.events.filter(action=f"attempt_{AttemptState.NEEDS_ACTION}").exists()
        if self.is_by_itself(attempt) and self.is_owing and not waited and not attempt.is_hard:
            self.charge_due_at = at + AGAIN

    def ask_to_confirm(self, attempt: Attempt) -> None:
        """Send the customer the pay link when the desk made a charge by itself and their bank wants them, in
        the caller's transaction.
        """
        if self.is_by_itself(attempt) and attempt.state == AttemptState.NEEDS_ACTION:
            self.row.queue_request()

    def take_charge_over(self, attempt: Attempt, *, at: datetime) -> None:
        """What the orders make of a charge that was booked, in the caller's transaction."""
        if attempt.state == AttemptState.APPROVED:
            self.row.started_orders.keep_card(attempt, at=at)
        elif self.status == InvoiceStatus.OPEN and self.is_by_itself(attempt):
            tell(self.row, None, "run_collections", self.row.enter_collections(at=at))
