"""What the back office shows of a record: read-only, but for the guarded actions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from billing.templatetags.rows import (
    Entry,
)

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
