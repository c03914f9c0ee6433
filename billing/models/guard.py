"""The guard around every verb: one transaction, one lock, one question asked on the fresh row, one line in
the timeline.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _now

from billing import clock
from billing.actions import ACTIONS, STEPS, Action
from billing.models.event import Event

log = logging.getLogger(__name__)

Actor = User | None
"""Who does it: a member of staff, or None for a customer, a schedule or the gateway."""

Viewer = User | AnonymousUser

P = ParamSpec("P")
Table = Mapping[str, Action]
INVOICES: Table = {**ACTIONS, **STEPS}


class Record(Protocol):
    """What has a timeline, and verbs behind a guard: an invoice, an order."""

    def timeline_of(self) -> dict[str, Any]:
        """The columns that put an event into the timelines it belongs to."""
        ...

    def one_time_key(self, key: UUID | None, by: Actor, action: str) -> OneTimeKey: ...
    def require(self, action: Action, user: Actor, *, seen: int | None = None) -> None: ...
    def lock(self) -> None: ...
    def stop_paying(self) -> None:
        """Close what customers could pay on at this moment. No transaction may be open."""
        ...


R = TypeVar("R", bound=Record)


def may(user: Viewer | Actor, codename: str) -> bool:
    """As ``has_perm``, gathered once per request, since a list asks hundreds of times.

    None is no member of staff but a customer, a schedule or the gateway, whom no role limits.
    """
    if user is None:
        return True
    granted: set[str] | None = getattr(user, "_granted", None)
    if granted is None:
        granted = user.get_all_permissions() if user.is_active else set()
        user._granted = granted  # type: ignore[union-attr]  # noqa: SLF001  # a cache like Django's own, beside it
    return codename in granted


class Refused(Exception):
    """The verb was not done; ``str()`` is the sentence for the person who asked."""


class NotAllowed(Refused):
    """The person's role rules it out (403)."""


class NotOffered(Refused):
    """The record's state rules it out (409)."""


class Stale(Refused):
    """The record changed after the person looked at it (409); nothing was overwritten."""


class Gone(Refused):
    """The record was deleted after the person looked at it (409)."""


class Invalid(Refused):
    """A value breaks a rule (422). ``field`` names the form field it belongs to."""

    def __init__(self, sentence: str, *, field: str) -> None:
        super().__init__(sentence)
        self.field = field


class AlreadyDone(Exception):
    """The one-time key was used before; ``event`` is what it did then."""

    def __init__(self, event: Event) -> None:
        super().__init__(event.text)
        self.event = event


@dataclass(frozen=True, slots=True)
class Deed:
    """What a verb did, for the timeline: a sentence, the figures behind it, and the rows it is about.

    ``subject`` names the record where the deed leaves none that could tell its name; ``actor_name`` what did
    it where nobody did.
    """

    text: str
    figures: dict[str, str | int | None] = field(default_factory=dict)
    related: dict[str, models.Model] = field(default_factory=dict)
    subject: str = ""
    actor_name: str = ""


def outside_transaction() -> None:
    """Assert that no transaction is open, before the outside world is asked.

    Raises RuntimeError if one is.
    """
    with transaction.atomic(durable=True):
        pass


@dataclass(frozen=True, slots=True)
class OneTimeKey:
    """A one-time key with the deed that it is for: ``action`` on what ``about`` finds, by one person."""

    key: UUID | None
    by: Actor
    action: str
    about: models.Q

    def refuse_used(self) -> None:
        """Raise AlreadyDone when the key has done this deed, NotOffered when it has done another one."""
        event = Event.objects.filter(key=self.key).first() if self.key else None
        if event is None:
            return
        if Event.objects.filter(self.about, pk=event.pk, action=self.action, actor=self.by).exists():
            raise AlreadyDone(event)
        raise NotOffered(
            _now(
                "This page's one-time key belongs to something else that was done before. Nothing was done"
                " now; please open the page again."
            )
        )


def once(used_once: OneTimeKey, work: Callable[[], Event]) -> Event:
    """Run ``work`` in a durable transaction that the one-time key can enter only once.

    Raises NotOffered too when the database refuses, as it does for a row that refers to a deleted one.
    """
    try:
        with transaction.atomic(durable=True):
            return work()
    except Gone:
        used_once.refuse_used()  # the other request with this key was quicker
        raise
    except IntegrityError as error:
        used_once.refuse_used()
        log.exception("The database refused “%s”", used_once.action)
        raise NotOffered(
            _now(
                "Something that this is about changed at this very moment. Nothing was done; please look"
                " again."
            )
        ) from error


def guarded(
    name: str, table: Table = INVOICES, *, lock: str = "lock"
) -> Callable[[Callable[Concatenate[R, Actor, P], Deed]], Callable[..., Event]]:
    """Make a method that returns a Deed into a verb that is done once, on the locked row, or refused aloud.

    The verb takes ``key`` (one-time key of the dialog) and ``seen`` (the version of the invoice that the
    person looked at), and returns the Event. Raises NotAllowed, NotOffered, Stale, AlreadyDone, and what
    the method itself raises. ``lock``: the method that locks the row, and what must be locked before it.
    """
    action = table[name]

    def wrap(method: Callable[Concatenate[R, Actor, P], Deed]) -> Callable[..., Event]:
        @functools.wraps(method)
        def verb(
            self: R, by: Actor, *, key: UUID | None = None, seen: int | None = None, **kwargs: Any
        ) -> Event:
            used_once = self.one_time_key(key, by, action.name)
            used_once.refuse_used()
            if action.stops_paying:
                self.require(action, by)
                self.stop_paying()

            def work() -> Event:
                getattr(self, lock)()
                used_once.refuse_used()
                self.require(action, by, seen=seen)
                deed = method(self, by, **kwargs)  # type: ignore[call-arg]  # the dialog's fields, checked at start
                return tell(self, by, action, deed, key=key)

            return once(used_once, work)

        return verb

    return wrap


def tell(record: Record, by: Actor, action: Action | str, deed: Deed, *, key: UUID | None = None) -> Event:
    """Write the deed into the record's timeline, in the caller's transaction."""
    return Event.objects.create(
        subject=deed.subject or str(record),
        actor=by,
        actor_name=deed.actor_name or name_of(by),
        action=action if isinstance(action, str) else action.name,
        text=deed.text,
        figures=deed.figures,
        key=key,
        at=clock.now(),
        **record.timeline_of(),
        **deed.related,
    )


def name_of(by: Actor) -> str:
    return (by.get_full_name() or by.get_username())[:160] if by else ""
