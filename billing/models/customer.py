from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing import gateways
from billing.models.guard import outside_transaction
from contacts.models import Contact


class Customer(models.Model):
    """The file that a gateway keeps on a contact. Cards are stored to it, so there is one at each gateway."""

    contact = models.ForeignKey(Contact, models.PROTECT, related_name="customers")
    gateway = models.CharField(_("gateway"), max_length=20)
    ref = models.CharField(_("gateway reference"), max_length=255, blank=True)

    class Meta:
        default_permissions = ()
        verbose_name = _("customer at a gateway")
        verbose_name_plural = _("customers at gateways")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["contact", "gateway"], name="customer_one_per_gateway")
        ]

    def __str__(self) -> str:
        return self.ref

    @classmethod
    def ref_of(cls, contact: Contact, *, gateway: str) -> str:
        """The gateway's reference of the contact, opened now if there is none. No transaction may be open.

        Two that open one at once agree on the first to be written down; the gateway keeps an empty file more.
        Raises what the gateway raises, and KeyError for one that is not installed.
        """
        known = cls.objects.filter(contact=contact, gateway=gateway).first()
        if known is None:
            outside_transaction()
            ref = gateways.get(gateway).customer(
                key=uuid.uuid4(), name=contact.name, email=contact.email or ""
            )
            known, _created = cls.objects.get_or_create(
                contact=contact, gateway=gateway, defaults={"ref": ref}
            )
        return known.ref
