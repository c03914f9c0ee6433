"""CSV out: which columns there are, how a cell is written, and a stream that notes who took what.

Files are RFC 4180 (comma, CRLF, quotes doubled) in UTF-8. They begin with a byte-order mark, on which the
RFC is silent: without it Excel reads UTF-8 as the machine's own code page. Headings and choices are the
names that scripts rely on, in no language; days and moments are ISO 8601, amounts plain decimals with as many
places as their currency has.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.text import get_text_list
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, money
from billing.actions import SALES
from billing.models import Event, Invoice, spelling
from billing.models.guard import name_of
from billing.statuses import CommissionStatus, PaymentStatus

BOM = "\ufeff"
ROWS_AT_A_TIME = 500
"""Rows that are fetched, written and sent together: what the memory of an export is made of."""
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
"""How a cell begins that a spreadsheet would run; the wide ones are for East Asian keyboards."""
NEGATIVE = re.compile(r"-[0-9]+(\.[0-9]+)?")

Write = Callable[[Any, str], str]


def text(value: Any, currency: str) -> str:
    """Words from outside, made harmless: a leading apostrophe tells a spreadsheet that it is no formula."""
    words = str(value).replace("\0", "")
    return f"'{words}" if FORMULA.match(words) and not NEGATIVE.fullmatch(words) else words


def amount(value: Decimal, currency: str) -> str:
    return money.plain(value, currency)


def number(value: Decimal, currency: str) -> str:
    """A quantity or a percentage without the zeros of its column: ``2``, ``1.5``."""
    return f"{value.normalize():f}"


def day(value: date, currency: str) -> str:
    return value.isoformat()


def moment(value: datetime, currency: str) -> str:
    """In the desk's time zone, with its offset, to the second."""
    return timezone.localtime(value).isoformat(timespec="seconds")


def spoken(value: str, currency: str) -> str:
    """A code as people read it."""
    return spelling.shown(value)


def flag(value: Any, currency: str) -> str:
    return "yes" if value else "no"


