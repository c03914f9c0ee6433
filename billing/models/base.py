"""The invoice's columns, questions and arithmetic.

What can be done to it stands in the files named after the verbs.
"""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, cast
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import models, transaction
from django.db.models import Count, F, Max, Min, Q, Sum
from django.utils.text import get_text_list
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, money
from billing.actions import ACTIONS, OWING, SALES, UNSETTLED, Action
from billing.models.figures import Figures, MoneyRow, figures
from billing.models.guard import Actor, Gone, NotAllowed, NotOffered, OneTimeKey, Refused, Stale, Viewer, may
from billing.models.series import LONGEST
from billing.money import ZERO
from billing.roles import ROLES
from billing.statuses import TRANSITIONS, InvoiceStatus
from contacts.models import Contact

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager
    from django_stubs_ext import StrOrPromise

    from billing.models.attempt import Attempt
    from billing.models.event import Event
    from billing.models.invoice import Invoice
    from billing.models.line import InvoiceLine
    from billing.models.mail import Mail
    from billing.models.payment import Payment

MAX_LINES = 2000
LEASE = timedelta(minutes=10)
"""How long a worker that claimed a charge is believed to be alive."""
FOLLOWED = frozenset({"status", "awaiting_gateway", "charge_due_at"})
"""What an order wants to know of its invoices."""
NOT_IN_LISTS = ("note", "internal_note", "subtotal", "tax_total", "shipping", "issued_at", "created_at")


def new_token() -> str:
    """A public link's secret: 192 bits, so it cannot be guessed."""
    return secrets.token_urlsafe(24)


def amount_field(label: StrOrPromise, **more: Any) -> models.DecimalField[Decimal | int, Decimal]:
    """A stored amount in the row's currency; how many of its decimals may be used is the currency's rule."""
    options = {
        "default": ZERO,
        "max_digits": money.MAX_DIGITS,
        "decimal_places": money.DECIMAL_PLACES,
        **more,
    }
    return models.DecimalField(label, **options)


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def locked(self) -> InvoiceQuerySet:
        """Rows that nobody else may change until the transaction ends, once the query has run."""
        return self.select_for_update(of=("self",))

    def of(self, contact: Contact) -> InvoiceQuerySet:
        return self.filter(contact=contact)

    def unpaid(self) -> InvoiceQuerySet:
        return self.filter(status__in=OWING)

    def in_collections_of(self, contact: Contact) -> InvoiceQuerySet:
        """The oldest first."""
        return self.filter(contact=contact, status=InvoiceStatus.COLLECTIONS).order_by("pk")

    def charge_due(self, at: datetime) -> InvoiceQuerySet:
        """Invoices that the desk charges by itself now, the longest waiting first."""
        return self.filter(charge_due_at__lte=at).order_by("charge_due_at", "id")

    def claim_charge(self, at: datetime) -> Invoice | None:
        """The first that nobody else is claiming, for the caller alone to charge until the lease ends.

        Whoever dies before the attempt is written down leaves it to the next run.
        """
        with transaction.atomic(durable=True):
            due = self.charge_due(at).select_for_update(skip_locked=True, of=("self",)).first()
            if due:
                due.charge_due_at = at + LEASE
                due.save(update_fields=["charge_due_at"])
        return due

    def sales(self) -> InvoiceQuerySet:
        """Invoices that count as purchases: not drafts, not declined, not voided; row by row, ``is_sale``."""
        return self.filter(status__in=SALES)

    def overpaid(self) -> InvoiceQuerySet:
        """Those that hold money that was not owed, the oldest first."""
        return self.filter(overpaid__gt=0).order_by("invoice_date", "id")

    def for_list(self) -> InvoiceQuerySet:
        """Newest first, without what only the page of one invoice shows."""
        return self.defer(*NOT_IN_LISTS).order_by("-invoice_date", "-id")

    def figures_by_currency(self) -> list[dict[str, Any]]:
        """One row per currency: what the *Invoice info* block shows. Voided invoices count nowhere but in
        ``count``, ``line_sum`` and ``waiting``.
        """
        rows = (
            self.values("currency", "status")
            .annotate(
                count=Count("id"),
                line_sum=Sum("line_count"),
                waiting=Count("id", filter=Q(awaiting_gateway=True)),
                first_on=Min("invoice_date"),
                last_on=Max("invoice_date"),
                owed=Sum("balance"),
                kept=Sum("paid"),
                returned=Sum("refunded"),
            )
            .order_by("currency", "status")
        )
        grouped = groupby(rows, itemgetter("currency"))
        return [_summed(currency, [dict(row) for row in group]) for currency, group in grouped]


