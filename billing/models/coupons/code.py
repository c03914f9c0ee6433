"""A code that gives a coupon's discount: the public one of a group, or a personal one for one contact."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, FilteredRelation, Q
from django.db.models.functions import Coalesce, Upper
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.actions import CODE_ACTIONS, CODE_PERMISSIONS
from billing.models.coupons.coupon import Coupon
from billing.models.coupons.discount import Discount, refused
from billing.models.event import Event
from billing.models.guard import Actor, Deed, Invalid, OneTimeKey, name_of, once
from billing.models.record import Record
from billing.models.spelling import LONGEST, shown, spelt
from billing.statuses import CodeState
from contacts.models import Contact

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.coupons.redemption import CouponRedemption
    from billing.models.invoice import Invoice


class CouponCodeQuerySet(models.QuerySet["CouponCode"]):
    def of(self, contact: Contact) -> CouponCodeQuerySet:
        return self.filter(contact=contact)

    def for_list(self) -> CouponCodeQuerySet:
        """Newest first, each with its coupon and, as ``redeemed_on_id`` and ``redeemed_on_number``, the
        invoice that it stands redeemed on.
        """
        standing = FilteredRelation("redemptions", condition=Q(redemptions__returned_at=None))
        return (
            self.select_related("coupon")
            .annotate(standing=standing)
            .annotate(
                redeemed_on_id=F("standing__invoice_id"), redeemed_on_number=F("standing__invoice__number")
            )
            .order_by("-issued_at", "-id")
        )

    def for_export(self) -> CouponCodeQuerySet:
        """Personal ones, in the order in which they were issued, with their ``last_day``."""
        last_day = Coalesce("expires_on", "coupon__ends_on")
        found = self.filter(contact__isnull=False).annotate(last_day=last_day)
        return found.annotate(status=F("state"), currency=F("coupon__currency")).order_by("issued_at", "id")


class CouponCode(Record):
    """``contact`` is empty for the public code of a group. ``expires_on`` is the last day of a personal one
    whose coupon counts days from issue.

    ``state`` is a cache of the standing redemption for a personal code, which can be redeemed once; a public
    one stays issued. ``verify_books`` checks it.
    """

    TABLE = CODE_ACTIONS

    coupon = models.ForeignKey(Coupon, models.PROTECT, related_name="codes", verbose_name=_("coupon"))
    code = models.CharField(_("code"), max_length=LONGEST, unique=True)
    contact = models.ForeignKey(
        Contact,
        models.PROTECT,
        null=True,
        related_name="coupon_codes",
        verbose_name=_("contact"),
        db_index=False,
    )
    state = models.CharField(_("state"), max_length=9, choices=CodeState, default=CodeState.ISSUED)
    issued_at = models.DateTimeField(_("issued"))
    issued_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    expires_on = models.DateField(_("expires"), null=True)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)

    if TYPE_CHECKING:
        redemptions: RelatedManager[CouponRedemption]
        invoices: RelatedManager[Invoice]
        coupon_id: int
        contact_id: int | None

    objects = CouponCodeQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = CODE_PERMISSIONS
        verbose_name = _("coupon code")
        indexes: ClassVar = [
            models.Index(
                fields=["contact", "-issued_at", "-id"],
                name="couponcode_by_contact",
                condition=Q(contact__isnull=False),
            )
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(code=Upper("code")), name="couponcode_in_capitals"),
            models.UniqueConstraint(
                fields=["coupon"], condition=Q(contact__isnull=True), name="couponcode_one_public_per_coupon"
            ),
            models.CheckConstraint(condition=Q(state__in=CodeState.values), name="couponcode_state_known"),
            models.CheckConstraint(
                condition=Q(contact__isnull=False) | Q(state=CodeState.ISSUED, expires_on__isnull=True),
                name="couponcode_public_stays_issued",
            ),
            models.CheckConstraint(
                condition=Q(state=CodeState.WITHDRAWN, withdrawn_at__isnull=False)
                | (~Q(state=CodeState.WITHDRAWN) & Q(withdrawn_at__isnull=True)),
                name="couponcode_withdrawn_has_its_moment",
            ),
        ]

    def __str__(self) -> str:
        return self.shown or _now("New code")

    # -- in words

    @property
    def shown(self) -> str:
        return shown(self.code)

    @property
    def is_personal(self) -> bool:
        return self.contact_id is not None

    @property
    def has_expired(self) -> bool:
        """As of today in the installation's time zone."""
        return self.is_expired(clock.today())

    def is_expired(self, today: date) -> bool:
        return bool(self.last_on and self.last_on < today)

    @property
    def last_on(self) -> date | None:
        """The last day on which it can be redeemed, its own or its coupon's."""
        return self.expires_on or self.coupon.ends_on

    @property
    def has_run_out(self) -> str:
        """The reason why it is of no use any more, or nothing."""
        if not self.last_on or not self.has_expired:
            return ""
        return _now("%(code)s expired on %(on)s.") % {"code": self, "on": date_format(self.last_on)}

    @property
    def state_label(self) -> str:
        if self.state == CodeState.ISSUED and self.has_expired:
            return _now("Expired")
        return str(CodeState(self.state).label)

    @property
    def badge(self) -> str:
        """The name of the status colour."""
        return "expired" if self.state == CodeState.ISSUED and self.has_expired else str(self.state)

    # -- accepting what somebody typed

    @classmethod
    def find(cls, typed: str) -> CouponCode:
        """The code that was typed, in whatever case, with its coupon. Raises Invalid for none."""
        found = cls.objects.select_related("coupon").filter(code=spelt(typed)).first()
        if found is None:
            raise refused(typed.strip(), _now("there is no such code."))
        return found

    @classmethod
    def accept(
        cls,
        typed: str,
        *,
        contact: Contact | None,
        products: Collection[int | None],
        currency: str,
        today: date,
    ) -> Discount:
        """What the typed code takes off for this contact (None: not known yet) and these products (None
        among them: a line in free text). Promises nothing: redeeming asks again under lock. Raises Invalid
        with the sentence. Three queries.
        """
        code = cls.find(typed)
        code.check_usable(contact, today)
        discount = code.coupon.discount(code.code)
        discount.check(products, currency)
        return discount

    @classmethod
    def discount_of(cls, code: str) -> Discount:
        """What a stored code takes off, whether it can still be redeemed or not. Two queries."""
        return cls.objects.select_related("coupon").get(code=code).coupon.discount(code)

    def check_usable(self, contact: Contact | None, today: date) -> None:
        """Raise Invalid unless this contact can redeem it today."""
        why = self._unusable_for(contact) or self._unusable_on(today)
        if why:
            raise refused(self.code, why)

    def _unusable_for(self, contact: Contact | None) -> str:
        if not self.is_personal:
            return ""
        if contact is None:
            return _now("it is a personal code, so say who you are first.")
        return "" if contact.pk == self.contact_id else _now("it was issued to somebody else.")

    def _unusable_on(self, today: date) -> str:
        if self.state == CodeState.WITHDRAWN:
            return _now("it has been withdrawn.")
        if self.state == CodeState.REDEEMED:
            return _now("it has been redeemed already.")
        if self.expires_on and today > self.expires_on:
            return _now("it expired on %(on)s.") % {"on": date_format(self.expires_on)}
        return self.coupon.unusable(today)

    # -- what is done to it

    def one_time_key(self, key: UUID | None, by: Actor, action: str) -> OneTimeKey:
        """That of a code that is still to be issued knows its contact."""
        if self.pk:
            return super().one_time_key(key, by, action)
        return OneTimeKey(key, by, action, Q(contact=self.contact_id, invoice=None))

    def withdraw(self, by: Actor, *, reason: str, key: UUID | None = None) -> Event:
        """Let nobody redeem it any more. Raises NotAllowed, NotOffered, AlreadyDone, Invalid."""
        action = CODE_ACTIONS["withdraw"]
        used_once = self.one_time_key(key, by, action.name)
        used_once.refuse_used()

        def work() -> Event:
            used_once.refuse_used()
            self.lock_for(action, by)
            if not self.is_personal:
                raise Invalid(_now("A public code is not withdrawn: switch its coupon off."), field="reason")
            self.state, self.withdrawn_at = CodeState.WITHDRAWN, clock.now()
            self.save(update_fields=["state", "withdrawn_at"])
            text = _now("Code %(code)s of “%(coupon)s” withdrawn.")
            text = text % {"code": self, "coupon": self.coupon}
            if reason:
                text += " " + _now("Reason: %(reason)s") % {"reason": reason}
            return self.tell(by, action.name, Deed(text), key=key)

        return once(used_once, work)

    def tell(self, by: Actor, action: str, deed: Deed, *, key: UUID | None = None) -> Event:
        """Write the deed into the contact's timeline, in the caller's transaction."""
        event = self.event(by, action, deed.text, at=clock.now(), key=key)
        event.save()
        return event

    def event(self, by: Actor, action: str, text: str, *, at: datetime, key: UUID | None = None) -> Event:
        """An unsaved line of the contact's timeline."""
        return Event(
            contact_id=self.contact_id,
            subject=str(self),
            actor=by,
            actor_name=name_of(by),
            action=action,
            text=text,
            figures={"couponcode": self.pk, "coupon": self.coupon_id},
            key=key,
            at=at,
        )


def last_day(coupon: Coupon, issued_on: date) -> date | None:
    """The last day of a code's own, of one that is issued on that day; otherwise the coupon's is."""
    return issued_on + timedelta(days=coupon.days) if coupon.days else None
