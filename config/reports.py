"""What a report of an error may tell."""

from __future__ import annotations

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class CarefulFilter(SafeExceptionReporterFilter):
    """Leaves out what is sensitive also while DEBUG is on, when Django by itself shows everything."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True
