"""An invoice as its customer reads it, in words: for the page, for print, and as a PDF."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.formats import date_format
from django.utils.text import get_valid_filename
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from billing import money, typeset
from billing.models import Invoice, InvoiceLine, Payment
from billing.statuses import InvoiceStatus, PaymentType

LONG_RUN = re.compile(r"(\S{24})(?=\S)")
ZERO_WIDTH_SPACE = "\u200b"
PATIENCE = 30
"""Seconds. 2,000 lines take one and a half."""

log = logging.getLogger(__name__)


class NoPdf(Exception):
    """The typesetter failed; its words are in the log."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the invoice stands, in words for its customer. ``tone``: ok, info, warn or danger."""

    tone: str
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class LineWords:
    description: str
    sku: str
    quantity: str
    unit_price: str
    discount: str
    tax: str
    total: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A word and what belongs to it; ``is_sum`` makes it the line that counts."""

    label: str
    value: str
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class MoneyWords:
    on: str
    what: str
    amount: str


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that stands on the paper. ``has_discount`` and ``has_tax`` say which columns are needed."""

    number: str
    title: str
    standing: Standing
    addressee: list[str]
    dates: list[Pair]
    lines: list[LineWords]
    has_discount: bool
    has_tax: bool
    totals: list[Pair]
    payments: list[MoneyWords]
    note: str


def document(invoice: Invoice, *, today: date) -> Document:
    """Two queries. ``invoice.contact`` should be loaded."""
    lines = list(invoice.lines.all())
    payments = invoice.payments.applied().order_by("made_at", "id")
    return Document(
        number=str(invoice),
        title=_("Invoice %(number)s") % {"number": invoice},
        standing=standing(invoice, today=today),
        addressee=_addressee(invoice),
        dates=[
            Pair(_("Invoice date"), date_format(invoice.invoice_date)),
            Pair(_("Due"), date_format(invoice.due_on)),
        ],
        lines=[_line(line, invoice.currency) for line in lines],
        has_discount=any(line.discounts for line in lines),
        has_tax=any(line.tax_percent for line in lines),
        totals=_totals(invoice, sum((line.coupon_discount for line in lines), money.ZERO)),
        payments=[_money(payment) for payment in payments],
        note=invoice.note,
    )


def _addressee(invoice: Invoice) -> list[str]:
    contact = invoice.contact
    return [words for words in (contact.name, contact.company, *contact.address_lines) if words]


def _line(line: InvoiceLine, currency: str) -> LineWords:
    return LineWords(
        description=line.description,
        sku=line.sku,
        quantity=_plain(line.quantity),
        unit_price=_show(line.unit_price, currency),
        discount=_show(line.discounts, currency) if line.discounts else "",
        tax=f"{_plain(line.tax_percent)} %" if line.tax_percent else "",
        total=_show(line.total, currency),
    )


def _totals(invoice: Invoice, coupon: Decimal) -> list[Pair]:
    """What the invoice comes to; a figure that is 0 is left out unless it is the one that counts.

    ``coupon``: what it took off, which the lines have in their discounts already.
    """
    saved = _("Saved with %(code)s") % {"code": invoice.coupon_shown}
    rows = [
        (saved, coupon),
        (_("Subtotal"), invoice.subtotal if invoice.tax_total or invoice.shipping else Decimal(0)),
        (_("Tax"), invoice.tax_total),
        (_("Shipping"), invoice.shipping),
    ]
    pairs = [Pair(label, _show(amount, invoice.currency)) for label, amount in rows if amount]
    pairs.append(Pair(_("Total"), _show(invoice.total, invoice.currency), is_sum=True))
    received = invoice.paid + invoice.refunded
    rows = [
        (_("Received"), received),
        (_("Returned"), invoice.refunded),
        (_("Received but not owed"), invoice.overpaid),
    ]
    pairs += [Pair(label, _show(amount, invoice.currency)) for label, amount in rows if amount]
    return [*pairs, Pair(_("To pay"), _show(invoice.balance, invoice.currency), is_sum=True)]


def _money(payment: Payment) -> MoneyWords:
    what = payment.method_label
    if payment.type == PaymentType.REFUND:  # its reference is the reason, which is the desk's own
        card = payment.card_last4 and payment.method_label
        what = _("Returned: %(method)s") % {"method": card or payment.get_method_display()}
    return MoneyWords(date_format(payment.received_on), what, _show(payment.amount, payment.currency))


def _show(amount: Decimal, currency: str) -> str:
    return money.show(amount, currency, get_language() or "en")


def _plain(number: Decimal) -> str:
    """``2``, ``2.5``: without the zeros that the column stores."""
    return f"{number.normalize():f}"


# -- how it stands


