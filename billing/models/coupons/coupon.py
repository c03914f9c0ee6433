"""A coupon: what it takes off, of what, for whom, when, and how often."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.models.coupons.discount import Discount
from billing.models.product import Product
from billing.money import HUNDRED, ZERO
from billing.statuses import CouponAudience, CouponKind, CouponScope

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.coupons.code import CouponCode

FIXED = ("kind", "percent", "amount", "currency", "scope", "audience", "products")
"""The terms: as soon as somebody holds or uses a code, what it promises stays."""


class CouponQuerySet(models.QuerySet["Coupon"]):
    def locked(self) -> CouponQuerySet:
        """Coupons that nobody else redeems or gives back before the transaction ends, once the query ran."""
        return self.select_for_update(of=("self",), no_key=True).order_by("pk")

    def for_issuing(self) -> CouponQuerySet:
        """Those of which personal codes can be issued."""
        return self.filter(audience=CouponAudience.PERSONAL, is_active=True).order_by("name", "id")


class Coupon(models.Model):
    """A discount that a code gives.

    Usable from ``begins_on`` through ``ends_on``, or for ``days`` from the day on which a personal code is
    issued. ``total_available``: how many times it can be redeemed in all; ``redeemed`` counts the standing
    redemptions, a cache that redeeming and giving back alone write, under this row's lock. What counts is
    the invoice, or the order that it starts: not each payment of the order.
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    kind = models.CharField(_("takes off"), max_length=7, choices=CouponKind)
    percent = models.DecimalField(
        _("percent"),
        max_digits=7,
        decimal_places=4,
        null=True,
        blank=True,
        help_text=_("Of each line that it covers."),
    )
    amount = models.DecimalField(
        _("flat amount"),
        max_digits=money.MAX_DIGITS,
        decimal_places=money.DECIMAL_PLACES,
        null=True,
        blank=True,
        help_text=_("Off the subtotal of the lines that it covers, which never falls below 0."),
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True, help_text=_("Of a flat amount."))
    scope = models.CharField(_("for"), max_length=5, choices=CouponScope, default=CouponScope.FIRST)
    products = models.ManyToManyField(
        Product, blank=True, related_name="coupons", verbose_name=_("products"), help_text=_("Empty: all.")
    )
    audience = models.CharField(_("codes"), max_length=8, choices=CouponAudience)
    begins_on = models.DateField(_("from"), null=True, blank=True)
    ends_on = models.DateField(_("until"), null=True, blank=True, help_text=_("The last day."))
    days = models.PositiveSmallIntegerField(
        _("days from issue"),
        null=True,
        blank=True,
        help_text=_("Of a personal code, in the place of from and until."),
    )
    total_available = models.PositiveIntegerField(
        _("total available"), null=True, blank=True, help_text=_("Empty: as often as anybody likes.")
    )
    redeemed = models.PositiveIntegerField(_("redeemed"), default=0, editable=False)
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("Otherwise nobody redeems it any more; orders that carry it keep it."),
    )

    if TYPE_CHECKING:
        codes: RelatedManager[CouponCode]

    objects = CouponQuerySet.as_manager()

    class Meta:
        verbose_name = _("coupon")
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    kind=CouponKind.PERCENT,
                    percent__gt=0,
                    percent__lte=HUNDRED,
                    percent__isnull=False,
                    amount__isnull=True,
                    currency="",
                )
                | (
                    Q(kind=CouponKind.FLAT, amount__gt=0, amount__isnull=False, percent__isnull=True)
                    & ~Q(currency="")
                ),
                name="coupon_percent_or_flat",
            ),
            models.CheckConstraint(condition=Q(scope__in=CouponScope.values), name="coupon_scope_known"),
            models.CheckConstraint(
                condition=Q(audience__in=CouponAudience.values), name="coupon_audience_known"
            ),
            models.CheckConstraint(
                condition=Q(total_available__isnull=True) | Q(redeemed__lte=F("total_available")),
                name="coupon_redeemed_within_what_is_available",
            ),
            models.CheckConstraint(
                condition=Q(days__isnull=True)
                | Q(
                    audience=CouponAudience.PERSONAL,
                    begins_on__isnull=True,
                    ends_on__isnull=True,
                    days__gte=1,
                ),
                name="coupon_dates_or_days",
            ),
            models.CheckConstraint(
                condition=Q(begins_on__isnull=True)
                | Q(ends_on__isnull=True)
                | Q(ends_on__gte=F("begins_on")),
                name="coupon_begins_before_it_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    # -- what it gives

    @property
    def is_personal(self) -> bool:
        return self.audience == CouponAudience.PERSONAL

    @property
    def is_used_up(self) -> bool:
        return self.total_available is not None and self.redeemed >= self.total_available

    @property
    def off(self) -> str:
        """``10 % off``, ``$10.00 off``: what it takes off, in words."""
        return self._terms("", frozenset()).off

    def discount(self, code: str) -> Discount:
        """What it takes off under one of its codes. One query."""
        return self._terms(code, frozenset(self.products.values_list("pk", flat=True)))

    def _terms(self, code: str, products: frozenset[int]) -> Discount:
        return Discount(
            code=code,
            kind=self.kind,
            percent=self.percent or ZERO,
            amount=self.amount or ZERO,
            currency=self.currency,
            products=products,
            for_all=self.scope == CouponScope.ALL,
        )

    def unusable(self, today: date) -> str:
        """Why nobody can redeem it today, or nothing."""
        if not self.is_active:
            return _now("it is not offered any more.")
        if self.begins_on and today < self.begins_on:
            return _now("it begins on %(on)s.") % {"on": date_format(self.begins_on)}
        if self.ends_on and today > self.ends_on:
            return _now("it ended on %(on)s.") % {"on": date_format(self.ends_on)}
        if self.is_used_up:
            return _now("all %(count)s that there were have been redeemed.") % {"count": self.total_available}
        return ""

    # -- what may be typed

    @property
    def terms_are_fixed(self) -> bool:
        """Whether somebody holds a personal code, or has used one. One query."""
        held = Q(contact__isnull=False) | Q(invoices__isnull=False) | Q(redemptions__isnull=False)
        return self.codes.filter(held).exists()

    def clean(self) -> None:
        """What it takes off is one of the two kinds, in a currency that allows it; the days make sense."""
        found: dict[str, str] = {}
        found |= self._percent_faults() if self.kind == CouponKind.PERCENT else self._flat_faults()
        found |= self._day_faults()
        if self.total_available is not None and self.total_available < self.redeemed:
            rule = _now("Total available is %(value)s: %(redeemed)s have been redeemed already.")
            found["total_available"] = rule % {"value": self.total_available, "redeemed": self.redeemed}
        if found:
            raise ValidationError(found)

    def _percent_faults(self) -> dict[str, str]:
        found = {}
        if self.percent is None:
            found["percent"] = _now("Percent is missing: how much of each line comes off?")
        elif not 0 < self.percent <= HUNDRED:
            rule = _now("Percent is %(value)s: it must be above 0 and at most 100.")
            found["percent"] = rule % {"value": self.percent}
        if self.amount is not None:
            rule = _now("Flat amount is %(value)s: a coupon of so many percent has none.")
            found["amount"] = rule % {"value": self.amount}
        if self.currency:
            rule = _now("Currency is %(value)s: a coupon of so many percent is good in all of them.")
            found["currency"] = rule % {"value": self.currency}
        return found

    def _flat_faults(self) -> dict[str, str]:
        found = {}
        words: dict[str, Any] = {"value": self.amount, "currency": self.currency, "percent": self.percent}
        if self.percent is not None:
            found["percent"] = _now("Percent is %(percent)s: a coupon of a flat amount has none.") % words
        if self.currency not in money.EXPONENTS:
            found["currency"] = _now("Currency is “%(currency)s”: it is not in ISO 4217.") % words
        if self.amount is None:
            found["amount"] = _now("Flat amount is missing: how much comes off?")
        elif self.amount <= 0:
            found["amount"] = _now("Flat amount is %(value)s: it must be above 0.") % words
        elif "currency" not in found and money.is_too_fine(self.amount, self.currency):
            places = {**words, "places": money.exponent(self.currency)}
            found["amount"] = _now("Flat amount is %(value)s: %(currency)s has %(places)s decimals.") % places
        return found

    def _day_faults(self) -> dict[str, str]:
        found = {}
        words = {"days": self.days, "from": self.begins_on, "until": self.ends_on}
        if self.begins_on and self.ends_on and self.ends_on < self.begins_on:
            found["ends_on"] = _now("Until is %(until)s: that is before from, %(from)s.") % words
        if self.days is None:
            return found
        if self.days < 1:
            found["days"] = _now("Days from issue is %(days)s: it must be 1 or more.") % words
        elif not self.is_personal:
            found["days"] = _now("Days from issue is %(days)s: only a personal code is issued.") % words
        elif self.begins_on or self.ends_on:
            rule = _now("Days from issue is %(days)s: leave it empty, or from and until.")
            found["days"] = rule % words
        return found


# A coupon whose last product was deleted would be good for every product.
Coupon.products.through._meta.get_field("product").remote_field.on_delete = models.PROTECT
