"""Words of the e-mails: one function each, from plain values to a subject, a text and an HTML part.

Sends nothing. The sentences about money are made here, where they can be tested against every status; the
templates in ``templates/email/`` only place them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _now

from billing import money
from billing.actions import OWING
from billing.money import ZERO
from billing.statuses import InvoiceStatus, PaymentType

S = InvoiceStatus
BLANK_LINES = re.compile(r"\n\s*\n\s*\n")


NO_SERVER = "django.core.mail.backends.dummy.EmailBackend"


def has_server() -> bool:
    """Whether mails leave this installation; otherwise they stay queued, to be read at their invoice."""
    return settings.EMAIL_BACKEND != NO_SERVER


@dataclass(frozen=True, slots=True)
class Message:
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class LineFacts:
    description: str
    quantity: Decimal
    total: Decimal

    @property
    def count(self) -> str:
        """The quantity without the zeros that its column adds: ``3``, ``0.5``."""
        return f"{self.quantity.normalize():f}"


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """``amount`` is negative for a refund, in the invoice's currency."""

    type: str
    received_on: date
    method: str
    amount: Decimal
    recorded_only: bool

    @property
    def label(self) -> str:
        """How it came or went: ``Visa •• 4242``, ``Refund to Visa •• 4242``."""
        if self.type != PaymentType.REFUND:
            return self.method
        return (_now("Refund (%(method)s)") if self.recorded_only else _now("Refund to %(method)s")) % {
            "method": self.method
        }


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """What a mail may say about an invoice.

    ``pay_link`` is empty when nothing can be paid. ``paid`` is net of refunds.
    """

    name: str
    status: str
    status_label: str
    contact_name: str
    currency: str
    invoice_date: date
    due_on: date
    total: Decimal
    paid: Decimal
    refunded: Decimal
    balance: Decimal
    overpaid: Decimal
    written_off: Decimal
    lines: Sequence[LineFacts]
    more_lines: int
    note: str
    invoice_link: str
    pay_link: str
    coupon: str = ""
    saved: Decimal = ZERO
    """What the coupon took off, which the lines have taken off already."""

    @property
    def received(self) -> Decimal:
        """All that ever came, refunded since or not."""
        return self.paid + self.refunded

    def show(self, amount: Decimal) -> str:
        return money.show(amount, self.currency, get_language() or "en")

    def words(self) -> dict[str, str]:
        """Name and amounts, for the sentences."""
        names = ("total", "paid", "refunded", "balance", "received", "overpaid", "written_off")
        return {"invoice": self.name, **{name: self.show(getattr(self, name)) for name in names}}


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    amount: Decimal


def unpaid_invoice(facts: InvoiceFacts, *, personal: str) -> Message:
    words = {**facts.words(), "due": date_format(facts.due_on)}
    headline = _now("Invoice %(invoice)s: %(balance)s to pay by %(due)s")
    sentence = _now("Please pay %(balance)s by %(due)s.")
    if facts.received:
        sentence = f"{_standing(facts)} {sentence}"
    context = {"headline": headline % words, "sentence": sentence % words, "personal": personal}
    return _compose("unpaid_invoice", facts, context)


def receipt(facts: InvoiceFacts, *, payments: Sequence[PaymentFacts], personal: str) -> Message:
    """States the true status and amounts; never claims money that did not come."""
    words = facts.words()
    context = {
        "headline": _headline(facts) % words,
        "sentence": standing(facts),
        "personal": personal,
        "payments": payments,
    }
    return _compose("receipt", facts, context)


def refund_receipt(facts: InvoiceFacts, *, refunds: Sequence[PaymentFacts]) -> Message:
    """``refunds`` are what went back just now; earlier ones are in the figures."""
    returned = -sum((refund.amount for refund in refunds), ZERO)
    words = {**facts.words(), "returned": facts.show(returned)}
    moved = any(not refund.recorded_only for refund in refunds)
    context = {
        "headline": _now("Refund of %(returned)s for %(invoice)s") % words,
        "sentence": _now("%(returned)s has been returned to you.") % words,
        "delay": _now("It can take some days until your bank shows a refund to a card.") if moved else "",
        "payments": refunds,
    }
    return _compose("refund_receipt", facts, context)


# -- what is true of an invoice


def _headline(facts: InvoiceFacts) -> str:
    if facts.status in OWING:
        if not facts.received:
            return _now("%(invoice)s is not paid: %(balance)s to pay")
        return _now("%(invoice)s is not paid in full: %(balance)s to pay")
    if facts.status == S.CLOSED and not facts.received:
        return _now("%(invoice)s: nothing to pay")
    return {
        S.CLOSED: _now("Receipt for %(invoice)s over %(total)s"),
        S.DECLINED: _now("%(invoice)s: the payment was declined"),
        S.REFUNDED: _now("%(invoice)s: %(refunded)s refunded"),
        S.VOIDED: _now("%(invoice)s was cancelled"),
        S.WRITTEN_OFF: _now("%(invoice)s was not paid in full and is no longer asked for"),
        S.DRAFT: _now("%(invoice)s is being prepared"),
    }[InvoiceStatus(facts.status)]


def standing(facts: InvoiceFacts) -> str:
    """Where the invoice stands, in sentences: what came, what went back, what is owed."""
    sentences = _standing(facts)
    if facts.overpaid:
        sentences += " " + _now("%(overpaid)s more came than was owed.")
    return sentences % facts.words()


def _standing(facts: InvoiceFacts) -> str:
    if facts.status == S.CLOSED:
        return _closed(facts)
    if facts.status == S.REFUNDED:
        return _now("All the money that was paid, %(refunded)s, has been refunded.")
    return f"{_status_sentence(facts)} {_money_sentence(facts)}".strip()


def _closed(facts: InvoiceFacts) -> str:
    if not facts.received:
        return _now("There is nothing to pay on this invoice.")
    if facts.refunded:
        return _now("%(received)s was paid and %(refunded)s of it has been refunded since. Nothing is owed.")
    return _now("This invoice is paid in full: we received %(received)s. Thank you.")


def _status_sentence(facts: InvoiceFacts) -> str:
    if facts.status == S.DECLINED:
        return _now("The payment was declined and nothing is owed.")
    if facts.status == S.VOIDED:
        return _now("This invoice was cancelled and nothing is owed.")
    if facts.status == S.WRITTEN_OFF:
        return _now("%(written_off)s was not paid and is no longer asked for.")
    return _now("%(balance)s of %(total)s is still to pay.")


def _money_sentence(facts: InvoiceFacts) -> str:
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


# -- putting it on paper


def _compose(name: str, facts: InvoiceFacts, more: dict[str, Any]) -> Message:
    """A subject is one line, whatever a name in it holds: a line break there would start a header."""
    context = {
        "invoice": facts,
        "balance": facts.show(facts.balance),
        "figures": figures_of(facts),
        **more,
    }
    subject = render_to_string(f"email/{name}.subject.txt", context)
    return Message(
        subject=" ".join(subject.split())[:255],
        text=BLANK_LINES.sub("\n\n", render_to_string(f"email/{name}.txt", context)).strip() + "\n",
        html=render_to_string(f"email/{name}.html", context),
    )
