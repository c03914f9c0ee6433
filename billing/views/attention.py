"""What needs a person: one list of all that the desk cannot settle by itself, each with its next step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from billing import clock, money
from billing.actions import PAYMENT_ACTIONS
from billing.models import Attempt, Dispute, GatewayEvent, Invoice, Payment, UnmatchedMoney
from billing.models.guard import may
from billing.statuses import RefundRoute
from billing.views.access import DeskRequest, desk
from billing.views.paging import Section, section

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Step:
    """What can be done next. ``sends``: a button that acts at once; ``leaves``: a page of the gateway's."""

    label: str
    url: str
    sends: bool = False
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class Matter:
    """A row of the list. ``badge`` is a state with its words, ``note`` what else is known."""

    what: str
    since: datetime
    badge: tuple[str, str]
    amount: Decimal | None = None
    currency: str = ""
    invoice: Invoice | None = None
    note: str = ""
    url: str = ""
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Group:
    """All matters of one kind, a page at a time."""

    title: str
    says: str
    section: Section
    matters: list[Matter]


@dataclass(frozen=True, slots=True)
class Kind:
    """How the rows of one kind are found, and how each is written."""

    name: str
    title: StrOrPromise
    says: StrOrPromise
    rows: Callable[[], QuerySet[Any]]
    write: Callable[[Any, DeskRequest, datetime], Matter]

    def group(self, request: DeskRequest, now: datetime) -> Group:
        found = section(self.name, self.rows(), request.GET)
        shown: Iterable[Any] = found.page if found.count else ()
        matters = [self.write(row, request, now) for row in shown]
        return Group(str(self.title), str(self.says), found, matters)


@require_safe
@desk(
    "billing.view_unmatchedmoney", "billing.view_dispute", "billing.view_attempt", "billing.view_gatewayevent"
)
def attention(request: DeskRequest) -> HttpResponse:
    now = clock.now()
    groups = [kind.group(request, now) for kind in KINDS]
    context = {"groups": groups, "total": sum(group.section.count for group in groups)}
    return render(request, "billing/attention/list.html", context)


# -- a row of each kind


def _unanswered(attempt: Attempt, request: DeskRequest, now: datetime) -> Matter:
    page = reverse("billing:attempt", args=[attempt.pk])
    ask = Step(_now("Ask the gateway"), f"{page}ask/", sends=True)
    late = attempt.needs_a_person(now)
    return Matter(
        what=str(attempt.get_kind_display()),
        since=attempt.started_at,
        badge=("overdue", _now("No answer for days"))
        if late
        else (attempt.state, str(attempt.get_state_display())),
        amount=attempt.amount,
        currency=attempt.currency,
        invoice=attempt.invoice,
        note=str(attempt.card or ""),
        url=page,
        steps=[ask] if may(request.user, "billing.pay_invoice") else [],
    )


def _unmatched(row: UnmatchedMoney, request: DeskRequest, now: datetime) -> Matter:
    base = reverse("billing:unmatched_match", args=[row.pk]).removesuffix("match/")
    known = [row.card_label, row.description, row.ref]
    return Matter(
        what=str(row.get_kind_display()),
        since=row.happened_at,
        badge=("unknown", row.state_label),
        amount=row.amount,
        currency=row.currency,
        note=" · ".join(filter(None, known)),
        steps=[
            Step(str(action.label), f"{base}{action.name.replace('_', '-')}/")
            for action in row.available_actions(request.user)
        ],
    )


def _overpaid(invoice: Any, request: DeskRequest, now: datetime) -> Matter:
    amount = min(invoice.overpaid, invoice.left or invoice.overpaid)
    can_refund = may(request.user, PAYMENT_ACTIONS["refund"].codename) and invoice.brought_by
    return Matter(
        what=_now("Overpaid"),
        since=invoice.paid_at or invoice.created_at,
        badge=(invoice.status, invoice.status_label),
        amount=invoice.overpaid,
        currency=invoice.currency,
        invoice=invoice,
        steps=[_refund(_now("Refund"), invoice.brought_by, amount, invoice.currency)] if can_refund else [],
    )


def _disputed(dispute: Dispute, request: DeskRequest, now: datetime) -> Matter:
    assert dispute.payment is not None  # the question asks for those only
    record = reverse("billing:dispute_record", args=[dispute.pk])
    steps = [Step(str(each.label), record) for each in dispute.available_actions(request.user)]
    if dispute.is_open and dispute.url:
        steps.append(Step(_now("Answer at the gateway"), dispute.url, leaves=True))
    until = _now("Answer by %(day)s") % {"day": dispute.deadline} if dispute.deadline else dispute.state_label
    return Matter(
        what=_now("Dispute"),
        since=dispute.opened_at,
        badge=("disputed", until) if dispute.is_open else ("failed", dispute.state_label),
        amount=dispute.amount,
        currency=dispute.currency,
        invoice=dispute.payment.invoice,
        note=" · ".join(filter(None, [dispute.payment.method_label, dispute.why])),
        steps=steps,
    )


