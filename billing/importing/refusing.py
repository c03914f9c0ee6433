"""Why something was not imported: a line, which costs only itself, or the whole file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from billing.importing.source import Row


class Reason(TextChoices):
    """What is wrong with a line, as the report and the summary sort it."""

    UNREADABLE = "unreadable", _("the line cannot be read")
    NUMBER = "number", _("no document number that can be kept")
    ADJUSTMENT = "adjustment", _("an adjustment, neither sale nor refund")
    DATE = "date", _("no date that can be kept")
    QUANTITY = "quantity", _("no quantity that can be kept")
    PRICE = "price", _("no price that can be kept")
    TEXT = "text", _("no text that can be kept")
    NO_CUSTOMER = "no_customer", _("no customer")
    OTHER_CUSTOMER = "other_customer", _("another customer than the rest of the document")
    TOO_MUCH = "too_much", _("the document is larger than an invoice can be")
    NUMBER_TAKEN = "number_taken", _("the number belongs to another invoice")
    NO_SALE = "no_sale", _("no sale found that it could return")
    NOTHING_LEFT = "nothing_left", _("more than is left to return")


class Rejected(Exception):
    """A line that is not imported; ``why`` is the sentence for people."""

    def __init__(self, reason: Reason, why: str, row: Row) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why
        self.row = row


class ImportRefused(Exception):
    """Nothing, or nothing more, is imported; ``str()`` is the sentence that says why."""
