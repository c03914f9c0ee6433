"""What an order makes of what becomes of its invoices."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.actions import OWING, UNENDED
from billing.models.attempt import Attempt
from billing.models.base import InvoiceQuerySet
from billing.models.card import Card
from billing.models.coupons.discount import Discount
from billing.models.guard import Actor, Deed, tell
from billing.models.invoice import Invoice
from billing.models.orders.planning import Planning
from billing.statuses import AttemptKind, AttemptState, InvoiceStatus, OrderStatus

SETTLED = (InvoiceStatus.CLOSED, InvoiceStatus.REFUNDED)
FORGIVEN = (InvoiceStatus.VOIDED, InvoiceStatus.WRITTEN_OFF)

NEWS = {
    OrderStatus.ACTIVE: _("%(order)s is up to date again."),
    OrderStatus.PAST_DUE: _("%(order)s is past due: a payment was not collected."),
    OrderStatus.COMPLETED: _("%(order)s is completed: its last payment is settled."),
}
"""What an order becomes without anybody's deed."""


class Billed(NamedTuple):
    """What has become of an order's invoices, counted.

    ``owing``: payments that are still asked for. ``stuck``: those that nothing will collect by itself.
    """

    made: int
    forgiven: int
    owing: int
    stuck: int


class Following(Planning):
    class Meta:
        abstract = True

    def asked(self) -> InvoiceQuerySet:
        """The invoices of its payments; the one that started it too, which may be none of them."""
        return Invoice.objects.filter(Q(order=self.pk) | Q(pk=self.origin_id))

    def billed(self) -> Billed:
        """One query."""
        payment = Q(order__isnull=False) | Q(pk=self.origin_id if self.first_period > 1 else None)
        waits_for_customer = Attempt.objects.filter(
            invoice=OuterRef("pk"), kind=AttemptKind.CHARGE, state=AttemptState.NEEDS_ACTION
        )
        stuck = (
            Q(status=InvoiceStatus.COLLECTIONS)
            | Q(Exists(waits_for_customer))
            | Q(status=InvoiceStatus.OPEN, order__isnull=False, charge_due_at=None, awaiting_gateway=False)
        )
        return Billed(
            **self.asked().aggregate(
                made=Count("id", filter=payment & Q(status__in=SETTLED)),
                forgiven=Count("id", filter=payment & Q(status__in=FORGIVEN)),
                owing=Count("id", filter=payment & Q(status__in=OWING)),
                stuck=Count("id", filter=stuck),
            )
        )

    def standing(self, billed: Billed) -> OrderStatus:
        """The status that the invoices speak for.

        Past due is an order with an invoice that nothing will collect by itself: in Collections, waiting for
        the customer at their bank, or Open with its charge behind it. The invoice that started the order is
        asked for by staff: it counts only when it is in Collections.
        """
        if self.status not in UNENDED:
            return OrderStatus(self.status)
        if not self.has_more and not billed.owing:
            return OrderStatus.COMPLETED
        if self.status == OrderStatus.PAUSED:
            return OrderStatus.PAUSED
        return OrderStatus.PAST_DUE if billed.stuck else OrderStatus.ACTIVE

    def follow(self) -> None:
        """Take over what has become of the invoices, in the caller's transaction with this row locked."""
        billed = self.billed()
        was, now = self.status, self.standing(billed)
        counted = (billed.made, billed.forgiven)
        if (was, self.payments_made, self.payments_forgiven) == (now, *counted):
            return
        self.become(now)
        self.payments_made, self.payments_forgiven = counted
        if now == OrderStatus.COMPLETED:
            self.ended_at = clock.now()
        self.store("status", "payments_made", "payments_forgiven", "ended_at")
        if was != now:
            tell(self, None, f"order_{now}", Deed(str(NEWS[now]) % {"order": self}, {"status": now}))

    def take_card(self, card: Card) -> None:
        """Be charged to the card from now on, in the caller's transaction with this row locked."""
        if self.card_id == card.pk:
            return
        self.card = card
        self.store("card")
        text = _now("%(card)s came with the first invoice and is charged from now on.") % {"card": card}
        tell(self, None, "change_card", Deed(text))

    def take_coupon(self, by: Actor, discount: Discount) -> None:
        """Ask for less in every payment from now on, in the caller's transaction with this row locked."""
        self.coupon_code_id = discount.code
        self.store("coupon_code", *self.summarize())
        words = {"coupon": discount.words, "amount": self.show(self.amount)}
        text = _now("All payments with %(coupon)s: a regular one comes to %(amount)s.") % words
        tell(self, by, "take_coupon", Deed(text, {"code": discount.code}))

    def lose_coupon(self, by: Actor) -> None:
        """Ask for the full price from now on, in the caller's transaction with this row locked."""
        self.coupon_code_id = None
        self.store("coupon_code", *self.summarize())
        words = {"origin": self.origin, "amount": self.show(self.amount)}
        text = _now(
            "The coupon was given back with %(origin)s: from the next payment on, a regular one comes to"
            " %(amount)s."
        )
        tell(self, by, "lose_coupon", Deed(text % words))
