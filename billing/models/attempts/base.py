"""What an attempt is: its columns, the questions about it, and where it stands. What becomes of it stands in
the files beside this one, and in ``billing.models.attempt``.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from billing import gateways, money
from billing.gateways import Gateway, Outcome
from billing.models.base import amount_field
from billing.models.card import Card
from billing.models.meanings import MEANINGS
from billing.models.payment import Payment
from billing.statuses import FINAL, IN_FLIGHT, AttemptKind, AttemptState

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.attempt import Attempt

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=2)
"""How long the process that started an attempt is left alone with it before the resolver asks."""
GIVE_UP_AFTER = timedelta(days=3)
"""From then on a person must look; the attempt is still never failed by age."""
SAME_KEY_FOR = timedelta(hours=23)
"""Gateways forget keys after a day: a refund may be repeated under its key only while the gateway remembers
it.
"""
REFUND_NEVER_CAME_AFTER = timedelta(hours=25)
"""Two hours after the last moment at which anybody sends a refund, one that the gateway does not know of was
never made.
"""
PAGE_LIVES = timedelta(hours=24)
TOLD = frozenset({AttemptState.PENDING, AttemptState.NEEDS_ACTION})
UNANSWERED = Q(state__in=[AttemptState.NEEDS_ACTION, AttemptState.PENDING, AttemptState.UNKNOWN])
UNMADE_REFUND = Q(kind=AttemptKind.REFUND, state=AttemptState.NOT_CHARGED)
WAITING = sorted(IN_FLIGHT | {AttemptState.PAGE_OPEN})
"""States that are not final, as the index of what is due has them."""


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def in_flight(self) -> AttemptQuerySet:
        return self.filter(state__in=IN_FLIGHT)

    def open_pages(self) -> AttemptQuerySet:
        """Attempts that wait for a customer at a hosted page, the oldest first."""
        return self.filter(state=AttemptState.PAGE_OPEN).order_by("id")

    def page_declines(self, *, since: datetime) -> AttemptQuerySet:
        """Declines on hosted pages, the earliest first."""
        declined = self.filter(state=AttemptState.DECLINED, settled_at__gt=since)
        return declined.exclude(page_ref="").order_by("settled_at", "id")

    def due(self, at: datetime) -> AttemptQuerySet:
        """Attempts that somebody should ask the gateway about now, the longest waiting first."""
        return self.filter(state__in=WAITING, due_at__lte=at).order_by("due_at", "id")

    def claim_first(self, at: datetime) -> Attempt | None:
        """The first that nobody else is claiming, with the time at which the resolver asks again put down
        before it asks: whoever else asks meanwhile, or dies asking, changes nothing about that.
        """
        with transaction.atomic(durable=True):
            attempt = self.select_for_update(skip_locked=True, of=("self",)).first()
            if attempt:
                attempt.asked += 1
                attempt.due_at = next_time(attempt.asked, at)
                attempt.save(update_fields=["asked", "due_at"])
        return attempt

    def call_up(self, at: datetime) -> int:
        """Make all that their own process was left alone with for long enough due now; how many."""
        return self.filter(state__in=WAITING, started_at__lte=at - GRACE, due_at__gt=at).update(due_at=at)

    def unanswered(self) -> AttemptQuerySet:
        """Those of which the gateway has not said how they ended, the longest waiting first."""
        return self.filter(UNANSWERED).order_by("started_at", "id")

    def unmade_refunds(self) -> AttemptQuerySet:
        """Refunds that turned out never to have been made, and that nobody has tried again or recorded since,
        the longest waiting first.
        """
        left = self.filter(UNMADE_REFUND, refund_of__refunded_amount__lt=F("refund_of__amount"))
        tried = self.model.objects.filter(refund_of=OuterRef("refund_of"), pk__gt=OuterRef("pk"))
        back = Payment.objects.filter(refund_of=OuterRef("refund_of"), made_at__gt=OuterRef("started_at"))
        return left.exclude(Exists(tried)).exclude(Exists(back)).order_by("started_at", "id")

    def for_list(self) -> AttemptQuerySet:
        return self.select_related("invoice", "card").order_by("-started_at", "-id")


class AttemptBase(models.Model):
    """``amount`` is positive, in the invoice's currency, frozen with the card's token when the attempt
    starts.

    ``key`` is ours, and the gateway's promise to act once. ``page_open`` waits for a customer at a hosted
    page and blocks nobody; the other states that are not final are in flight, and an invoice has at most
    one of those. ``opened_from`` is a keyed hash of the address that asked for the page.
    """

    invoice = models.ForeignKey("billing.Invoice", models.PROTECT, related_name="attempts")
    kind = models.CharField(_("kind"), max_length=6, choices=AttemptKind)
    state = models.CharField(_("state"), max_length=12, choices=AttemptState, default=AttemptState.STARTED)
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    amount = amount_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    gateway = models.CharField(_("gateway"), max_length=20)
    gateway_ref = models.CharField(_("gateway reference"), max_length=255, blank=True)
    page_ref = models.CharField(_("hosted page"), max_length=255, blank=True)
    card = models.ForeignKey(Card, models.PROTECT, null=True, related_name="attempts")
    card_token = models.CharField(max_length=255, blank=True)
    refund_of = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="refund_attempts")
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    send_receipt = models.BooleanField(_("send a receipt"), default=False)
    remember_card = models.BooleanField(_("keep the card on file"), default=False)
    code = models.CharField(_("code"), max_length=60, blank=True)
    message = models.CharField(_("the gateway's words"), max_length=255, blank=True)
    is_hard = models.BooleanField(_("pointless to retry"), default=False)
    asked = models.PositiveIntegerField(_("times asked"), default=0)
    opened_from = models.CharField(_("opened from"), max_length=64, blank=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    started_at = models.DateTimeField(_("started"))
    due_at = models.DateTimeField(_("ask again"))
    settled_at = models.DateTimeField(_("settled"), null=True)

    if TYPE_CHECKING:
        invoice_id: int
        payments: RelatedManager[Payment]

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {money.show(self.amount, self.currency)}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_in_flight(self) -> bool:
        return self.state in IN_FLIGHT

    @property
    def is_approved(self) -> bool:
        return self.state == AttemptState.APPROVED

    @property
    def is_declined(self) -> bool:
        return self.state == AttemptState.DECLINED

    @property
    def can_be_cancelled(self) -> bool:
        """Whether an agent may call it off: the bank waits for the customer, and nothing has moved."""
        return self.kind == AttemptKind.CHARGE and self.state == AttemptState.NEEDS_ACTION

    @property
    def meaning(self) -> str:
        """What the state means for the money, in one sentence for staff."""
        return str(MEANINGS[AttemptKind(self.kind), AttemptState(self.state)]) % {
            "amount": money.show(self.amount, self.currency)
        }

    def is_due(self, at: datetime) -> bool:
        """Whether somebody should ask the gateway now: one of the rows that the QuerySet's ``due`` finds."""
        return self.state in WAITING and self.due_at <= at

    def needs_a_person(self, at: datetime) -> bool:
        return self.is_in_flight and at - self.started_at > GIVE_UP_AFTER

    @property
    def evidence(self) -> dict[str, str | int | None]:
        """The gateway's answer as the timeline keeps it."""
        return {
            "gateway": self.gateway,
            "gateway_ref": self.gateway_ref,
            "answer": self.state,
            "code": self.code,
            "words": self.message,
            "asked": self.asked,
        }

    @property
    def row(self) -> Attempt:
        """This attempt with all that can be done to it."""
        return cast("Attempt", self)

    def _gateway(self) -> Gateway:
        return gateways.get(self.gateway)

    def _asked_safely(self, ask: Callable[[Gateway], Outcome]) -> Outcome:
        """The gateway's answer, or *unknown* for whatever kept it from answering."""
        try:
            outcome = ask(self._gateway())
        except Exception:
            log.exception("Attempt %s: the gateway gave no answer", self.key)
            return Outcome(AttemptState.UNKNOWN, ref=self.gateway_ref)
        return outcome


def next_time(asked: int, at: datetime) -> datetime:
    """2, 4, 8 … minutes after ``at``, at most a day."""
    return at + timedelta(minutes=min(2 ** min(asked, 11), 24 * 60))
