"""A page of a gateway on which a card is typed to be kept. It is written down, so that no card is lost with
the browser in which it was typed.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Self
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import gateways
from billing.gateways import CardDetails, Page, reason_of
from billing.models.card import Card
from billing.models.customer import Customer
from billing.models.guard import Actor, AlreadyDone, NotOffered, Stale, outside_transaction
from contacts.models import Contact

if TYPE_CHECKING:
    from billing.models.orders.order import Order

log = logging.getLogger(__name__)


ASKED_EVERY = timedelta(minutes=10)
GIVEN_UP_AFTER = timedelta(days=3)
"""Gateways close their pages after a day; one that does not say so by then will never bring a card."""
MOST_TRIES = 3
"""How often a card is put in place while the desk asks for more payments of its order at the same moment."""


class CardPageQuerySet(models.QuerySet["CardPage"]):
    def claim_next(self, at: datetime) -> CardPage | None:
        """The page that is to be asked about first, for the caller alone."""
        with transaction.atomic(durable=True):
            due = self.filter(due_at__lte=at).order_by("due_at", "id").select_related("order", "contact")
            page = due.select_for_update(skip_locked=True, of=("self",)).first()
            if page:
                page.due_at = at + ASKED_EVERY
                page.save(update_fields=["due_at"])
        return page


class CardPage(models.Model):
    """``key`` is ours: the page is opened, and its card stored, once under it.

    ``order``: the customer opened it to replace the card of that order; it is written down before the
    gateway is asked, so ``page_ref`` may be empty for a moment. ``card`` is what it brought then, and
    ``ended_at`` when it did or expired: until then there is no second one. ``opened_from`` is a keyed hash of
    an address; from ``due_at`` on the gateway is asked, in case that the browser never comes back.
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
    due_at = models.DateTimeField(_("asked about next"), null=True)

    objects = CardPageQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("card page")
        indexes: ClassVar = [
            models.Index(fields=["page_ref"], name="card_page_by_ref"),
            models.Index(
                fields=["order", "ended_at"], name="card_page_by_order", condition=Q(order__isnull=False)
            ),
            models.Index(
                fields=["opened_from", "ended_at"], name="card_page_by_client", condition=~Q(opened_from="")
            ),
            models.Index(fields=["due_at", "id"], name="card_page_due", condition=Q(due_at__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order"], condition=Q(ended_at__isnull=True), name="card_page_one_open_per_order"
            ),
            models.CheckConstraint(
                condition=Q(due_at__isnull=True) | Q(order__isnull=False, ended_at__isnull=True),
                name="card_page_asked_about_while_open",
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
        """Open a page at the gateway in use; with its address. Raises what the gateway raises."""
        outside_transaction()
        row = cls(key=key, contact=contact, gateway=settings.GATEWAY, opened_by=by, opened_at=at)
        page = row._at_the_gateway(return_url=return_url, cancel_url=cancel_url)
        row.page_ref = page.ref
        row.save()
        return row, page.url

    def _at_the_gateway(self, *, return_url: str, cancel_url: str) -> Page:
        gateway = gateways.get(self.gateway)
        customer = Customer.ref_of(self.contact, gateway=gateway.name)
        return gateway.card_page(
            key=self.key, customer=customer, return_url=return_url, cancel_url=cancel_url
        )

    # -- opened by a customer, to replace the card of an order

    @classmethod
    def open_for(
        cls, order: Order, *, return_url: str, cancel_url: str, opened_from: str, at: datetime
    ) -> str:
        """Where the customer is to be led: to the page that is open for this order, opened now if none is.

        ``return_url`` may hold ``{page}``, filled with the page's key; it is where to go when the card has
        been typed already. Raises NotOffered and TooManyDeclines.
        """
        outside_transaction()
        page = order.card_pages.filter(ended_at=None).first()
        if page is None or not page.page_ref or not page.has_brought_its_card(at):
            page = cls._begin(order, opened_from=opened_from, at=at)
            return page.leads_to(return_url.replace("{page}", str(page.key)), cancel_url, at)
        return return_url.replace("{page}", str(page.key))

    def has_brought_its_card(self, at: datetime) -> bool:
        try:
            return self.take(at=at) is not None
        except Exception as error:
            log.exception("The gateway did not say how the card page %s stands", self.pk)
            raise _silent() from error

    @classmethod
    def _begin(cls, order: Order, *, opened_from: str, at: datetime) -> CardPage:
        """Write the page down before the gateway hears of it. Two clicks at once are given the same."""
        with transaction.atomic(durable=True):
            order.lock()
            refusal = order.refusal_to_replace(at=at, opened_from=opened_from)
            if refusal:
                raise refusal
            page, _is_new = cls.objects.get_or_create(
                order=order,
                ended_at=None,
                defaults={
                    "key": uuid4(),
                    "contact_id": order.contact_id,
                    "gateway": settings.GATEWAY,
                    "opened_from": opened_from,
                    "opened_at": at,
                    "due_at": at + ASKED_EVERY,
                },
            )
        return page

    def leads_to(self, return_url: str, cancel_url: str, at: datetime) -> str:
        try:
            page = self._at_the_gateway(return_url=return_url, cancel_url=cancel_url)
        except Exception as error:
            log.exception("The gateway opened no page for a card of order %s", self.order_id)
            if (
                reason_of(error) and not self.page_ref
            ):  # it never will; after no answer the same key is used again
                self._end(at)
            raise _silent() from error
        mine = type(self).objects.filter(pk=self.pk, ended_at=None, page_ref__in=["", page.ref])
        if not mine.update(page_ref=page.ref):
            raise _silent()
        return page.url

    def _end(self, at: datetime) -> None:
        type(self).objects.filter(pk=self.pk, ended_at=None).update(ended_at=at, due_at=None)

    def ask(self, *, at: datetime) -> Card | None:
        """Find out whether a card was typed though its browser never came back. Raises what take raises."""
        age = at - self.opened_at
        if (not self.page_ref and age > ASKED_EVERY) or age > GIVEN_UP_AFTER:
            self._end(at)  # nobody has learnt its address, or it has closed long ago
            return None
        return self.take(at=at) if self.page_ref else None

    # -- the card

    def take(self, *, at: datetime) -> Card | None:
        """Keep the card that was typed, once however often it is told; None when there is none.

        No transaction may be open. Raises what the gateway raises, NotAllowed, NotOffered and Stale.
        """
        outside_transaction()
        if self.card:
            return self.card
        result = gateways.get(self.gateway).page_result(self.page_ref)
        if result.card is None:
            if self.order_id and (result.done or result.expired):
                self._end(at)
            return None
        return self._replace(result.card, at) if self.order_id else self._keep(result.card)

    def _keep(self, details: CardDetails) -> Card:
        try:
            return Card.add(
                self.opened_by, contact=self.contact, details=details, gateway=self.gateway, key=self.key
            )
        except AlreadyDone:
            return Card.objects.get(gateway=self.gateway, token=details.token)

    def _replace(self, details: CardDetails, at: datetime) -> Card:
        for tries_left in reversed(range(MOST_TRIES)):
            try:
                return self._replace_now(details, at)
            except Stale:
                if not tries_left:
                    raise
        raise AssertionError

    def _replace_now(self, details: CardDetails, at: datetime) -> Card:
        with transaction.atomic(durable=True):
            self.refresh_from_db(from_queryset=CardPage.objects.select_for_update(of=("self",)))
            if self.card is None:  # otherwise somebody else was told first
                assert self.order is not None
                self.card = self.order.take_new_card(details, gateway=self.gateway)
                self.ended_at = self.ended_at or at
                self.due_at = None
                self.save(update_fields=["card", "ended_at", "due_at"])
        return self.card


def _silent() -> NotOffered:
    """What the gateway refused, and why, is for staff; the customer cannot mend it."""
    words = _now("The card company did not answer, so no card can be stored just now. Please try again soon.")
    return NotOffered(words)
