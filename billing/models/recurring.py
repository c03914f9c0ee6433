"""An invoice and the orders it belongs to: those that its issuing starts, and the one that asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db import transaction
from django.utils.translation import gettext as _now

from billing import periods
from billing.models.coupons.code import CouponCode
from billing.models.coupons.discount import Discount
from billing.models.editing import Editing, Header
from billing.models.guard import Actor, Deed, Invalid, tell
from billing.models.line import InvoiceLine, LineInput
from billing.models.retrying import Retrying
from billing.statuses import AttemptState, InvoiceStatus, SoldAs

if TYPE_CHECKING:
    from billing.models.attempt import Attempt
    from billing.models.card import Card
    from billing.models.orders.order import Order
    from billing.models.product import Product

AGAIN = timedelta(hours=1)
"""How long the desk waits before it charges again what certainly was not charged."""


class Recurring(Retrying, Editing):
    class Meta:
        abstract = True

    # -- orders that the invoice starts

    def start_orders(self, by: Actor, *, at: datetime) -> None:
        """Start what its lines sell, in the transaction that issues it. Raises Invalid."""
        if self.order_id is None:
            self.row.started_orders.start_from(self.row, by, at=at)
            if self.coupon:
                self.row.started_orders.carry_coupon(by, CouponCode.discount_of(self.coupon))

    def what_it_begins(self) -> Iterator[tuple[InvoiceLine, Product]]:
        """Its lines that begin an order, each with its product on the terms that count, in the invoice's
        currency: those of now, since nobody agreed to others.

        Raises Invalid for a product that has no price there though its terms need one.
        """
        lines = self.lines.exclude(product=None).exclude(product__sold_as=SoldAs.ONCE)
        for line in lines.select_related("product").order_by("position", "id"):
            assert line.product is not None
            sold = line.product.priced_in(self.currency)
            if sold is None and line.product.asks_another_price_first:
                rule = _now(
                    "Currency is %(currency)s: %(product)s has a trial or a delay, and its later payments are"
                    " priced in %(other)s."
                )
                words = {"currency": self.currency, "product": line.product, "other": line.product.currency}
                raise Invalid(rule % words, field="currency")
            yield line, sold or line.product

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
        cls,
        order: Order,
        *,
        period: int,
        header: Header,
        lines: Sequence[LineInput],
        discount: Discount | None,
        at: datetime,
    ) -> Self:
        """The invoice of a period, issued as it is made, in the caller's transaction with the order locked.

        Its charge is due at once. ``discount``: the order's coupon, which was redeemed by the invoice that
        started the order and is not redeemed again. Raises Invalid.
        """
        invoice = cls(contact=order.contact, order=order, period=period)
        invoice._take(header, discount)
        invoice.save()
        invoice._put_lines(lines, discount)
        invoice.store(*invoice.summarize(), *invoice.recompute())
        invoice.charge_due_at = at
        tell(invoice, None, "issue", invoice._number(at))
        return invoice

    # -- charging by itself

    def charge_by_itself(self, *, at: datetime) -> None:
        """Charge the order's card, or in Collections the schedule's, with all that is owed, through an
        attempt like any other.

        An order without a card waits for the customer, and the timeline says so; a card that cannot be
        charged any more counts as declined for good. Raises Refused when the invoice has changed since it
        was claimed: the claim ends, and a later run looks again.
        """
        if self.is_in_collections:
            self.retry_by_itself(at=at)
            return
        order = self.row.order
        assert order is not None  # a constraint of the table
        card = order.card
        if card is None:
            self._tell_unchargeable(_now("%(order)s has no card") % {"order": order}, at=at)
        elif card.cannot_be_charged(periods.day_at(at, order.here)):
            why = _now("%(card)s of %(order)s is not on file any more")
            if not card.removed_at:
                why = _now("%(card)s of %(order)s has expired")
            self._tell_unchargeable(why % {"card": card, "order": order}, at=at, card=card)
        else:
            receipt = order.send_invoices
            self.row.pay(None, source=card, amount=self.balance, send_receipt=receipt, seen=self.version)

    def _tell_unchargeable(self, why: str, *, at: datetime, card: Card | None = None) -> None:
        """With a ``card`` the invoice enters Collections, so that one that replaces it is charged at once."""
        seen = self.version
        with transaction.atomic(durable=True):
            self.lock()
            if self.version != seen:
                return  # somebody else has seen to it
            self.charge_due_at = None
            words = {"why": why, "balance": self.show(self.balance)}
            text = _now("%(why)s: %(balance)s was not charged and stays owed.") % words
            tell(self.row, None, "charge_not_possible", Deed(text))
            if card:
                self.enter_declined(None, at=at)
            else:
                self.store("charge_due_at")

    @property
    def can_be_collected(self) -> bool:
        """Whether it is one that the desk charges by itself: an order's, or any that is in Collections."""
        return self.order_id is not None or self.is_in_collections

    def is_by_itself(self, attempt: Attempt) -> bool:
        """Whether the desk started the attempt, not a member of staff, nor the customer on a page."""
        by_nobody = attempt.started_by_id is None and not attempt.page_ref
        return by_nobody and self.can_be_collected

    def charge_again(self, attempt: Attempt, *, at: datetime) -> None:
        """Put down when to charge again what the desk did not manage to, for the caller to save.

        A charge that waited for the customer is not repeated: it would wait again. Neither is one that the
        gateway refuses to be asked for. In Collections both wait for the schedule's next date.
        """
        waited = attempt.events.filter(action=f"attempt_{AttemptState.NEEDS_ACTION}").exists()
        again = self.is_by_itself(attempt) and self.is_owing and not waited and not attempt.is_hard
        if again and self.may_repeat(at):
            self.charge_due_at = at + AGAIN
        elif self.is_in_collections:
            self.plan_retry(attempt, at=at)

    def ask_to_confirm(self, attempt: Attempt) -> None:
        """Send the customer the pay link when the desk made a charge by itself and their bank wants them, in
        the caller's transaction.
        """
        if self.is_by_itself(attempt) and attempt.state == AttemptState.NEEDS_ACTION:
            self.row.queue_request()

    def take_charge_over(self, attempt: Attempt, *, at: datetime) -> None:
        """What its orders and its schedule make of a charge that was booked, in the caller's transaction."""
        if attempt.state == AttemptState.APPROVED:
            self.row.started_orders.keep_card(attempt, at=at)
        if self.is_in_collections:
            self.go_on_collecting(attempt, at=at)
        elif self.status == InvoiceStatus.OPEN and self.is_by_itself(attempt) and not attempt.is_approved:
            self.enter_declined(attempt, at=at)
