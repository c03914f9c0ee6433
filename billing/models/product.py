from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from billing import money


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


class Product(models.Model):
    """Something sold. Price in ``currency``'s major unit; a line keeps the price that it was made with."""

    name = models.CharField(_("name"), max_length=200)
    sku = models.CharField(_("SKU"), max_length=60, blank=True)
    price = models.DecimalField(_("price"), max_digits=money.MAX_DIGITS, decimal_places=money.DECIMAL_PLACES)
    currency = models.CharField(_("currency"), max_length=3)
    tax_rate = models.ForeignKey(
        TaxRate, models.PROTECT, null=True, blank=True, related_name="products", verbose_name=_("tax rate")
    )
    is_active = models.BooleanField(_("offered on new lines"), default=True)

    objects = ProductQuerySet.as_manager()

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
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """The currency must be one, and the price no finer than it allows."""
        if self.currency not in money.EXPONENTS:
            rule = _("Currency is “%(currency)s”: it is not in ISO 4217, for example USD.")
            raise ValidationError({"currency": rule % {"currency": self.currency}})
        if money.is_too_fine(self.price, self.currency):
            places = money.exponent(self.currency)
            rule = _("Price is %(price)s: %(currency)s has %(places)s decimals.")
            words = {"price": self.price, "currency": self.currency, "places": places}
            raise ValidationError({"price": rule % words})
