"""The coupon of an invoice: put on it, redeemed when it is issued, given back when nothing came of it.

The rule:

* A draft reserves nothing. Its coupon is looked at when it is saved and again when it is issued, and redeemed
  in the transaction that issues it, under a lock on the coupon: of the last one left there is one.
* What counts as one redemption is the invoice, with the order that it starts. A coupon for all payments goes
  along onto the orders whose product it covers (a flat one onto the first of them, since it comes off once
  per payment); the invoices of their payments carry the code and redeem nothing. What was promised stays: a
  code that is withdrawn, or a coupon that ends, does not touch the orders that carry it.
* It is given back when the invoice is declined; when it is voided and no money ever came for it (a part that
  was paid, even if it was refunded since, uses the coupon up; so does a later payment that carries the code,
  unless that came to nothing too); when an edit takes the code off an Open invoice; and when a draft that
  reserved it is deleted. Refunds and write-offs give nothing back. Orders that carry a coupon that is given
  back ask for the full price from their next payment on: otherwise one code would be good for two.
* An Open invoice keeps its coupon through edits even after the coupon has ended. An edit that leaves no line
  which it covers is refused until the code is taken off, and that is refused once a later payment of an order
  has used it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _now

from billing import clock
from billing.models.base import InvoiceBase
from billing.models.coupons.code import CouponCode
from billing.models.coupons.coupon import Coupon
from billing.models.coupons.discount import Discount
from billing.models.coupons.redemption import STANDS, CouponRedemption
from billing.models.guard import Actor, Deed, Invalid, tell
from billing.models.line import LineInput
from billing.models.spelling import spelt
from billing.money import ZERO
from billing.statuses import CodeState, InvoiceStatus

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.invoice import Invoice


CAME_TO_NOTHING = (InvoiceStatus.VOIDED, InvoiceStatus.WRITTEN_OFF)


class Discounting(InvoiceBase):
    if TYPE_CHECKING:
        redemptions: RelatedManager[CouponRedemption]

    class Meta:
        abstract = True

    @property
    def was_paid(self) -> bool:
        """Whether money ever came for it, even if it went back since."""
        return bool(self.paid or self.refunded)

    def gives_coupon_back(self) -> bool:
        """Whether voiding it would make its coupon usable again. Two queries if it has one."""
        if not self.coupon or self.was_paid:
            return False
        return self.redemptions.filter(STANDS).exists() and not self._later_ones_with_coupon().exists()

    def _later_ones_with_coupon(self) -> QuerySet[Invoice]:
        """Payments of the orders that it started which its coupon made cheaper; not those that came to
        nothing.
        """
        carried = type(self.row).objects.filter(order__origin=self.pk, coupon_code__code=self.coupon)
        return carried.exclude(status__in=CAME_TO_NOTHING, paid=0, refunded=0)

    def lock_coupon_and_orders(self, *others: str) -> None:
        """Let nobody bill a payment with its code while it is decided whether the code goes back, in the
        caller's transaction with this row locked. ``others``: codes that are decided about as well.
        """
        if self.coupon or any(others):
            lock_coupons(self.coupon, *others)
            list(self.row.started_orders.order_by("pk").locked())

    def coupon_taken(self) -> Decimal:
        """What its coupon takes off in all, before tax. One query if it has one."""
        if not self.coupon:
            return ZERO
        return sum(self.lines.values_list("coupon_discount", flat=True), ZERO)

    # -- while it is written

    def discount_for(self, typed: str, lines: Sequence[LineInput], *, currency: str) -> Discount | None:
        """What the typed code takes off these lines, None for no code. Raises Invalid.

        A code that it holds already stays usable.
        """
        if not spelt(typed):
            return None
        products = [line.product_id for line in lines]
        if spelt(typed) == self.coupon and self.holds_coupon():
            discount = CouponCode.discount_of(self.coupon)
            discount.check(products, currency)
            return discount
        today = clock.today()
        return CouponCode.accept(
            typed, contact=self.contact, products=products, currency=currency, today=today
        )

    def holds_coupon(self) -> bool:
        """Whether its code is redeemed: by itself, or by the invoice that started its order."""
        return self.status != InvoiceStatus.DRAFT or self.redemptions.filter(STANDS).exists()

    def change_coupon(
        self, by: Actor, typed: str, lines: Sequence[LineInput], *, currency: str
    ) -> Discount | None:
        """Put the typed code in the place of the present one, on the locked invoice that is being edited.

        The caller saves the code and the lines. Raises Invalid.
        """
        was = self.coupon
        discount = self.discount_for(typed, lines, currency=currency)
        now = discount.code if discount else ""
        if was == now or self.status == InvoiceStatus.DRAFT:
            if was != now:
                self.give_back_coupon(by)  # a draft that had reserved it
            return discount
        self.lock_coupon_and_orders(now)
        if was and self._later_ones_with_coupon().exists():
            rule = _now("Coupon code is “%(code)s”: a later payment of its order has used it, so it stays.")
            raise Invalid(rule % {"code": was}, field="coupon")
        self.give_back_coupon(by)
        self.coupon = now
        if discount:
            self.redeem_coupon(by, at=clock.now())
            self.row.started_orders.carry_coupon(by, discount)
        return discount

    # -- redeeming

    def redeem_coupon(self, by: Actor, *, at: datetime) -> None:
        """Use its code up, if it has one, in the caller's transaction with this row locked.

        Does nothing when it was redeemed for this invoice before. Raises Invalid when it is used up, has
        ended or was withdrawn meanwhile.
        """
        if not self.coupon or self.redemptions.filter(STANDS).exists():
            return
        held = CouponCode.objects.get(code=self.coupon)
        coupon = Coupon.objects.filter(pk=held.coupon_id).locked().get()
        code = CouponCode.objects.select_for_update(of=("self",), no_key=True).get(pk=held.pk)
        code.coupon = coupon
        code.check_usable(self.contact, clock.day_of(at))
        CouponRedemption.objects.create(
            code=code, invoice=self.row, is_single=code.is_personal, redeemed_at=at
        )
        coupon.redeemed += 1
        coupon.save(update_fields=["redeemed"])
        if code.is_personal:
            code.state = CodeState.REDEEMED
            code.save(update_fields=["state"])
        words = {"code": code, "coupon": coupon}
        self._tell_coupon(by, "redeem_coupon", _now("Coupon code %(code)s redeemed: “%(coupon)s”.") % words)

    def give_back_coupon(self, by: Actor) -> None:
        """Make its code usable again if it stands redeemed, in the caller's transaction with this row locked.

        The invoice keeps the code and its discount, as a record. Orders that it started lose theirs.
        """
        standing = self.redemptions.filter(STANDS).select_related("code").first()
        if standing is None:
            return
        coupons = Coupon.objects.filter(pk=standing.code.coupon_id)
        coupons.locked().get()
        standing.returned_at = clock.now()
        standing.save(update_fields=["returned_at"])
        coupons.update(redeemed=F("redeemed") - 1)
        if standing.is_single:
            CouponCode.objects.filter(pk=standing.code_id, state=CodeState.REDEEMED).update(
                state=CodeState.ISSUED
            )
        self.row.started_orders.drop_coupon(by, standing.code)
        words = {"code": standing.code}
        self._tell_coupon(by, "give_back_coupon", _now("Coupon code %(code)s given back.") % words)

    def _tell_coupon(self, by: Actor, action: str, text: str) -> None:
        tell(self.row, by, action, Deed(text, {"code": self.coupon}))


def lock_coupons(*codes: str) -> None:
    """Lock the coupons of all these codes at once, in one order, in the caller's transaction: two invoices
    that swap their codes wait for one another, and neither for ever.
    """
    list(Coupon.objects.filter(codes__code__in=codes).locked())
