"""The installation's own rules: how declined cards are retried, how invoices are numbered."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from billing.models import (
    RechargeSettings,
    Series,
)


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


@admin.register(Series)
class SeriesAdmin(admin.ModelAdmin[Series]):
    """The format of the numbers may be changed; the count may not, or the numbers would not be gap-free."""

    list_display = ("name", "format", "last")
    readonly_fields = ("name", "last")
