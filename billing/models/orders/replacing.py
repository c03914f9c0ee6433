"""What a customer does with the link to the card page: open it, and store another card there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing.actions import OWING, UNENDED
from billing.models.attempt import Attempt
from billing.models.card import Card
from billing.models.guard import Deed, NotOffered, Refused, Stale, tell
from billing.models.invoice import Invoice
from billing.models.mail import Mail, MailQuerySet
from billing.models.orders.steering import Steering
from billing.models.payment import Payment
from billing.models.visiting import HOUR, TooManyDeclines, too_many
from billing.statuses import PaymentStatus

if TYPE_CHECKING:
    from billing.gateways import CardDetails
    from billing.models.card_page import CardPage
    from billing.models.orders.order import Order

OPENED = _("The page on which the card is replaced was opened by its link.")


class AtStake(NamedTuple):
    """What a new card would be charged for: ``orders``, and at once what they have asked for and is ``owed``.
    ``declined``: the last refusal of the old card for any of that.
    """

    orders: Sequence[Order]
    owed: Sequence[Invoice]
    declined: Payment | None


class Replacing(Steering):
    class Meta:
        abstract = True

    def mails_about(self) -> MailQuerySet:
        """Mails about this order and about the card that it is charged to; those about a payment stand at its
        invoice.
        """
        about = Q(order=self.pk) | Q(card=self.card_id, card__isnull=False)
        return Mail.objects.filter(about).for_list()

    def note_card_page_opened(self, *, at: datetime) -> None:
        """Note in the timeline that the link was opened, at most once an hour."""
        recent = self.events.filter(action="card_page_opened", at__gt=at - HOUR)
        if recent.exists():
            return
        with transaction.atomic(durable=True):
            self.lock()
            if not recent.all().exists():  # asked again, now that nobody else can be noting it
                tell(self, None, "card_page_opened", Deed(str(OPENED)))

    def at_stake(self) -> AtStake:
        """Three queries, whatever there is."""
        orders = self._charged_alike()
        owed = [invoice for invoice in self._owed_on(orders) if invoice.can_be_collected]
        declines = Payment.objects.filter(invoice__in=owed, card=self.card_id, status=PaymentStatus.DECLINED)
        return AtStake(orders, owed, declines.order_by("-made_at", "-id").first())

    def refusal_to_replace(self, *, at: datetime, opened_from: str) -> Refused | None:
        """Why a customer cannot store a card now, or None."""
        if not self._charged_alike():
            return NotOffered(_now("%(order)s has ended, and no card is charged for it.") % {"order": self})
        return self._too_many_cards(at, opened_from)

    def _too_many_cards(self, at: datetime, opened_from: str) -> TooManyDeclines | None:
        """Whoever tries cards out is content if one can be stored: five within an hour close the page."""
        pages: type[CardPage] = self.row.card_pages.model
        stored = pages.objects.filter(card__isnull=False, ended_at__gt=at - 2 * HOUR).order_by("ended_at")
        sources = [_moments(stored.filter(order=self.pk), "ended_at")]
        if opened_from:
            declines = Attempt.objects.page_declines(since=at - 2 * HOUR).filter(opened_from=opened_from)
            sources += [
                _moments(stored.filter(opened_from=opened_from), "ended_at"),
                _moments(declines, "settled_at"),
            ]
        sentence = _now(
            "Five cards were tried here within an hour. To keep cards from being tried out, this page takes"
            " no card before %(time)s. Please come back then."
        )
        return too_many(sources, sentence, at)

    def take_new_card(self, details: CardDetails, *, gateway: str) -> Card:
        """Keep the card that the customer typed, charge it from now on wherever the old one was, and let what
        is owed there be charged to it with the next run; in the caller's transaction.

        Raises Stale when something is asked for at this very moment.
        """
        orders = self._lock_alike()
        old = self.card
        card = Card.keep(self.contact, details, gateway=gateway)
        if not orders:
            card.note(None, "add_card", _now("%(card)s was added by the customer.") % {"card": card}, None)
        if old and old.is_default:
            card.become_default()
        for order in orders:
            order.replace_card(card)
        return card

    def replace_card(self, card: Card) -> None:
        """Be charged to a card that the customer stored, with what is owed and this row locked."""
        before = self.card or _now("no card")
        self.card = card
        self.store("card")
        retried = self._collect_from(card, charge_now=True)
        self.lock()
        text = _now("The customer stored a new card: %(before)s → %(after)s.")
        text %= {"before": before, "after": card}
        if retried:
            numbers = ", ".join(map(str, retried))
            text += " " + _now("Charged again: %(numbers)s.") % {"numbers": numbers}
        tell(self, None, "replace_card", Deed(text, {"card": str(card)}))

    def _charged_alike(self) -> list[Order]:
        """This order and the contact's others on the same card, as far as they go on or something is owed."""
        asked = Invoice.objects.filter(status__in=OWING)
        owes = Exists(asked.filter(order=OuterRef("pk")))
        same = Q(card=self.card_id) if self.card_id else Q(pk=self.pk)
        alike = type(self.row).objects.filter(same, contact=self.contact_id)
        return list(alike.filter(Q(status__in=UNENDED) | owes).order_by("pk"))

    def _owed_on(self, orders: Sequence[Order]) -> list[Invoice]:
        asked = Q(order__in=[order.pk for order in orders])
        started = Q(pk__in=[order.origin_id for order in orders if order.origin_id])
        return list(Invoice.objects.filter(asked | started, status__in=OWING).order_by("pk"))

    def _lock_alike(self) -> list[Order]:
        """Lock what is owed and then the orders, in the order in which everybody does, this one afresh."""
        known = self._charged_alike()
        owed = [invoice.pk for invoice in self._owed_on(known)]
        list(Invoice.objects.filter(pk__in=owed).order_by("pk").locked())
        mine = {order.pk for order in known} | {self.pk}
        locked = list(type(self.row).objects.filter(pk__in=mine).order_by("pk").locked())
        self.refresh_from_db()
        now = self._charged_alike()
        if {order.pk for order in now} - mine or {each.pk for each in self._owed_on(now)} - set(owed):
            raise Stale(_now("%(order)s changed at this very moment. Please try again.") % {"order": self})
        still = {order.pk for order in now}
        return [order for order in locked if order.pk in still]


def _moments(rows: QuerySet[Any], column: str) -> list[datetime]:
    return list(rows.values_list(column, flat=True))
