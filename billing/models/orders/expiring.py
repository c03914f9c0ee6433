"""Telling customers of cards that expire before the next charge, once for each card and expiry."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from django.db import transaction
from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat, ExtractMonth, ExtractYear

from billing import mail
from billing.actions import RUNNING
from billing.models.card import Card, last_day
from billing.models.mail import Mail
from billing.models.orders.order import Order
from billing.models.posting import post
from billing.models.wording import MailSettings
from billing.statuses import MailKind

CAUSE = "card_expiring:card:"


def cards_to_tell_of(today: date) -> QuerySet[Card]:
    """Cards whose month of expiry is near, or over, and which an order will charge when it is over.

    An order that rests charges nothing: it counts when it goes on.
    """
    horizon = today + timedelta(days=MailSettings.current().expiry_notice_days)
    month = F("exp_year") * 12 + F("exp_month")
    charged_later = _running(Q(card=OuterRef("pk"))).alias(
        month=ExtractYear("next_charge_on") * 12 + ExtractMonth("next_charge_on")
    )
    told = Mail.objects.filter(card=OuterRef("pk"), cause=OuterRef("cause"))
    cards = Card.objects.filter(removed_at=None).exclude(contact__email="")
    return (
        cards.alias(month=month, cause=_cause())
        .filter(month__lte=horizon.year * 12 + horizon.month)
        .filter(Exists(charged_later.filter(month__gt=OuterRef("month"))))
        .exclude(Exists(told))
        .select_related("contact")
        .order_by("month", "pk")
    )


def tell_of_next(today: date, *, leave_out: Collection[int] = ()) -> tuple[Card, bool] | None:
    """Queue the mail about the card that expires first, and whether that was done; None when there is none.

    The card stays locked until the mail is written down, so that nobody else tells of it at this moment.
    """
    with transaction.atomic(durable=True):
        due = cards_to_tell_of(today).exclude(pk__in=leave_out)
        card = due.select_for_update(skip_locked=True, of=("self",), no_key=True).first()
        return (card, _tell_of(card, today)) if card else None


def _tell_of(card: Card, today: date) -> bool:
    last = last_day(card.exp_year, card.exp_month)
    orders = list(_running(Q(card=card, next_charge_on__gt=last)).order_by("next_charge_on", "pk"))

    def write() -> mail.Letter:
        return mail.card_expiring(
            [order.facts() for order in orders],
            contact_name=card.contact.name,
            card=str(card),
            last_day=last,
            today=today,
            card_link=orders[0].card_link,
        )

    cause = f"{CAUSE}{card.pk}:{card.exp_year}-{card.exp_month}"
    to = card.contact.email
    return bool(orders) and bool(
        post(orders[0], card, None, MailKind.CARD_EXPIRING, write, to=to, cause=cause)
    )


def _running(which: Q) -> QuerySet[Order]:
    return Order.objects.filter(which, status__in=RUNNING, next_charge_on__isnull=False)


def _cause() -> Concat:
    text = [Cast(name, CharField()) for name in ("pk", "exp_year", "exp_month")]
    return Concat(Value(CAUSE), text[0], Value(":"), text[1], Value("-"), text[2], output_field=CharField())
