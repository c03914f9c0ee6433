from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.gateways import Movement, Outcome
from billing.gateways.sandbox.models.card import StoredCard
from billing.gateways.sandbox.models.keys import UnknownRef, new_ref
from billing.money import DECIMAL_PLACES, MAX_DIGITS, ZERO, show
from billing.statuses import AttemptState

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class ChargeQuerySet(models.QuerySet["Charge"]):
    def by_ref(self, ref: str) -> Charge:
        """Raises UnknownRef."""
        try:
            return self.select_related("card").get(ref=ref)
        except self.model.DoesNotExist:
            raise UnknownRef(ref) from None

    def locked(self, ref: str) -> Charge:
        """The charge under a row lock. Raises UnknownRef."""
        return self.select_for_update(of=("self",)).by_ref(ref)

    def moved(self) -> ChargeQuerySet:
        return self.filter(state=AttemptState.APPROVED).order_by("created_at", "pk")


class Charge(models.Model):
    """Money asked of one card, once. On a hosted page it has no card until the customer typed one.

    ``key`` is the asker's; a charge made in the card company's own dashboard has none.
    """

    ref = models.CharField(_("reference"), max_length=80, unique=True)
    key = models.UUIDField(_("key"), unique=True, null=True)
    confirm_key = models.UUIDField(_("key of the confirmation"), unique=True, null=True)
    card = models.ForeignKey(StoredCard, models.PROTECT, null=True, verbose_name=_("card"))
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    currency = models.CharField(_("currency"), max_length=3)
    description = models.CharField(_("description"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=20, default=AttemptState.STARTED.value)
    code = models.CharField(_("code"), max_length=40, blank=True)
    message = models.CharField(_("message"), max_length=200, blank=True)
    hard = models.BooleanField(_("trying again is pointless"), default=False)
    refunded = models.DecimalField(
        _("refunded"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES, default=ZERO
    )
    refuses_refunds = models.BooleanField(
        _("refuse refunds"),
        default=False,
        help_text=_(
            "Every refund of this charge is declined from now on, to try out what the desk does then."
        ),
    )
    created_at = models.DateTimeField(_("created at"))

    objects = ChargeQuerySet.as_manager()

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_charge_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("amount")), name="sandbox_charge_refunded_within"
            ),
            models.CheckConstraint(
                condition=Q(refunded=0) | Q(state="approved"), name="sandbox_charge_refunded_was_approved"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["started", "needs_action", "approved", "declined", "not_charged"]),
                name="sandbox_charge_state",
            ),
        )

    def __str__(self) -> str:
        return self.ref

    @property
    def outcome(self) -> Outcome:
        return Outcome(AttemptState(self.state), self.ref, self.code, self.message, self.hard)

    @property
    def movement(self) -> Movement:
        return Movement(
            ref=self.ref,
            charge_ref=self.ref,
            key=self.key,
            outcome=self.outcome,
            amount=self.amount,
            currency=self.currency,
            at=self.created_at,
            card=self.card.details if self.card else None,
            description=self.description,
        )

    @property
    def left(self) -> Decimal:
        """What of it could still go back."""
        return self.amount - self.refunded

    @property
    def loses_answer(self) -> bool:
        """Whether a confirmation goes unanswered: each time it is asked, as a replayed error would."""
        lost = self.card is not None and self.card.behaviour.loses_answer
        return lost and self.state in (AttemptState.STARTED, AttemptState.APPROVED)

    def confirm_under(self, key: UUID) -> None:
        """Charge the card on file; on the locked row. A second time, under whatever key, changes nothing."""
        if self.confirm_key is None:
            self._claim(key)
        if self.state != AttemptState.STARTED:
            return
        if self.card is None:
            raise ValueError(f"Charge {self.ref} belongs to a hosted page: the customer confirms it there.")
        if self.card.on_file:
            self.ask_bank(self.card)
        else:
            self.end(
                AttemptState.DECLINED,
                code="card_removed",
                message=_("This card is no longer on file."),
                hard=True,
            )

    def _claim(self, key: UUID) -> None:
        self.confirm_key = key
        try:
            with transaction.atomic():
                self.save(update_fields=["confirm_key"])
        except IntegrityError:
            raise ValueError(f"Key {key} was first used to confirm another charge.") from None

    def ask_bank(self, card: StoredCard) -> None:
        """End as the card's number says; on the locked row."""
        self.card = card
        self.end(
            card.behaviour.state,
            code=card.behaviour.code,
            message=card.behaviour.message,
            hard=card.behaviour.hard,
        )

    def end(
        self, state: AttemptState, *, code: str = "", message: StrOrPromise = "", hard: bool = False
    ) -> None:
        self.state, self.code, self.message, self.hard = state.value, code, str(message), hard
        self.save(update_fields=["card", "state", "code", "message", "hard"])

    def cancel(self) -> None:
        """Never to be charged from now on; on the locked row. What has ended stays as it ended."""
        if self.state in (AttemptState.STARTED, AttemptState.NEEDS_ACTION):
            self.end(AttemptState.NOT_CHARGED)

    def refund_under(self, key: UUID | None, *, amount: Decimal, currency: str, now: datetime) -> Refund:
        """Give money back or write down why not; on the locked row. Raises ValueError: another currency."""
        if currency != self.currency:
            raise ValueError(f"Charge {self.ref} is in {self.currency}: it cannot be refunded in {currency}.")
        code, message = self._why_no_refund(amount)
        if not code:
            self.refunded += amount
            self.save(update_fields=["refunded"])
        state = AttemptState.DECLINED if code else AttemptState.APPROVED
        return Refund.objects.create(
            ref=new_ref("refund"),
            key=key,
            charge=self,
            amount=amount,
            state=state,
            code=code,
            message=str(message),
            created_at=now,
        )

    def _why_no_refund(self, amount: Decimal) -> tuple[str, StrOrPromise]:
        if self.state != AttemptState.APPROVED:
            return "charge_not_approved", _("Nothing was taken by this charge, so nothing can be returned.")
        if self.refuses_refunds:
            return "refund_refused", _("The sandbox was told to refuse refunds of this charge.")
        if amount > self.left:
            sentence = _("%(amount)s is more than the %(left)s that are left of this charge.")
            figures = {"amount": show(amount, self.currency), "left": show(self.left, self.currency)}
            return "amount_too_large", sentence % figures
        return "", ""


class Refund(models.Model):
    """One answer to a request to give money back, in the currency of its charge.

    ``key`` is the asker's; a refund made in the card company's own dashboard has none.
    """

    ref = models.CharField(_("reference"), max_length=80, unique=True)
    key = models.UUIDField(_("key"), unique=True, null=True)
    charge = models.ForeignKey(Charge, models.PROTECT, related_name="refunds", verbose_name=_("charge"))
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    state = models.CharField(_("state"), max_length=20)
    code = models.CharField(_("code"), max_length=40, blank=True)
    message = models.CharField(_("message"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(state__in=["approved", "declined"]), name="sandbox_refund_state"
            ),
        )

    def __str__(self) -> str:
        return self.ref

    @property
    def outcome(self) -> Outcome:
        return Outcome(AttemptState(self.state), self.ref, self.code, self.message)

    @property
    def movement(self) -> Movement:
        return Movement(
            ref=self.ref,
            charge_ref=self.charge.ref,
            key=self.key,
            outcome=self.outcome,
            amount=self.amount,
            currency=self.charge.currency,
            at=self.created_at,
            card=self.charge.card.details if self.charge.card else None,
        )
