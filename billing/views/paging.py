"""Lists on a page: 25 rows of each, and links to the others that leave the other lists where they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import QueryDict

Row = TypeVar("Row", bound=Model)

PER_PAGE = 25
PAGE_NUMBER = re.compile("-?[0-9]{1,18}")


class CountedPaginator(Paginator[Any]):
    """A paginator that is told the count, so that it need not ask for it."""

    def __init__(self, rows: QuerySet[Any] | list[Any], count: int) -> None:
        super().__init__(rows, PER_PAGE)
        self.known = count

    @cached_property
    def count(self) -> int:
        return self.known


@dataclass(frozen=True)
class Section:
    """One list of a page: ``name`` is its anchor and the name of its page's number in ``query``, which
    keeps the others.
    """

    name: str
    page: Page[Any]
    query: QueryDict

    @property
    def count(self) -> int:
        return self.page.paginator.count

    @cached_property
    def previous_url(self) -> str:
        return self._url(self.page.number - 1) if self.page.has_previous() else ""

    @cached_property
    def next_url(self) -> str:
        return self._url(self.page.number + 1) if self.page.has_next() else ""

    def _url(self, number: int) -> str:
        query = self.query.copy()
        query[self.name] = str(number)
        return f"?{query.urlencode()}#{self.name}"


Rows = QuerySet[Any] | list[Any]


def section(name: str, rows: Rows, query: QueryDict, count: int | None = None) -> Section:
    """The page of ``rows`` that the query string asks for; a page that does not exist is the nearest that
    does.
    """
    paginator: Paginator[Any] = Paginator(rows, PER_PAGE) if count is None else CountedPaginator(rows, count)
    asked = query.get(name, "")
    number = int(asked) if PAGE_NUMBER.fullmatch(asked) else 1
    return Section(name, paginator.page(min(max(number, 1), paginator.num_pages)), query)


def newest(shown: Section, is_meant: Callable[[Row], bool], rows: Callable[[], QuerySet[Row]]) -> Row | None:
    """The first of ``rows``, which are those of the list that ``is_meant`` picks, in the same order.

    It mostly stands on the list's first page, which is in hand; otherwise it takes a query.
    """
    if shown.page.number == 1:
        found = next((row for row in cast("Page[Row]", shown.page) if is_meant(row)), None)
        if found or not shown.page.has_next():
            return found
    return rows().first()
