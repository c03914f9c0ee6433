"""What is sold, at what tax, and the forms on which customers order it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.admin.asking import AsksPlainly
from billing.models import (
    OrderForm,
    OrderFormItem,
    Product,
    ProductPrice,
    TaxRate,
)


class PriceInline(AsksPlainly, admin.TabularInline[ProductPrice, Product]):
    model = ProductPrice
    extra = 0


@admin.register(Product)
class ProductAdmin(AsksPlainly, admin.ModelAdmin[Product]):
    list_display = ("name", "sku", "price_shown", "terms", "tax_rate", "is_active")
    list_filter = ("is_active", "sold_as", "currency", "tax_rate")
    list_select_related = ("tax_rate",)
    search_fields = ("name", "sku")
    show_full_result_count = False
    fieldsets = (
        (
            None,
            {"fields": ("name", "sku", ("price", "currency"), "tax_rate", ("is_active", "commissionable"))},
        ),
        (
            _("How it is sold"),
            {
                "description": _("A subscription goes on until it is cancelled; a plan has its payments."),
                "fields": (
                    *("sold_as", ("every", "unit"), "payments"),
                    *(("trial_days", "trial_payments", "trial_price"), "setup_fee", "delay_days"),
                ),
            },
        ),
    )

    inlines: ClassVar = [PriceInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).prefetch_related("prices")

    @admin.display(description=_("price"), ordering="price")
    def price_shown(self, product: Product) -> str:
        return " · ".join([money.show(product.price, product.currency), *map(str, product.prices.all())])


class ItemFormSet(BaseInlineFormSet[OrderFormItem, OrderForm, Any]):
    """A form sells at least one thing, and each in its own currency."""

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        if not kept and not any(form.errors for form in self.forms):
            raise ValidationError(_now("Products on the form are missing: choose at least one."))
        for form in kept:
            fault = form.instance.fault(self.instance.currency) if form.cleaned_data.get("product") else ""
            if fault:
                form.add_error("product", fault)


class ItemInline(admin.TabularInline[OrderFormItem, OrderForm]):
    model = OrderFormItem
    formset = ItemFormSet
    autocomplete_fields = ("product",)
    extra = 1


@admin.register(OrderForm)
class OrderFormAdmin(AsksPlainly, admin.ModelAdmin[OrderForm]):
    list_display = ("title", "link_shown", "currency", "products", "state")
    list_filter = ("is_active", "currency")
    search_fields = ("title", "slug")
    prepopulated_fields: ClassVar = {"slug": ("title",)}
    readonly_fields = ("link_shown", "state")
    inlines: ClassVar = [ItemInline]
    fieldsets = (
        (None, {"fields": ("title", "slug", "currency", "is_active", "link_shown", "state")}),
        (_("What customers read"), {"fields": ("intro", "terms", "thanks")}),
        (_("What customers are asked"), {"fields": ("asks_address", "asks_coupon", "referral_days")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderForm]:
        return super().get_queryset(request).prefetch_related("items__product__prices")

    def view_on_site(self, obj: Any) -> str:
        return str(obj.get_absolute_url())

    @admin.display(description=_("link"))
    def link_shown(self, form: OrderForm) -> SafeString | str:
        if not form.pk:
            return _now("It is shown once the form is saved.")
        return format_html('<a href="{}">{}</a>', form.get_absolute_url(), form.link)

    @admin.display(description=_("products"))
    def products(self, form: OrderForm) -> str:
        return ", ".join(str(item) for item in form.items.all())

    @admin.display(description=_("state"))
    def state(self, form: OrderForm) -> str:
        return (" ".join(form.faults()) or _now("Takes orders.")) if form.pk else "-"


@admin.register(TaxRate)
class TaxRateAdmin(AsksPlainly, admin.ModelAdmin[TaxRate]):
    list_display = ("name", "percent", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name",)
