"""The order's columns, questions and arithmetic.

What can be done to it stands in the files named after the verbs.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import ExtractMonth, ExtractYear
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.actions import ORDER_ACTIONS, RUNNING, UNENDED, Action
from billing.models.base import amount_field, new_token
from billing.models.card import Card
from billing.models.coupons.discount import Discount
from billing.models.guard import (
    Actor,
    OneTimeKey,
)
from billing.models.invoice import Invoice
from billing.models.offering import Offering
from billing.models.terms import Recurs, payments_words
from billing.statuses import ORDER_TRANSITIONS, CouponKind, Missed, OrderKind, OrderStatus
from contacts.models import Contact

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.attempt import Attempt
    from billing.models.card_page import CardPage
    from billing.models.coupons.code import CouponCode
    from billing.models.event import Event
    from billing.models.line import InvoiceLine
    from billing.models.mail import Mail
    from billing.models.orders.line import OrderLine
    from billing.models.orders.order import Order
    from billing.models.product import Product


class OrderQuerySet(models.QuerySet["Order"]):
    def locked(self) -> OrderQuerySet:
        """Rows that nobody else may change until the transaction ends, once the query has run."""
        return self.select_for_update(of=("self",))

    def of(self, contact: Contact) -> OrderQuerySet:
        return self.filter(contact=contact)

    def unended(self) -> OrderQuerySet:
        return self.filter(status__in=UNENDED)

    def due(self, at: datetime) -> OrderQuerySet:
        """Orders that have a period to bill, the longest waiting first."""
        running = self.filter(status__in=sorted(RUNNING), next_charge_at__lte=at)
        return running.order_by("next_charge_at", "id")

    def past_due(self) -> OrderQuerySet:
        """Orders with an unpaid invoice, those with the nearest next charge first."""
        return self.filter(status=OrderStatus.PAST_DUE).order_by(
            F("next_charge_on").asc(nulls_last=True), "id"
        )

    def with_expiring_card(self) -> OrderQuerySet:
        """Those whose card works no more on the day of their next charge, which comes first."""
        charged = self.filter(status__in=sorted(RUNNING), next_charge_on__isnull=False, card__isnull=False)
        month = 12 * ExtractYear("next_charge_on") + ExtractMonth("next_charge_on")
        expiring = charged.alias(month=month, last_month=12 * F("card__exp_year") + F("card__exp_month"))
        return expiring.filter(last_month__lt=F("month")).order_by("next_charge_on", "id")

    def for_list(self) -> OrderQuerySet:
        """Those that go on before those that ended, the newest first, each with its card."""
        return self.select_related("card").order_by(F("ended_at").desc(nulls_first=True), "-id")

    def start_from(self, invoice: Invoice, by: Actor, *, at: datetime) -> None:
        """Start an order for each line that sells one, in the transaction that issues the invoice."""
        for line, product in invoice.what_it_begins():
            self.model.start(invoice, line, product, by, at=at)

    def keep_card(self, attempt: Attempt, *, at: datetime) -> None:
        """Let open orders be charged to the card that paid for their invoice, in the caller's transaction."""
        payment = attempt.payments.select_related("card").order_by("-id").first()
        if payment and payment.card:
            for order in self.unended().order_by("pk").locked():
                order.take_card(payment.card)

    def charge_to(self, card: Card) -> None:
        """As :meth:`keep_card`, for a card that was given where nothing was to be paid."""
        for order in self.unended().order_by("pk").locked():
            order.take_card(card)

    def carry_coupon(self, by: Actor, discount: Discount) -> None:
        """Let the coupon of the invoice that starts these orders go along, if it is for all payments, in the
        caller's transaction. A flat one goes with the first order that it covers.
        """
        if not discount.for_all:
            return
        for order in self.unended().order_by("pk").locked():
            if any(discount.covers(line.product_id) for line in order.lines.all()):
                order.take_coupon(by, discount)
                if discount.kind == CouponKind.FLAT:
                    return

    def drop_coupon(self, by: Actor, code: CouponCode) -> None:
        """Let open orders ask for the full price from now on, in the caller's transaction."""
        for order in self.unended().filter(coupon_code=code).order_by("pk").locked():
            order.lose_coupon(by)


