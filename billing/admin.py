"""The back office. Financial records are read here and changed nowhere but by the desk's guarded actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Field, Model, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django_otp import devices_for_user
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from billing import clock, money
from billing.actions import CODE_STEPS, NOTICE_ACTIONS
from billing.forms.header import currency_choices
from billing.forms.wording import EmailTemplateForm, explained, tried_out, words_of
from billing.models import (
    Attempt,
    Card,
    Commission,
    Coupon,
    CouponCode,
    CouponRedemption,
    Dispute,
    EmailTemplate,
    Event,
    GatewayEvent,
    Invoice,
    Mail,
    MailSettings,
    Order,
    OrderForm,
    OrderFormItem,
    OrderLine,
    Partner,
    PartnerProgram,
    Payment,
    Payout,
    Product,
    ProductPrice,
    ProgramRate,
    RechargeSchedule,
    RechargeSettings,
    Series,
    Submission,
    TaxRate,
    Threshold,
    UnmatchedMoney,
)
from billing.models.coupons.coupon import FIXED
from billing.models.guard import Refused
from billing.models.spelling import LONGEST, SPELT, spelt
from billing.statuses import CouponAudience, MailKind
from billing.templatetags.rows import (
    Entry,
    code_entries,
    commission_entries,
    invoice_entries,
    order_entries,
    payment_entries,
)

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
KEPT_BACK = frozenset({"token", "card_token", "html", "key", "visit", "typed", "opened_from"})
"""Columns that nobody needs to read: secrets, the keys of single clicks, and what visitors typed."""


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


class CouponForm(forms.ModelForm[Coupon]):
    """``public_code``: of a group coupon, which has one; a personal one's are issued at the desk."""

    public_code = forms.CharField(
        label=_("Public code"),
        required=False,
        max_length=60,
        help_text=_("Of a group coupon: letters and digits. Capitals, blanks and hyphens do not matter."),
    )

    class Meta:
        model = Coupon
        fields = (
            *("name", "kind", "percent", "amount", "currency", "scope", "products", "audience"),
            *("begins_on", "ends_on", "days", "total_available", "is_active"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        coupon, field = self.instance, self.fields["public_code"]
        if coupon.pk:
            field.initial = coupon.codes.filter(contact=None).values_list("code", flat=True).first() or ""
            field.disabled = coupon.terms_are_fixed

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        code = spelt(given.get("public_code") or "")
        fault = self._fault_of(code, given.get("audience", self.instance.audience))
        if fault:
            self.add_error("public_code", fault)
        return {**given, "public_code": code}

    def _fault_of(self, code: str, audience: str) -> str:
        words = {"code": code[:40]}
        if audience != CouponAudience.GROUP:
            rule = _("Public code is “%(code)s”: a personal coupon has none, its codes are issued.")
            return str(rule % words) if code else ""
        if not code:
            return str(_("Public code is missing: a group coupon has one."))
        if not SPELT.fullmatch(code):
            rule = _("Public code is “%(code)s”: use 3 to %(most)s letters (A to Z) and digits.")
            return str(rule % {**words, "most": LONGEST})
        if CouponCode.objects.filter(code=code).exclude(coupon=self.instance.pk).exists():
            return str(_("Public code is “%(code)s”: another coupon has it.") % words)
        return ""


@admin.register(Coupon)
class CouponAdmin(admin.ModelAdmin[Coupon]):
    """What a coupon promises is fixed as soon as somebody holds or uses one of its codes."""

    form = CouponForm
    list_display = ("name", "off", "scope", "audience", "begins_on", "ends_on", "left", "is_active")
    list_filter = ("is_active", "audience", "kind", "scope")
    search_fields = ("name", "codes__code")
    autocomplete_fields = ("products",)
    readonly_fields = ("redeemed",)
    change_form_template = "admin/billing/record.html"
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("name", "kind", ("percent", "amount", "currency"), "scope", "products")}),
        (
            _("Who can use it, and when"),
            {
                "description": _(
                    "Either from and until, or for a personal code so many days from its issue."
                ),
                "fields": (
                    *("audience", "public_code", ("begins_on", "ends_on"), "days"),
                    *("total_available", "redeemed", "is_active"),
                ),
            },
        ),
    )

    @admin.display(description=_("takes off"))
    def off(self, coupon: Coupon) -> str:
        return coupon.off

    @admin.display(description=_("redeemed"))
    def left(self, coupon: Coupon) -> str:
        return f"{coupon.redeemed} / {'∞' if coupon.total_available is None else coupon.total_available}"

    def get_readonly_fields(self, request: HttpRequest, obj: Coupon | None = None) -> Any:
        fixed = FIXED if obj and obj.terms_are_fixed else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        coupon, code = form.instance, form.cleaned_data["public_code"]
        public = coupon.codes.filter(contact=None)
        if coupon.is_personal:
            public.delete()  # of a group coupon that nobody had used yet
        elif not public.filter(code=code).exists():
            public.delete()
            CouponCode.objects.create(
                coupon=coupon,
                code=code,
                issued_at=clock.now(),
                issued_by=request.user,  # type: ignore[misc]  # nobody comes in unnamed
            )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        coupon, issue = self.get_object(request, object_id), CODE_STEPS["issue_code"]
        may = coupon and coupon.is_personal and request.user.has_perm(issue.codename)
        url = f"{reverse('billing:coupon_issue')}?coupon={object_id}"
        entries = [Entry(issue, url, url, dialog=False)] if may else []
        context = {**(extra_context or {}), "entries": entries}
        return super().change_view(request, object_id, form_url, context)


