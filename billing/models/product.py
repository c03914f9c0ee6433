from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.models.terms import Recurs, constraints_of, days_words, faults_of, payments_words
from billing.money import ZERO
from billing.statuses import SoldAs

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager
    from django_stubs_ext import StrOrPromise

AMOUNTS: dict[str, StrOrPromise] = {
    "price": _("Price"),
    "trial_price": _("Price of the trial"),
    "setup_fee": _("Set-up fee"),
}
"""What a product asks in each of its currencies."""
TERMS = (
    *("sold_as", "every", "unit", "payments", "trial_days", "trial_payments", "delay_days"),
    *("currency", *AMOUNTS),
)
"""What somebody agrees to who orders it."""


class TaxRate(models.Model):
    """A percentage added to a line.

    Lines keep the percentage they were made with, so changing a rate rewrites no history.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    percent = models.DecimalField(
        _("percent"),
        max_digits=7,
        decimal_places=4,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    is_active = models.BooleanField(_("offered on new lines"), default=True)

    class Meta:
        verbose_name = _("tax rate")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(percent__gte=0, percent__lte=100), name="tax_percent_0_to_100"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.percent.normalize():f} %)"


class ProductQuerySet(models.QuerySet["Product"]):
    def search(self, q: str) -> ProductQuerySet:
        """Active products whose name or SKU holds every word of ``q``."""
        found = self.filter(is_active=True)
        for word in q.split()[:8]:
            found = found.filter(models.Q(name__icontains=word) | models.Q(sku__icontains=word))
        return found.order_by("name", "id")

    def with_prices(self) -> ProductQuerySet:
        """Each with what it costs in other currencies and its tax, for :meth:`Product.priced_in`."""
        return self.select_related("tax_rate").prefetch_related("prices")


class Product(Recurs):
    """Something sold. Price in ``currency``'s major unit; a line keeps the price that it was made with.

    What it costs in other currencies are its ``prices``. What its terms come to is the rule of
    ``models.terms``.
    """

    name = models.CharField(_("name"), max_length=200)
    sku = models.CharField(_("SKU"), max_length=60, blank=True)
    price = models.DecimalField(_("price"), max_digits=money.MAX_DIGITS, decimal_places=money.DECIMAL_PLACES)
    currency = models.CharField(_("currency"), max_length=3)
    tax_rate = models.ForeignKey(
        TaxRate, models.PROTECT, null=True, blank=True, related_name="products", verbose_name=_("tax rate")
    )
    is_active = models.BooleanField(_("offered on new lines"), default=True)
    commissionable = models.BooleanField(
        _("commissionable"), default=True, help_text=_("Partners earn on it, where a program has a rate.")
    )
    sold_as = models.CharField(_("sold"), max_length=12, choices=SoldAs, default=SoldAs.ONCE)
    payments = models.PositiveSmallIntegerField(
        _("number of payments"), null=True, blank=True, help_text=_("Of a payment plan.")
    )
    trial_days = models.PositiveSmallIntegerField(
        _("days of the trial"), default=0, help_text=_("For a trial that is counted in days.")
    )
    delay_days = models.PositiveSmallIntegerField(
        _("delay in days"), default=0, help_text=_("From the sale to the first payment.")
    )

    objects = ProductQuerySet.as_manager()

    if TYPE_CHECKING:
        prices: RelatedManager[ProductPrice]

    class Meta:
        verbose_name = _("product")
        ordering: ClassVar = ["name", "id"]
        indexes: ClassVar = [models.Index(fields=["name", "id"], name="product_by_name")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                Lower("sku"),
                name="product_one_per_sku",
                condition=~models.Q(sku=""),
                violation_error_message=_("Another product has this SKU."),
            ),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="product_price_not_negative"),
            models.CheckConstraint(
                condition=models.Q(sold_as__in=SoldAs.values), name="product_sold_as_known"
            ),
            models.CheckConstraint(
                condition=models.Q(sold_as=SoldAs.PLAN, payments__isnull=False, payments__gte=1)
                | (~models.Q(sold_as=SoldAs.PLAN) & models.Q(payments__isnull=True)),
                name="product_plan_has_its_payments",
            ),
            models.CheckConstraint(
                condition=models.Q(trial_days=0) | models.Q(trial_payments=0),
                name="product_one_kind_of_trial",
            ),
            *constraints_of("product"),
        ]

    def __str__(self) -> str:
        return self.name

    def priced_in(self, currency: str) -> Product | None:
        """The product as it is sold in that currency, to be read and not saved; None without a price there.

        A query where the rows do not come from :meth:`ProductQuerySet.with_prices`.
        """
        if currency == self.currency:
            return self
        row = next((each for each in self.prices.all() if each.currency == currency), None)
        if row is None:
            return None
        sold = copy(self)
        for name in ("currency", *AMOUNTS):
            setattr(sold, name, getattr(row, name))
        return sold

    @property
    def agreed(self) -> dict[str, Any]:
        """Its terms in the currency in which it is sold, as JSON keeps them."""
        terms = {name: getattr(self, name) for name in TERMS}
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in terms.items()}

    def on_terms(self, agreed: Mapping[str, Any]) -> Product:
        """The product as it was sold on these terms, to be read and not saved."""
        sold = copy(self)
        for name in TERMS:
            column: models.Field[Any, Any] = Product._meta.get_field(name)  # type: ignore[assignment]
            setattr(sold, name, column.to_python(agreed[name]))
        return sold

    @property
    def recurs(self) -> bool:
        return self.sold_as != SoldAs.ONCE

    @property
    def starts_now(self) -> bool:
        """Whether the first invoice is payment no. 1."""
        return not self.trial_days and not self.delay_days

    @property
    def asks_another_price_first(self) -> bool:
        return bool(self.trial_days or self.delay_days or self.trial_payments)

    @property
    def first_price(self) -> Decimal:
        """What a line of the first invoice asks per piece."""
        if not self.recurs or not self.asks_another_price_first:
            return self.price
        return self.trial_price if self.trial_days or not self.delay_days else ZERO

    @property
    def terms(self) -> str:
        """``$30.00 every month, 12 payments; trial of 14 days at $1.00``, or nothing when it is sold once."""
        if not self.recurs:
            return ""
        words = {"price": money.show(self.price, self.currency), "rhythm": self.rhythm}
        first = [_now("%(price)s %(rhythm)s") % words]
        if self.payments:
            first.append(payments_words(self.payments))
        return "; ".join([", ".join(first), *self._before()])

    def _before(self) -> Iterator[str]:
        """What stands before the first regular payment, in words."""
        trial = days_words(self.trial_days) if self.trial_days else payments_words(self.trial_payments)
        if self.trial_days or self.trial_payments:
            price = money.show(self.trial_price, self.currency)
            yield _now("trial of %(length)s at %(price)s") % {"length": trial, "price": price}
        if self.setup_fee:
            yield _now("set-up fee %(fee)s") % {"fee": money.show(self.setup_fee, self.currency)}
        if self.delay_days:
            yield _now("starts after %(days)s") % {"days": days_words(self.delay_days)}

    def clean(self) -> None:
        """The currency must be one, no amount finer than it allows, and the terms fit how it is sold."""
        check_currency(self.currency)
        found = {**amount_faults(self), **faults_of(vars(self)), **self._term_faults()}
        if found:
            raise ValidationError(found)

    def _term_faults(self) -> dict[str, str]:
        found = {}
        if self.sold_as == SoldAs.PLAN and not self.payments:
            found["payments"] = _now("Number of payments is missing: a payment plan has one.")
        if self.sold_as != SoldAs.PLAN and self.payments:
            rule = _now("Number of payments is %(value)s: only a payment plan has one.")
            found["payments"] = rule % {"value": self.payments}
        if self.trial_days and self.trial_payments:
            rule = _now("Payments of the trial is %(value)s: the trial has %(days)s days already.")
            found["trial_payments"] = rule % {"value": self.trial_payments, "days": self.trial_days}
        if self.trial_price and not (self.trial_days or self.trial_payments):
            rule = _now("Price of the trial is %(value)s: there is no trial, so give it days or payments.")
            found["trial_price"] = rule % {"value": self.trial_price}
        return found | (self._not_sold_once() if not self.recurs else {})

    def _not_sold_once(self) -> dict[str, str]:
        rule = _now("%(label)s is %(value)s: what is sold once has none.")
        names = ("trial_days", "trial_payments", "setup_fee", "delay_days")
        found = {}
        for name in names:
            value = getattr(self, name)
            if value:
                label = str(self._meta.get_field(name).verbose_name).capitalize()  # type: ignore[union-attr]
                found[name] = rule % {"label": label, "value": value}
        return found


class ProductPrice(models.Model):
    """What a product costs in another currency than its own, with what its terms ask there."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="prices", verbose_name=_("product"))
    currency = models.CharField(_("currency"), max_length=3)
    price = models.DecimalField(_("price"), max_digits=money.MAX_DIGITS, decimal_places=money.DECIMAL_PLACES)
    trial_price = models.DecimalField(
        _("price of the trial"),
        default=ZERO,
        max_digits=money.MAX_DIGITS,
        decimal_places=money.DECIMAL_PLACES,
    )
    setup_fee = models.DecimalField(
        _("set-up fee"),
        default=ZERO,
        max_digits=money.MAX_DIGITS,
        decimal_places=money.DECIMAL_PLACES,
    )

    class Meta:
        verbose_name = _("price in another currency")
        verbose_name_plural = _("prices in other currencies")
        ordering: ClassVar = ["currency"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["product", "currency"],
                name="product_price_one_per_currency",
                violation_error_message=_("The product has a price in this currency already."),
            ),
            models.CheckConstraint(
                condition=models.Q(price__gte=0, trial_price__gte=0, setup_fee__gte=0),
                name="product_price_amounts_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return money.show(self.price, self.currency)

    def clean(self) -> None:
        """The currency must be one, another than the product's own, and no amount finer than it allows."""
        check_currency(self.currency)
        if self.currency == self.product.currency:
            rule = _now("Currency is %(currency)s: that is the product's own, whose price stands above.")
            raise ValidationError({"currency": rule % {"currency": self.currency}})
        if found := amount_faults(self):
            raise ValidationError(found)


def check_currency(currency: str) -> None:
    """Raise ValidationError for a code that is no currency."""
    if currency not in money.EXPONENTS:
        rule = _now("Currency is “%(currency)s”: it is not in ISO 4217, for example USD.")
        raise ValidationError({"currency": rule % {"currency": currency}})


def amount_faults(priced: Product | ProductPrice) -> dict[str, str]:
    """What is wrong with each amount, in the currency that stands beside it."""
    found = {}
    for name, label in AMOUNTS.items():
        amount = getattr(priced, name)
        words = {"label": label, "amount": amount, "currency": priced.currency}
        if amount is not None and amount < 0:
            found[name] = _now("%(label)s is %(amount)s: it must be 0 or more.") % words
        elif amount is not None and money.is_too_fine(amount, priced.currency):
            rule = _now("%(label)s is %(amount)s: %(currency)s has %(places)s decimals.")
            found[name] = rule % {**words, "places": money.exponent(priced.currency)}
    return found
