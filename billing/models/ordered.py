"""An invoice that a customer ordered on an order form: a draft until the gateway has said how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import transaction
from django.utils.translation import gettext as _now

from billing import clock
from billing.models.discounting import lock_coupons
from billing.models.editing import Header
from billing.models.guard import Deed, Invalid, tell
from billing.models.line import InvoiceLine, LineInput
from billing.models.recurring import Recurring
from billing.models.spelling import spelt
from billing.statuses import InvoiceStatus
from contacts.models import Contact

if TYPE_CHECKING:
    from billing.models.product import Product
    from billing.models.selling.form import OrderForm


class Ordered(Recurring):
    class Meta:
        abstract = True

    @property
    def being_ordered(self) -> str:
        """The reason why staff must leave the draft to its customer for now, or nothing."""
        if not self.is_being_ordered:
            return ""
        return _now(
            "%(invoice)s is being paid for by its customer, who made it on an order form: within a day or so"
            " it is paid, or Declined."
        ) % {"invoice": self}

    def what_it_begins(self) -> Iterator[tuple[InvoiceLine, Product]]:
        """On the terms that the customer agreed to when ordering, whatever the product has become since."""
        terms = self.row.submission.terms if self.order_form_id else {}
        if not terms:
            yield from super().what_it_begins()
            return
        for line in self.lines.filter(product__in=terms).select_related("product").order_by("position", "id"):
            assert line.product is not None
            product = line.product.on_terms(terms[str(line.product_id)])
            if product.recurs:
                yield line, product

    @classmethod
    def ordered(
        cls, form: OrderForm, *, contact: Contact, lines: Sequence[LineInput], coupon: str, at: datetime
    ) -> Self:
        """The draft of what a customer ordered, in the caller's transaction. Raises Invalid.

        Its coupon is redeemed now, before the card is charged, and given back if it comes to nothing.
        """
        invoice = cls(contact=contact, order_form=form)
        invoice._write_order(form, lines, coupon, at)
        return invoice

    def order_otherwise(
        self, form: OrderForm, *, contact: Contact, lines: Sequence[LineInput], coupon: str, at: datetime
    ) -> None:
        """Let the customer change the order before it is paid, in the caller's transaction with this row
        locked. Raises Invalid.
        """
        if (spelt(coupon), contact.pk) != (self.coupon, self.contact_id):
            lock_coupons(self.coupon, spelt(coupon))
            self.give_back_coupon(None)
        self.contact = contact
        self.lines.all().delete()
        self._write_order(form, lines, coupon, at)

    def _write_order(self, form: OrderForm, lines: Sequence[LineInput], coupon: str, at: datetime) -> None:
        discount = self.discount_for(coupon, lines, currency=form.currency)
        today = clock.day_of(at)
        self._take(Header(form.currency, today, today), discount)
        self.save()
        self._put_lines(lines, discount)
        self.store(*self.summarize(), *self.recompute())
        self.redeem_coupon(None, at=at)
        self._tell_ordered(form)

    def _tell_ordered(self, form: OrderForm) -> None:
        words = {"form": form.title, "total": self.show(self.total)}
        text = _now("Ordered on the form “%(form)s”: %(total)s.") % words
        tell(self.row, None, "order_placed", Deed(text, {"total": str(self.total)}))

    def accept_order(self, *, at: datetime) -> None:
        """Issue what was ordered and begin what it sells, in the caller's transaction with this row locked.

        The money may have moved already, and is booked whatever has become of the products since: what cannot
        be begun any more is told to staff.
        """
        # first: who referred the contact earns as the invoice is closed
        self.row.submission.finish(at=at, is_accepted=True)
        tell(self.row, None, "issue", self._number(at))
        try:
            with transaction.atomic():
                self.start_orders(None, at=at)
        except Invalid as invalid:
            text = _now("No subscription or plan was begun: %(why)s Begin it by hand.") % {"why": invalid}
            tell(self.row, None, "order_not_begun", Deed(text))

    def refuse_order(self, *, at: datetime, why: str = "") -> None:
        """Keep what was not paid as Declined, in the caller's transaction with this row locked."""
        self.give_back_coupon(None)  # before the contact is locked, as by those who redeem it
        self.row.submission.finish(at=at, is_accepted=False)
        deed = self._number(at, InvoiceStatus.DECLINED)
        text = f"{deed.text} {why}".strip()
        tell(self.row, None, "decline_order", Deed(text, deed.figures))
