"""The ends of a request for payment that bring no money: Void, Write off; and keeping a declined one Open."""

from __future__ import annotations

from django.utils.translation import gettext as _now

from billing.actions import ACTIONS
from billing.models.discounting import Discounting
from billing.models.guard import Actor, Deed, guarded, tell
from billing.money import ZERO
from billing.statuses import InvoiceStatus


class Ending(Discounting):
    class Meta:
        abstract = True

    @guarded("void")
    def void(self, by: Actor, *, reason: str) -> Deed:
        """Cancel the request for payment and keep the record. Returns no money.

        Its coupon is given back if no money ever came (``models.discounting``).
        """
        self.lock_coupon_and_orders()
        if self.gives_coupon_back():
            self.give_back_coupon(by)
        return self._end(InvoiceStatus.VOIDED, _now("Voided."), reason)

    @guarded("write_off")
    def write_off(self, by: Actor, *, reason: str) -> Deed:
        """Mark what is owed as bad debt. What was paid stays paid."""
        return self._as_bad_debt(reason)

    def forgive(self, by: Actor, *, reason: str) -> None:
        """Write off in the caller's transaction, with this row locked. Raises NotAllowed, NotOffered."""
        self.require(ACTIONS["write_off"], by)
        tell(self.row, by, "write_off", self._as_bad_debt(reason))

    def _as_bad_debt(self, reason: str) -> Deed:
        self.written_off_amount = self.balance
        text = _now("%(amount)s written off.") % {"amount": self.show(self.balance)}
        return self._end(InvoiceStatus.WRITTEN_OFF, text, reason)

    @guarded("mark_unpaid")
    def mark_unpaid(self, by: Actor) -> Deed:
        """Keep the invoice Open, so that another card can be tried. Nothing is charged by itself any more."""
        self.charge_due_at = None
        return self._end(InvoiceStatus.OPEN, _now("Marked unpaid."), "")

    def _end(self, status: InvoiceStatus, text: str, reason: str) -> Deed:
        was, before = self.get_status_display(), self.balance
        self.become(status)
        self.store("status", "written_off_amount", *self.recompute())
        words = _now("%(text)s %(was)s → %(now)s, balance %(before)s → %(after)s.") % {
            "text": text,
            "was": was,
            "now": self.get_status_display(),
            "before": self.show(before),
            "after": self.show(self.balance),
        }
        if reason:
            words += " " + _now("Reason: %(reason)s") % {"reason": reason}
        return Deed(
            words,
            {
                "balance_before": str(before),
                "balance_after": str(self.balance),
                "written_off": str(self.written_off_amount or ZERO),
                "status": self.status,
                "reason": reason,
            },
        )
