from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from billing.gateways.sandbox.models import Charge, Refund

if TYPE_CHECKING:
    ChargeAdminBase = admin.ModelAdmin[Charge]
    RefundAdminBase = admin.ModelAdmin[Refund]
else:
    ChargeAdminBase = RefundAdminBase = admin.ModelAdmin


@admin.register(Charge)
class ChargeAdmin(ChargeAdminBase):
    """What was charged is read here, never written: but a charge may be told to refuse its refunds."""

    list_display = (
        "ref",
        "created_at",
        "card",
        "amount",
        "currency",
        "state",
        "code",
        "refunded",
        "refuses_refunds",
    )
    list_filter = ("state", "currency", "refuses_refunds")
    list_select_related = ("card",)
    search_fields = ("ref", "key", "card__last4")
    ordering = ("-created_at", "-pk")
    readonly_fields = (
        "ref",
        "key",
        "confirm_key",
        "card",
        "amount",
        "currency",
        "state",
        "code",
        "message",
        "hard",
        "refunded",
        "created_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Charge | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Charge, form: Any, change: bool) -> None:
        obj.save(update_fields=["refuses_refunds"])


@admin.register(Refund)
class RefundAdmin(RefundAdminBase):
    list_display = ("ref", "created_at", "charge", "amount", "currency", "state", "code", "message")
    list_filter = ("state",)
    list_select_related = ("charge",)
    search_fields = ("ref", "key", "charge__ref")
    ordering = ("-created_at", "-pk")

    @admin.display(ordering="charge__currency")
    def currency(self, refund: Refund) -> str:
        return refund.charge.currency

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Refund | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Refund | None = None) -> bool:
        return False