@dataclass(frozen=True, slots=True)
class Column:
    """``name``: its heading in the file; ``label``: its name for people; ``path``: where its value is."""

    name: str
    label: Any
    path: str
    write: Write = text


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of file. ``shown`` are the columns that the list on the screen has too.

    ``sums`` is the path of the amount that the note of the export adds up, over rows whose ``status`` counts.
    """

    name: str
    per: Any
    what: Any
    columns: tuple[Column, ...]
    shown: tuple[str, ...]
    sums: str
    counts: frozenset[str]
    sums_are: Any
    """The sentence about that sum in the note."""
    invoice: str
    """Path to the invoice that a row belongs to; empty for none."""
    owner: str = "contact_id"
    """Path to the contact that a row belongs to."""
    order: tuple[str, ...] = ()
    """What comes after the order of the list."""

    def named(self, names: Sequence[str]) -> list[Column]:
        """The columns in the order of ``names``; with an amount among them, the currency joins them."""
        by_name = {column.name: column for column in self.columns}
        picked = [by_name[name] for name in names]
        if any(column.write is amount for column in picked) and by_name["currency"] not in picked:
            picked.append(by_name["currency"])
        return picked


CONTACT = (
    Column("contact", _("Contact"), "contact__name"),
    Column("email", _("E-mail"), "contact__email"),
    Column("company", _("Company"), "contact__company"),
    Column("contact_ref", _("Contact's external reference"), "contact__external_ref"),
)
HEAD = (
    Column("number", _("Number"), "number"),
    Column("status", _("Status"), "status"),
    Column("invoice_date", _("Invoice date"), "invoice_date", day),
    Column("due_on", _("Due"), "due_on", day),
    *CONTACT,
    Column("currency", _("Currency"), "currency"),
    Column("coupon_code", _("Coupon code"), "coupon_code_id"),
)
TAIL = (
    Column("external_ref", _("External reference"), "external_ref"),
    Column("note", _("Note to the customer"), "note"),
    Column("internal_note", _("Internal note"), "internal_note"),
    Column("issued_at", _("Issued"), "issued_at", moment),
    Column("created_at", _("Created"), "created_at", moment),
    Column("id", _("Id"), "id"),
)
INVOICES = Table(
    "invoices",
    _("Invoice"),
    _("invoices"),
    columns=(
        *HEAD,
        Column("products", _("Products"), "summary"),
        Column("lines", _("Lines"), "line_count"),
        Column("subtotal", _("Subtotal"), "subtotal", amount),
        Column("shipping", _("Shipping"), "shipping", amount),
        Column("tax", _("Tax"), "tax_total", amount),
        Column("total", _("Total"), "total", amount),
        Column("paid", _("Paid"), "paid", amount),
        Column("refunded", _("Refunded"), "refunded", amount),
        Column("balance", _("Balance"), "balance", amount),
        Column("overpaid", _("Overpaid by"), "overpaid", amount),
        Column("written_off", _("Written off"), "written_off_amount", amount),
        *TAIL,
    ),
    shown=(
        *("number", "contact", "invoice_date", "due_on", "products"),
        *("total", "balance", "currency", "status"),
    ),
    sums="total",
    counts=frozenset(SALES),
    sums_are=_("Sales among them come to %(money)s."),
    invoice="id",
)
LINES = Table(
    "products",
    _("Product"),
    _("products of invoices"),
    columns=(
        *HEAD,
        Column("position", _("Line"), "lines__position"),
        Column("sku", _("SKU"), "lines__sku"),
        Column("description", _("Product"), "lines__description"),
        Column("quantity", _("Quantity"), "lines__quantity", number),
        Column("unit_price", _("Unit price"), "lines__unit_price", amount),
        Column("discount", _("Discount"), "lines__discount", amount),
        Column("coupon_discount", _("Discount by coupon"), "lines__coupon_discount", amount),
        Column("net", _("Net"), "lines__net", amount),
        Column("tax_percent", _("Tax %"), "lines__tax_percent", number),
        Column("tax", _("Tax"), "lines__tax", amount),
        Column("total", _("Line total"), "lines__total", amount),
        Column("invoice_total", _("Total of the invoice"), "total", amount),
        Column("invoice_balance", _("Balance of the invoice"), "balance", amount),
        *TAIL,
    ),
    shown=(
        *("number", "contact", "invoice_date", "sku", "description", "quantity"),
        *("unit_price", "discount", "total", "currency", "status"),
    ),
    sums="lines__total",
    counts=frozenset(SALES),
    sums_are=_("Sales among them come to %(money)s."),
    invoice="id",
    order=("lines__position", "lines__id"),
)
PAYMENTS = Table(
    "payments",
    _("Payment"),
    _("payments"),
    columns=(
        Column("received_on", _("Date received"), "received_on", day),
        Column("invoice", _("Invoice"), "invoice__number"),
        *CONTACT,
        Column("type", _("Type"), "type"),
        Column("status", _("Status"), "status"),
        Column("method", _("Method"), "method"),
        Column("card_brand", _("Card"), "card_brand"),
        Column("card_last4", _("Card's last four"), "card_last4"),
        Column("amount", _("Amount"), "amount", amount),
        Column("refunded", _("Refunded since"), "refunded_amount", amount),
        Column("overpaid", _("Not owed when it came"), "excess", amount),
        Column("currency", _("Currency"), "currency"),
        Column("gateway", _("Gateway"), "gateway"),
        Column("gateway_ref", _("Gateway reference"), "gateway_ref"),
        Column("reference", _("Reference"), "reference"),
        Column("decline_code", _("Decline code"), "decline_code"),
        Column("decline_reason", _("Reason of the decline"), "decline_reason"),
        Column("refund_of", _("Refund of payment"), "refund_of_id"),
        Column("recorded_only", _("Recorded, not moved"), "recorded_only", flag),
        Column("made_at", _("Recorded"), "made_at", moment),
        Column("id", _("Id"), "id"),
    ),
    shown=(
        *("received_on", "invoice", "contact", "type", "method", "card_brand", "card_last4"),
        *("gateway_ref", "reference", "amount", "currency", "status", "decline_reason"),
    ),
    sums="amount",
    counts=frozenset({PaymentStatus.APPLIED}),
    sums_are=_("Applied ones among them come to %(money)s."),
    invoice="invoice_id",
)


PARTNER = (
    Column("partner", _("Partner"), "partner__contact__name"),
    Column("code", _("Code"), "partner__code"),
    Column("email", _("E-mail"), "partner__contact__email"),
    Column("program", _("Program"), "partner__program__name"),
)
COMMISSIONS = Table(
    "commissions",
    _("Commission"),
    _("commissions"),
    columns=(
        Column("date", _("Date"), "earned_on", day),
        *PARTNER,
        Column("level", _("Level"), "level"),
        Column("invoice", _("Invoice"), "invoice__number"),
        Column("customer", _("Customer"), "invoice__contact__name"),
        Column("sku", _("SKU"), "line__sku"),
        Column("product", _("Product"), "line__description"),
        Column("net", _("Net of the line"), "line__net", amount),
        Column("kind", _("Kind"), "kind"),
        Column("rate_kind", _("Rate is"), "rate_kind"),
        Column("rate", _("Rate"), "rate_value", number),
        Column("amount", _("Amount"), "amount", amount),
        Column("currency", _("Currency"), "currency"),
        Column("status", _("Status"), "status"),
        Column("payout", _("Payout"), "payout_id"),
        Column("id", _("Id"), "id"),
    ),
    shown=(
        *("date", "partner", "code", "level", "invoice", "product"),
        *("kind", "amount", "currency", "status"),
    ),
    sums="amount",
    counts=frozenset(CommissionStatus) - {CommissionStatus.CANCELLED},
    sums_are=_("Those that were not cancelled come to %(money)s."),
    invoice="invoice_id",
    owner="partner__contact_id",
)
PAYOUT = Table(
    "payout",
    _("Partner"),
    _("partners of a payout"),
    columns=(
        Column("payout", _("Payout"), "batch"),
        Column("partner", _("Partner"), "contact__name"),
        Column("email", _("E-mail"), "contact__email"),
        Column("company", _("Company"), "contact__company"),
        Column("code", _("Code"), "code"),
        Column("program", _("Program"), "program__name"),
        Column("commissions", _("Commissions"), "count"),
        Column("amount", _("Amount"), "amount", amount),
        Column("currency", _("Currency"), "currency"),
    ),
    shown=("payout", "partner", "email", "code", "commissions", "amount", "currency"),
    sums="amount",
    counts=frozenset({CommissionStatus.PAID}),
    sums_are=_("They come to %(money)s."),
    invoice="",
)
"""Of what ``Payout.shares`` finds: whom to pay what."""


CODES = Table(
    "codes",
    _("Code"),
    _("coupon codes"),
    columns=(
        Column("code", _("Code"), "code", spoken),
        Column("coupon", _("Coupon"), "coupon__name"),
        *CONTACT,
        Column("state", _("State"), "status"),
        Column("issued_at", _("Issued"), "issued_at", moment),
        Column("last_day", _("Last day"), "last_day", day),
    ),
    shown=("code", "contact", "email", "state", "last_day"),
    sums="pk",
    counts=frozenset(),
    sums_are="",
    invoice="",
)
"""Of what ``CouponCodeQuerySet.for_export`` finds: to tell each contact their code."""


@dataclass(slots=True)
class Tally:
    """What has gone out so far, for the note: rows, money per currency, and whose rows they were."""

    rows: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    contacts: set[int] = field(default_factory=set)
    invoices: set[int] = field(default_factory=set)

    def add(self, currency: str, owner: int, invoice: int, sum_: Decimal | None) -> None:
        self.rows += 1
        if sum_:
            self.sums[currency] = self.sums.get(currency, money.ZERO) + sum_
        # one is the answer, two say "several": more need not be remembered
        if len(self.contacts) < 2:
            self.contacts.add(owner)
        if len(self.invoices) < 2:
            self.invoices.add(invoice)

    @property
    def money(self) -> str:
        shown = [money.show(self.sums[currency], currency) for currency in sorted(self.sums)]
        return get_text_list(shown, _now("and"))


class Line:
    """A file that csv.writer takes for one: it hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def stream(table: Table, rows: QuerySet[Any], columns: Sequence[Column], *, user: User) -> Iterator[bytes]:
    """The file in pieces: headings before the database is asked, then rows as they are fetched.

    However it ends, an Event notes who took how many rows and what they come to: when the reader went away
    half-way, the rows up to there.
    """
    tally, whole = Tally(), False
    writerow = csv.writer(Line(), lineterminator="\r\n").writerow
    try:
        yield (BOM + writerow([column.name for column in columns])).encode()
        found = cells(table, rows, columns, tally)
        while piece := "".join(writerow(row) for row in islice(found, ROWS_AT_A_TIME)):
            yield piece.encode(errors="replace")
        whole = True
    finally:
        note(table, tally, user, whole=whole)


