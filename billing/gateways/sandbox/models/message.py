from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.gateways.sandbox.models.keys import new_ref


class MessageQuerySet(models.QuerySet["Message"]):
    def write(self, type_: str, *, ref: str, key: UUID | None = None, now: datetime) -> Message:
        """Put a message into the post, in the transaction of what it tells about."""
        event = new_ref("event")
        told = {"id": event, "type": type_, "ref": ref, "key": str(key) if key else ""}
        return self.create(ref=event, body=json.dumps(told), created_at=now)

    def undelivered(self) -> MessageQuerySet:
        return self.filter(delivered_at=None).order_by("id")


class Message(models.Model):
    """What the card company tells the desk: a real one would post it to the desk's address.

    It is signed when it is delivered, as a real one signs each delivery.
    """

    ref = models.CharField(_("reference"), max_length=80, unique=True)
    body = models.TextField(_("body"))
    created_at = models.DateTimeField(_("created at"))
    delivered_at = models.DateTimeField(_("delivered at"), null=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = (
            models.Index(fields=["id"], name="sandbox_message_waiting", condition=Q(delivered_at=None)),
        )

    def __str__(self) -> str:
        return self.ref
