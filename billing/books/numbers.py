from __future__ import annotations

from collections.abc import Iterator

from billing.books.problem import Problem
from billing.models import Invoice, Series
from billing.models.series import INVOICES

BATCH = 1000


def problems_of_numbers() -> Iterator[Problem]:
    """Every place up to the last one taken is an invoice's, and none beyond it is.

    Places are compared, not the numbers written from them: their format may have changed since.
    """
    for series in Series.objects.filter(name=INVOICES):
        yield from _gaps(series)
        for taken in Invoice.objects.filter(sequence__gt=series.last).values_list("sequence", flat=True):
            yield Problem("series", series.pk, series.name, "last", str(series.last), f"at least {taken}")


def _gaps(series: Series) -> Iterator[Problem]:
    for first in range(1, series.last + 1, BATCH):
        wanted = range(first, min(first + BATCH, series.last + 1))
        taken = set(
            Invoice.objects.filter(sequence__range=(wanted[0], wanted[-1])).values_list("sequence", flat=True)
        )
        for place in wanted:
            if place not in taken:
                yield Problem("series", series.pk, series.name, f"place {place}", "missing", "an invoice's")
