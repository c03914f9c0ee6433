from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact


class EventQuerySet(models.QuerySet["Event"]):
    def for_timeline(self) -> EventQuerySet:
        """Newest first, with what a line of the timeline shows."""
        return self.select_related("invoice", "order", "payment").order_by("-at", "-id")


class Event(models.Model):
    """One line of a timeline: who did what, when, why, and the figures. Written in the transaction of the
    deed; never changed.

    ``key`` is the one-time key of the dialog that asked for it: unique, so a deed cannot be done twice by a
    double click.
    """

    contact = models.ForeignKey(Contact, models.PROTECT, null=True, related_name="events")
    invoice = models.ForeignKey("billing.Invoice", models.SET_NULL, null=True, related_name="events")
    payment = models.ForeignKey("billing.Payment", models.PROTECT, null=True, related_name="events")
    order = models.ForeignKey(
        "billing.Order", models.PROTECT, null=True, related_name="events", db_index=False
    )
    attempt = models.ForeignKey("billing.Attempt", models.PROTECT, null=True, related_name="events")
    subject = models.CharField(_("about"), max_length=120, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    actor_name = models.CharField(_("by"), max_length=160, blank=True)
    action = models.CharField(_("action"), max_length=40)
    text = models.TextField(_("what happened"))
    figures = models.JSONField(_("figures"), default=dict, blank=True)
    key = models.UUIDField(_("one-time key"), null=True, unique=True)
    at = models.DateTimeField(_("when"))

    objects = EventQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("event")
        indexes: ClassVar = [
            models.Index(fields=["contact", "-at", "-id"], name="event_by_contact"),
            models.Index(fields=["invoice", "-at", "-id"], name="event_by_invoice"),
            models.Index(
                fields=["order", "-at", "-id"], name="event_by_order", condition=models.Q(order__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.text
