from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, money
from billing.actions import PAYMENT_ACTIONS, Action
from billing.gateways import CardDetails, fit
from billing.models.base import amount_field
from billing.models.card import Card
from billing.models.dispute import Dispute
from billing.models.guard import Actor
from billing.models.offering import Offering
from billing.statuses import InvoiceStatus, PaymentMethod, PaymentStatus, PaymentType
from contacts.models import Contact

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.event import Event


SHOWN = (
    *("contact", "type", "status", "method", "amount", "currency", "card_brand", "card_last4"),
    *("card_exp_month", "card_exp_year", "gateway_ref", "reference", "received_on", "decline_reason"),
    *("refunded_amount", "recorded_only", "made_at"),
    *("invoice__number", "invoice__status", "invoice__currency", "invoice__awaiting_gateway"),
)
"""What a list shows of a payment."""
REFUSED_REFUND = Q(type=PaymentType.REFUND, status=PaymentStatus.DECLINED)


@cache
def _disputes() -> dict[str, Exists | Subquery]:
    """What a row knows of its disputes, put together once: that took as long as a short query."""
    disputes = Dispute.objects.open().filter(payment=OuterRef("pk"))
    first = disputes.order_by(F("respond_by").asc(nulls_last=True)).values("respond_by")[:1]
    return {"is_disputed": Exists(disputes), "answer_by": Subquery(first)}


class PaymentQuerySet(models.QuerySet["Payment"]):
    def of(self, contact: Contact) -> PaymentQuerySet:
        return self.filter(contact=contact)

    def applied(self) -> PaymentQuerySet:
        return self.filter(status=PaymentStatus.APPLIED)

    def received(self) -> PaymentQuerySet:
        """Money that came in, refunded since or not."""
        return self.applied().filter(type=PaymentType.PAYMENT)

    def counting_as_charges(self) -> PaymentQuerySet:
        """Money that came in on invoices that count, the latest first; row by row, ``counts_as_charge``."""
        return self.received().exclude(invoice__status=InvoiceStatus.VOIDED).order_by("-made_at", "-id")

    def refundable(self) -> PaymentQuerySet:
        """Money that could still go back, the latest first: the order in which a refund takes it."""
        return self.received().filter(refunded_amount__lt=F("amount")).order_by("-id")

    def refunded_as(self, gateway: str, ref: str) -> PaymentQuerySet:
        """The refund that a gateway made under this reference of its own."""
        return self.applied().filter(type=PaymentType.REFUND, gateway=gateway, gateway_ref=ref)

    def card_charges(self) -> PaymentQuerySet:
        """Charges of a card, declined ones too, the latest first; row by row, ``is_card_charge``."""
        return self.filter(type=PaymentType.PAYMENT, method=PaymentMethod.CARD).order_by("-made_at", "-id")

    def declined_on(self, day: date) -> PaymentQuerySet:
        """Charges that were refused that day, the latest first."""
        declined = self.filter(type=PaymentType.PAYMENT, status=PaymentStatus.DECLINED, received_on=day)
        return declined.order_by("-id")

    def by_day(self, since: date) -> list[dict[str, Any]]:
        """What came in on each day since then, as ``currency``, ``received_on``, ``came`` and ``count``."""
        days = self.received().filter(received_on__gte=since).values("currency", "received_on")
        rows = days.annotate(came=Sum("amount"), count=Count("id")).order_by("currency", "received_on")
        return [dict(row) for row in rows]

    def for_list(self) -> PaymentQuerySet:
        """Newest first, with what a row shows of the payment and of its invoice."""
        rows = self.select_related("invoice").only(*SHOWN)
        return rows.with_disputes().order_by("-made_at", "-id")

    def with_disputes(self) -> PaymentQuerySet:
        """Each row knows whether it is disputed now, and when the bank's first deadline is."""
        return self.annotate(**_disputes())

    def refused_refunds(self) -> PaymentQuerySet:
        """Refunds that a gateway refused and that nobody has tried again or recorded since, oldest first."""
        refused = self.filter(REFUSED_REFUND, refund_of__refunded_amount__lt=F("refund_of__amount"))
        later = Payment.objects.filter(refund_of=OuterRef("refund_of"), pk__gt=OuterRef("pk"))
        return refused.exclude(Exists(later)).order_by("made_at", "id")

    def delete(self) -> NoReturn:
        raise TypeError("Payments are final: they are never deleted.")


