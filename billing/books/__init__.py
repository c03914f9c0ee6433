"""Do the books add up? Every stored figure, recomputed from the rows that it is a cache of.

The walk goes through the invoices in batches: flat memory, and the same few queries for each batch.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing.books.account import accounts
from billing.books.collections import problems_of_collections
from billing.books.commissions import problems_of_commissions
from billing.books.coupons import problems_of_coupons
from billing.books.invoices import problems_of
from billing.books.ledgers import gateway_problems
from billing.books.moment import one_moment
from billing.books.numbers import problems_of_numbers
from billing.books.orders import problems_of_orders
from billing.books.problem import Problem

__all__ = ["Problem", "gateway_problems", "one_moment", "problems"]


def problems() -> Iterator[Problem]:
    """Every stored value that the desk's own rows contradict; nothing, when the books add up."""
    for account in accounts():
        yield from problems_of(account)
    yield from problems_of_numbers()
    yield from problems_of_orders()
    yield from problems_of_coupons()
    yield from problems_of_commissions()
    yield from problems_of_collections()
