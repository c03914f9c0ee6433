"""Financial records: read-only except through the same guarded actions."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.admin.reading import ReadOnly, RecordAdmin
from billing.models import (
    Attempt,
    Card,
    Event,
    Invoice,
    Order,
    OrderLine,
    Payment,
    RechargeSchedule,
    Submission,
)
from billing.templatetags.rows import (
    Entry,
    invoice_entries,
    order_entries,
    payment_entries,
)


class PaymentInline(ReadOnly, admin.TabularInline[Payment, Invoice]):
    model = Payment
    fields = ("received_on", "type", "status", "method", "amount", "currency", "reference")
    max_num = 0
    show_change_link = True


@admin.register(Invoice)
class InvoiceAdmin(RecordAdmin):
    list_display = ("__str__", "contact", "status", "invoice_date", "due_on", "currency", "total", "balance")
    list_filter = ("status", "currency", "invoice_date", "order_form")
    list_select_related = ("contact",)
    search_fields = ("number", "external_ref", "contact__name")
    inlines: ClassVar = [PaymentInline]

    def entries(self, record: Invoice, request: HttpRequest) -> list[Entry]:
        return invoice_entries(record, request.user, quote(request.path))

    def view_on_site(self, obj: Any) -> str:
        return reverse("billing:invoice", args=[obj.pk])


@admin.register(Payment)
class PaymentAdmin(RecordAdmin):
    list_display = ("made_at", "contact", "invoice", "type", "status", "method", "amount", "currency")
    list_filter = ("type", "status", "method", "currency", "gateway", "made_at")
    list_select_related = ("contact", "invoice")
    search_fields = ("gateway_ref", "reference", "invoice__number", "contact__name")

    def entries(self, record: Payment, request: HttpRequest) -> list[Entry]:
        return payment_entries(record, request.user, quote(request.path))


class OrderLineInline(ReadOnly, admin.TabularInline[OrderLine, Order]):
    model = OrderLine
    extra = 0
    fields = readonly_fields = ("description", "sku", "quantity", "unit_price", "tax_percent")


@admin.register(Order)
class OrderAdmin(RecordAdmin):
    list_display = ("__str__", "contact", "summary", "amount", "currency", "next_charge_on", "card", "status")
    list_filter = ("status", "kind", "currency", "next_charge_on")
    list_select_related = ("contact", "card")
    search_fields = ("summary", "contact__name")
    inlines: ClassVar = [OrderLineInline]

    def entries(self, record: Order, request: HttpRequest) -> list[Entry]:
        return order_entries(record, request.user, quote(request.path))

    def view_on_site(self, obj: Any) -> str:
        return reverse("billing:order", args=[obj.pk])


@admin.register(Attempt)
class AttemptAdmin(RecordAdmin):
    list_display = ("started_at", "invoice", "kind", "state", "amount", "currency", "gateway", "message")
    list_filter = ("kind", "state", "gateway", "started_at")
    list_select_related = ("invoice",)
    search_fields = ("gateway_ref", "invoice__number")


@admin.register(Card)
class CardAdmin(RecordAdmin):
    list_display = ("__str__", "contact", "expiry", "is_default", "last_used_at", "removed_at")
    list_filter = ("gateway", "is_default", "brand")
    list_select_related = ("contact",)
    search_fields = ("last4", "contact__name")


@admin.register(Event)
class EventAdmin(RecordAdmin):
    list_display = ("at", "actor_name", "action", "subject", "text")
    list_filter = ("action", "at")
    search_fields = ("subject", "text", "actor_name")


@admin.register(Submission)
class SubmissionAdmin(RecordAdmin):
    """What came through the forms. Each leads to its invoice, where the rest is told."""

    list_display = ("sent_at", "form", "invoice", "invoice_status", "finished_at")
    list_filter = ("form", "sent_at")
    list_select_related = ("form", "invoice")
    search_fields = ("invoice__number", "invoice__contact__name")

    @admin.display(description=_("status"))
    def invoice_status(self, submission: Submission) -> str:
        return submission.invoice.status_label


@admin.register(RechargeSchedule)
class RechargeScheduleAdmin(RecordAdmin):
    list_display = ("invoice", "entered_at", "card", "words", "stopped", "left_at", "left_as")
    list_filter = ("stopped", "left_as", "entered_at")
    list_select_related = ("invoice", "card")
    search_fields = ("invoice__number",)
