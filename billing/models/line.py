from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.models.base import amount_field
from billing.models.product import Product, TaxRate
from billing.money import ZERO
from contacts.models import Contact


@dataclass(frozen=True, slots=True)
class LineInput:
    """A line as the editor or a file gives it; amounts in the invoice's currency, already exact."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal = Decimal(0)
    sku: str = ""
    product_id: int | None = None
    tax_rate_id: int | None = None
    tax_percent: Decimal = Decimal(0)

    @property
    def exact(self) -> Decimal:
        """``quantity * unit_price - discount``, not rounded yet."""
        return self.quantity * self.unit_price - self.discount

    def amounts(self, currency: str, *, coupon: Decimal = ZERO) -> money.LineAmounts:
        """``coupon``: its share of a coupon, rounded."""
        return money.line_amounts(
            quantity=self.quantity,
            unit_price=self.unit_price,
            discount=self.discount,
            tax_percent=self.tax_percent,
            currency=currency,
            coupon=coupon,
        )

    def at_price(self, unit_price: Decimal) -> LineInput:
        return replace(self, unit_price=unit_price)


SHOWN = ("description", "quantity", "unit_price", "discount", "coupon_discount", "total", "position")
OF_ITS_INVOICE = ("number", "status", "currency", "invoice_date", "coupon_code")
"""What the purchase history shows of a line."""


HALF_A_YEN = Decimal("0.5")
"""What a line can gain by rounding, at most."""


class InvoiceLineQuerySet(models.QuerySet["InvoiceLine"]):
    def history_of(self, contact: Contact) -> InvoiceLineQuerySet:
        """The contact's purchases, newest first, each with its invoice for date and status."""
        return (
            self.filter(invoice__contact=contact)
            .select_related("invoice")
            .only(*SHOWN, *(f"invoice__{name}" for name in OF_ITS_INVOICE))
            .order_by("-invoice__invoice_date", "-invoice_id", "position", "id")
        )


class InvoiceLine(models.Model):
    """A purchase: one product line. Keeps the words, price and tax it was sold with; ``total = net + tax``,
    rounded once.

    ``coupon_discount`` is its share of the invoice's coupon, beside the ``discount`` that somebody gave it.
    ``net`` is what remains after both, before tax.
    """

    invoice = models.ForeignKey("billing.Invoice", models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField(_("position"))
    product = models.ForeignKey(Product, models.PROTECT, null=True, blank=True, related_name="lines")
    sku = models.CharField(_("SKU"), max_length=60, blank=True)
    description = models.CharField(_("description"), max_length=200)
    quantity = models.DecimalField(_("quantity"), max_digits=12, decimal_places=3)
    unit_price = amount_field(_("unit price"))
    discount = amount_field(_("discount"))
    coupon_discount = amount_field(_("discount by coupon"))
    tax_rate = models.ForeignKey(TaxRate, models.PROTECT, null=True, blank=True, related_name="+")
    tax_percent = models.DecimalField(_("tax %"), max_digits=7, decimal_places=4, default=0)
    net = amount_field(_("net"))
    tax = amount_field(_("tax"))
    total = amount_field(_("total"))

    objects = InvoiceLineQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("purchase")
        ordering: ClassVar = ["position", "id"]
        indexes: ClassVar = [models.Index(fields=["invoice", "position", "id"], name="line_by_invoice")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="line_quantity_positive"),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="line_price_not_negative"),
            models.CheckConstraint(condition=Q(discount__gte=0), name="line_discount_not_negative"),
            models.CheckConstraint(
                condition=Q(coupon_discount__gte=0)
                & Q(coupon_discount__lte=F("quantity") * F("unit_price") - F("discount") + HALF_A_YEN),
                name="line_coupon_takes_no_more_than_the_line",
            ),
            models.CheckConstraint(condition=Q(net__gte=0, tax__gte=0), name="line_amounts_not_negative"),
            models.CheckConstraint(condition=Q(total__gte=F("net")), name="line_total_holds_net"),
        ]

    def __str__(self) -> str:
        return self.description

    @property
    def given(self) -> LineInput:
        """What it was made of: :meth:`made_from` makes the same line of it again."""
        return LineInput(**{each.name: getattr(self, each.name) for each in fields(LineInput)})

    @property
    def discounts(self) -> Decimal:
        """Everything that came off it, before tax."""
        return self.discount + self.coupon_discount

    @classmethod
    def made_from(
        cls,
        given: LineInput,
        *,
        invoice_id: int | None,
        position: int,
        currency: str,
        coupon: Decimal = ZERO,
    ) -> InvoiceLine:
        """An unsaved line with its amounts worked out. ``coupon``: its share of the invoice's coupon."""
        amounts = given.amounts(currency, coupon=coupon)
        return cls(
            invoice_id=invoice_id,  # type: ignore[misc]  # None: not saved, or not yet
            position=position,
            product_id=given.product_id,
            sku=given.sku,
            description=given.description,
            quantity=given.quantity,
            unit_price=given.unit_price,
            discount=given.discount,
            coupon_discount=coupon,
            tax_rate_id=given.tax_rate_id,
            tax_percent=given.tax_percent,
            net=amounts.net,
            tax=amounts.tax,
            total=amounts.total,
        )
