from __future__ import annotations

from collections.abc import Iterator

from billing.books.problem import Problem
from billing.models import Invoice, Series

BATCH = 1000


def problems_of_numbers() -> Iterator[Problem]:
    """Every number up to the last one taken stands on an invoice, and none just beyond it does."""
    for series in Series.objects.order_by("pk"):
        yield from _gaps(series)


def _gaps(series: Series) -> Iterator[Problem]:
    for first in range(1, series.last + BATCH + 1, BATCH):
        numbers = {series.format.format(number=n): n for n in range(first, first + BATCH)}
        taken = set(Invoice.objects.filter(number__in=numbers).values_list("number", flat=True))
        for number, n in numbers.items():
            if n <= series.last and number not in taken:
                yield Problem("series", series.pk, series.name, number, "missing", "on an invoice")
            if n > series.last and number in taken:
                yield Problem("series", series.pk, series.name, "last", str(series.last), f"at least {n}")
