"""The card company's own dashboard: what it did can be read, and what people do there can be tried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.gateways.sandbox import dashboard
from billing.gateways.sandbox.models import Charge, Dispute, Message, Refund
from billing.money import DECIMAL_PLACES, MAX_DIGITS
from billing.statuses import DisputeState

if TYPE_CHECKING:
    ChargeAdminBase = admin.ModelAdmin[Charge]
    DisputeAdminBase = admin.ModelAdmin[Dispute]
    MessageAdminBase = admin.ModelAdmin[Message]
    RefundAdminBase = admin.ModelAdmin[Refund]
else:
    ChargeAdminBase = DisputeAdminBase = MessageAdminBase = RefundAdminBase = admin.ModelAdmin


class AmountForm(ActionForm):
    amount = forms.DecimalField(
        label=_("Amount, all if empty:"),
        required=False,
        min_value=0,
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
    )


class NeverWritten:
    """What the sandbox wrote down is read, and added to or deleted by nobody."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def each(request: HttpRequest, rows: QuerySet[Any], do: Callable[[str], object]) -> None:
    """Do it to each, and say what was done and what was not: the desk hears of it with its next tick."""
    done = 0
    for ref in rows.values_list("ref", flat=True):
        try:
            do(ref)
        except dashboard.NotPossible as reason:
            messages.warning(request, f"{ref}: {reason}")
        else:
            done += 1
    if done:
        words = _now("Done for %(count)s. The desk is told with its next tick, within a minute.")
        messages.success(request, words % {"count": done})


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
    action_form = AmountForm
    actions = ("refund_here", "dispute_here", "pay_again_here")
    readonly_fields = (
        "ref",
        "key",
        "confirm_key",
        "card",
        "amount",
        "currency",
        "description",
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

    @admin.action(description=_("Refund at the gateway, without the desk"), permissions=["change"])
    def refund_here(self, request: HttpRequest, charges: QuerySet[Charge]) -> None:
        self._with_amount(request, charges, dashboard.refund)

    @admin.action(description=_("Open a dispute, as the cardholder's bank"), permissions=["change"])
    def dispute_here(self, request: HttpRequest, charges: QuerySet[Charge]) -> None:
        self._with_amount(request, charges, dashboard.dispute)

    @admin.action(description=_("Charge the same card elsewhere, without the desk"), permissions=["change"])
    def pay_again_here(self, request: HttpRequest, charges: QuerySet[Charge]) -> None:
        self._with_amount(request, charges, dashboard.pay_again)

    def _with_amount(
        self, request: HttpRequest, charges: QuerySet[Charge], do: Callable[..., object]
    ) -> None:
        amount = AmountForm.base_fields["amount"].clean(request.POST.get("amount"))  # Django has checked it
        now = clock.now()
        each(request, charges, lambda ref: do(ref, amount=amount, now=now))


@admin.register(Dispute)
class DisputeAdmin(NeverWritten, DisputeAdminBase):
    list_display = ("ref", "created_at", "charge", "amount", "currency", "reason", "state", "respond_by")
    list_filter = ("state",)
    list_select_related = ("charge",)
    search_fields = ("ref", "charge__ref")
    ordering = ("-created_at", "-pk")
    actions = ("win", "lose")

    @admin.display(ordering="charge__currency")
    def currency(self, dispute: Dispute) -> str:
        return dispute.charge.currency

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("sandbox.change_dispute"))

    @admin.action(description=_("Close as won by the desk"), permissions=["decide"])
    def win(self, request: HttpRequest, disputes: QuerySet[Dispute]) -> None:
        self._close(request, disputes, DisputeState.WON)

    @admin.action(description=_("Close as lost by the desk"), permissions=["decide"])
    def lose(self, request: HttpRequest, disputes: QuerySet[Dispute]) -> None:
        self._close(request, disputes, DisputeState.LOST)

    def _close(self, request: HttpRequest, disputes: QuerySet[Dispute], state: DisputeState) -> None:
        now = clock.now()
        each(request, disputes, lambda ref: dashboard.close_dispute(ref, state, now=now))


@admin.register(Message)
class MessageAdmin(NeverWritten, MessageAdminBase):
    list_display = ("ref", "created_at", "delivered_at", "body")
    search_fields = ("ref", "body")
    ordering = ("-pk",)


@admin.register(Refund)
class RefundAdmin(NeverWritten, RefundAdminBase):
    list_display = ("ref", "created_at", "charge", "amount", "currency", "state", "code", "message")
    list_filter = ("state",)
    list_select_related = ("charge",)
    search_fields = ("ref", "key", "charge__ref")
    ordering = ("-created_at", "-pk")

    @admin.display(ordering="charge__currency")
    def currency(self, refund: Refund) -> str:
        return refund.charge.currency
