"""Each period that is due becomes one invoice, once, in the transaction that moves the order on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _now

from billing import periods
from billing.models.coupons.discount import shares_of
from billing.models.editing import Header
from billing.models.guard import Deed, tell
from billing.models.invoice import Invoice
from billing.models.orders.following import Following
from billing.statuses import Missed


class Billing(Following):
    class Meta:
        abstract = True

    @classmethod
    def bill_next(cls, at: datetime, *, leave_out: Collection[int] = ()) -> Billing | None:
        """Bill one period of the order that has waited longest; None when nothing is due.

        Whatever else bills at this moment takes another order: the row stays locked until invoice and order
        are committed together. ``leave_out``: orders that could not be billed in this run. Raises
        BillingFailed from what went wrong.
        """
        with transaction.atomic(durable=True):
            due = cls.objects.due(at).exclude(pk__in=leave_out)  # type: ignore[attr-defined]
            order: Billing | None = due.select_for_update(skip_locked=True, of=("self",)).first()
            if order:
                try:
                    order.bill(at)
                except Exception as error:
                    raise BillingFailed(order.pk) from error
        return order

    def bill(self, at: datetime) -> None:
        """Ask for one payment, in the caller's transaction with this row locked. Raises Invalid."""
        assert self.next_charge_on is not None  # the run finds no other
        period = self.next_period
        lines, discount = self.lines_of(self.regular_lines(), period), self.discount()
        takes_off = any(shares_of(discount, lines, self.currency))
        on = self._reach(at)
        self.next_period += 1
        self.next_step += 1
        self.store(*self.schedule())
        invoice = Invoice.issued_for(
            self.row,
            period=period,
            header=Header(self.currency, on, on),
            lines=lines,
            discount=discount if takes_off else None,
            at=at,
        )
        if self.send_invoices and invoice.is_owing and not self.card_id:
            invoice.queue_request()
        text = _now("Payment no. %(period)s asked for: %(invoice)s over %(total)s. Next charge %(next)s.")
        words = {
            "period": period,
            "invoice": invoice,
            "total": self.show(invoice.total),
            "next": self.next_words,
        }
        deed = Deed(text % words, {"period": period, "total": str(invoice.total)}, {"invoice": invoice})
        tell(self, None, "bill", deed)

    def _reach(self, at: datetime) -> date:
        """The date of the period that is billed now: the next one, or with ``missed`` periods left out the
        last that has begun.
        """
        if self.missed == Missed.CURRENT:
            tomorrow = periods.day_at(at, self.here) + date.resolution
            self.next_step = max(self.next_step, self.interval.first_step(self.anchor_on, tomorrow) - 1)
        return self.interval.date_of(self.anchor_on, self.next_step)


class BillingFailed(Exception):
    """``order`` could not be billed; the cause says why."""

    def __init__(self, order: int) -> None:
        super().__init__(f"Order {order} could not be billed.")
        self.order = order
