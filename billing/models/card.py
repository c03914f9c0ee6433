from __future__ import annotations

import logging
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.text import get_text_list
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, gateways
from billing.actions import UNENDED
from billing.gateways import CardDetails, reason_of
from billing.models.event import Event
from billing.models.guard import (
    Actor,
    Invalid,
    NotAllowed,
    NotOffered,
    OneTimeKey,
    name_of,
    once,
    outside_transaction,
)
from billing.statuses import IN_FLIGHT
from contacts.models import Contact

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.attempt import Attempt
    from billing.models.orders.order import Order

log = logging.getLogger(__name__)


def last_day(year: int, month: int) -> date:
    """The last day on which a card with this expiry works (the last of the month)."""
    return date(year + month // 12, month % 12 + 1, 1) - date.resolution


class CardQuerySet(models.QuerySet["Card"]):
    def on_file(self, contact: Contact) -> CardQuerySet:
        """Cards that can be charged or removed, the default one first."""
        return self.filter(contact=contact, removed_at=None).order_by("-is_default", "-id")

    def locked_on_file(self, card: Card, contact: Contact, *, field: str = "card") -> Card:
        """The card, locked so that it stays on file until the caller's transaction ends.

        Raises Invalid, at the form's ``field``, unless it is on file for this contact.
        """
        found = self.select_for_update(of=("self",), no_key=True).get(pk=card.pk)
        if found.contact_id != contact.pk or found.removed_at:
            rule = _now("Card is “%(card)s”: it is not on file for this contact.")
            raise Invalid(rule % {"card": found}, field=field)
        return found


class Card(models.Model):
    """A gateway's token with what may be shown. The number and the CVC are never here, nor anywhere else on
    our side.

    A card stays with the gateway that it was saved at. Removing keeps the row, since payments point at it.
    """

    contact = models.ForeignKey(Contact, models.PROTECT, related_name="cards")
    gateway = models.CharField(_("gateway"), max_length=20)
    token = models.CharField(max_length=255)
    brand = models.CharField(_("brand"), max_length=20)
    last4 = models.CharField(_("last four"), max_length=4)
    exp_month = models.PositiveSmallIntegerField(_("expiry month"))
    exp_year = models.PositiveSmallIntegerField(_("expiry year"))
    is_default = models.BooleanField(_("default"), default=False)
    last_used_at = models.DateTimeField(_("last used"), null=True)
    removed_at = models.DateTimeField(_("removed"), null=True)
    created_at = models.DateTimeField(_("added"), default=clock.now, editable=False)

    objects = CardQuerySet.as_manager()

    if TYPE_CHECKING:
        contact_id: int
        attempts: RelatedManager[Attempt]
        orders: RelatedManager[Order]

    class Meta:
        default_permissions = ("view", "add", "change")
        verbose_name = _("card on file")
        verbose_name_plural = _("cards on file")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "token"], name="card_one_per_token"),
            models.UniqueConstraint(
                fields=["contact"], condition=Q(is_default=True), name="card_one_default_per_contact"
            ),
            models.CheckConstraint(
                condition=Q(exp_month__gte=1, exp_month__lte=12), name="card_month_1_to_12"
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(removed_at__isnull=True), name="card_default_is_on_file"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} •• {self.last4}"

    @property
    def expiry(self) -> str:
        return f"{self.exp_month:02d}/{self.exp_year % 100:02d}"

    def is_expired(self, today: date) -> bool:
        return last_day(self.exp_year, self.exp_month) < today

    @property
    def has_expired(self) -> bool:
        """As of today in the installation's time zone."""
        return self.is_expired(clock.today())

    def cannot_be_charged(self, today: date) -> bool:
        """Whether it is off file or expired, so that charging it is pointless."""
        return self.removed_at is not None or self.is_expired(today)

    @property
    def choice_label(self) -> str:
        """``Visa •• 4242 · expires 12/40, default``: the card as one of several to choose from."""
        expiry = _now("expired %(when)s") if self.has_expired else _now("expires %(when)s")
        default = _now(", default") if self.is_default else ""
        return f"{self} · {expiry % {'when': self.expiry}}{default}"

    @classmethod
    def keep(cls, contact: Contact, details: CardDetails, *, gateway: str) -> Card:
        """Store what the gateway returned, in the caller's transaction; a known token is the same card.

        Raises NotOffered for a token that is another contact's.
        """
        Contact.objects.select_for_update(no_key=True).get(pk=contact.pk)
        first = not cls.objects.on_file(contact).exists()
        card, _created = cls.objects.get_or_create(
            gateway=gateway,
            token=details.token,
            defaults={
                "contact": contact,
                "brand": details.brand,
                "last4": details.last4,
                "exp_month": details.exp_month,
                "exp_year": details.exp_year,
                "is_default": first,
            },
        )
        if card.contact_id != contact.pk:
            raise NotOffered(_now("%(card)s is on file for another contact.") % {"card": card})
        return card

    @classmethod
    def add(
        cls, by: Actor, *, contact: Contact, details: CardDetails, gateway: str, key: UUID | None
    ) -> Card:
        """Store a card that the customer or an agent typed at the gateway's own page.

        Raises NotAllowed, NotOffered, AlreadyDone.
        """
        if by is not None and not by.has_perm("billing.add_card"):
            raise NotAllowed(_now("Your role does not include adding cards."))
        made: list[Card] = []
        used_once = OneTimeKey(key, by, "add_card", Q(contact=contact))

        def work() -> Event:
            used_once.refuse_used()
            card = cls.keep(contact, details, gateway=gateway)
            made.append(card)
            return card.note(by, "add_card", _now("%(card)s was added.") % {"card": card}, key)

        once(used_once, work)
        return made[0]

    def one_time_key(self, key: UUID | None, by: Actor, action: str) -> OneTimeKey:
        """The one-time key of a page about this card."""
        return OneTimeKey(key, by, action, Q(contact=self.contact_id, subject=str(self)))

    def make_default(self, by: Actor, *, key: UUID | None = None) -> Event:
        """Charge this card unless somebody chooses another. Raises NotAllowed, NotOffered, AlreadyDone."""
        used_once = self.one_time_key(key, by, "default_card")
        used_once.refuse_used()

        def work() -> Event:
            self._lock(by)
            used_once.refuse_used()
            self.become_default()
            return self.note(
                by, "default_card", _now("%(card)s is now the default card.") % {"card": self}, key
            )

        return once(used_once, work)

    def become_default(self) -> None:
        """Take the place of the default card, in the caller's transaction with the contact locked."""
        type(self).objects.filter(contact_id=self.contact_id, is_default=True).update(is_default=False)
        self.is_default = True
        self.save(update_fields=["is_default"])

    def remove(self, by: Actor, *, at: datetime, key: UUID | None = None) -> Event:
        """Take the card off file, here and at the gateway. Raises NotAllowed, NotOffered, AlreadyDone.

        The gateway is told first: a token that it still holds is never forgotten here by a lost answer.
        """
        used_once = self.one_time_key(key, by, "remove_card")
        used_once.refuse_used()
        self._require(by)
        self._require_unused()
        outside_transaction()
        try:
            gateways.get(self.gateway).detach_card(self.token)
        except Exception as error:
            log.exception("Card %s could not be taken off file at %s", self.pk, self.gateway)
            silent = _now("the gateway did not answer. Please try again.")
            words = {"card": self, "why": reason_of(error) or silent}
            raise NotOffered(_now("%(card)s is still on file: %(why)s") % words) from error

        def work() -> Event:
            self._lock(by)
            used_once.refuse_used()
            self._require_unused()
            self.is_default, self.removed_at = False, at
            self.save(update_fields=["is_default", "removed_at"])
            return self.note(by, "remove_card", _now("%(card)s was removed.") % {"card": self}, key)

        return once(used_once, work)

    def _lock(self, by: Actor) -> None:
        """One lock per contact, so that two agents cannot both set a default."""
        Contact.objects.select_for_update(no_key=True).get(pk=self.contact_id)
        self.refresh_from_db(from_queryset=type(self).objects.select_for_update(of=("self",), no_key=True))
        self._require(by)

    def _require(self, by: Actor) -> None:
        if by is not None and not by.has_perm("billing.change_card"):
            raise NotAllowed(_now("Your role does not include changing cards on file."))
        if self.removed_at:
            raise NotOffered(_now("%(card)s has been removed already.") % {"card": self})
        if self.attempts.filter(state__in=IN_FLIGHT).exists():
            raise NotOffered(
                _now("%(card)s is being charged: wait for the card company's answer.") % {"card": self}
            )

    def _require_unused(self) -> None:
        """Raise NotOffered while an open order is charged to it."""
        used_by = list(self.orders.filter(status__in=UNENDED).order_by("pk")[:3])
        if used_by:
            words = {"card": self, "orders": get_text_list([str(each) for each in used_by], _now("and"))}
            raise NotOffered(
                _now("%(card)s is charged for %(orders)s: give the order another card first.") % words
            )

    def note(self, by: Actor, action: str, text: str, key: UUID | None) -> Event:
        return Event.objects.create(
            contact_id=self.contact_id,
            subject=str(self),
            actor=by,
            actor_name=name_of(by),
            action=action,
            text=text,
            key=key,
            at=clock.now(),
        )
