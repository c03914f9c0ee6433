"""What staff put together in the back office for customers to order from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.models.coupons.discount import Discount
from billing.models.editing import totals_of
from billing.models.guard import Invalid, NotOffered
from billing.models.line import LineInput
from billing.models.product import Product, check_currency
from billing.money import ZERO

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.invoice import Invoice

MOST_OF_A_PRODUCT = 9999
LONGEST_REFERRAL = 3650
"""Days."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An item of a form, with its product as it is sold in the form's currency."""

    item: OrderFormItem
    product: Product

    def lines(self, quantity: int) -> Iterator[LineInput]:
        """What the first invoice asks for so many: the product, and what setting it up costs once."""
        rate = self.product.tax_rate if self.product.tax_rate and self.product.tax_rate.is_active else None
        percent = rate.percent if rate else ZERO
        yield LineInput(
            description=self.product.name,
            quantity=Decimal(quantity),
            unit_price=self.product.first_price,
            sku=self.product.sku,
            product_id=self.product.pk,
            tax_rate_id=rate.pk if rate else None,
            tax_percent=percent,
        )
        if self.product.recurs and self.product.setup_fee:
            yield LineInput(
                description=(_now("Set-up fee: %(product)s") % {"product": self.product.name})[:200],
                quantity=Decimal(1),
                unit_price=self.product.setup_fee,
                tax_rate_id=rate.pk if rate else None,
                tax_percent=percent,
            )


@dataclass(frozen=True, slots=True)
class Basket:
    """What is ordered. ``recurs``: it is charged again later, so a card must be kept. ``terms``: what is
    agreed to for each product, by its number as JSON keeps it.
    """

    currency: str
    lines: Sequence[LineInput]
    recurs: bool
    terms: dict[str, dict[str, Any]]
    discount: Discount | None = None

    def totals(self) -> dict[str, Any]:
        """By the arithmetic that saving uses."""
        return totals_of(self.lines, shipping=ZERO, currency=self.currency, discount=self.discount)

    @property
    def total(self) -> Decimal:
        total: Decimal = self.totals()["total"]
        return total


class OrderForm(models.Model):
    """A page on which customers order. Once something was ordered on it, it is closed and never deleted."""

    slug = models.SlugField(
        _("address"), max_length=60, unique=True, help_text=_("The last part of its link: /order/…/")
    )
    title = models.CharField(_("title"), max_length=120)
    intro = models.TextField(_("introduction"), max_length=4000, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    asks_address = models.BooleanField(_("ask for the postal address"), default=False)
    asks_coupon = models.BooleanField(_("ask for a coupon code"), default=False)
    terms = models.TextField(
        _("terms"), max_length=20_000, blank=True, help_text=_("The customer must agree to them, if any.")
    )
    thanks = models.TextField(
        _("thank-you text"), max_length=4000, blank=True, help_text=_("Shown when the order was paid.")
    )
    referral_days = models.PositiveSmallIntegerField(
        _("days that a partner's link counts"),
        default=30,
        validators=[MaxValueValidator(LONGEST_REFERRAL)],
        help_text=_("How long after opening ?ref=CODE an order is the partner's; 0 for that visit only."),
    )
    is_active = models.BooleanField(_("takes orders"), default=True)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)

    if TYPE_CHECKING:
        items: RelatedManager[OrderFormItem]
        invoices: RelatedManager[Invoice]

    class Meta:
        verbose_name = _("order form")
        ordering: ClassVar = ["title", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(referral_days__lte=LONGEST_REFERRAL), name="order_form_referral_ends"
            )
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return f"/order/{self.slug}/"

    def clean(self) -> None:
        check_currency(self.currency)

    @property
    def link(self) -> str:
        return f"{settings.BASE_URL}{self.get_absolute_url()}"

    # -- what it sells

    def offers(self) -> list[Offer]:
        """What can be ordered now. Raises NotOffered, with a sentence for customers. Three queries."""
        rows = self.items.select_related("product__tax_rate").prefetch_related("product__prices")
        items = list(rows.order_by("position", "id"))
        if not self.is_active or not items or any(item.fault(self.currency) for item in items):
            raise NotOffered(_now("Nothing can be ordered here just now. Please get in touch with us."))
        sold = ((item, item.product.priced_in(self.currency)) for item in items)
        return [Offer(item, product) for item, product in sold if product]

    def faults(self) -> list[str]:
        """Why nothing can be ordered on it now, for staff."""
        found = [fault for item in self.items.all() if (fault := item.fault(self.currency))]
        return found if self.is_active else [_now("It takes no orders: that is switched off."), *found]

    def basket(self, offers: Sequence[Offer], quantities: Mapping[int, int]) -> Basket:
        """``quantities`` by item. Raises Invalid when nothing is ordered."""
        asked = [(offer, quantities.get(offer.item.pk, 0)) for offer in offers]
        chosen = [(offer, quantity) for offer, quantity in asked if quantity]
        lines = [line for offer, quantity in chosen for line in offer.lines(quantity)]
        if not lines:
            field = offers[0].item.field
            raise Invalid(_now("Quantity is 0 everywhere: choose at least one thing."), field=field)
        products = [offer.product for offer, _quantity in chosen]
        terms = {str(product.pk): product.agreed for product in products}
        return Basket(self.currency, lines, any(product.recurs for product in products), terms)


class OrderFormItem(models.Model):
    """A product on a form. Customers choose from ``least`` to ``most`` of it; 0 lets them leave it out."""

    form = models.ForeignKey(OrderForm, models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", verbose_name=_("product"))
    position = models.PositiveSmallIntegerField(_("place"), default=1)
    quantity = models.PositiveSmallIntegerField(_("quantity at first"), default=1)
    least = models.PositiveSmallIntegerField(_("at least"), default=1)
    most = models.PositiveSmallIntegerField(_("at most"), default=1)

    class Meta:
        verbose_name = _("product on the form")
        verbose_name_plural = _("products on the form")
        ordering: ClassVar = ["position", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["form", "product"],
                name="order_form_item_once",
                violation_error_message=_("The product is on the form already."),
            ),
            models.CheckConstraint(
                condition=Q(
                    least__lte=F("quantity"),
                    quantity__lte=F("most"),
                    most__gte=1,
                    most__lte=MOST_OF_A_PRODUCT,
                ),
                name="order_form_item_quantity_within",
                violation_error_message=_(
                    "At least, quantity at first and at most must stand in this order, from 0 to 9999."
                ),
            ),
        ]

    def __str__(self) -> str:
        return str(self.product)

    @property
    def field(self) -> str:
        """The name of its quantity among what the page asks."""
        return f"quantity-{self.pk}"

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to choose about it."""
        return self.least == self.most

    def fault(self, currency: str) -> str:
        """Why it cannot be ordered in this currency, for staff, or nothing."""
        words = {"product": self.product, "currency": currency}
        if not self.product.is_active:
            return _now("Product is “%(product)s”: it is not offered any more.") % words
        if self.product.priced_in(currency) is None:
            return _now("Product is “%(product)s”: it has no price in %(currency)s.") % words
        return ""
