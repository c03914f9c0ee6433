"""What is sold, at what tax, and the forms on which customers order it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Field, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.forms.header import currency_choices
from billing.models import (
    OrderForm,
    OrderFormItem,
    Product,
    ProductPrice,
    TaxRate,
)

if TYPE_CHECKING:
    pass


class PicksCurrency:
    """The currency is chosen from the list of those that people pay with."""

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **more: Any) -> Any:
        if db_field.name == "currency":
            words = {"invalid_choice": _("Currency is “%(value)s”: it is not in ISO 4217, for example USD.")}
            label = str(db_field.verbose_name).capitalize()
            return forms.ChoiceField(label=label, choices=currency_choices, error_messages=words)
        return super().formfield_for_dbfield(db_field, request, **more)  # type: ignore[misc]


class PriceInline(PicksCurrency, admin.TabularInline[ProductPrice, Product]):
    model = ProductPrice
    extra = 0


@admin.register(Product)
class ProductAdmin(PicksCurrency, admin.ModelAdmin[Product]):
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
class OrderFormAdmin(PicksCurrency, admin.ModelAdmin[OrderForm]):
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
class TaxRateAdmin(admin.ModelAdmin[TaxRate]):
    list_display = ("name", "percent", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name",)
