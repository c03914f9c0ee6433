from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.gateways import DisputeFacts
from billing.gateways.sandbox.models.charge import Charge
from billing.gateways.sandbox.models.keys import UnknownRef
from billing.money import DECIMAL_PLACES, MAX_DIGITS
from billing.statuses import DisputeState


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def by_ref(self, ref: str) -> Dispute:
        """Raises UnknownRef."""
        try:
            return self.select_related("charge").get(ref=ref)
        except self.model.DoesNotExist:
            raise UnknownRef(ref) from None


class Dispute(models.Model):
    """A cardholder's bank wants ``amount`` of a charge back. It is in the currency of its charge."""

    ref = models.CharField(_("reference"), max_length=80, unique=True)
    charge = models.ForeignKey(Charge, models.PROTECT, related_name="disputes", verbose_name=_("charge"))
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    state = models.CharField(_("state"), max_length=8, choices=DisputeState, default=DisputeState.OPEN)
    reason = models.CharField(_("reason"), max_length=40)
    respond_by = models.DateTimeField(_("answer by"))
    created_at = models.DateTimeField(_("created at"))

    objects = DisputeQuerySet.as_manager()

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_dispute_amount_positive"),
            models.CheckConstraint(
                condition=Q(state__in=DisputeState.values), name="sandbox_dispute_state_known"
            ),
        )

    def __str__(self) -> str:
        return self.ref

    @property
    def facts(self) -> DisputeFacts:
        page = reverse("admin:sandbox_dispute_change", args=[self.pk])
        return DisputeFacts(
            ref=self.ref,
            charge_ref=self.charge.ref,
            amount=self.amount,
            currency=self.charge.currency,
            state=DisputeState(self.state),
            reason=self.reason,
            respond_by=self.respond_by,
            url=f"{settings.BASE_URL}{page}",
        )
