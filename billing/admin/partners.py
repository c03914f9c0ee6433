"""Partner programs, who is in them, and what they earned."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.admin.asking import AsksPlainly
from billing.admin.reading import RecordAdmin
from billing.models import (
    Commission,
    Partner,
    PartnerProgram,
    Payout,
    ProgramRate,
    Threshold,
)
from billing.templatetags.rows import (
    Entry,
    commission_entries,
)


class ProgramRateInline(AsksPlainly, admin.TabularInline[ProgramRate, PartnerProgram]):
    model = ProgramRate
    extra = 0
    autocomplete_fields = ("product",)
    verbose_name_plural = _("products with rates of their own")


class ThresholdInline(AsksPlainly, admin.TabularInline[Threshold, PartnerProgram]):
    model = Threshold
    extra = 0


@admin.register(PartnerProgram)
class PartnerProgramAdmin(AsksPlainly, admin.ModelAdmin[PartnerProgram]):
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