class Payment(Offering, models.Model):
    """A record of money, final: never edited, never deleted.

    ``amount`` is in the invoice's currency, negative for a refund. ``refunded_amount`` (positive) is the
    cache of what has gone back of it; ``excess`` the part that arrived when it was not owed. The card's
    words are copied, since cards on file come and go.
    """

    invoice = models.ForeignKey("billing.Invoice", models.PROTECT, related_name="payments")
    contact = models.ForeignKey(Contact, models.PROTECT, related_name="payments")
    type = models.CharField(_("type"), max_length=8, choices=PaymentType)
    status = models.CharField(_("status"), max_length=8, choices=PaymentStatus)
    method = models.CharField(_("method"), max_length=14, choices=PaymentMethod)
    amount = amount_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    attempt = models.ForeignKey("billing.Attempt", models.PROTECT, null=True, related_name="payments")
    card = models.ForeignKey(Card, models.PROTECT, null=True, related_name="payments")
    card_brand = models.CharField(max_length=20, blank=True)
    card_last4 = models.CharField(_("card's last four"), max_length=4, blank=True)
    card_exp_month = models.PositiveSmallIntegerField(null=True)
    card_exp_year = models.PositiveSmallIntegerField(null=True)
    gateway = models.CharField(_("gateway"), max_length=20, default="offline")
    gateway_ref = models.CharField(_("gateway reference"), max_length=255, blank=True)
    reference = models.CharField(_("reference"), max_length=100, blank=True)
    received_on = models.DateField(_("date received"))
    decline_code = models.CharField(_("decline code"), max_length=60, blank=True)
    decline_reason = models.CharField(_("reason of the decline"), max_length=255, blank=True)
    refund_of = models.ForeignKey("self", models.PROTECT, null=True, related_name="refunds")
    refunded_amount = amount_field(_("refunded"))
    excess = amount_field(_("not owed when it came"))
    recorded_only = models.BooleanField(_("recorded, not moved"), default=False)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(_("recorded"))

    objects = PaymentQuerySet.as_manager()

    TABLE = PAYMENT_ACTIONS

    is_disputed = False
    answer_by: datetime | None = None
    """These two are known to rows of :meth:`PaymentQuerySet.with_disputes`."""

    if TYPE_CHECKING:
        refunds: RelatedManager[Payment]
        invoice_id: int
        contact_id: int

    class Meta:
        default_permissions = ("view",)
        permissions: ClassVar = [(a.permission, f"Can {a.name} payments") for a in PAYMENT_ACTIONS.values()]
        verbose_name = _("payment")
        indexes: ClassVar = [
            models.Index(fields=["contact", "-made_at", "-id"], name="payment_by_contact"),
            models.Index(fields=["-received_on", "-id"], name="payment_by_day"),
            models.Index(fields=["gateway_ref"], name="payment_by_gateway_ref"),
            models.Index(fields=["amount", "id"], name="payment_by_amount"),
            models.Index(fields=["card_last4", "id"], name="payment_by_last4", condition=~Q(card_last4="")),
            models.Index(fields=["made_at", "id"], name="payment_refused_refund", condition=REFUSED_REFUND),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["attempt", "status"], name="payment_one_per_attempt_and_end"),
            models.UniqueConstraint(
                fields=["gateway", "gateway_ref"],
                condition=Q(type=PaymentType.REFUND, status=PaymentStatus.APPLIED) & ~Q(gateway_ref=""),
                name="payment_one_per_refund_of_a_gateway",
            ),
            models.CheckConstraint(
                condition=Q(type=PaymentType.PAYMENT, amount__gt=0)
                | Q(type=PaymentType.REFUND, amount__lt=0),
                name="payment_sign_by_type",
            ),
            models.CheckConstraint(condition=Q(status__in=PaymentStatus.values), name="payment_status_known"),
            models.CheckConstraint(condition=Q(method__in=PaymentMethod.values), name="payment_method_known"),
            models.CheckConstraint(
                condition=Q(refunded_amount=0)
                | Q(
                    type=PaymentType.PAYMENT,
                    status=PaymentStatus.APPLIED,
                    refunded_amount__gt=0,
                    refunded_amount__lte=F("amount"),
                ),
                name="payment_refunded_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(excess=0)
                | Q(
                    type=PaymentType.PAYMENT,
                    status=PaymentStatus.APPLIED,
                    excess__gt=0,
                    excess__lte=F("amount"),
                ),
                name="payment_excess_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(type=PaymentType.PAYMENT, refund_of__isnull=True)
                | Q(type=PaymentType.REFUND, refund_of__isnull=False),
                name="payment_refund_names_its_payment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type_label} {money.show(abs(self.amount), self.currency)}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("Payments are final: they are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Payments are final: they are never deleted.")

    @property
    def type_label(self) -> str:
        """As ``get_type_display``, which builds the list of all labels at every call; these are for lists."""
        return str(PaymentType(self.type).label)

    @property
    def status_label(self) -> str:
        return str(PaymentStatus(self.status).label)

    @property
    def counts_as_charge(self) -> bool:
        """Whether money came in, on an invoice that counts. ``invoice`` should be loaded."""
        came = self.type == PaymentType.PAYMENT and self.status == PaymentStatus.APPLIED
        return came and self.invoice.status != InvoiceStatus.VOIDED

    @property
    def is_card_charge(self) -> bool:
        return self.type == PaymentType.PAYMENT and self.method == PaymentMethod.CARD

    @property
    def dispute_label(self) -> str:
        """``Disputed, answer by 3 Dec``; for a payment that is."""
        if self.answer_by is None:
            return _now("Disputed")
        day = date_format(timezone.localtime(self.answer_by), "j M")
        return _now("Disputed, answer by %(day)s") % {"day": day}

    # -- what may be done

    @property
    def offers_by(self) -> str:
        return self.status

    def ruled_out(self, action: Action) -> str:
        return _now("This payment is %(status)s: only %(statuses)s payments can be %(done)s.") % {
            "status": self.get_status_display(),
            "statuses": action.statuses(),
            "done": action.can_be,
        }

    @property
    def attempt_in_flight(self) -> str:
        return self.invoice.attempt_in_flight

    @property
    def not_refundable(self) -> str:
        """The reason why none of this money can go back, or nothing."""
        if self.type == PaymentType.REFUND:
            return _now("This is a refund: only money that was received can be refunded.")
        if not self.refundable:
            return _now("All of this payment has been refunded.")
        return ""

    @property
    def refundable(self) -> Decimal:
        return self.amount - self.refunded_amount

    @property
    def moves_by_gateway(self) -> bool:
        """Whether a gateway took the money and can return it."""
        return self.method == PaymentMethod.CARD and bool(self.gateway_ref)

    @property
    def method_label(self) -> str:
        """``Visa •• 4242``, ``Cheque 17``: how the money came, for people."""
        if self.card_last4:
            return f"{self.card_brand} •• {self.card_last4}"
        # A refund's reference is why staff made it: their own words, which a receipt must not repeat.
        reference = self.reference if self.type == PaymentType.PAYMENT else ""
        return f"{PaymentMethod(self.method).label} {reference}".strip()

    def show(self, amount: Decimal) -> str:
        return money.show(amount, self.currency)

    @property
    def card_expiry(self) -> str:
        return f"{self.card_exp_month:02d}/{self.card_exp_year % 100:02d}" if self.card_exp_year else ""

    @property
    def card_has_expired(self) -> bool:
        """As of today in the installation's time zone."""
        today = clock.today()
        return bool(self.card_exp_year) and (self.card_exp_year, self.card_exp_month) < (
            today.year,
            today.month,
        )

    def refund(
        self,
        by: Actor,
        *,
        amount: Decimal,
        route: str,
        reason: str,
        send_receipt: bool,
        key: UUID | None = None,
        seen: int | None = None,
    ) -> Event:
        """Return ``amount`` of this payment. Raises NotAllowed, NotOffered, Invalid, Stale, AlreadyDone."""
        return self.invoice.refund_payment(
            by,
            payment=self,
            amount=amount,
            route=route,
            reason=reason,
            send_receipt=send_receipt,
            key=key,
            seen=seen,
        )


def words_of(details: CardDetails) -> dict[str, Any]:
    """The words of a card that is not kept, as far as they can be stored."""
    has_expiry = 1 <= details.exp_month <= 12 and 0 < details.exp_year < 10_000
    return {
        "card_brand": fit(details.brand, 20),
        "card_last4": fit(details.last4, 4),
        "card_exp_month": details.exp_month if has_expiry else None,
        "card_exp_year": details.exp_year if has_expiry else None,
    }


def snapshot(card: Card | None) -> dict[str, Any]:
    """The words of a card that a payment keeps."""
    if card is None:
        return {}
    return {
        "card": card,
        "card_brand": card.brand,
        "card_last4": card.last4,
        "card_exp_month": card.exp_month,
        "card_exp_year": card.exp_year,
    }