def standing(invoice: Invoice, *, today: date) -> Standing:
    """True in every status that a customer can see, and no more than a customer should be told."""
    stands = _owing(invoice, today) if invoice.is_owing else _settled(invoice)
    if not invoice.overpaid:
        return stands
    more = _("%(amount)s more than was owed has been received.") % {"amount": _of(invoice, invoice.overpaid)}
    return replace(_with(stands, more), tone="warn")


def _owing(invoice: Invoice, today: date) -> Standing:
    words = {
        "balance": _of(invoice, invoice.balance),
        "paid": _of(invoice, invoice.paid),
        "total": _of(invoice, invoice.total),
        "due": date_format(invoice.due_on),
    }
    part = _("%(paid)s of %(total)s has been paid.") % words if invoice.paid > 0 else ""
    if invoice.awaiting_gateway:
        return Standing("info", _("A payment is being processed"), part)
    if invoice.status == InvoiceStatus.COLLECTIONS:
        title = _("%(balance)s is still to be paid") % words
        return _with(Standing("warn", title, _("The last card payment failed.")), part)
    if invoice.is_overdue(today):
        return Standing("warn", _("Overdue: %(balance)s was to be paid by %(due)s") % words, part)
    title = (
        _("Partly paid: %(balance)s is to be paid by %(due)s")
        if part
        else _("%(balance)s is to be paid by %(due)s")
    )
    return Standing("info", title % words, part)


def _settled(invoice: Invoice) -> Standing:
    if invoice.status == InvoiceStatus.CLOSED:
        return _closed(invoice)
    paid, refunded = _of(invoice, invoice.paid), _of(invoice, invoice.refunded)
    kept = _("%(paid)s was paid and has not been returned.") % {"paid": paid} if invoice.paid > 0 else ""
    if invoice.status == InvoiceStatus.REFUNDED:
        text = _("%(refunded)s was returned. Nothing is owed.") % {"refunded": refunded}
        return Standing("info", _("Refunded"), text)
    if invoice.status == InvoiceStatus.DECLINED:
        nothing = _("Nothing was charged and nothing is owed.")
        return Standing("danger", _("This order was not paid"), kept or nothing)
    if invoice.status == InvoiceStatus.VOIDED:
        return _with(Standing("danger", _("This invoice was cancelled"), _("Nothing is owed on it.")), kept)
    return _with(Standing("info", _("This invoice is closed"), _("No payment is expected any more.")), kept)


def _closed(invoice: Invoice) -> Standing:
    if invoice.is_partly_refunded:
        text = _("%(refunded)s was returned.") % {"refunded": _of(invoice, invoice.refunded)}
        return Standing("ok", _("Paid, and partly refunded"), text)
    if not invoice.total:
        return Standing("ok", _("There is nothing to pay"))
    return Standing("ok", _("Paid in full"), _("Thank you."))


def _with(stands: Standing, more: str) -> Standing:
    return replace(stands, text=f"{stands.text} {more}".strip())


def _of(invoice: Invoice, amount: Decimal) -> str:
    return _show(amount, invoice.currency)


# -- as a PDF


def pdf(paper: Document) -> bytes:
    """The document as a PDF. Raises NoPdf.

    Its words travel as data, so that nothing in them is taken for markup. A process of its own sets them:
    in this one typst would keep some 70 MB for each of the last long documents.
    """
    labels = {
        "description": _("Description"),
        "quantity": _("Quantity"),
        "unit_price": _("Unit price"),
        "discount": _("Discount"),
        "tax": _("Tax"),
        "total": _("Total"),
        "payments": _("Payments"),
        "bill_to": _("For"),
    }
    language = (get_language() or "en").partition("-")[0]
    words = {**_breakable(asdict(paper)), "labels": labels, "language": language}
    return _typeset(json.dumps(words).encode(), called=paper.title)


def _typeset(words: bytes, *, called: str) -> bytes:
    template = Path(settings.BASE_DIR) / "templates" / "pdf" / "invoice.typ"
    try:
        done = subprocess.run(  # noqa: S603  (this project's own program, without a shell)
            [sys.executable, "-I", typeset.__file__, template],
            input=words,
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.SubprocessError) as error:
        words_of_typst = getattr(error, "stderr", None)
        log.exception("%s could not be made into a PDF: %r", called, words_of_typst)
        raise NoPdf(called) from error
    return done.stdout


def _breakable(words: Any) -> Any:
    """The same words, with places where a very long one may be broken: a PDF has no other way to fit it."""
    match words:
        case str():
            return LONG_RUN.sub(rf"\1{ZERO_WIDTH_SPACE}", words)
        case list():
            return [_breakable(each) for each in words]
        case dict():
            return {name: _breakable(each) for name, each in words.items()}
    return words


def file_name(invoice: Invoice) -> str:
    """``INV-000017.pdf``, whatever an imported number holds."""
    return get_valid_filename(f"{invoice}.pdf".replace("/", "-"))
