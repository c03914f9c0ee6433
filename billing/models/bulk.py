"""One action on many invoices: the list and how far it has got are a row, so a run can be watched, left and
taken up again.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing.models.guard import AlreadyDone, NotOffered, Refused
from billing.models.invoice import Invoice


class Bulk(models.Model):
    """``ids`` are the invoices still in the order in which they were chosen; ``position`` how many of them
    have been dealt with.

    Each invoice gets a one-time key made from this row's and its own, so that two tabs advancing one run do
    nothing twice.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.CharField(_("action"), max_length=40)
    arguments = models.JSONField(_("what was asked"), default=dict)
    ids = models.JSONField(_("invoices"), default=list)
    position = models.PositiveIntegerField(_("dealt with"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    refused = models.JSONField(_("refused, with the reason"), default=list)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    made_at = models.DateTimeField(_("started"), default=timezone.now)

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("bulk run")
        ordering: ClassVar = ["-made_at"]

    def __str__(self) -> str:
        return f"{self.action} × {len(self.ids)}"

    @property
    def total(self) -> int:
        return len(self.ids)

    @property
    def is_finished(self) -> bool:
        return self.position >= len(self.ids)

    def advance(self, user: User, *, most: int) -> None:
        """Deal with the next ``most`` invoices.

        Each is its own transaction; what refuses is listed with its reason.
        """
        part = self.ids[self.position : self.position + most]
        found = {
            invoice.pk: invoice for invoice in Invoice.objects.select_related("contact").filter(pk__in=part)
        }
        done, refused = 0, []
        for pk in part:
            reason = self._do(user, found.get(pk), pk)
            done += not reason
            if reason:
                refused.append([pk, str(found.get(pk) or pk), reason])
        here = type(self).objects.filter(pk=self.pk, position=self.position)
        here.update(
            position=self.position + len(part), done=self.done + done, refused=[*self.refused, *refused]
        )
        self.refresh_from_db()

    def _do(self, user: User, invoice: Invoice | None, pk: int) -> str:
        """The reason why it was not done, or nothing."""
        if invoice is None:
            return _now("It does not exist any more.")
        try:
            verb = getattr(invoice, VERBS[self.action])
            verb(user, key=uuid.uuid5(self.pk, str(pk)), **self._arguments_for(invoice))
        except Refused as refusal:
            return str(refusal)
        except AlreadyDone:
            return ""
        return ""

    def _arguments_for(self, invoice: Invoice) -> dict[str, Any]:
        if self.action not in MAILS:
            return dict(self.arguments)
        if not invoice.contact.email:
            raise NotOffered(_now("%(name)s has no e-mail address.") % {"name": invoice.contact.name})
        return {**self.arguments, "recipient": invoice.contact.email}


VERBS = {
    "request_payment": "request_payment",
    "send_receipt": "send_receipt",
    "void": "void",
    "write_off": "write_off",
    "delete": "discard",
}
"""Method of each action that runs over many; Export is a file instead."""
MAILS = frozenset({"request_payment", "send_receipt"})
