"""The dialog of an action on many invoices: what it asks once for all, and what it says will happen."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.text import get_text_list
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing import money
from billing.forms.actions import FORMS
from billing.forms.dialog import INCOMPLETE
from billing.forms.preview import MOST_COMMISSIONS, Change, Preview, earned
from billing.models.bulk import MAILS, Plan
from billing.money import ZERO
from billing.statuses import InvoiceStatus

DEEDS: dict[str, Any] = {
    "request_payment": ngettext_lazy(
        "Request payment of %(count)s invoice", "Request payment of %(count)s invoices", "count"
    ),
    "send_receipt": ngettext_lazy("Send %(count)s receipt", "Send %(count)s receipts", "count"),
    "void": ngettext_lazy("Void %(count)s invoice", "Void %(count)s invoices", "count"),
    "write_off": ngettext_lazy("Write off %(count)s invoice", "Write off %(count)s invoices", "count"),
    "rerun_commissions": ngettext_lazy(
        "Re-run commissions of %(count)s invoice", "Re-run commissions of %(count)s invoices", "count"
    ),
    "delete": ngettext_lazy("Delete %(count)s draft", "Delete %(count)s drafts", "count"),
}
UNDO: dict[str, Promise] = {
    "request_payment": _("An e-mail cannot be called back."),
    "send_receipt": _("An e-mail cannot be called back."),
    "void": _("Voided is the end: it cannot be undone."),
    "write_off": _("A written-off invoice can only be voided."),
    "rerun_commissions": _("It can be run again: it changes nothing the second time."),
    "delete": _("It cannot be undone. The lines go too; drafts never had a number."),
}
OF_ONE_INVOICE = frozenset({"recipient", "shown"})
"""What only the dialog of one invoice asks or carries."""
BECOMES = {"void": InvoiceStatus.VOIDED, "write_off": InvoiceStatus.WRITTEN_OFF}


class BulkForm(forms.Form):
    """Asks what the action's own dialog asks, but for what is each invoice's own, such as the recipient.

    ``key`` becomes the run's, so a second click starts no second one; ``state`` notices that the invoices
    changed after the dialog was shown.
    """

    key = forms.UUIDField(
        widget=forms.HiddenInput, error_messages={"required": INCOMPLETE, "invalid": INCOMPLETE}
    )
    state = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: QueryDict | None = None, *, plan: Plan) -> None:
        super().__init__(data)
        self.plan = plan
        asked = FORMS[plan.action.name]
        for name in asked.asked():
            if name not in OF_ONE_INVOICE:
                self.fields[name] = deepcopy(asked.base_fields[name])
        self.fields["key"].initial = uuid.uuid4
        self.fields["state"].initial = plan.state

    @property
    def arguments(self) -> dict[str, Any]:
        """What the verb is given for every invoice."""
        return {name: value for name, value in self.cleaned_data.items() if name not in ("key", "state")}

    @property
    def is_stale(self) -> bool:
        return bool(self.cleaned_data["state"] != self.plan.state)

    def preview(self) -> Preview:
        name, count = self.plan.action.name, len(self.plan.ids)
        deed = str(DEEDS[name] % {"count": count})
        chosen = _now("%(deed)s, of %(total)s chosen.") if self.plan.refused else _now("%(deed)s.")
        mails = [_now("One e-mail to the contact of each invoice: %(count)s in all.") % {"count": count}]
        return Preview(
            sentence=chosen % {"deed": deed, "total": self.plan.total},
            deed=deed,
            changes=self._changes(),
            money=_now("No money moves."),
            mails=mails if name in MAILS else [],
            undo=str(UNDO[name]),
            warnings=list(self._paid_stays()),
            commissions=earned(self.plan.differences[:MOST_COMMISSIONS]),
            more_commissions=max(0, len(self.plan.differences) - MOST_COMMISSIONS),
        )

    def _changes(self) -> list[Change]:
        becomes = BECOMES.get(self.plan.action.name)
        return [
            Change(
                _now("Balance %(currency)s") % {"currency": currency},
                money.show(balance, currency),
                money.show(ZERO if becomes else balance, currency),
            )
            for currency, balance in sorted(self.plan.balances.items())
            if balance
        ]

    def _paid_stays(self) -> Iterator[str]:
        paid = [money.show(sum_, currency) for currency, sum_ in sorted(self.plan.paid.items()) if sum_]
        if self.plan.action.name == "void" and paid:
            yield _now(
                "Voiding returns no money: %(paid)s stays paid. Refund it first if the customers should have"
                " it back."
            ) % {"paid": get_text_list(paid, _now("and"))}
