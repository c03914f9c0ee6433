"""A message of a gateway, written down before it is acted on: it comes twice, late, and while the gateway
itself does not answer.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import gateways
from billing.actions import NOTICE_ACTIONS, permissions_of
from billing.gateways import Gateway, Notice, NoticeKind, NotSigned, fit
from billing.models.event import Event
from billing.models.guard import Actor, name_of, once, outside_transaction
from billing.models.heard import act_on
from billing.models.record import Record
from billing.statuses import NoticeState

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
"""How long whoever took an event on is left alone with it."""
MOST_TRIES = 10
"""2, 4, 8 … minutes apart: an event is given up after about a day and a half."""
WAITING = [NoticeState.FAILED, NoticeState.RECEIVED]
GIVEN_UP = Q(state=NoticeState.FAILED, due_at=None)


class GatewayEventQuerySet(models.QuerySet["GatewayEvent"]):
    def due(self, at: datetime) -> GatewayEventQuerySet:
        return self.filter(state__in=WAITING, due_at__lte=at).order_by("due_at", "id")

    def waiting(self) -> GatewayEventQuerySet:
        """Those that are tried again."""
        return self.filter(state__in=WAITING, due_at__isnull=False)

    def given_up(self) -> GatewayEventQuerySet:
        """Those that failed for good, the longest waiting first."""
        return self.filter(GIVEN_UP).order_by("received_at", "id")

    def claim_next(self, at: datetime) -> GatewayEvent | None:
        """The event that is due first, for the caller alone to act on until the lease ends."""
        with transaction.atomic(durable=True):
            event = self.due(at).select_for_update(skip_locked=True, of=("self",)).first()
            if event:
                event.due_at = at + LEASE
                event.save(update_fields=["due_at"])
        return event

    def write_down(self, gateway: str, notice: Notice, *, at: datetime) -> GatewayEvent:
        """The row of this message, new or from the first time that it came. No transaction may be open."""
        row = GatewayEvent(
            gateway=gateway,
            event_id=_text(notice.id, 255),
            type=_text(notice.type, 100),
            kind=notice.kind.name.lower(),
            ref=_text(notice.ref, 255),
            key=notice.key,
            page_ref=_text(notice.page_ref, 255),
            received_at=at,
            due_at=at + LEASE,
        )
        outside_transaction()
        self.bulk_create([row], ignore_conflicts=True)
        return self.get(gateway=gateway, event_id=row.event_id)


class GatewayEvent(Record):
    """What the message is about and nothing of what it says: the facts are asked of the gateway.

    ``due_at`` is when it is tried again, and None once it is done or given up.
    """

    TABLE = NOTICE_ACTIONS

    gateway = models.CharField(_("gateway"), max_length=20)
    event_id = models.CharField(_("the gateway's id"), max_length=255)
    type = models.CharField(_("type"), max_length=100)
    kind = models.CharField(
        _("about"), max_length=8, choices=[(kind.name.lower(), kind.name.title()) for kind in NoticeKind]
    )
    ref = models.CharField(_("reference"), max_length=255, blank=True)
    key = models.UUIDField(_("our key"), null=True)
    page_ref = models.CharField(_("hosted page"), max_length=255, blank=True)
    state = models.CharField(_("state"), max_length=9, choices=NoticeState, default=NoticeState.RECEIVED)
    error = models.CharField(_("error"), max_length=500, blank=True)
    tries = models.PositiveIntegerField(_("tries that failed"), default=0)
    received_at = models.DateTimeField(_("received"))
    due_at = models.DateTimeField(_("next try"), null=True)
    processed_at = models.DateTimeField(_("processed"), null=True)

    objects = GatewayEventQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = permissions_of(NOTICE_ACTIONS, "gateway events")
        verbose_name = _("gateway event")
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], name="gateway_event_due", condition=Q(state__in=WAITING)),
            models.Index(fields=["received_at", "id"], name="gateway_event_given_up", condition=GIVEN_UP),
            models.Index(fields=["-received_at", "-id"], name="gateway_event_by_moment"),
            models.Index(fields=["ref"], name="gateway_event_by_ref"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["gateway", "event_id"], name="gateway_event_once"),
            models.CheckConstraint(
                condition=Q(state__in=NoticeState.values), name="gateway_event_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state=NoticeState.PROCESSED, processed_at__isnull=False)
                | (~Q(state=NoticeState.PROCESSED) & Q(processed_at__isnull=True)),
                name="gateway_event_processed_has_its_moment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

    @property
    def state_label(self) -> str:
        return str(self.get_state_display())

    @property
    def is_processed(self) -> bool:
        return self.state == NoticeState.PROCESSED

    @property
    def notice(self) -> Notice:
        kind = NoticeKind[self.kind.upper()]
        return Notice(self.event_id, self.type, kind, self.ref, self.key, self.page_ref)

    # -- receiving and acting

    @classmethod
    def receive(
        cls, gateway: Gateway, body: bytes, headers: Mapping[str, str], *, at: datetime
    ) -> GatewayEvent:
        """Write a message down and act on it, unless that has been done. Raises NotSigned.

        Once it is written down it is not lost: what fails then is tried again by ``tick``.
        """
        event = cls.objects.write_down(gateway.name, _read(gateway, body, headers), at=at)
        if not event.is_processed:
            event.act(at=at)
        return event

    def act(self, *, at: datetime) -> None:
        """Ask the gateway for the facts and book them; whatever fails is written down and tried again."""
        outside_transaction()
        try:
            act_on(gateways.get(self.gateway), self.notice, at=at)
        except Exception as error:
            log.exception("Event %s of %s could not be acted on", self.event_id, self.gateway)
            self._fail(error, at)
        else:
            self._end(state=NoticeState.PROCESSED, error="", due_at=None, processed_at=at)

    def _fail(self, error: Exception, at: datetime) -> None:
        tries = self.tries + 1
        later = at + timedelta(minutes=2**tries) if tries < MOST_TRIES else None
        words = _text(" ".join(f"{type(error).__name__}: {error}".split()), 500)
        self._end(state=NoticeState.FAILED, error=words, due_at=later, tries=F("tries") + 1)

    def _end(self, **columns: Any) -> None:
        """Write down how this try ended, unless another one has succeeded meanwhile."""
        mine = type(self).objects.filter(pk=self.pk).exclude(state=NoticeState.PROCESSED)
        mine.update(**columns)
        self.refresh_from_db()

    # -- once more

    def replay(self, by: Actor, *, at: datetime, key: UUID | None = None) -> Event:
        """Act on it once more, now. Harmless for one that was acted on: nothing is booked twice.

        Raises NotAllowed, NotOffered, AlreadyDone.
        """
        action = NOTICE_ACTIONS["replay"]
        used_once = self.one_time_key(key, by, action.name)
        used_once.refuse_used()

        def work() -> Event:
            used_once.refuse_used()
            self.lock_for(action, by)
            self.state, self.tries, self.due_at = NoticeState.RECEIVED.value, 0, at + LEASE
            self.processed_at = None
            self.save(update_fields=["state", "tries", "due_at", "processed_at"])
            return Event.objects.create(
                subject=str(self)[:120],
                actor=by,
                actor_name=name_of(by),
                action=action.name,
                text=_now("The gateway's message %(event)s was acted on once more.") % {"event": self},
                figures={"gatewayevent": self.pk},
                key=key,
                at=at,
            )

        event = once(used_once, work)
        self.act(at=at)
        return event


def _read(gateway: Gateway, body: bytes, headers: Mapping[str, str]) -> Notice:
    """Raises NotSigned, whatever it is that cannot be read."""
    try:
        return gateway.parse_webhook(body, headers)
    except NotSigned:
        raise
    except Exception as error:
        log.exception("A message for %s could not be read", gateway.name)
        raise NotSigned(_now("The message cannot be read.")) from error


def _text(words: str, most: int) -> str:
    """As far as a column holds it: no half of a character either."""
    return fit(words.encode(errors="replace").decode(), most)