def cells(table: Table, rows: QuerySet[Any], columns: Sequence[Column], tally: Tally) -> Iterator[list[str]]:
    """One query, read through a cursor: on PostgreSQL the server keeps the result, as of one moment."""
    paths = ("currency", table.owner, table.invoice or table.owner, "status", table.sums)
    wanted = list(dict.fromkeys(chain(paths, (column.path for column in columns))))
    places = [wanted.index(path) for path in paths]
    writers = [(wanted.index(column.path), column.write) for column in columns]
    ordered = rows.order_by(*rows.query.order_by, *table.order)
    for values in ordered.values_list(*wanted).iterator(chunk_size=ROWS_AT_A_TIME):
        currency, owner, invoice, status, sum_ = (values[place] for place in places)
        tally.add(currency, owner, invoice, sum_ if status in table.counts else None)
        yield ["" if values[i] is None else write(values[i], currency) for i, write in writers]


def note(table: Table, tally: Tally, user: User, *, whole: bool) -> None:
    """Write down who exported what; in a contact's or an invoice's timeline if all rows are theirs."""
    words = {"rows": tally.rows, "what": table.what, "money": tally.money}
    sentence = (
        _now("Exported: %(rows)s rows of %(what)s.")
        if whole
        else _now("Export broken off after %(rows)s rows of %(what)s.")
    )
    if tally.sums:
        sentence = f"{sentence} {table.sums_are}"
    one = tally.invoices if table.invoice and len(tally.invoices) == 1 else ()
    invoice = Invoice.objects.filter(pk__in=one).first() if one else None
    Event.objects.create(
        contact_id=next(iter(tally.contacts)) if len(tally.contacts) == 1 else None,
        invoice=invoice,  # none when it was a draft that has been deleted meanwhile
        subject=str(table.what),
        actor=user,
        actor_name=name_of(user),
        action="export",
        text=sentence % words,
        figures={
            "rows": tally.rows,
            "complete": int(whole),
            **{currency: money.plain(sum_, currency) for currency, sum_ in sorted(tally.sums.items())},
        },
        at=clock.now(),
    )
