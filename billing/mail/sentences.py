"""What is true of an invoice, in sentences for its customer."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _now

from billing.actions import OWING
from billing.mail.facts import InvoiceFacts
from billing.statuses import InvoiceStatus

S = InvoiceStatus


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    amount: Decimal


def headline(facts: InvoiceFacts) -> str:
    if facts.status in OWING:
        if not facts.received:
            return _now("%(invoice)s is not paid: %(balance)s to pay")
        return _now("%(invoice)s is not paid in full: %(balance)s to pay")
    if facts.status == S.CLOSED and not facts.received:
        return _now("%(invoice)s: nothing to pay")
    return {
        S.CLOSED: _now("Receipt for %(invoice)s over %(total)s"),
        S.DECLINED: _now("%(invoice)s: the order was not paid"),
        S.REFUNDED: _now("%(invoice)s: %(refunded)s refunded"),
        S.VOIDED: _now("%(invoice)s was cancelled"),
        S.WRITTEN_OFF: _now("%(invoice)s was not paid in full and is no longer asked for"),
        S.DRAFT: _now("%(invoice)s is being prepared"),
    }[InvoiceStatus(facts.status)]


def standing(facts: InvoiceFacts) -> str:
    """Where the invoice stands, in sentences: what came, what went back, what is owed."""
    sentences = so_far(facts)
    if facts.overpaid:
        sentences += " " + _now("%(overpaid)s more came than was owed.")
    return sentences % facts.words()


def so_far(facts: InvoiceFacts) -> str:
    if facts.status == S.CLOSED:
        return _closed(facts)
    if facts.status == S.REFUNDED:
        return _now("All the money that was paid, %(refunded)s, has been refunded.")
    return f"{_status_sentence(facts)} {money_that_came(facts)}".strip()


def _closed(facts: InvoiceFacts) -> str:
    if not facts.received:
        return _now("There is nothing to pay on this invoice.")
    if facts.refunded:
        return _now("%(received)s was paid and %(refunded)s of it has been refunded since. Nothing is owed.")
    return _now("This invoice is paid in full: we received %(received)s. Thank you.")


def _status_sentence(facts: InvoiceFacts) -> str:
    if facts.status == S.DECLINED:
        return _now("The order was not paid and nothing is owed.")
    if facts.status == S.VOIDED:
        return _now("This invoice was cancelled and nothing is owed.")
    if facts.status == S.WRITTEN_OFF:
        return _now("%(written_off)s was not paid and is no longer asked for.")
    return _now("%(balance)s of %(total)s is still to pay.")


def money_that_came(facts: InvoiceFacts) -> str:
    if not facts.received:
        return _now("No payment has been received.")
    if not facts.refunded:
        return _now("We have received %(received)s.")
    if not facts.paid:
        return _now("We had received %(received)s; all of it has been refunded.")
    return _now("We have received %(received)s; %(refunded)s of it has been refunded.")


def figures_of(facts: InvoiceFacts) -> list[Figure]:
    """The amounts that matter, in the order in which they add up."""
    rows = [
        (_now("Saved with %(code)s") % {"code": facts.coupon}, facts.saved, bool(facts.saved)),
        (_now("Total"), facts.total, True),
        (_now("Received"), facts.received, bool(facts.received)),
        (_now("Refunded"), -facts.refunded, bool(facts.refunded)),
        (_now("Written off"), facts.written_off, facts.status == S.WRITTEN_OFF),
        (_now("Paid above what was owed"), facts.overpaid, bool(facts.overpaid)),
        (_now("Still to pay"), facts.balance, facts.status in OWING),
    ]
    return [Figure(label, amount) for label, amount, matters in rows if matters]
