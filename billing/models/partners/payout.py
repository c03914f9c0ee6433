from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Sum, Value
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.models.base import amount_field
from billing.models.partners.partner import Partner
from billing.statuses import CommissionStatus

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.partners.commission import Commission


class PayoutQuerySet(models.QuerySet["Payout"]):
    def for_list(self) -> PayoutQuerySet:
        return self.select_related("program").order_by("-made_at", "-id")


class Payout(models.Model):
    """A batch of approved commissions that was handed over to be paid: one program, one currency.

    ``total`` and ``partner_count`` are what its commissions add up to. The desk moves no money to partners:
    the file of the batch says whom to pay what. Never changed.
    """

    program = models.ForeignKey(
        "billing.PartnerProgram", models.PROTECT, related_name="payouts", verbose_name=_("program")
    )
    currency = models.CharField(_("currency"), max_length=3)
    total = amount_field(_("total"))
    partner_count = models.PositiveIntegerField(_("partners"))
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(_("made"))

    objects = PayoutQuerySet.as_manager()

    if TYPE_CHECKING:
        commissions: RelatedManager[Commission]
        program_id: int

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("payout")
        indexes: ClassVar = [models.Index(fields=["-made_at", "-id"], name="payout_by_moment")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(total__gt=0, partner_count__gt=0), name="payout_pays_somebody"
            )
        ]

    def __str__(self) -> str:
        return _now("Payout %(id)s") % {"id": self.pk}

    def shares(self) -> models.QuerySet[Partner]:
        """Whom it pays, each with ``amount`` and ``count`` of the commissions, the largest first."""
        paid = Partner.objects.filter(commissions__payout=self).annotate(
            amount=Sum("commissions__amount"),
            count=Count("commissions"),
            currency=Value(self.currency),
            status=Value(CommissionStatus.PAID.value),
            batch=Value(self.pk),
        )
        return paid.select_related("contact", "program").order_by(F("amount").desc(), "pk")

    @property
    def total_label(self) -> str:
        return money.show(self.total, self.currency)
