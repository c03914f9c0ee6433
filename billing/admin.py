"""The back office. Financial records are read here and changed nowhere but by the desk's guarded actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from billing import clock, money
from billing.actions import NOTICE_ACTIONS
from billing.forms.wording import EmailTemplateForm, explained, tried_out, words_of
from billing.models import (
    Attempt,
    Card,
    Dispute,
    EmailTemplate,
    Event,
    GatewayEvent,
    Invoice,
    Mail,
    MailSettings,
    Order,
    OrderLine,
    Payment,
    Product,
    RechargeSchedule,
    RechargeSettings,
    Series,
    TaxRate,
    UnmatchedMoney,
)
from billing.models.guard import Refused
from billing.statuses import MailKind
from billing.templatetags.rows import Entry, invoice_entries, order_entries, payment_entries

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

admin.site.site_header = _("Counterfoil · back office")
admin.site.site_title = _("Counterfoil")
admin.site.index_title = _("Back office")

PREVIEW_POLICY = {
    "default-src": [NONE],
    "style-src": [SELF, UNSAFE_INLINE],
    "frame-ancestors": [SELF],
    "sandbox": True,
}
"""E-mails carry their styles in the text. So does their preview, in a frame where nothing else is allowed."""
KEPT_BACK = frozenset({"token", "card_token", "html", "key"})
"""Columns that nobody needs to read: secrets, and the keys of single clicks."""


class ReadOnly:
    """Nothing is added, changed or deleted here, whatever the permissions say."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RecordAdmin(ReadOnly, admin.ModelAdmin[Model]):
    """A financial record, to be read, searched and filtered; its page leads to the guarded actions."""

    list_per_page = 50
    show_full_result_count = False
    change_form_template = "admin/billing/record.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [field.name for field in self.model._meta.fields if field.name not in KEPT_BACK]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        record = self.get_object(request, object_id)
        entries = self.entries(record, request) if record else []
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "entries": entries}
        )

    def entries(self, record: Any, request: HttpRequest) -> list[Entry]:
        """What the signed-in person may do with the record now, at the desk."""
        return []


class PaymentInline(ReadOnly, admin.TabularInline[Payment, Invoice]):
    model = Payment
    fields = ("received_on", "type", "status", "method", "amount", "currency", "reference")
    max_num = 0
    show_change_link = True


@admin.register(Invoice)
class InvoiceAdmin(RecordAdmin):
    list_display = ("__str__", "contact", "status", "invoice_date", "due_on", "currency", "total", "balance")
    list_filter = ("status", "currency", "invoice_date")
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


@admin.register(Mail)
class MailAdmin(RecordAdmin):
    list_display = ("made_at", "kind", "to", "subject", "state", "tries", "error")
    list_filter = ("state", "kind", "made_at")
    search_fields = ("to", "subject", "invoice__number", "cause")


@admin.register(MailSettings)
class MailSettingsAdmin(admin.ModelAdmin[MailSettings]):
    """One row, which is there once somebody has changed a default."""

    list_display = ("__str__", "staff_address", "expiry_notice_days")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request) and not MailSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: MailSettings, form: Any, change: bool) -> None:
        obj.pk = 1
        super().save_model(request, obj, form, change)


