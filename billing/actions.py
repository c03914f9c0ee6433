"""The one table of the rules: which action appears on which status. Words and rules, no behaviour.

Menus, the bulk bar, addresses, permissions, the back office, the README's table, the *Why not?* sentences
and the tests of every status and action read these lines; the work itself is a method of the same name on
the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.text import get_text_list
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing.statuses import (
    CodeState,
    CommissionStatus,
    DisputeState,
    InvoiceStatus,
    NoticeState,
    OrderStatus,
    PaymentStatus,
    ProgramState,
    UnmatchedState,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Statuses = (
    frozenset[InvoiceStatus]
    | frozenset[PaymentStatus]
    | frozenset[OrderStatus]
    | frozenset[UnmatchedState]
    | frozenset[DisputeState]
    | frozenset[NoticeState]
    | frozenset[CodeState]
    | frozenset[CommissionStatus]
    | frozenset[ProgramState]
)

S = InvoiceStatus
ALL = frozenset(S)
OWING = frozenset({S.OPEN, S.COLLECTIONS})
"""Issued and not settled: these carry a balance that somebody can pay."""
UNSETTLED = OWING | {S.DRAFT}
"""The only statuses in which an invoice's balance is not 0."""
SALES = ALL - {S.DRAFT, S.DECLINED, S.VOIDED}
"""Statuses that count as a purchase in a contact's figures."""


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """One line of the table, of which there is one: none is equal to another.

    ``on``: the statuses that offer it. ``can_be``: its participle, for the sentence of a refusal.
    ``needs``: attributes of the record that must be empty; each is the reason, in words, why not just now.
    ``stops_paying``: customers' open payment pages are closed before it is done. ``permission``: the
    codename within ``billing``.
    """

    name: str
    label: StrOrPromise
    on: Statuses
    can_be: StrOrPromise
    permission: str
    bulk: bool = False
    danger: bool = False
    needs: tuple[str, ...] = ()
    stops_paying: bool = False

    @property
    def codename(self) -> str:
        return f"billing.{self.permission}"

    def statuses(self) -> str:
        """``Open and Collections``: the statuses that offer it, in the order of the product's table."""
        kind = type(next(iter(self.on)))
        return get_text_list([str(status.label) for status in kind if status in self.on], _now("and"))


def by_name(*actions: Action) -> dict[str, Action]:
    return {action.name: action for action in actions}


def _invoice(
    name: str, label: StrOrPromise, on: Iterable[InvoiceStatus], can_be: StrOrPromise, **more: object
) -> Action:
    return Action(name, label, frozenset(on), can_be, f"{name}_invoice", **more)  # type: ignore[arg-type]


IN_FLIGHT = ("attempt_in_flight",)
OURS = ("being_ordered",)
"""A draft that its customer is paying for on an order form is theirs for that time."""

ACTIONS = by_name(
    _invoice("pay", _("Pay"), OWING, _("paid"), needs=IN_FLIGHT, stops_paying=True),
    _invoice(
        "edit",
        _("Edit"),
        {S.DRAFT, S.OPEN},
        _("edited"),
        needs=(*OURS, *IN_FLIGHT),
        stops_paying=True,
    ),
    _invoice("request_payment", _("Request payment"), OWING, _("sent as a request for payment"), bulk=True),
    _invoice(
        "send_receipt", _("Send invoice receipt"), ALL - {S.DRAFT, S.OPEN}, _("sent as a receipt"), bulk=True
    ),
    _invoice(
        "refund",
        _("Refund"),
        {S.CLOSED},
        _("refunded"),
        danger=True,
        needs=(*IN_FLIGHT, "nothing_to_refund"),
    ),
    _invoice(
        "void",
        _("Void"),
        ALL - {S.DRAFT, S.VOIDED},
        _("voided"),
        bulk=True,
        danger=True,
        needs=IN_FLIGHT,
        stops_paying=True,
    ),
    _invoice(
        "write_off",
        _("Write off"),
        OWING,
        _("written off"),
        bulk=True,
        danger=True,
        needs=IN_FLIGHT,
        stops_paying=True,
    ),
    _invoice(
        "rerun_commissions",
        _("Re-run commissions"),
        {S.CLOSED},
        _("given their commissions anew"),
        bulk=True,
    ),
    _invoice("export", _("Export"), ALL, _("exported"), bulk=True),
    _invoice("delete", _("Delete"), {S.DRAFT}, _("deleted"), bulk=True, danger=True, needs=OURS),
    _invoice("copy_invoice_link", _("Copy invoice link"), OWING | {S.CLOSED}, _("shared by link")),
    _invoice("copy_pay_link", _("Copy pay link"), OWING, _("shared by pay link")),
)
"""What the row menu of an invoice can hold, in the order in which it shows them."""

STEPS = by_name(
    Action("issue", _("Issue"), frozenset({S.DRAFT}), _("issued"), "edit_invoice", needs=OURS),
    Action("mark_unpaid", _("Mark unpaid"), OWING, _("marked unpaid"), "pay_invoice", needs=IN_FLIGHT),
    Action(
        "run_collections",
        _("Run collections"),
        frozenset({S.OPEN}),
        _("put in Collections"),
        "pay_invoice",
        needs=IN_FLIGHT,
    ),
    Action("retry", _("Retry now"), frozenset({S.COLLECTIONS}), _("retried"), "pay_invoice", needs=IN_FLIGHT),
)
"""Steps that are offered inside a dialog or on a page: issuing from the editor, what becomes of an invoice
whose card was declined, and retrying one in Collections before its next date.
"""

DECLINE_CHOICES = ("mark_unpaid", "run_collections", "void")

