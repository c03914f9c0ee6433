"""Personal codes are issued: one for each contact that has none yet, or one more where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _now

from billing import clock
from billing.actions import CODE_STEPS
from billing.models.coupons.code import CouponCode, last_day
from billing.models.coupons.coupon import Coupon
from billing.models.event import Event
from billing.models.guard import Actor, Invalid, NotAllowed, OneTimeKey, may, name_of, once
from billing.models.offering import role_sentence
from billing.models.spelling import new_code
from billing.statuses import CodeState
from contacts.models import Contact

MOST_AT_ONCE = 20_000
"""Codes of one deed: a few seconds, in one transaction."""
TOGETHER = 1000
"""Rows that are stored by one query."""
ACTION = CODE_STEPS["issue_code"]


@dataclass(frozen=True, slots=True)
class IssuePlan:
    """What issuing would do, worked out before anybody confirms it.

    ``contacts``: ids of those who get a code; ``held``: how many have one of this coupon already.
    """

    contacts: tuple[int, ...]
    held: int

    @classmethod
    def of(cls, coupon: Coupon, contacts: models.QuerySet[Contact], *, again: bool) -> Self:
        """Two queries. ``again``: those who have a code get another one. Raises Invalid for too many."""
        chosen = contacts.order_by("pk")
        count = chosen.count()
        if count > MOST_AT_ONCE:
            rule = _now("Contacts are %(count)s: at most %(most)s get a code at once. Narrow the search.")
            words = {"count": f"{count:,}", "most": f"{MOST_AT_ONCE:,}"}
            raise Invalid(rule % words, field="contacts")
        held = CouponCode.objects.filter(coupon=coupon, contact=OuterRef("pk"))
        without = chosen if again else chosen.filter(~Exists(held.exclude(state=CodeState.WITHDRAWN)))
        ids = tuple(without.values_list("pk", flat=True))
        return cls(ids, count - len(ids))

    @property
    def state(self) -> str:
        """Stays the same while what was shown is what will be done."""
        return f"{len(self.contacts)}.{self.held}"


def issue_codes(
    by: Actor,
    *,
    coupon: Coupon,
    contacts: models.QuerySet[Contact],
    again: bool,
    at: datetime,
    key: UUID | None = None,
) -> Event:
    """Issue a code of the coupon to each of these contacts that has none (``again``: to all of them).

    Each contact's timeline says so; the event of the whole is the contact's own when there is one. Raises
    NotAllowed, AlreadyDone, and Invalid when there is nobody to issue to, or more than are available.
    """
    if not may(by, ACTION.codename):
        raise NotAllowed(role_sentence(ACTION))
    used_once = key_of(by, key)
    used_once.refuse_used()

    def work() -> Event:
        used_once.refuse_used()
        locked = Coupon.objects.filter(pk=coupon.pk).locked().get()
        plan = IssuePlan.of(locked, contacts, again=again)
        _check(locked, plan, at)
        codes = _codes(locked, plan.contacts, by, at)
        return _tell(locked, codes, plan.held, key)

    return once(used_once, work)


def key_of(by: Actor, key: UUID | None) -> OneTimeKey:
    """A one-time key of a page that issues codes."""
    return OneTimeKey(key, by, ACTION.name, Q(invoice=None, order=None))


def _check(coupon: Coupon, plan: IssuePlan, at: datetime) -> None:
    today = clock.day_of(at)
    if not coupon.is_personal:
        rule = _now("Coupon is “%(coupon)s”: its code is public, so none is issued.")
        raise Invalid(rule % {"coupon": coupon}, field="coupon")
    if not coupon.is_active or (coupon.ends_on and coupon.ends_on < today):
        rule = _now("Coupon is “%(coupon)s”: it is not offered any more.")
        raise Invalid(rule % {"coupon": coupon}, field="coupon")
    if not plan.contacts:
        raise Invalid(_now("Contacts: all of them have a code of this coupon already."), field="contacts")
    left = available(coupon, at)
    if left is not None and len(plan.contacts) > left:
        rule = _now("Coupon is “%(coupon)s”: %(left)s of %(total)s are left, and %(count)s are asked for.")
        words = {"left": left, "total": coupon.total_available, "count": len(plan.contacts)}
        raise Invalid(rule % {**words, "coupon": coupon}, field="coupon")


def available(coupon: Coupon, at: datetime) -> int | None:
    """How many more codes can be issued: each that somebody could still redeem counts as taken. None where
    there is no end. One query.
    """
    if coupon.total_available is None:
        return None
    usable = Q(expires_on__isnull=True) | Q(expires_on__gte=clock.day_of(at))
    held = coupon.codes.filter(usable, state=CodeState.ISSUED).count()
    return max(0, coupon.total_available - coupon.redeemed - held)


def _codes(coupon: Coupon, contacts: Sequence[int], by: Actor, at: datetime) -> list[CouponCode]:
    last = last_day(coupon, clock.day_of(at))
    codes = [
        CouponCode(coupon=coupon, code=new_code(), contact_id=pk, issued_at=at, issued_by=by, expires_on=last)
        for pk in contacts
    ]
    return CouponCode.objects.bulk_create(codes, batch_size=TOGETHER)


def _tell(coupon: Coupon, codes: list[CouponCode], held: int, key: UUID | None) -> Event:
    by, at = codes[0].issued_by, codes[0].issued_at
    text = _now("Code %(code)s of “%(coupon)s” issued: %(off)s.")
    words = {"coupon": coupon, "off": coupon.off}
    alone = key if len(codes) == 1 else None
    events = [code.event(by, ACTION.name, text % {**words, "code": code}, at=at, key=alone) for code in codes]
    Event.objects.bulk_create(events, batch_size=TOGETHER)
    if len(events) == 1:
        return events[0]
    whole = _now("%(count)s codes of “%(coupon)s” issued.")
    return Event.objects.create(
        subject=str(coupon),
        actor=by,
        actor_name=name_of(by),
        action=ACTION.name,
        text=whole % {"count": f"{len(codes):,}", "coupon": coupon},
        figures={"coupon": coupon.pk, "codes": len(codes), "held": held},
        key=key,
        at=at,
    )
