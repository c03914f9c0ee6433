"""A product that is typed by its SKU or name, among the ones that the page offers."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing.forms.fields import PlainTextField
from billing.models import Product
from billing.statuses import SoldAs

OFFERED = 200
"""Products that the page names; any other one is typed."""


class ProductField(PlainTextField):
    """Gives the active product with this SKU or name, or the one that is ``kept``; None for nothing typed."""

    kept: Product | None = None

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput(attrs={"list": "products", "autocomplete": "off"}))
        super().__init__(label=_("Product"), max_length=200, required=False, **kwargs)

    def clean(self, value: Any) -> Any:
        typed: str = super().clean(value)
        if not typed:
            return None
        if self.kept and typed in (self.kept.sku, self.kept.name):
            return self.kept  # it may have been withdrawn since
        known = Product.objects.select_related("tax_rate").filter(is_active=True)
        found = known.filter(Q(sku__iexact=typed) | Q(name__iexact=typed)).order_by("id").first()
        if found is None:
            rule = _now("Product is “%(value)s”: no product has this SKU or name.")
            raise ValidationError(rule % {"value": typed[:40]}, code="invalid")
        return found


class OffersProducts:
    """A dialog in which a product may be typed."""

    @cached_property
    def products(self) -> list[Product]:
        """Products to choose from, sold as subscriptions or on plans."""
        offered = Product.objects.filter(is_active=True).exclude(sold_as=SoldAs.ONCE)
        return list(offered.order_by("name", "id")[:OFFERED])