PAYMENT_ACTIONS = by_name(
    Action(
        "refund",
        _("Refund"),
        frozenset({PaymentStatus.APPLIED}),
        _("refunded"),
        "refund_payment",
        danger=True,
        needs=("not_refundable", "attempt_in_flight"),
    ),
    Action("export", _("Export"), frozenset(PaymentStatus), _("exported"), "export_payment", bulk=True),
)
"""What the row menu of a payment can hold. Payments are never edited or deleted."""

RUNNING = frozenset({OrderStatus.ACTIVE, OrderStatus.PAST_DUE})
"""Orders that the billing run bills."""
UNENDED = RUNNING | {OrderStatus.PAUSED}
"""Open orders: these use their card, and may be steered."""


def _order(
    name: str, label: StrOrPromise, on: Iterable[OrderStatus], can_be: StrOrPromise, **more: object
) -> Action:
    return Action(name, label, frozenset(on), can_be, f"{name}_order", **more)  # type: ignore[arg-type]


ORDER_ACTIONS = by_name(
    _order("edit", _("Edit"), UNENDED, _("edited")),
    _order("change_card", _("Change card"), UNENDED, _("given another card")),
    _order("pause", _("Pause"), RUNNING, _("paused"), needs=("nothing_to_come",)),
    _order("resume", _("Resume"), {OrderStatus.PAUSED}, _("resumed")),
    _order("cancel", _("Cancel"), UNENDED, _("cancelled"), danger=True),
)
"""What the row menu of an order can hold. Forgiving what is past due takes *Write off* as well."""

ORDER_STEPS = by_name(
    Action("begin", _("New subscription or plan"), frozenset({OrderStatus.ACTIVE}), _("begun"), "add_order"),
)
"""What is not done to an order that exists."""


MONEY_ACTIONS = by_name(
    Action(
        "match",
        _("Match to an invoice"),
        frozenset({UnmatchedState.OPEN}),
        _("matched"),
        "match_unmatchedmoney",
        needs=("not_matchable",),
    ),
    Action(
        "set_aside",
        _("Set aside"),
        frozenset({UnmatchedState.OPEN}),
        _("set aside"),
        "set_aside_unmatchedmoney",
    ),
)
"""What can be done about money that a gateway moved for nobody whom the desk knows."""

DISPUTE_ACTIONS = by_name(
    Action(
        "record",
        _("Record the refund"),
        frozenset({DisputeState.LOST}),
        _("recorded"),
        "record_dispute",
        needs=("nothing_to_record",),
    ),
)
"""What can be done about a dispute here; it is answered at the gateway."""

NOTICE_ACTIONS = by_name(
    Action("replay", _("Replay"), frozenset(NoticeState), _("replayed"), "replay_gatewayevent"),
)
"""What can be done about a gateway's message."""

CODE_ACTIONS = by_name(
    Action(
        "copy_code",
        _("Copy code"),
        frozenset({CodeState.ISSUED}),
        _("copied"),
        "copy_couponcode",
        needs=("has_run_out",),
    ),
    Action(
        "withdraw",
        _("Withdraw"),
        frozenset({CodeState.ISSUED}),
        _("withdrawn"),
        "withdraw_couponcode",
        danger=True,
    ),
)
"""What can be done about a coupon's personal code."""

CODE_STEPS = by_name(
    Action("issue_code", _("Issue a code"), frozenset({CodeState.ISSUED}), _("issued"), "issue_couponcode"),
    Action("export_codes", _("Codes as a file"), frozenset(CodeState), _("exported"), "export_couponcode"),
)
"""What is not done to one code that exists."""

COMMISSION_ACTIONS = by_name(
    Action(
        "approve",
        _("Approve"),
        frozenset({CommissionStatus.PENDING}),
        _("approved"),
        "approve_commission",
        bulk=True,
    ),
    Action("export", _("Export"), frozenset(CommissionStatus), _("exported"), "export_commission", bulk=True),
)
"""What can be done about a commission by hand; all else follows the money of its invoice."""

PROGRAM_ACTIONS = by_name(
    Action(
        "pay_out",
        _("Pay out"),
        frozenset(ProgramState),
        _("paid out"),
        "pay_out_partnerprogram",
        needs=("nothing_to_pay_out",),
    ),
    Action("enrol", _("Enrol"), frozenset({ProgramState.ACTIVE}), _("joined"), "add_partner"),
    Action("set_referrers", _("Set referrers"), frozenset(ProgramState), _("referred to"), "change_referral"),
)
"""What is done within a partner program: with its approved commissions, and with a contact."""


def named(name: str) -> Action:
    """The action or step of an invoice. Raises KeyError for a name that stands in neither table."""
    return ACTIONS.get(name) or STEPS[name]


def permissions_of(actions: dict[str, Action], what: str) -> list[tuple[str, StrOrPromise]]:
    return [(action.permission, f"Can {action.name.replace('_', ' ')} {what}") for action in actions.values()]


INVOICE_PERMISSIONS: list[tuple[str, StrOrPromise]] = [
    (action.permission, f"Can {action.name.replace('_', ' ')} invoices") for action in ACTIONS.values()
]
ORDER_PERMISSIONS: list[tuple[str, StrOrPromise]] = [
    (action.permission, f"Can {action.name.replace('_', ' ')} orders") for action in ORDER_ACTIONS.values()
]
CODE_PERMISSIONS: list[tuple[str, StrOrPromise]] = [
    (action.permission, f"Can {action.name.partition('_')[0]} codes of coupons")
    for action in [*CODE_STEPS.values(), *CODE_ACTIONS.values()]
]
PAYMENT_PERMISSIONS = [
    (action.permission, f"Can {action.name} payments") for action in PAYMENT_ACTIONS.values()
]
