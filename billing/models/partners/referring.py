"""How contacts become partners, and how it is known who led a contact here."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _now

from billing.actions import PROGRAM_ACTIONS
from billing.models.event import Event
from billing.models.guard import Actor, Invalid, Stale, name_of, once
from billing.models.partners.partner import Partner, Referral, check_code
from billing.models.record import Record
from contacts.models import Contact

if TYPE_CHECKING:
    from billing.models.partners.program import PartnerProgram


class Referring(Record):
    class Meta:
        abstract = True

    @property
    def row(self) -> PartnerProgram:
        return cast("PartnerProgram", self)

    def enrol(
        self, by: Actor, *, contact: Contact, code: str, at: datetime, key: UUID | None = None
    ) -> Event:
        """Make the contact a partner under ``code``. Raises NotAllowed, NotOffered, AlreadyDone, Invalid."""
        action = PROGRAM_ACTIONS["enrol"]
        used_once = self.one_time_key(key, by, action.name)
        used_once.refuse_used()

        def work() -> Event:
            self.lock_for(action, by)
            used_once.refuse_used()
            self._check_new(contact, code)
            partner = Partner.objects.create(contact=contact, program=self.row, code=code, enrolled_at=at)
            text = _now("Enrolled in %(program)s with the code %(code)s.")
            words = {"program": self, "code": code}
            deed = (action.name, text % words)
            return note(contact, by, deed, figures=self._about(partner=partner.pk), at=at, key=key)

        return once(used_once, work)

    def _check_new(self, contact: Contact, code: str) -> None:
        try:
            check_code(code)
        except ValidationError as error:
            raise Invalid(error.messages[0], field="code") from error
        if Partner.objects.filter(code__iexact=code).exists():
            raise Invalid(_now("Code is “%(code)s”: another partner has it.") % {"code": code}, field="code")
        known = Partner.objects.filter(contact=contact, program=self.row).first()
        if known:
            words = {"name": contact.name, "program": self, "code": known.code}
            raise Invalid(
                _now("%(name)s is a partner of %(program)s already, as %(code)s.") % words, field="code"
            )

    def set_referrers(
        self,
        by: Actor,
        *,
        contact: Contact,
        first: Partner | None,
        last: Partner | None,
        reason: str,
        at: datetime,
        seen: str = "",
        key: UUID | None = None,
    ) -> Event:
        """Say who referred the contact, in place of what was known. Commissions stay until they are re-run.

        Raises NotAllowed, NotOffered, AlreadyDone, Stale when the referrers are not those that were ``seen``,
        and Invalid for a partner of another program, or the contact's own.
        """
        action = PROGRAM_ACTIONS["set_referrers"]
        used_once = self.one_time_key(key, by, action.name)
        used_once.refuse_used()
        for name, partner in (("first", first), ("last", last)):
            self._check_referrer(contact, partner, field=name)

        def work() -> Event:
            used_once.refuse_used()
            refusal = self.refusal(action, by)
            if refusal:
                raise refusal
            referral = locked_referral(contact, self.row)
            if seen and seen != referral.seen:
                raise Stale(_now("Somebody else has changed the referrers meanwhile. Please look again."))
            before = words_of(referral)
            _put(referral, first=first, last=last, at=at)
            text = _now("Referrers in %(program)s: %(before)s → %(after)s.")
            words = {"program": self, "before": before, "after": words_of(referral)}
            told = [text % words, _now("Reason: %(reason)s") % {"reason": reason} if reason else ""]
            deed = (action.name, " ".join(filter(None, told)))
            return note(contact, by, deed, figures=self._about(), at=at, key=key)

        return once(used_once, work)

    def _check_referrer(self, contact: Contact, partner: Partner | None, *, field: str) -> None:
        if partner is None:
            return
        if partner.program_id != self.pk:
            words = {"partner": partner, "program": self}
            raise Invalid(_now("%(partner)s is no partner of %(program)s.") % words, field=field)
        if partner.contact_id == contact.pk:
            raise Invalid(
                _now("%(partner)s is this contact: nobody earns on their own purchases.")
                % {"partner": partner},
                field=field,
            )

    def _about(self, **more: int) -> dict[str, Any]:
        return {"partnerprogram": self.pk, **more}


@transaction.atomic
def record_referral(contact: Contact, code: str, at: datetime) -> Referral | None:
    """A partner's link led the contact to an order: the last referrer from now on, the first one if there
    was none.

    For pages of customers, so nothing is refused: a code that nobody has, an ended partner, or the contact's
    own link changes nothing, and gives None.
    """
    partner = Partner.objects.by_code(code)
    if partner is None or partner.contact_id == contact.pk:
        return None
    referral = locked_referral(contact, partner.program)
    before = referral.seen
    referral.last_at = at
    _put(referral, first=referral.first or partner, last=partner, at=at)
    if referral.seen != before:
        text = _now("Referred by %(partner)s in %(program)s.")
        words = {"partner": partner, "program": partner.program}
        figures = {"partnerprogram": partner.program_id, "partner": partner.pk}
        note(contact, None, ("referred", text % words), figures=figures, at=at)
    return referral


def locked_referral(contact: Contact, program: PartnerProgram) -> Referral:
    """The row of a contact in a program, made if it is missing, for the caller alone to change.

    Its partners are read once the lock is held: read along with it, PostgreSQL would show those from before
    the wait.
    """
    made, _new = Referral.objects.get_or_create(contact=contact, program=program)
    locked = Referral.objects.select_for_update(of=("self",)).get(pk=made.pk)
    return Referral.objects.select_related("first__contact", "last__contact").get(pk=locked.pk)


def _put(referral: Referral, *, first: Partner | None, last: Partner | None, at: datetime) -> None:
    if (first.pk if first else None) != referral.first_id:
        referral.first, referral.first_at = first, at if first else None
    if (last.pk if last else None) != referral.last_id:
        referral.last, referral.last_at = last, at if last else None
    referral.save(update_fields=["first", "last", "first_at", "last_at"])


def words_of(referral: Referral) -> str:
    """``first Ada (ADA), last nobody``."""
    return _now("first %(first)s, last %(last)s") % {
        "first": referral.first or _now("nobody"),
        "last": referral.last or _now("nobody"),
    }


def note(
    contact: Contact,
    by: Actor,
    deed: tuple[str, str],
    *,
    figures: dict[str, Any],
    at: datetime,
    key: UUID | None = None,
) -> Event:
    """A line in the contact's timeline. ``deed``: the action's name, and the sentence."""
    action, text = deed
    return Event.objects.create(
        contact=contact,
        subject=contact.name[:120],
        actor=by,
        actor_name=name_of(by),
        action=action,
        text=text,
        figures=figures,
        key=key,
        at=at,
    )
