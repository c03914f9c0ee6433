"""An invoice moves by the product's transitions and by no other."""

from __future__ import annotations

import ast
from itertools import product
from pathlib import Path

import pytest

import billing
from billing.actions import ACTIONS, STEPS
from billing.models import Invoice
from billing.statuses import TRANSITIONS, InvoiceStatus

S = InvoiceStatus
PRODUCT = {
    S.DRAFT: {S.OPEN, S.CLOSED, S.DECLINED},
    S.OPEN: {S.CLOSED, S.COLLECTIONS, S.VOIDED, S.WRITTEN_OFF},
    S.COLLECTIONS: {S.CLOSED, S.OPEN, S.VOIDED, S.WRITTEN_OFF},
    S.CLOSED: {S.REFUNDED, S.VOIDED},
    S.DECLINED: {S.VOIDED},
    S.REFUNDED: {S.VOIDED},
    S.WRITTEN_OFF: {S.VOIDED},
    S.VOIDED: set(),
}
"""The product's own list, written down once more."""
LEADS_TO = {
    "void": S.VOIDED,
    "write_off": S.WRITTEN_OFF,
    "refund": S.REFUNDED,
    "pay": S.CLOSED,
    "issue": S.OPEN,
    "mark_unpaid": S.OPEN,
    "run_collections": S.COLLECTIONS,
}


def test_the_code_holds_the_products_transitions() -> None:
    assert TRANSITIONS == PRODUCT


@pytest.mark.parametrize(("was", "to"), list(product(InvoiceStatus, InvoiceStatus)))
def test_a_status_changes_only_by_a_transition(was: InvoiceStatus, to: InvoiceStatus) -> None:
    invoice = Invoice(status=was)
    if to == was or to in PRODUCT[was]:
        invoice.become(to)
        assert invoice.status == to
    else:
        with pytest.raises(ValueError, match=f"{was} never becomes {to}"):
            invoice.become(to)
        assert invoice.status == was


@pytest.mark.parametrize("name", LEADS_TO)
def test_no_action_is_offered_where_it_would_lead_off_the_list(name: str) -> None:
    action, to = {**ACTIONS, **STEPS}[name], LEADS_TO[name]
    assert {InvoiceStatus(was) for was in action.on} <= {was for was in S if to == was or to in PRODUCT[was]}


def test_nothing_sets_the_status_of_an_invoice_an_order_or_a_commission_beside_its_guard() -> None:
    root = Path(billing.__file__).parent
    found = [
        f"{path.relative_to(root)}: {ast.unparse(node)}"
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if sets_status(node)
    ]
    assert sorted(found) == [
        "models/base.py: self.status = status",
        "models/orders/base.py: self.status = status",
        *(
            f"models/partners/{file}.objects.filter(pk__in=part).update(status=CommissionStatus.{more})"
            for file, more in (
                ("commission.py: cls", "APPROVED"),
                ("program.py: Commission", "PAID, payout=payout"),
            )
        ),
        "models/partners/settling.py: row.status = CANCELLED",
    ]


def sets_status(node: ast.AST) -> bool:
    match node:
        case ast.Assign(targets=targets):
            return any(isinstance(to, ast.Attribute) and to.attr == "status" for to in targets)
        case ast.Call(func=ast.Attribute(attr="update"), keywords=keywords):
            return any(keyword.arg == "status" for keyword in keywords)
    return False
