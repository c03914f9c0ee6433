"""A page of a gateway on which a card is typed to be kept. It is written down, so that no card is lost with
the browser in which it was typed.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing import gateways
from billing.models.card import Card
from billing.models.customer import Customer
from billing.models.guard import Actor, AlreadyDone, outside_transaction
from contacts.models import Contact


class CardPage(models.Model):
    """``key`` is ours: the page is opened, and its card stored, once under it.

    ``order``: the customer opened it to replace the card of that order; it is written down before the
    gateway is asked, so ``page_ref`` may be empty for a moment. ``card`` is what it brought then, and
    ``ended_at`` when it did or expired: until then there is no second one. ``opened_from`` is a keyed hash of
    an address.
    """

    key = models.UUIDField(unique=True)
    contact = models.ForeignKey(Contact, models.PROTECT, related_name="+")
    gateway = models.CharField(_("gateway"), max_length=20)
    page_ref = models.CharField(_("hosted page"), max_length=255, blank=True)
    order = models.ForeignKey(
        "billing.Order", models.PROTECT, null=True, related_name="card_pages", db_index=False
    )
    card = models.ForeignKey(Card, models.PROTECT, null=True, related_name="+", db_index=False)
    opened_from = models.CharField(max_length=64, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    opened_at = models.DateTimeField(_("opened"))

    class Meta:
        default_permissions = ()
        verbose_name = _("card page")
        indexes: ClassVar = [
            models.Index(fields=["page_ref"], name="card_page_by_ref"),
            models.Index(
                fields=["order", "opened_at"], name="card_page_by_order", condition=Q(order__isnull=False)
            ),
            models.Index(
                fields=["opened_from", "opened_at"], name="card_page_by_client", condition=~Q(opened_from="")
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order"], condition=Q(ended_at__isnull=True), name="card_page_one_open_per_order"
            ),
            models.CheckConstraint(
                condition=Q(card__isnull=True) | Q(order__isnull=False, ended_at__isnull=False),
                name="card_page_ended_with_its_card",
            ),
        ]

    def __str__(self) -> str:
        return self.page_ref

    @classmethod
    def open(
        cls, by: Actor, *, contact: Contact, key: UUID, return_url: str, cancel_url: str, at: datetime
    ) -> tuple[Self, str]:
        """Open a page at the gateway in use; with its address. Twice under one key it is one page.

        A visitor's card (``by`` None) is not stored to the gateway's file on the contact: whoever typed the
        e-mail address need not be the contact. Raises what the gateway raises.
        """
        outside_transaction()
        gateway = gateways.get(settings.GATEWAY)
        page = gateway.card_page(
            key=key,
            customer=Customer.ref_of(contact, gateway=gateway.name) if by else "",
            return_url=return_url,
            cancel_url=cancel_url,
        )
        row, _is_new = cls.objects.get_or_create(
            key=key,
            defaults={
                "contact": contact,
                "gateway": gateway.name,
                "page_ref": page.ref,
                "opened_by": by,
                "opened_at": at,
            },
        )
        return row, page.url

    def take(self) -> Card | None:
        """Keep the card that was typed, once however often it is told; None when there is none.

        No transaction may be open. Raises what the gateway raises, NotAllowed and NotOffered.
        """
        outside_transaction()
        details = gateways.get(self.gateway).page_result(self.page_ref).card
        if details is None:
            return None
        try:
            return Card.add(
                self.opened_by, contact=self.contact, details=details, gateway=self.gateway, key=self.key
            )
        except AlreadyDone:
            return Card.objects.get(gateway=self.gateway, token=details.token)
