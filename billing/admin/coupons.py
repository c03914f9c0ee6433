"""Coupons and their codes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.admin.asking import AsksPlainly
from billing.admin.reading import RecordAdmin
from billing.models import (
    Coupon,
    CouponCode,
    CouponRedemption,
)
from billing.models.coupons.coupon import FIXED
from billing.models.spelling import LONGEST, SPELT, spelt
from billing.statuses import CouponAudience
from billing.templatetags.rows import (
    Entry,
    code_entries,
    coupon_entries,
)


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
class CouponAdmin(AsksPlainly, admin.ModelAdmin[Coupon]):
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

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Coupon | None:
        """Locked while it is changed: saving writes every column, and a redemption counts in one of them."""
        found = super().get_object(request, object_id, from_field)
        if found and request.method == "POST":
            found.refresh_from_db(from_queryset=Coupon.objects.locked())
        return found

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        coupon = super().get_object(request, object_id)
        entries = coupon_entries(coupon, request.user) if coupon else []
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
