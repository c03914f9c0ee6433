"""Held at start: every line of the table of actions has its method, and what a dialog asks is what the
method takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
from django.db.models import Model

from billing.actions import (
    ACTIONS,
    CODE_ACTIONS,
    COMMISSION_ACTIONS,
    DISPUTE_ACTIONS,
    MONEY_ACTIONS,
    NOTICE_ACTIONS,
    ORDER_ACTIONS,
    PAYMENT_ACTIONS,
    PROGRAM_ACTIONS,
    STEPS,
    Action,
)
from billing.forms.actions import FORMS, PAYMENT_FORMS
from billing.forms.coupons import CODE_FORMS
from billing.forms.dialog import Dialog
from billing.forms.orders import ORDER_FORMS
from billing.forms.partners import PROGRAM_FORMS
from billing.forms.records import DISPUTE_FORMS, MONEY_FORMS, NOTICE_FORMS, RecordForm
from billing.models import (
    Commission,
    CouponCode,
    Dispute,
    GatewayEvent,
    Invoice,
    Order,
    PartnerProgram,
    Payment,
    UnmatchedMoney,
)

METHODS = {"delete": "discard"}
"""Verbs whose method has another name than the action, because Django's own method has it."""
WITHOUT_METHOD = frozenset({"export", "copy_invoice_link", "copy_pay_link", "copy_code"})
"""Actions that change nothing: a file, and links and codes that the page already holds."""
OWN_PAGE = frozenset({"edit", "issue"})
"""Asked on the editor's page instead of in a dialog."""
OF_MANY = frozenset({"approve"})
"""Done to a selection, which the dialog carries along."""
GUARD = frozenset({"self", "by", "key", "seen", "at", "contact"})


Forms = Mapping[str, type[Dialog] | type[RecordForm]]
NONE: frozenset[str] = frozenset()
TABLES: tuple[tuple[type[Model], dict[str, Action], Forms, frozenset[str]], ...] = (
    (Invoice, {**ACTIONS, **STEPS}, FORMS, OWN_PAGE),
    (Payment, PAYMENT_ACTIONS, PAYMENT_FORMS, NONE),
    (Order, ORDER_ACTIONS, ORDER_FORMS, NONE),
    (UnmatchedMoney, MONEY_ACTIONS, MONEY_FORMS, NONE),
    (Dispute, DISPUTE_ACTIONS, DISPUTE_FORMS, NONE),
    (CouponCode, CODE_ACTIONS, CODE_FORMS, NONE),
    (GatewayEvent, NOTICE_ACTIONS, NOTICE_FORMS, NONE),
    (Commission, COMMISSION_ACTIONS, {}, OF_MANY),
    (PartnerProgram, PROGRAM_ACTIONS, PROGRAM_FORMS, NONE),
)


@register("billing")
def every_action_is_whole(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for model, table, forms, own_page in TABLES:
        for action in table.values():
            wrong = problems(model, action, forms, own_page)
            found += [Error(problem, id="billing.E001") for problem in wrong]
    return found


def problems(
    model: type[Model], action: Action, forms: Forms, own_page: frozenset[str] = OWN_PAGE
) -> list[str]:
    """What is missing or contradictory about one line of the table."""
    found = [
        f"{model.__name__}.{need} is missing; “{action.name}” needs it."
        for need in action.needs
        if not hasattr(model, need)
    ]
    if action.name in WITHOUT_METHOD:
        return found
    method = getattr(model, METHODS.get(action.name, action.name), None)
    if method is None:
        return [*found, f"{model.__name__} has no method for “{action.name}”."]
    if action.name in own_page:
        return found
    if action.name not in forms:
        return [*found, f"No dialog asks for “{action.name}”."]
    takes = set(inspect.signature(method).parameters) - GUARD
    asks = set(forms[action.name].asked())
    if takes != asks:
        found.append(f"The dialog of “{action.name}” asks {sorted(asks)}, its method takes {sorted(takes)}.")
    return found
