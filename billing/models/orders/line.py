from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.base import amount_field
from billing.models.line import LineInput
from billing.models.product import Product, TaxRate


class OrderLine(models.Model):
    """What each regular payment of an order asks for. A discount is an invoice's, so there is none."""

    order = models.ForeignKey("billing.Order", models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField(_("position"))
    product = models.ForeignKey(Product, models.PROTECT, null=True, related_name="order_lines")
    sku = models.CharField(_("SKU"), max_length=60, blank=True)
    description = models.CharField(_("description"), max_length=200)
    quantity = models.DecimalField(_("quantity"), max_digits=12, decimal_places=3)
    unit_price = amount_field(_("unit price"))
    tax_rate = models.ForeignKey(TaxRate, models.PROTECT, null=True, related_name="+")
    tax_percent = models.DecimalField(_("tax %"), max_digits=7, decimal_places=4, default=0)

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("line of an order")
        verbose_name_plural = _("lines of orders")
        ordering: ClassVar = ["position", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="order_line_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="order_line_price_not_negative"),
        ]

    def __str__(self) -> str:
        return self.description

    @classmethod
    def made_from(cls, given: LineInput, *, order_id: int, position: int) -> OrderLine:
        """An unsaved line."""
        return cls(
            order_id=order_id,
            position=position,
            product_id=given.product_id,
            sku=given.sku,
            description=given.description,
            quantity=given.quantity,
            unit_price=given.unit_price,
            tax_rate_id=given.tax_rate_id,
            tax_percent=given.tax_percent,
        )

    def input(self) -> LineInput:
        """The line as an invoice takes it."""
        return LineInput(
            description=self.description,
            quantity=self.quantity,
            unit_price=self.unit_price,
            sku=self.sku,
            product_id=self.product_id,
            tax_rate_id=self.tax_rate_id,
            tax_percent=self.tax_percent,
        )
