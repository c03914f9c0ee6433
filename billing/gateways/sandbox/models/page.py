from __future__ import annotations

from datetime import datetime
from enum import Enum, auto

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.gateways import PageResult
from billing.gateways.sandbox.models.card import StoredCard
from billing.gateways.sandbox.models.charge import Charge
from billing.gateways.sandbox.models.keys import UnknownRef
from billing.gateways.sandbox.numbers import TypedCard
from billing.statuses import AttemptState


class Stage(Enum):
    """What the page shows its customer."""

    CARD = auto()
    BANK = auto()
    FINISHED = auto()
    EXPIRED = auto()


STAGE_OF_CHARGE = {
    AttemptState.STARTED: Stage.CARD,
    AttemptState.NEEDS_ACTION: Stage.BANK,
    AttemptState.APPROVED: Stage.FINISHED,
    AttemptState.DECLINED: Stage.FINISHED,
    AttemptState.NOT_CHARGED: Stage.EXPIRED,
}


class HostedPageQuerySet(models.QuerySet["HostedPage"]):
    def locked(self, ref: str, *, now: datetime) -> HostedPage:
        """The page and its charge under row locks, closed when its time has run out.

        What it points to is read once the lock is held: read along with it, PostgreSQL would show that as it
        was before the wait. Raises UnknownRef.
        """
        try:
            page = self.select_for_update(of=("self",)).get(ref=ref)
        except self.model.DoesNotExist:
            raise UnknownRef(ref) from None
        if page.charge is not None:
            page.charge = Charge.objects.locked(page.charge.ref)
        if now >= page.expires_at:
            page.expire()
        return page


class HostedPage(models.Model):
    """A page on which a customer types a card: with a charge it takes money, without one it keeps it."""

    ref = models.CharField(_("reference"), max_length=80, unique=True)
    key = models.UUIDField(_("key"), unique=True)
    charge = models.OneToOneField(
        Charge, models.PROTECT, null=True, related_name="page", verbose_name=_("charge")
    )
    card = models.ForeignKey(StoredCard, models.PROTECT, null=True, verbose_name=_("card"))
    description = models.TextField(_("description"), blank=True)
    remember = models.BooleanField(_("remember this card"))
    return_url = models.TextField(_("address after success"))
    cancel_url = models.TextField(_("address after cancelling"))
    closed = models.BooleanField(_("closed unfinished"), default=False)
    expires_at = models.DateTimeField(_("expires at"))

    objects = HostedPageQuerySet.as_manager()

    class Meta:
        verbose_name = _("hosted page")
        verbose_name_plural = _("hosted pages")

    def __str__(self) -> str:
        return self.ref

    @property
    def stage(self) -> Stage:
        if self.charge is not None:
            return STAGE_OF_CHARGE[AttemptState(self.charge.state)]
        if self.card is not None:
            return Stage.FINISHED
        return Stage.EXPIRED if self.closed else Stage.CARD

    @property
    def result(self) -> PageResult:
        stage = self.stage
        ended = stage in (Stage.FINISHED, Stage.EXPIRED)
        return PageResult(
            done=stage is Stage.FINISHED,
            expired=stage is Stage.EXPIRED,
            card=self.card.details if ended and self.card is not None and self.card.on_file else None,
            outcome=self.charge.outcome if ended and self.charge is not None else None,
        )

    def take(self, typed: TypedCard) -> None:
        """Store or charge the typed card; on the locked page. A page that has gone on stays as it is."""
        if self.stage is not Stage.CARD:
            return
        if self.charge is None:
            self._keep(StoredCard.objects.store(typed, on_file=True))
        elif typed.behaviour.state != AttemptState.STARTED:
            card = StoredCard.objects.store(typed, on_file=False)
            self._keep(card)
            self.charge.ask_bank(card)
            self._remember_if_paid()

    def _keep(self, card: StoredCard) -> None:
        self.card = card
        self.save(update_fields=["card"])

    def bank_approves(self) -> None:
        """The customer confirmed the payment to the bank; on the locked page."""
        if self.stage is Stage.BANK and self.charge is not None:
            self.charge.end(AttemptState.APPROVED)
            self._remember_if_paid()

    def bank_refuses(self) -> None:
        """The customer told the bank that the payment is not theirs; on the locked page."""
        if self.stage is Stage.BANK and self.charge is not None:
            self.charge.end(
                AttemptState.DECLINED,
                code="authentication_failed",
                message=_("The customer did not confirm this payment to the bank."),
            )

    def _remember_if_paid(self) -> None:
        paid = self.charge is not None and self.charge.state == AttemptState.APPROVED
        if self.remember and paid and self.card is not None:
            self.card.on_file = True
            self.card.save(update_fields=["on_file"])

    def expire(self) -> None:
        """Close the page unless the customer was quicker; on the locked page."""
        if self.stage in (Stage.FINISHED, Stage.EXPIRED):
            return
        if self.charge is not None:
            self.charge.cancel()
        self.closed = True
        self.save(update_fields=["closed"])
