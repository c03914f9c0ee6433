"""Partners, and the contacts whom they referred."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing.statuses import Pays
from contacts.models import Contact

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.partners.commission import Commission
    from billing.models.partners.program import PartnerProgram

LONGEST_CODE = 40
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,39}", re.ASCII)
"""What a code is made of: it stands in addresses, and is read out on the telephone."""
CODE_RULE = _("Code is “%(value)s”: write 2 to 40 letters, digits, hyphens or underscores.")


def check_code(code: str) -> None:
    """Raise ValidationError unless ``code`` can be a partner's."""
    if not CODE.fullmatch(code):
        raise ValidationError(CODE_RULE % {"value": code[:40]}, code="invalid")


class PartnerQuerySet(models.QuerySet["Partner"]):
    def by_code(self, code: str) -> Partner | None:
        """The partner whose link has ``?ref=CODE``, in whatever case; None for one that earns nothing now."""
        if not CODE.fullmatch(code.strip()):
            return None
        earning = self.filter(is_active=True, program__is_active=True)
        return earning.select_related("contact", "program").filter(code__iexact=code.strip()).first()

    def with_names(self) -> PartnerQuerySet:
        return self.select_related("contact", "program")


class Partner(models.Model):
    """A contact in a partner program. ``code`` is what their link is known by, in whatever case."""

    contact = models.ForeignKey(
        Contact, models.PROTECT, related_name="partners", verbose_name=_("contact"), db_index=False
    )
    program = models.ForeignKey(
        "billing.PartnerProgram", models.PROTECT, related_name="partners", verbose_name=_("program")
    )
    code = models.CharField(_("code"), max_length=LONGEST_CODE, validators=[check_code])
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("One who is not earns nothing new; what was earned stays.")
    )
    enrolled_at = models.DateTimeField(_("enrolled"))

    objects = PartnerQuerySet.as_manager()

    if TYPE_CHECKING:
        contact_id: int
        program_id: int
        program: PartnerProgram  # type: ignore[no-redef]
        commissions: RelatedManager[Commission]
        firsts: RelatedManager[Referral]
        lasts: RelatedManager[Referral]

    class Meta:
        default_permissions = ("view", "add", "change")
        verbose_name = _("partner")
        ordering: ClassVar = ["contact__name", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["contact", "program"], name="partner_once_per_program"),
            models.UniqueConstraint(
                Lower("code"),
                name="partner_one_per_code",
                violation_error_message=_("Another partner has this code."),
            ),
            models.CheckConstraint(condition=~Q(code=""), name="partner_has_code"),
        ]

    def __str__(self) -> str:
        return f"{self.contact.name} ({self.code})"

    @property
    def link_query(self) -> str:
        """What is put behind the address of an order form: ``?ref=CODE``."""
        return f"?ref={self.code}"

    @property
    def earns(self) -> bool:
        """Whether anything new is earned. ``program`` should be loaded."""
        return self.is_active and self.program.is_active

    @property
    def state_label(self) -> str:
        return str(_("Active") if self.earns else _("Ended"))

    @property
    def badge(self) -> str:
        return "active" if self.earns else "cancelled"

    @classmethod
    def referred_by(cls, partners: Sequence[Partner]) -> models.QuerySet[Referral]:
        """The contacts whom these referred, first or last, the latest first."""
        found = Referral.objects.filter(Q(first__in=partners) | Q(last__in=partners))
        return found.select_related("contact", "first", "last", "program").order_by(
            F("last_at").desc(nulls_last=True), "-id"
        )

    @classmethod
    def free_code(cls, contact: Contact) -> str:
        """A code that nobody has, made of the contact's name."""
        ascii_name = unicodedata.normalize("NFKD", contact.name).encode("ascii", "ignore").decode()
        word = re.sub(r"[^A-Z0-9]+", "-", ascii_name.upper()).strip("-")[:20].strip("-")
        stem = word if CODE.fullmatch(word) else f"PARTNER-{contact.pk}"
        taken = set(cls.objects.filter(code__istartswith=stem).values_list(Lower("code"), flat=True))
        numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
        return next(code for code in (stem, *numbered) if code.lower() not in taken)


class Referral(models.Model):
    """Who led a contact to us, within one program: the first partner ever, and the last one so far."""

    contact = models.ForeignKey(
        Contact, models.CASCADE, related_name="referrals", verbose_name=_("contact"), db_index=False
    )
    program = models.ForeignKey(
        "billing.PartnerProgram", models.PROTECT, related_name="referrals", verbose_name=_("program")
    )
    first = models.ForeignKey(
        Partner, models.PROTECT, null=True, related_name="firsts", verbose_name=_("first referrer")
    )
    last = models.ForeignKey(
        Partner, models.PROTECT, null=True, related_name="lasts", verbose_name=_("last referrer")
    )
    first_at = models.DateTimeField(_("first referred"), null=True)
    last_at = models.DateTimeField(_("last referred"), null=True)

    if TYPE_CHECKING:
        contact_id: int
        program_id: int
        first_id: int | None
        last_id: int | None

    class Meta:
        default_permissions = ("view", "change")
        verbose_name = _("referral")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["contact", "program"], name="referral_once_per_program"),
        ]

    def __str__(self) -> str:
        return _now("%(contact)s by %(first)s, %(last)s") % {
            "contact": self.contact.name,
            "first": self.first or "–",
            "last": self.last or "–",
        }

    def paid_referrer(self, pays: str) -> Partner | None:
        """The partner whom a program that ``pays`` the first or the last referrer pays."""
        return self.first if pays == Pays.FIRST else self.last

    @property
    def seen(self) -> str:
        """Stands for who the referrers are now."""
        return f"{self.first_id or 0}.{self.last_id or 0}"
