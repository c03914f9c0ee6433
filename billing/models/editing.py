"""An invoice comes into being, is edited, issued, or deleted while it is a draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _now

from billing import money
from billing.models.base import MAX_LINES, InvoiceBase
from billing.models.coupons.discount import Discount, shares_of
from billing.models.discounting import Discounting
from billing.models.guard import Actor, Deed, Invalid, NotAllowed, NotOffered, OneTimeKey, guarded, once, tell
from billing.models.line import InvoiceLine, LineInput
from billing.models.series import Series, Taken
from billing.models.spelling import spelt
from billing.money import ZERO
from billing.statuses import InvoiceStatus
from contacts.models import Contact

if TYPE_CHECKING:
    from billing.models.event import Event


@dataclass(frozen=True, slots=True)
class Header:
    """What an invoice says besides its lines. ``shipping`` is in ``currency``; ``coupon`` is a code, however
    it was typed.
    """

    currency: str
    invoice_date: date
    due_on: date
    shipping: Decimal = ZERO
    note: str = ""
    internal_note: str = ""
    external_ref: str = ""
    coupon: str = ""

    @classmethod
    def of(cls, invoice: InvoiceBase) -> Self:
        return cls(**{field.name: getattr(invoice, field.name) for field in fields(cls)})


COLUMNS = [{"coupon": "coupon_code"}.get(field.name, field.name) for field in fields(Header)]
"""Where the invoice keeps its header."""


class Editing(Discounting):
    class Meta:
        abstract = True

    @classmethod
    def draft(
        cls,
        by: Actor,
        *,
        contact: Contact,
        header: Header,
        lines: Sequence[LineInput],
        key: UUID | None = None,
    ) -> Event:
        """Save a new draft; the event's ``invoice`` is it. Raises NotAllowed, Invalid, AlreadyDone."""
        if by is not None and not by.has_perm("billing.add_invoice"):
            raise NotAllowed(_now("Your role does not include creating invoices."))

        used_once = OneTimeKey(key, by, "create", Q(contact=contact))

        def work() -> Event:
            used_once.refuse_used()
            invoice = cls(contact=contact)
            discount = invoice.discount_for(header.coupon, lines, currency=header.currency)
            invoice._take(header, discount)
            invoice.save()
            invoice._put_lines(lines, discount)
            invoice.store(*invoice.summarize(), *invoice.recompute())
            text = _now("Draft created: %(total)s.") % {"total": invoice.show(invoice.total)}
            return tell(invoice.row, by, "create", Deed(text, {"total": str(invoice.total)}), key=key)

        return once(used_once, work)

    @guarded("edit")
    def edit(self, by: Actor, *, header: Header, lines: Sequence[LineInput]) -> Deed:
        """Replace header and lines.

        An Open invoice redeems the coupon that is put on it and gives back the one that is taken off. Raises
        Invalid when its total would fall below what is paid, and for a coupon that cannot be used.
        """
        before = self.total
        header = replace(header, coupon=spelt(header.coupon))
        changed = [
            field.name for field in fields(Header) if getattr(self, field.name) != getattr(header, field.name)
        ]
        if header.currency != self.currency and (self.payments.exists() or self.attempts.exists()):
            raise Invalid(
                _now("Currency is %(currency)s: money was asked for in %(old)s already, so it cannot change.")
                % {"currency": header.currency, "old": self.currency},
                field="currency",
            )
        discount = self.change_coupon(by, header.coupon, lines, currency=header.currency)
        self._take(header, discount)
        self.lines.all().delete()
        self._put_lines(lines, discount)
        names = [*self.summarize(), *self.recompute()]
        if self.total < self.paid:
            raise Invalid(
                _now("Total is %(total)s: it may not fall below the %(paid)s that is paid.")
                % {"total": self.show(self.total), "paid": self.show(self.paid)},
                field="total",
            )
        self._close_if_settled()
        self.store("status", *COLUMNS, *names)
        text = _now("Edited: total %(before)s → %(after)s.")
        return Deed(
            text % {"before": self.show(before), "after": self.show(self.total)},
            {"total_before": str(before), "total_after": str(self.total), "changed": ", ".join(changed)},
        )

    @guarded("issue")
    def issue(self, by: Actor, *, at: datetime) -> Deed:
        """Give the draft its number: it is Open from now on, or Closed when it asks for nothing.

        Its coupon is redeemed. Lines of products sold as subscriptions or on plans start their orders
        (``models.terms``). Raises Invalid without lines, and for a coupon that cannot be redeemed any more.
        """
        if not self.line_count:
            raise Invalid(_now("An invoice needs at least one line before it is issued."), field="lines")
        self.redeem_coupon(by, at=at)
        deed = self._number(at)
        self.row.start_orders(by, at=at)
        return deed

    def _number(self, at: datetime, status: InvoiceStatus = InvoiceStatus.OPEN) -> Deed:
        self.sequence, self.number = self._take_number()
        self.issued_at = at
        self.become(status)
        self._close_if_settled()
        self.store("sequence", "number", "issued_at", "status", *self.recompute())
        text = _now("Issued as %(number)s over %(total)s: %(status)s.")
        return Deed(
            text
            % {
                "number": self.number,
                "total": self.show(self.total),
                "status": self.get_status_display(),
            },
            {"total": str(self.total), "status": self.status},
        )

    def _take_number(self) -> Taken:
        """The next number of our run. One that an import brought along is that invoice's place in it.

        Raises NotOffered when the format of the numbers leads to one that exists.
        """
        while True:
            taken = Series.take()[0]
            holder = type(self.row).objects.filter(number=taken.number)
            if not holder.exists():
                return taken
            if not holder.filter(sequence=None).update(sequence=taken.sequence):
                raise NotOffered(
                    _now("The next number is %(number)s, which exists: change the format of the numbers.")
                    % {"number": taken.number}
                )

    @guarded("delete")
    def discard(self, by: Actor) -> Deed:
        """Delete the draft and its lines. It never had a number, so none is missing."""
        name = str(self)
        text = _now("%(invoice)s over %(total)s deleted.") % {
            "invoice": name,
            "total": self.show(self.total),
        }
        figures: dict[str, str | int | None] = {"total": str(self.total), "lines": self.line_count}
        self.give_back_coupon(by)
        self.delete()
        return Deed(text, figures, subject=name)

    def _take(self, header: Header, discount: Discount | None) -> None:
        check_header(header)
        for field in fields(Header):
            setattr(self, field.name, getattr(header, field.name))
        self.coupon = discount.code if discount else ""

    def _put_lines(self, lines: Sequence[LineInput], discount: Discount | None) -> None:
        if len(lines) > MAX_LINES:
            raise Invalid(
                _now("Lines are %(count)s: an invoice holds at most %(most)s.")
                % {"count": len(lines), "most": MAX_LINES},
                field="lines",
            )
        shares = shares_of(discount, lines, self.currency)
        rows = [
            InvoiceLine.made_from(
                line, invoice_id=self.pk, position=position, currency=self.currency, coupon=share
            )
            for position, (line, share) in enumerate(zip(lines, shares, strict=True), start=1)
        ]
        check_total(rows, self.shipping, self.currency)
        InvoiceLine.objects.bulk_create(rows, batch_size=500)

    def _close_if_settled(self) -> None:
        """What owes nothing when it is issued, or after an edit, is Closed."""
        if self.status == InvoiceStatus.OPEN and self.total == self.paid:
            self.become(InvoiceStatus.CLOSED)
            self.balance = ZERO


