"""What must be true of partners' commissions, given the money of their invoices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from django.db.models import F, Q

from billing.books.problem import Problem
from billing.commissions import Sold, due
from billing.models import Commission, Payout, Referral
from billing.money import ZERO

BATCH = 1000
"""Invoices, or payouts, that are read together."""


def problems_of_commissions() -> Iterator[Problem]:
    """Every commission with its invoice, every payout, and every referral of another program's partner."""
    yield from _earned()
    yield from _payouts()
    strange = Q(first__program__isnull=False) & ~Q(first__program=F("program"))
    strange |= Q(last__program__isnull=False) & ~Q(last__program=F("program"))
    for referral in Referral.objects.filter(strange).select_related("program", "contact", "first", "last"):
        yield Problem(
            "referral",
            referral.pk,
            referral.contact.name,
            "partners",
            "of another program",
            str(referral.program),
        )


def _earned() -> Iterator[Problem]:
    last = 0
    while ids := list(_invoices_after(last)):
        rows = Commission.objects.filter(invoice__in=ids).select_related("invoice", "line")
        places = attrgetter("invoice_id", "line_id", "partner_id", "level")
        for _place, group in groupby(rows.order_by("invoice", "line", "partner", "level", "pk"), key=places):
            yield from _of_place(list(group))
        last = ids[-1]


def _invoices_after(last: int) -> list[int]:
    earning = Commission.objects.filter(invoice__gt=last).order_by("invoice")
    return list(earning.values_list("invoice", flat=True).distinct()[:BATCH])


def _of_place(rows: list[Commission]) -> Iterator[Problem]:
    """The rows of a line, partner and level: all at one rate, and together what is due; or nothing at all, as
    for one who was the referrer once.
    """
    first = rows[0]
    for row in rows:
        expected = {
            "currency": first.invoice.currency,
            "invoice_id": first.line.invoice_id,
            "rate": first.rate,
        }
        for column, computed in expected.items():
            if getattr(row, column) != computed:
                yield _of(row, column, getattr(row, column), computed)
    counted = sum((row.amount for row in rows if row.is_counted), ZERO)
    right = due(first.rate, Sold(first.line.net, first.line.quantity), first.invoice.money_kept())
    if counted not in (ZERO, right):
        yield _of(rows[-1], "sum", counted, right)


def _of(row: Commission, column: str, stored: object, computed: object) -> Problem:
    return Problem("commission", row.pk, str(row.invoice), column, str(stored), str(computed))


def _payouts() -> Iterator[Problem]:
    last = 0
    while batch := list(Payout.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        for payout in batch:
            rows = list(payout.commissions.select_related("partner"))
            expected = {
                "total": sum((row.amount for row in rows), ZERO),
                "partner_count": len({row.partner_id for row in rows}),
            }
            for column, computed in expected.items():
                if getattr(payout, column) != computed:
                    stored = getattr(payout, column)
                    yield Problem("payout", payout.pk, str(payout), column, str(stored), str(computed))
            others = {(row.currency, row.partner.program_id) for row in rows}
            if others - {(payout.currency, payout.program_id)}:
                yield Problem("payout", payout.pk, str(payout), "commissions", "of others", payout.currency)
        last = batch[-1].pk