def _summed(currency: str, by_status: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of one currency. Grouping by status spares the database to compare every row's."""
    sales = [row for row in by_status if row["status"] in SALES]
    unpaid = [row for row in by_status if row["status"] in OWING]
    return {
        "currency": currency,
        "count": sum(row["count"] for row in by_status),
        "line_sum": sum(row["line_sum"] for row in by_status),
        "waiting": sum(row["waiting"] for row in by_status),
        "first_on": min((row["first_on"] for row in sales), default=None),
        "last_on": max((row["last_on"] for row in sales), default=None),
        "unpaid": sum((row["owed"] for row in unpaid), ZERO),
        "unpaid_count": sum(row["count"] for row in unpaid),
        "spent": sum((row["kept"] for row in sales), ZERO),
        "refunded_sum": sum((row["returned"] for row in sales), ZERO),
    }


class InvoiceBase(models.Model):
    """A request for payment, and the place where the whole transaction is managed.

    ``subtotal`` to ``summary`` are caches of what the rows say; :meth:`recompute` alone writes them,
    ``verify_books`` checks them.
    ``written_off_amount`` left the balance as bad debt. ``order`` and ``period`` name the payment of an order
    that the billing run asked for. From ``charge_due_at`` on the desk charges a card by itself: the order's,
    or in Collections the one that was declined.
    ``version`` counts changes, so that a dialog opened
    on an older state is noticed.
    """

    contact = models.ForeignKey(
        Contact, models.PROTECT, related_name="invoices", verbose_name=_("contact"), db_index=False
    )
    number = models.CharField(_("number"), max_length=LONGEST, null=True, unique=True, editable=False)
    sequence = models.PositiveBigIntegerField(
        _("place in our own run of numbers"), null=True, unique=True, editable=False
    )
    status = models.CharField(
        _("status"), max_length=12, choices=InvoiceStatus, default=InvoiceStatus.DRAFT, editable=False
    )
    currency = models.CharField(_("currency"), max_length=3)
    invoice_date = models.DateField(_("invoice date"))
    due_on = models.DateField(_("due"))
    note = models.TextField(_("note to the customer"), blank=True, max_length=2000)
    internal_note = models.TextField(_("internal note"), blank=True, max_length=2000)
    external_ref = models.CharField(_("external reference"), max_length=100, blank=True)
    shipping = amount_field(_("shipping"))
    token = models.CharField(max_length=43, default=new_token, unique=True, editable=False)

    subtotal = amount_field(_("subtotal"), editable=False)
    tax_total = amount_field(_("tax"), editable=False)
    total = amount_field(_("total"), editable=False)
    paid = amount_field(_("paid"), editable=False)
    refunded = amount_field(_("refunded"), editable=False)
    balance = amount_field(_("balance"), editable=False)
    overpaid = amount_field(_("overpaid by"), editable=False)
    line_count = models.PositiveIntegerField(_("lines"), default=0, editable=False)
    summary = models.CharField(_("products"), max_length=120, blank=True, editable=False)

    written_off_amount = amount_field(_("written off"), editable=False)
    awaiting_gateway = models.BooleanField(_("an attempt is in flight"), default=False, editable=False)
    order = models.ForeignKey(
        "billing.Order",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="invoices",
        verbose_name=_("order"),
        db_index=False,
    )
    period = models.PositiveIntegerField(_("payment no."), null=True, editable=False)
    charge_due_at = models.DateTimeField(_("charged by itself"), null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    issued_at = models.DateTimeField(_("issued"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)

    if TYPE_CHECKING:
        lines: RelatedManager[InvoiceLine]
        payments: RelatedManager[Payment]
        attempts: RelatedManager[Attempt]
        events: RelatedManager[Event]
        mails: RelatedManager[Mail]
        contact_id: int
        order_id: int | None

    FIGURES: ClassVar = ("subtotal", "tax_total", "total", "paid", "refunded", "balance", "overpaid")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.number or (_now("Draft %(id)s") % {"id": self.pk} if self.pk else _now("New invoice"))

    @property
    def row(self) -> Invoice:
        """This invoice with all its verbs: a file of verbs sees only the columns and its own."""
        return cast("Invoice", self)

    # -- what may be done

    def available_actions(self, user: Viewer) -> list[Action]:
        """The actions that this user may take now, in the order of the table."""
        # The status first, since looking costs nothing: a refusal is a sentence, and this runs for every row.
        offered = (action for action in ACTIONS.values() if self.status in action.on)
        return [action for action in offered if self.refusal(action, user) is None]

    def unavailable_actions(self, user: Viewer) -> list[tuple[Action, str]]:
        """The other actions, each with the sentence that says why not."""
        refusals = ((action, self.refusal(action, user)) for action in ACTIONS.values())
        return [(action, str(refusal)) for action, refusal in refusals if refusal]

    def can(self, name: str, user: Viewer) -> bool:
        return self.refusal(ACTIONS[name], user) is None

    def refusal(self, action: Action, user: Viewer | Actor) -> Refused | None:
        """Why not, or None.

        ``user`` None stands for a customer, a schedule or the gateway, who has no role.
        """
        if not may(user, action.codename):
            return NotAllowed(role_sentence(action))
        if self.status not in action.on:
            return NotOffered(
                _now("%(invoice)s is %(status)s: only %(statuses)s invoices can be %(done)s.")
                % {
                    "invoice": self,
                    "status": self.get_status_display(),
                    "statuses": action.statuses(),
                    "done": action.can_be,
                }
            )
        reasons = (getattr(self, need) for need in action.needs)
        return next((NotOffered(reason) for reason in reasons if reason), None)

    def require(self, action: Action, user: Actor, *, seen: int | None = None) -> None:
        """Raise NotAllowed, NotOffered or Stale unless ``user`` may take ``action`` on the state that they
        ``seen``.
        """
        refusal = self.refusal(action, user)
        if refusal:
            raise refusal
        if seen is not None and seen != self.version:
            raise Stale(
                _now(
                    "%(invoice)s has changed since you opened it: it is now %(status)s with a balance of"
                    " %(balance)s. Nothing was done; please look again."
                )
                % {"invoice": self, "status": self.get_status_display(), "balance": self.show(self.balance)}
            )

    def timeline_of(self) -> dict[str, Any]:
        """An event of an invoice belongs to its order's timeline too."""
        return {
            "invoice": self.row if self.pk else None,
            "order_id": self.order_id,
            "contact_id": self.contact_id,
        }

    def stop_paying(self) -> None:
        self.row.close_pages()

    def one_time_key(self, key: UUID | None, by: Actor, action: str) -> OneTimeKey:
        """The one-time key of a dialog on this invoice. A draft that was deleted is known by its name."""
        deleted = Q(invoice=None, subject=str(self))
        return OneTimeKey(key, by, action, Q(invoice=self.pk) | deleted)

    @property
    def attempt_in_flight(self) -> str:
        """The reason why money cannot be moved just now, or nothing."""
        if not self.awaiting_gateway:
            return ""
        return _now(
            "The card company has not yet said how the last attempt on %(invoice)s ended: ask the gateway"
            " first, so that nothing is charged or refunded twice."
        ) % {"invoice": self}

    @property
    def nothing_to_refund(self) -> str:
        return (
            ""
            if self.paid
            else _now("Nothing was paid on %(invoice)s, so there is nothing to refund.") % {"invoice": self}
        )

    # -- figures

    def figures(self) -> Figures:
        """What the rows add up to now. Two queries."""
        lines = self.lines.values_list("net", "tax")  # added up here: SQLite would add in floating point
        rows = self.payments.order_by("id").values_list("type", "status", "amount", "excess")
        return figures(
            status=self.status,
            subtotal=sum((net for net, _tax in lines), ZERO),
            tax_total=sum((tax for _net, tax in lines), ZERO),
            shipping=self.shipping,
            payments=[MoneyRow(*row) for row in rows],
        )

    def recompute(self) -> list[str]:
        """Set the cached figures from the rows and return the names of the columns to save."""
        now = self.figures()
        for name in self.FIGURES:
            setattr(self, name, getattr(now, name))
        return list(self.FIGURES)

    def summarize(self) -> list[str]:
        """Set the cached description of the lines and return the names of the columns to save."""
        self.line_count = self.lines.count()
        first = self.lines.order_by("position").values_list("description", flat=True).first() or ""
        self.summary = summary_of(first, self.line_count)
        return ["line_count", "summary"]

    def lock(self) -> None:
        """Read this row afresh and keep everybody else from changing it until the transaction ends.

        Raises Gone when it was deleted meanwhile.
        """
        try:
            self.refresh_from_db(from_queryset=type(self.row).objects.locked())
        except ObjectDoesNotExist as error:
            raise Gone(_now("%(invoice)s does not exist any more.") % {"invoice": self}) from error

    def store(self, *names: str) -> None:
        """Save the named columns as one change that open dialogs will notice, and its orders follow."""
        self.version += 1
        if self.charge_due_at and not self.is_owing:
            self.charge_due_at = None
        self.save(update_fields=[*names, "charge_due_at", "version"])
        if "status" in names and not self.row.is_in_collections:
            self.row.leave_collections()
        if FOLLOWED & set(names):
            self.row.tell_orders()

    def become(self, status: InvoiceStatus) -> None:
        """Change the status, for the caller to save. The one place that sets it.

        Raises ValueError for a change that the product does not know.
        """
        if status != self.status and status not in TRANSITIONS[InvoiceStatus(self.status)]:
            raise ValueError(f"An invoice that is {self.status} never becomes {status}.")
        self.status = status

    @property
    def status_label(self) -> str:
        """As ``get_status_display``, which builds the list of all labels at every call; this is for lists."""
        return str(InvoiceStatus(self.status).label)

    @property
    def is_owing(self) -> bool:
        return self.status in OWING

    @property
    def is_sale(self) -> bool:
        return self.status in SALES

    @property
    def is_unsettled(self) -> bool:
        return self.status in UNSETTLED

    @property
    def is_partly_refunded(self) -> bool:
        return self.refunded > 0 and self.paid > 0

    def is_charged_before(self, moment: datetime) -> bool:
        """Whether the desk charges it by itself by then."""
        return self.charge_due_at is not None and self.charge_due_at < moment

    def is_overdue(self, today: date) -> bool:
        return self.is_owing and self.due_on < today

    def show(self, amount: Decimal) -> str:
        """An amount of this invoice, written for people."""
        return money.show(amount, self.currency)

    # -- links

    @property
    def invoice_link(self) -> str:
        """The customer's address of this invoice; whoever has it can read it."""
        return f"{settings.BASE_URL}/i/{self.token}/"

    @property
    def pay_link(self) -> str:
        return f"{settings.BASE_URL}/pay/{self.token}/"


def summary_of(first: str, count: int) -> str:
    """``WHITE METAL LANTERN and 6 more``, within the 120 characters of its column."""
    if count < 2:
        return first[:120]
    more = _now(" and %(count)s more") % {"count": count - 1}
    return first[: 120 - len(more)] + more


def role_sentence(action: Action) -> str:
    holders = [role for role, permissions in ROLES.items() if action.codename in permissions]
    return _now("Your role does not include “%(action)s”; it takes %(roles)s.") % {
        "action": action.label,
        "roles": get_text_list(holders, _now("or")),
    }


def lifecycle_constraints() -> list[models.BaseConstraint]:
    """What must be true of every invoice, whoever writes it."""
    never_negative = ("total", "paid", "refunded", "balance", "overpaid", "written_off_amount", "shipping")
    return [
        models.CheckConstraint(condition=Q(status__in=InvoiceStatus.values), name="invoice_status_known"),
        models.CheckConstraint(
            condition=Q(balance=0) | Q(status__in=sorted(UNSETTLED)),
            name="invoice_balance_only_while_unsettled",
        ),
        models.CheckConstraint(
            condition=Q(status=InvoiceStatus.DRAFT, number__isnull=True)
            | (~Q(status=InvoiceStatus.DRAFT) & Q(number__isnull=False)),
            name="invoice_numbered_when_issued",
        ),
        models.CheckConstraint(
            condition=Q(written_off_amount=0)
            | Q(status__in=[InvoiceStatus.WRITTEN_OFF, InvoiceStatus.VOIDED]),
            name="invoice_written_off_by_status",
        ),
        models.CheckConstraint(condition=Q(balance__lte=F("total")), name="invoice_balance_within_total"),
        models.UniqueConstraint(fields=["order", "period"], name="invoice_one_per_order_and_period"),
        models.CheckConstraint(
            condition=Q(order__isnull=True, period__isnull=True)
            | Q(order__isnull=False, period__isnull=False),
            name="invoice_of_an_order_has_its_period",
        ),
        models.CheckConstraint(
            condition=Q(charge_due_at__isnull=True)
            | Q(status=InvoiceStatus.OPEN, order__isnull=False)
            | Q(status=InvoiceStatus.COLLECTIONS),
            name="invoice_charged_by_itself_for_an_order_or_in_collections",
        ),
        *(
            models.CheckConstraint(condition=Q(**{f"{name}__gte": 0}), name=f"invoice_{name}_not_negative")
            for name in never_negative
        ),
    ]