def check_header(header: Header) -> None:
    """Raise Invalid for a currency that is none, an amount too fine for it, or a due date before the
    invoice's.
    """
    if header.currency not in money.EXPONENTS:
        raise Invalid(
            _now("Currency is “%(currency)s”: it is not in ISO 4217.") % {"currency": header.currency},
            field="currency",
        )
    if header.shipping < 0 or money.is_too_fine(header.shipping, header.currency):
        raise Invalid(
            _now("Shipping is %(amount)s: it must be 0 or more, with at most %(places)s decimals.")
            % {"amount": header.shipping, "places": money.exponent(header.currency)},
            field="shipping",
        )
    if header.due_on < header.invoice_date:
        raise Invalid(
            _now("Due date is %(due)s: it is before the invoice date, %(date)s.")
            % {"due": header.due_on, "date": header.invoice_date},
            field="due_on",
        )


def check_total(rows: Sequence[InvoiceLine], shipping: Decimal, currency: str) -> None:
    """Raise Invalid for a line that goes below 0, or a total too large to be stored exactly."""
    for number, row in enumerate(rows, start=1):
        if row.net < 0:
            raise Invalid(
                _now("Discount of line %(number)s is %(discount)s: it is more than the line comes to.")
                % {"number": number, "discount": money.show(row.discount, currency)},
                field="lines",
            )
    total = sum((row.total for row in rows), shipping)
    if total > money.LARGEST:
        raise Invalid(
            _now("Total is %(total)s: at most %(most)s can be kept.")
            % {"total": money.show(total, currency), "most": money.show(money.LARGEST, currency)},
            field="lines",
        )


def totals_of(
    lines: Sequence[LineInput], *, shipping: Decimal, currency: str, discount: Discount | None = None
) -> dict[str, Any]:
    """What the lines come to, by the same arithmetic that saving uses: per line and in all. Saves nothing."""
    shares = shares_of(discount, lines, currency)
    amounts = [line.amounts(currency, coupon=share) for line, share in zip(lines, shares, strict=True)]
    subtotal = sum((a.net for a in amounts), ZERO)
    tax = sum((a.tax for a in amounts), ZERO)
    return {
        "lines": [a.total for a in amounts],
        "coupons": shares,
        "coupon": sum(shares, ZERO),
        "subtotal": subtotal,
        "tax": tax,
        "shipping": shipping,
        "total": subtotal + tax + shipping,
    }
