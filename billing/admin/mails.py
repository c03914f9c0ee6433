"""E-mails, their words, and who is told of what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.clickjacking import xframe_options_sameorigin

from billing.forms.wording import EmailTemplateForm, explained, tried_out, words_of
from billing.models import (
    EmailTemplate,
    Mail,
    MailSettings,
)
from billing.statuses import MailKind

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

from billing.admin.reading import RecordAdmin

PREVIEW_POLICY = {
    "default-src": [NONE],
    "style-src": [SELF, UNSAFE_INLINE],
    "frame-ancestors": [SELF],
    "sandbox": True,
}
"""E-mails carry their styles in the text. So does their preview, in a frame where nothing else is allowed."""


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