def _refused(refund: Payment, request: DeskRequest, now: datetime) -> Matter:
    payment = refund.refund_of
    assert payment is not None  # a constraint of the table
    amount = min(-refund.amount, payment.refundable)
    steps = [
        _refund(_now("Refund again"), payment.pk, amount, refund.currency),
        _refund(_now("Record"), payment.pk, amount, refund.currency, route=RefundRoute.RECORDED),
    ]
    return Matter(
        what=_now("Refund"),
        since=refund.made_at,
        badge=(refund.status, _now("Refused")),
        amount=-refund.amount,
        currency=refund.currency,
        invoice=refund.invoice,
        note=refund.decline_reason or refund.decline_code,
        steps=steps if may(request.user, PAYMENT_ACTIONS["refund"].codename) else [],
    )


def _unmade(attempt: Attempt, request: DeskRequest, now: datetime) -> Matter:
    payment = attempt.refund_of
    assert payment is not None  # a constraint of the table
    amount = min(attempt.amount, payment.refundable)
    again = _refund(_now("Refund again"), payment.pk, amount, attempt.currency)
    return Matter(
        what=_now("Refund"),
        since=attempt.started_at,
        badge=(attempt.state, _now("Not made")),
        amount=attempt.amount,
        currency=attempt.currency,
        invoice=attempt.invoice,
        note=attempt.message,
        url=reverse("billing:attempt", args=[attempt.pk]),
        steps=[again] if may(request.user, PAYMENT_ACTIONS["refund"].codename) else [],
    )


def _given_up(event: GatewayEvent, request: DeskRequest, now: datetime) -> Matter:
    replay = reverse("billing:notice_replay", args=[event.pk])
    return Matter(
        what=event.type,
        since=event.received_at,
        badge=("failed", event.state_label),
        note=event.error or event.event_id,
        steps=[Step(str(each.label), replay) for each in event.available_actions(request.user)],
    )


def _refund(label: str, payment: int, amount: Decimal, currency: str, *, route: str = "") -> Step:
    asked = {"amount": money.plain(amount, currency), **({"route": route} if route else {})}
    return Step(label, f"{reverse('billing:payment_refund', args=[payment])}?{urlencode(asked)}")


# -- the questions


def _overpaid_invoices() -> QuerySet[Invoice]:
    """With the latest payment that brought what was not owed and could still go back."""
    brought = Payment.objects.refundable().filter(invoice=OuterRef("pk"), excess__gt=0)
    return (
        Invoice.objects.overpaid()
        .select_related("contact")
        .annotate(
            brought_by=Subquery(brought.values("pk")[:1]),
            paid_at=Subquery(brought.values("made_at")[:1]),
            left=Subquery(brought.annotate(left=F("amount") - F("refunded_amount")).values("left")[:1]),
        )
    )


KINDS = (
    Kind(
        "attempts",
        _("Outcome unknown"),
        _("The gateway has not said how these ended. Until it has, nothing else moves money there."),
        lambda: Attempt.objects.unanswered().select_related("invoice__contact", "card"),
        _unanswered,
    ),
    Kind(
        "disputes",
        _("Disputes"),
        _("The customer's bank wants the money back: answer at the gateway, record what was lost."),
        lambda: Dispute.objects.for_a_person().for_list(),
        _disputed,
    ),
    Kind(
        "unmatched",
        _("Unmatched money"),
        _("The gateway moved this, and no invoice here explains it."),
        UnmatchedMoney.objects.open,
        _unmatched,
    ),
    Kind(
        "overpaid",
        _("Overpaid invoices"),
        _("Money came that was not owed."),
        _overpaid_invoices,
        _overpaid,
    ),
    Kind(
        "refused",
        _("Refused refunds"),
        _("The gateway returned no money: try again, or record that it went back another way."),
        lambda: Payment.objects.refused_refunds().select_related("invoice__contact", "refund_of"),
        _refused,
    ),
    Kind(
        "unmade",
        _("Refunds that were not made"),
        _("They seemed to be on their way, and the gateway does not know them: no money went back."),
        lambda: Attempt.objects.unmade_refunds().select_related("invoice__contact", "refund_of"),
        _unmade,
    ),
    Kind(
        "notices",
        _("Gateway events that failed"),
        _("The desk tried for a day and a half to act on these messages."),
        GatewayEvent.objects.given_up,
        _given_up,
    ),
)
"""What the list is made of, in the order in which it cannot wait."""
