"""One action on many invoices: the list and how far it has got are a row, so a run can be watched, left and
taken up again.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.actions import ACTIONS, Action
from billing.models.event import Event
from billing.models.guard import AlreadyDone, NotOffered, Refused
from billing.models.invoice import Invoice
from billing.models.partners.settling import Difference, anew, combined
from billing.money import ZERO

VERBS = {
    "request_payment": "request_payment",
    "send_receipt": "send_receipt",
    "void": "void",
    "write_off": "write_off",
    "rerun_commissions": "rerun_commissions",
    "delete": "discard",
}
"""Method of each action that runs over many; Export is a file instead."""
MAILS = frozenset({"request_payment", "send_receipt"})
MOST_AT_ONCE = 20_000
"""Invoices of one run; its list is one value of one row."""
WORKED_OUT_AT_ONCE = 500
"""Invoices whose commissions are worked out together for a preview."""
NEEDED = (
    *("number", "status", "version", "currency", "balance", "paid", "awaiting_gateway"),
    *("contact__name", "contact__email"),
)
"""The columns that a plan reads; everything that a refusal asks about must be among them."""


def refusal(action: Action, invoice: Invoice, user: User) -> Refused | None:
    """Why this invoice would be left out of a run, or None. ``contact`` should be loaded."""
    found = invoice.refusal(action, user)
    if found is None and action.name in MAILS and not invoice.contact.email:
        return NotOffered(_now("%(name)s has no e-mail address.") % {"name": invoice.contact.name})
    return found


@dataclass(slots=True)
class Plan:
    """What a run would do, worked out before anybody confirms it.

    ``balances`` and ``paid`` are of the eligible ones, per currency. ``state`` is a digest of those invoices
    as they are now: while it stays the same, what was shown is what will be done.
    """

    action: Action
    ids: list[int] = field(default_factory=list)
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    """Id, name and reason of each invoice that is left out."""
    balances: dict[str, Decimal] = field(default_factory=dict)
    paid: dict[str, Decimal] = field(default_factory=dict)
    state: str = ""
    differences: list[Difference] = field(default_factory=list)
    """What partners have of the eligible ones now and afterwards, where that is what the action is about."""

    @classmethod
    def of(cls, action: Action, invoices: models.QuerySet[Invoice], user: User) -> Self:
        """One query, of the columns that count."""
        plan, digest = cls(action), hashlib.sha256()
        for invoice in invoices.select_related("contact").only(*NEEDED).iterator(chunk_size=2000):
            reason = refusal(action, invoice, user)
            if reason:
                plan.refused.append((invoice.pk, str(invoice), str(reason)))
                continue
            plan.ids.append(invoice.pk)
            digest.update(f"{invoice.pk}.{invoice.version} ".encode())
            for sums, amount in ((plan.balances, invoice.balance), (plan.paid, invoice.paid)):
                sums[invoice.currency] = sums.get(invoice.currency, ZERO) + amount
        if action.name == "rerun_commissions":
            plan._work_out_commissions()
            digest.update(repr(plan.differences).encode())
        plan.state = digest.hexdigest()
        return plan

    def _work_out_commissions(self) -> None:
        """The same few queries for each portion of the invoices."""
        for first in range(0, len(self.ids), WORKED_OUT_AT_ONCE):
            part = Invoice.objects.in_bulk(self.ids[first : first + WORKED_OUT_AT_ONCE])
            claims = anew({invoice: invoice.money_kept() for invoice in part.values()})
            self.differences = combined(self.differences, chain.from_iterable(claims.values()))

    @property
    def total(self) -> int:
        return len(self.ids) + len(self.refused)


class Bulk(models.Model):
    """``ids`` are the invoices in the order in which they were chosen; ``position`` how many of them have
    been dealt with; ``refused`` has id, name and reason of those that were not done, also the ones that never
    were eligible.

    Its primary key is the one-time key of the dialog. Each invoice gets a one-time key made from this row's
    and its own, so that two tabs advancing one run do nothing twice.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.CharField(_("action"), max_length=40)
    arguments = models.JSONField(_("what was asked"), default=dict)
    ids = models.JSONField(_("invoices"), default=list)
    position = models.PositiveIntegerField(_("dealt with"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    refused = models.JSONField(_("refused, with the reason"), default=list)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    made_at = models.DateTimeField(_("started"), default=clock.now)

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("bulk run")
        ordering: ClassVar = ["-made_at"]

    def __str__(self) -> str:
        return f"{self.label} × {self.total}"

    @classmethod
    def begin(cls, user: User, plan: Plan, *, key: uuid.UUID, arguments: dict[str, Any]) -> Self:
        """Write the run down; nothing is done yet. The same key a second time is the same run."""
        run, _new = cls.objects.get_or_create(
            pk=key,
            defaults={
                "action": plan.action.name,
                "arguments": arguments,
                "ids": plan.ids,
                "refused": plan.refused,
                "made_by": user,
            },
        )
        return run

    @property
    def label(self) -> str:
        return str(ACTIONS[self.action].label)

    @property
    def total(self) -> int:
        return len(self.ids)

    @property
    def chosen(self) -> int:
        """All that were asked for, with those that were never eligible."""
        return self.total + self._ineligible

    @property
    def dealt_with(self) -> int:
        """``done`` and the refused ones, of ``chosen``."""
        return self.position + self._ineligible

    @property
    def _ineligible(self) -> int:
        return len(self.refused) - (self.position - self.done)

    @property
    def is_finished(self) -> bool:
        return self.position >= len(self.ids)

    def advance(self, user: User, *, most: int) -> None:
        """Deal with the next ``most`` invoices.

        Each is its own transaction; what refuses is listed with its reason. Whoever else advances the same
        run meanwhile comes to the same results, and the first one to be through writes them down.
        """
        part = self.ids[self.position : self.position + most]
        found = Invoice.objects.select_related("contact").in_bulk(part)
        before = self._done_among(part)
        done, refused = 0, []
        for pk in part:
            reason = "" if pk in before else self._do(user, found.get(pk))
            done += not reason
            if reason:
                refused.append([pk, str(found.get(pk) or _now("Invoice %(id)s") % {"id": pk}), reason])
        here = type(self).objects.filter(pk=self.pk, position=self.position)
        here.update(
            position=self.position + len(part), done=self.done + done, refused=[*self.refused, *refused]
        )
        self.refresh_from_db()

    def _do(self, user: User, invoice: Invoice | None) -> str:
        """The reason why it was not done, or nothing."""
        if invoice is None:
            return _now("It does not exist any more.")
        try:
            self._act(user, invoice)
        except Refused as refusal:
            return str(refusal)
        except AlreadyDone:
            pass
        return ""

    def _act(self, user: User, invoice: Invoice) -> None:
        action = ACTIONS[self.action]
        reason = refusal(action, invoice, user)
        if reason:
            raise reason
        arguments = dict(self.arguments)
        if self.action in MAILS:
            arguments["recipient"] = invoice.contact.email
        getattr(invoice, VERBS[self.action])(user, key=self._key(invoice.pk), **arguments)

    def _key(self, pk: int) -> uuid.UUID:
        return uuid.uuid5(self.pk, str(pk))

    def _done_among(self, part: Sequence[int]) -> set[int]:
        """Those that this run has done already, before it was interrupted or in another tab."""
        keys = {self._key(pk): pk for pk in part}
        return {keys[key] for key in Event.objects.filter(key__in=keys).values_list("key", flat=True) if key}
