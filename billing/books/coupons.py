"""What must be true of coupons, their codes, and what they took off invoices."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Exists, F, OuterRef, Q

from billing.books.problem import Problem
from billing.models import Coupon, CouponCode, CouponRedemption, Invoice, InvoiceLine, Order
from billing.models.coupons.discount import Discount
from billing.models.coupons.redemption import STANDS
from billing.statuses import CodeState, CouponAudience, InvoiceStatus

BATCH = 500
"""Invoices that are read together."""
USED_UP_NOWHERE = (InvoiceStatus.DRAFT, InvoiceStatus.DECLINED, InvoiceStatus.VOIDED)
"""Statuses in which a code on an invoice need not stand redeemed."""


def problems_of_coupons() -> Iterator[Problem]:
    """Each coupon's count, each personal code's state, and each line's share on the invoices with a code."""
    yield from _counts()
    yield from _states()
    yield from _audiences()
    yield from _without_a_code()
    yield from _standing_for_nothing()
    yield from _carried_for_nothing()
    discounts: dict[str, Discount] = {}
    last = 0
    while batch := _invoices_after(last):
        for invoice in batch:
            yield from _problems_of(invoice, discounts)
        last = batch[-1].pk


def _counts() -> Iterator[Problem]:
    stand = Count("codes__redemptions", filter=Q(codes__redemptions__returned_at=None))
    for coupon in Coupon.objects.annotate(stand=stand).exclude(redeemed=F("stand")).order_by("pk"):
        counted = str(vars(coupon)["stand"])
        yield Problem("coupon", coupon.pk, coupon.name, "redeemed", str(coupon.redeemed), counted)


def _states() -> Iterator[Problem]:
    """A personal code is redeemed while a redemption stands, and only then."""
    stands = Exists(CouponRedemption.objects.filter(STANDS, code=OuterRef("pk")))
    personal = CouponCode.objects.filter(contact__isnull=False).annotate(stands=stands)
    redeemed = Q(state=CodeState.REDEEMED)
    wrong = personal.filter(Q(redeemed, stands=False) | (~redeemed & Q(stands=True)))
    for code in wrong.order_by("pk").iterator(chunk_size=2000):
        expected = CodeState.REDEEMED if vars(code)["stands"] else CodeState.ISSUED
        yield Problem("coupon code", code.pk, code.code, "state", code.state, expected)


def _audiences() -> Iterator[Problem]:
    """A coupon's codes are personal ones, or it has the public one alone."""
    personal = Q(coupon__audience=CouponAudience.PERSONAL)
    wrong = CouponCode.objects.filter(
        Q(personal, contact__isnull=True) | (~personal & Q(contact__isnull=False))
    )
    for code in wrong.select_related("coupon").order_by("pk"):
        kind = "public" if code.contact_id is None else "personal"
        yield Problem("coupon code", code.pk, code.code, "contact", kind, code.coupon.audience)


def _without_a_code() -> Iterator[Problem]:
    lines = InvoiceLine.objects.filter(coupon_discount__gt=0, invoice__coupon_code=None)
    for line in lines.select_related("invoice").order_by("pk"):
        yield _of_line(line, line.invoice, "0")


def _standing_for_nothing() -> Iterator[Problem]:
    """A redemption stands while its invoice has the code, and not once nothing came of the invoice, unless a
    later payment of an order that it started carried the code as well.
    """
    carried = Invoice.objects.filter(
        order__origin=OuterRef("invoice"), coupon_code__code=OuterRef("code__code")
    )
    another = Q(invoice__coupon_code=None) | ~Q(invoice__coupon_code=F("code__code"))
    unpaid = Q(invoice__status=InvoiceStatus.VOIDED, invoice__paid=0, invoice__refunded=0)
    ended = Q(invoice__status=InvoiceStatus.DECLINED) | (unpaid & ~Exists(carried))
    wrong = CouponRedemption.objects.filter(STANDS).filter(another | ended)
    for redemption in wrong.select_related("code", "invoice").order_by("pk"):
        words = (str(redemption.invoice), "redemption", f"of {redemption.code.code}", "none")
        yield Problem("invoice", redemption.invoice_id, *words)


def _carried_for_nothing() -> Iterator[Problem]:
    """An order that goes on carries the code that the invoice which started it stands redeemed with."""
    standing = CouponRedemption.objects.filter(STANDS, invoice=OuterRef("origin"))
    redeemed = Exists(standing.filter(code__code=OuterRef("coupon_code")))
    wrong = Order.objects.unended().filter(~redeemed, coupon_code__isnull=False)
    for order in wrong.order_by("pk"):
        yield Problem("order", order.pk, str(order), "coupon_code", str(order.coupon_code_id), "none")


def _of_line(line: InvoiceLine, invoice: Invoice, computed: str) -> Problem:
    return Problem("line", line.pk, str(invoice), "coupon_discount", str(line.coupon_discount), computed)


def _invoices_after(last: int) -> list[Invoice]:
    rows = Invoice.objects.filter(pk__gt=last, coupon_code__isnull=False).order_by("pk")
    standing = CouponRedemption.objects.filter(STANDS, invoice=OuterRef("pk"))
    stands = Exists(standing.filter(code__code=OuterRef("coupon_code")))
    return list(rows.annotate(stands=stands).prefetch_related("lines")[:BATCH])


def _problems_of(invoice: Invoice, discounts: dict[str, Discount]) -> Iterator[Problem]:
    if invoice.coupon not in discounts:
        discounts[invoice.coupon] = CouponCode.discount_of(invoice.coupon)
    lines = list(invoice.lines.all())
    shares = discounts[invoice.coupon].shares([line.given for line in lines], invoice.currency)
    for line, share in zip(lines, shares, strict=True):
        if line.coupon_discount != share:
            yield _of_line(line, invoice, str(share))
    redeems = invoice.status not in USED_UP_NOWHERE and invoice.order_id is None
    if redeems and not vars(invoice)["stands"]:
        yield Problem("invoice", invoice.pk, str(invoice), "redemption", "none", f"of {invoice.coupon}")