@admin.register(CouponCode)
class CouponCodeAdmin(RecordAdmin):
    list_display = ("__str__", "coupon", "contact", "state", "issued_at", "expires_on")
    list_filter = ("state", "issued_at")
    list_select_related = ("coupon", "contact")
    search_fields = ("code", "coupon__name", "contact__name")

    def entries(self, record: CouponCode, request: HttpRequest) -> list[Entry]:
        return code_entries(record, request.user, quote(request.path))


@admin.register(CouponRedemption)
class CouponRedemptionAdmin(RecordAdmin):
    list_display = ("code", "invoice", "redeemed_at", "returned_at")
    list_filter = ("redeemed_at", "returned_at")
    list_select_related = ("code", "invoice")
    search_fields = ("code__code", "invoice__number")


class ProgramRateInline(admin.TabularInline[ProgramRate, PartnerProgram]):
    model = ProgramRate
    extra = 0
    autocomplete_fields = ("product",)
    verbose_name_plural = _("products with rates of their own")


class ThresholdInline(admin.TabularInline[Threshold, PartnerProgram]):
    model = Threshold
    extra = 0


@admin.register(PartnerProgram)
class PartnerProgramAdmin(admin.ModelAdmin[PartnerProgram]):
    """Rates count for what is worked out from now on: commissions that exist keep theirs."""

    list_display = ("name", "pays", "percent_1", "percent_2", "is_active")
    list_filter = ("is_active", "pays")
    search_fields = ("name",)
    inlines: ClassVar = [ProgramRateInline, ThresholdInline]


@admin.register(Partner)
class PartnerAdmin(admin.ModelAdmin[Partner]):
    """Partners are enrolled at the desk; here their code is changed, or they are made inactive."""

    list_display = ("code", "contact", "program", "is_active", "enrolled_at")
    list_filter = ("is_active", "program")
    list_select_related = ("contact", "program")
    search_fields = ("code", "contact__name", "contact__email")
    readonly_fields = ("contact", "program", "enrolled_at")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def view_on_site(self, obj: Any) -> str:
        return reverse("billing:partner", args=[obj.pk])


@admin.register(Commission)
class CommissionAdmin(RecordAdmin):
    list_display = ("earned_on", "partner", "level", "invoice", "kind", "amount", "currency", "status")
    list_filter = ("status", "kind", "level", "currency", "earned_on")
    list_select_related = ("partner__contact", "invoice")
    search_fields = ("partner__code", "partner__contact__name", "invoice__number")

    def entries(self, record: Commission, request: HttpRequest) -> list[Entry]:
        return commission_entries(record, request.user, quote(request.path))


@admin.register(Payout)
class PayoutAdmin(RecordAdmin):
    list_display = ("__str__", "program", "made_at", "partner_count", "total", "currency")
    list_filter = ("program", "currency", "made_at")
    list_select_related = ("program",)
    search_fields = ("program__name",)

    def view_on_site(self, obj: Any) -> str:
        return reverse("billing:payout", args=[obj.pk])


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


for _model in (User, TOTPDevice, StaticDevice):  # the last two would show people's secrets
    admin.site.unregister(_model)


@admin.register(User)
class StaffAdmin(UserAdmin[User]):
    """Staff and their roles. Only a superuser makes superusers, changes one, or grants what no role holds:
    otherwise whoever may manage staff could give themselves everything.
    """

    actions = ("switch_off_two_factor",)

    @admin.action(permissions=["change"], description=_("Switch two-factor sign-in off"))
    def switch_off_two_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """For whoever lost phone and spare codes: the password alone signs them in, until they set it up."""
        within = [user for user in users if self.has_change_permission(request, user)]
        for user in within:
            for device in devices_for_user(user, confirmed=None):
                device.delete()
            self.log_change(request, user, "Two-factor sign-in switched off.")
        words = _("Two-factor sign-in is off for %(names)s.") % {"names": ", ".join(map(str, within)) or "–"}
        self.message_user(request, words)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = () if request.user.is_superuser else ("is_superuser", "user_permissions")
        return (*super().get_readonly_fields(request, obj), *fixed)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_within_reach(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_within_reach(request, obj) and super().has_delete_permission(request, obj)

    def _is_within_reach(self, request: HttpRequest, obj: Any) -> bool:
        return request.user.is_superuser or not (obj and obj.is_superuser)