class OrderBase(Offering, Recurs):
    """A subscription or a payment plan: what asks for a payment in every period.

    Periods are numbered from 1 without gaps: ``first_period`` is the first one that the billing run asks for
    (2 when ``origin``, the invoice that started the order, was payment no. 1), ``next_period`` the next. Its
    date is ``next_step`` intervals after ``anchor_on`` in ``zone``; ``next_charge_on`` and ``_at`` are caches
    of that, empty when nothing more will be asked for. ``payments_total``: of a plan, with its trial.
    ``payments_made`` and ``payments_forgiven`` (voided, written off) are caches that :meth:`follow` alone
    writes; ``amount``, what a regular payment comes to, is one of the lines and the coupon.
    ``coupon_code``: of a coupon for all payments, which the invoice that started the order redeemed.
    ``token`` is the secret of the page where the customer replaces the card: it opens what that contact has
    charged to the same card.
    """

    contact = models.ForeignKey(
        Contact, models.PROTECT, related_name="orders", verbose_name=_("contact"), db_index=False
    )
    kind = models.CharField(_("kind"), max_length=12, choices=OrderKind)
    status = models.CharField(_("status"), max_length=10, choices=OrderStatus, default=OrderStatus.ACTIVE)
    currency = models.CharField(_("currency"), max_length=3)
    zone = models.CharField(_("time zone"), max_length=64)
    anchor_on = models.DateField(_("counted from"))
    next_step = models.PositiveIntegerField(_("intervals since then"), default=0)
    first_period = models.PositiveSmallIntegerField(_("first payment asked for"), default=1)
    next_period = models.PositiveIntegerField(_("next payment no."), default=1)
    next_charge_on = models.DateField(_("next charge"), null=True)
    next_charge_at = models.DateTimeField(_("next charge begins"), null=True)
    payments_total = models.PositiveIntegerField(_("payments in all"), null=True)
    payments_made = models.PositiveIntegerField(_("payments made"), default=0)
    payments_forgiven = models.PositiveIntegerField(_("payments forgiven"), default=0)
    card = models.ForeignKey(Card, models.PROTECT, null=True, related_name="orders", verbose_name=_("card"))
    send_invoices = models.BooleanField(_("send an e-mail with each payment"), default=True)
    missed = models.CharField(_("missed periods"), max_length=8, choices=Missed, default=Missed.EVERY)
    origin = models.ForeignKey(
        Invoice, models.PROTECT, null=True, related_name="started_orders", verbose_name=_("started by")
    )
    coupon_code = models.ForeignKey(
        "billing.CouponCode",
        models.PROTECT,
        to_field="code",
        null=True,
        editable=False,
        related_name="orders",
        verbose_name=_("coupon code"),
        db_index=False,
    )
    summary = models.CharField(_("product"), max_length=120)
    amount = amount_field(_("amount"))
    token = models.CharField(max_length=43, default=new_token, unique=True, editable=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(_("begun"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    TABLE = ORDER_ACTIONS

    if TYPE_CHECKING:
        lines: RelatedManager[OrderLine]
        invoices: RelatedManager[Invoice]
        mails: RelatedManager[Mail]
        card_pages: RelatedManager[CardPage]
        events: RelatedManager[Event]
        contact_id: int
        card_id: int | None
        origin_id: int | None
        coupon_code_id: str | None

        @classmethod
        def start(
            cls, invoice: Invoice, line: InvoiceLine, product: Product, by: Actor, *, at: datetime
        ) -> Event: ...

    class Meta:
        abstract = True

    def __str__(self) -> str:
        words = {"kind": OrderKind(self.kind).label if self.kind else _now("Order"), "id": self.pk or ""}
        return (_now("%(kind)s %(id)s") % words).strip()

    @property
    def row(self) -> Order:
        """This order with all its verbs."""
        return cast("Order", self)

    @property
    def card_link(self) -> str:
        """The customer's address of the page where they replace the card."""
        return f"{settings.BASE_URL}/card/{self.token}/"

    # -- what may be done

    @property
    def offers_by(self) -> str:
        return self.status

    def ruled_out(self, action: Action) -> str:
        words = {
            "order": self,
            "status": self.status_label,
            "statuses": action.statuses(),
            "done": action.can_be,
        }
        return _now("%(order)s is %(status)s: only orders that are %(statuses)s can be %(done)s.") % words

    def has_changed(self) -> str:
        words = {"order": self, "status": self.status_label, "next": self.next_words}
        return (
            _now(
                "%(order)s has changed since you opened it: it is now %(status)s, next charge %(next)s."
                " Nothing was done; please look again."
            )
            % words
        )

    def one_time_key(self, key: UUID | None, by: Actor, action: str) -> OneTimeKey:
        about = Q(order=self.pk, invoice=None) if self.pk else Q(contact=self.contact_id)
        return OneTimeKey(key, by, action, about)

    def timeline_of(self) -> dict[str, Any]:
        return {"order": self.row, "contact_id": self.contact_id}

    def stop_paying(self) -> None:
        """Customers pay invoices, not orders."""

    def lock(self) -> None:
        """Read this row afresh and keep everybody else from changing it until the transaction ends."""
        self.refresh_from_db(from_queryset=type(self.row).objects.locked())

    def store(self, *names: str) -> None:
        """Save the named columns as one change that open dialogs will notice."""
        self.version += 1
        self.save(update_fields=[*names, "version"])

    def become(self, status: OrderStatus) -> None:
        """Change the status, for the caller to save. The one place that sets it.

        Raises ValueError for a change that the product does not know.
        """
        if status != self.status and status not in ORDER_TRANSITIONS[OrderStatus(self.status)]:
            raise ValueError(f"An order that is {self.status} never becomes {status}.")
        self.status = status

    @property
    def nothing_to_come(self) -> str:
        """The reason why there is nothing to pause, or nothing."""
        if self.next_charge_on:
            return ""
        return _now("%(order)s has asked for its last payment already.") % {"order": self}

    # -- words

    @property
    def status_label(self) -> str:
        return str(OrderStatus(self.status).label)

    @property
    def kind_label(self) -> str:
        return str(OrderKind(self.kind).label)

    @property
    def is_unended(self) -> bool:
        return self.status in UNENDED

    @property
    def next_words(self) -> str:
        return date_format(self.next_charge_on, "j M Y") if self.next_charge_on else _now("never")

    @property
    def is_paused(self) -> bool:
        return self.status == OrderStatus.PAUSED

    @property
    def charges_on(self) -> date | None:
        """The next charge for a list. A paused order has none: its date may have passed meanwhile."""
        return None if self.is_paused else self.next_charge_on

    def show(self, amount: Decimal) -> str:
        return money.show(amount, self.currency)

    @property
    def progress(self) -> str:
        """``3 of 12``, ``3 payments``: how many were made, and how many there are."""
        if not self.payments_total:
            return payments_words(self.payments_made)
        return _now("%(made)s of %(total)s") % {"made": self.payments_made, "total": self.payments_total}

    @property
    def payments_left(self) -> int | None:
        """Of a plan: what is neither made nor forgiven. None where there is no end."""
        if self.payments_total is None:
            return None
        return max(0, self.payments_total - self.payments_made - self.payments_forgiven)
