"""A coupon is redeemed by an invoice, once, and given back where the product says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.coupons.code import CouponCode

STANDS = Q(returned_at__isnull=True)


class CouponRedemption(models.Model):
    """Stands until it was given back; then it is history.

    ``is_single``: of a personal code, which can stand redeemed once. Goes with a draft that is deleted.
    """

    code = models.ForeignKey(CouponCode, models.PROTECT, related_name="redemptions", verbose_name=_("code"))
    invoice = models.ForeignKey(
        "billing.Invoice",
        models.CASCADE,
        related_name="redemptions",
        verbose_name=_("invoice"),
    )
    is_single = models.BooleanField(_("of a personal code"))
    redeemed_at = models.DateTimeField(_("redeemed"))
    returned_at = models.DateTimeField(_("given back"), null=True)

    if TYPE_CHECKING:
        code_id: int
        invoice_id: int

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("redemption of a coupon")
        verbose_name_plural = _("redemptions of coupons")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice"], condition=STANDS, name="redemption_one_per_invoice"),
            models.UniqueConstraint(
                fields=["code"],
                condition=STANDS & Q(is_single=True),
                name="redemption_one_per_personal_code",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} · {self.invoice}"