@admin.register(EmailTemplate)
class EmailTemplateAdmin(admin.ModelAdmin[EmailTemplate]):
    """The e-mails whose words were changed. Deleting the change brings the default back."""

    form = EmailTemplateForm
    list_display = ("__str__", "subject", "changed_by", "changed_at", "error")
    list_select_related = ("changed_by",)
    search_fields = ("kind", "subject", "text")
    show_full_result_count = False

    def get_urls(self) -> list[Any]:
        preview = self.admin_site.admin_view(self.preview)
        return [path("preview/", preview, name="billing_emailtemplate_preview"), *super().get_urls()]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        kind = request.GET.get("kind", "")
        return dict(words_of(MailKind(kind))) if kind in MailKind.values else {}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Which e-mail first, then its words."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        kind = request.GET.get("kind") or request.POST.get("kind") or ""
        changed = set(EmailTemplate.objects.values_list("kind", flat=True))
        if kind not in MailKind.values or kind in changed:
            left = [each for each in MailKind if each not in changed]
            context = {**self.admin_site.each_context(request), "kinds": left, "title": _("Change an e-mail")}
            return TemplateResponse(request, "admin/billing/emailtemplate/choose.html", context)
        return super().add_view(request, form_url, {**(extra_context or {}), **explained(MailKind(kind))})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        more = explained(MailKind(found.kind)) if found else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def save_model(self, request: HttpRequest, obj: EmailTemplate, form: Any, change: bool) -> None:
        obj.changed_by = request.user  # type: ignore[assignment]  # nobody comes in unnamed
        super().save_model(request, obj, form, change)

    def preview(self, request: HttpRequest) -> HttpResponseBase:
        """What was typed, filled in with an example."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        kind = request.GET.get("kind", "")
        if kind not in MailKind.values:
            raise Http404
        return _framed(tried_out(MailKind(kind), request.POST))(request)


def _framed(context: dict[str, Any]) -> Callable[[HttpRequest], HttpResponseBase]:
    """For a frame in which no script runs and from which nothing can be reached."""

    @xframe_options_sameorigin
    @csp(PREVIEW_POLICY)
    def page(request: HttpRequest) -> HttpResponse:
        return TemplateResponse(request, "admin/billing/emailtemplate/preview.html", context)

    return page


@admin.register(GatewayEvent)
class GatewayEventAdmin(RecordAdmin):
    """What gateways told the desk. *Replay* acts once more on what failed; for the rest it is harmless."""

    list_display = ("received_at", "gateway", "type", "event_id", "ref", "state", "tries", "due_at", "error")
    list_filter = ("state", "type", "gateway", "received_at")
    search_fields = ("event_id", "ref")
    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(NOTICE_ACTIONS["replay"].codename))

    @admin.action(description=NOTICE_ACTIONS["replay"].label, permissions=["replay"])
    def replay(self, request: HttpRequest, events: QuerySet[GatewayEvent]) -> None:
        states: Counter[str] = Counter()
        for event in events:
            try:
                event.replay(request.user, at=clock.now())  # type: ignore[arg-type]  # nobody comes in unnamed
            except Refused as refusal:
                messages.error(request, str(refusal))
            else:
                states[event.state_label] += 1
        messages.info(request, ", ".join(f"{state}: {count}" for state, count in states.items()))


@admin.register(UnmatchedMoney)
class UnmatchedMoneyAdmin(RecordAdmin):
    list_display = ("happened_at", "gateway", "kind", "amount", "currency", "ref", "state", "reason")
    list_filter = ("state", "kind", "gateway", "currency")
    search_fields = ("ref", "charge_ref", "description")


@admin.register(Dispute)
class DisputeAdmin(RecordAdmin):
    list_display = ("opened_at", "gateway", "payment", "amount", "currency", "reason", "state", "respond_by")
    list_filter = ("state", "gateway", "currency")
    list_select_related = ("payment",)
    search_fields = ("ref", "charge_ref")


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin[Product]):
    list_display = ("name", "sku", "price_shown", "terms", "tax_rate", "is_active")
    list_filter = ("is_active", "sold_as", "currency", "tax_rate")
    list_select_related = ("tax_rate",)
    search_fields = ("name", "sku")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("name", "sku", ("price", "currency"), "tax_rate", "is_active")}),
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

    @admin.display(description=_("price"), ordering="price")
    def price_shown(self, product: Product) -> str:
        return money.show(product.price, product.currency)


@admin.register(TaxRate)
class TaxRateAdmin(admin.ModelAdmin[TaxRate]):
    list_display = ("name", "percent", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name",)


@admin.register(RechargeSettings)
class RechargeSettingsAdmin(admin.ModelAdmin[RechargeSettings]):
    """One row, which is never deleted. What is in Collections keeps the settings that it entered with."""

    list_display = ("__str__", "words")
    fieldsets = (
        (
            _("Retries of a declined card"),
            {
                "description": _("A change is for the invoices that enter Collections from now on."),
                "fields": (("every_days", "for_days"), "most_retries", "stops_on_hard", "at_the_end"),
            },
        ),
        (
            _("E-mails"),
            {
                "fields": (
                    *("mails_first_failure", "mails_each_failure"),
                    *("mails_recovered", "mails_written_off"),
                )
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not RechargeSettings.objects.exists()


@admin.register(RechargeSchedule)
class RechargeScheduleAdmin(RecordAdmin):
    list_display = ("invoice", "entered_at", "card", "words", "stopped", "left_at", "left_as")
    list_filter = ("stopped", "left_as", "entered_at")
    list_select_related = ("invoice", "card")
    search_fields = ("invoice__number",)


@admin.register(Series)
class SeriesAdmin(admin.ModelAdmin[Series]):
    """The format of the numbers may be changed; the count may not, or the numbers would not be gap-free."""

    list_display = ("name", "format", "last")
    readonly_fields = ("name", "last")


admin.site.unregister(User)


@admin.register(User)
class StaffAdmin(UserAdmin[User]):
    """Staff and their roles. Only a superuser makes superusers, changes one, or grants what no role holds:
    otherwise whoever may manage staff could give themselves everything.
    """

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = () if request.user.is_superuser else ("is_superuser", "user_permissions")
        return (*super().get_readonly_fields(request, obj), *fixed)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_within_reach(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_within_reach(request, obj) and super().has_delete_permission(request, obj)

    def _is_within_reach(self, request: HttpRequest, obj: Any) -> bool:
        return request.user.is_superuser or not (obj and obj.is_superuser)
