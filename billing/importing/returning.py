"""Which sale a cancellation returns: the latest earlier invoice that still holds the goods and the money."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _now

from billing import money
from billing.importing.documents import Document
from billing.importing.entries import Entry
from billing.importing.refusing import Reason, Rejected
from billing.money import ZERO


@dataclass(slots=True)
class Sale:
    """An invoice that goods can come back to.

    ``held`` is the quantity of each product and ``paid`` the money, both without what came back.
    """

    number: str
    moment: datetime
    paid: Decimal
    held: dict[str, Decimal]

    @classmethod
    def of(cls, document: Document) -> Sale:
        return cls(document.number, document.moment, document.total, quantities(document.entries))

    def can_take(self, wanted: dict[str, Decimal], amount: Decimal) -> bool:
        return amount <= self.paid and all(
            self.held.get(key, ZERO) >= quantity for key, quantity in wanted.items()
        )

    def take(self, wanted: dict[str, Decimal], amount: Decimal) -> None:
        self.paid -= amount
        for key, quantity in wanted.items():
            self.held[key] -= quantity


@dataclass(frozen=True, slots=True)
class Refund:
    """The part of a cancellation that one invoice returns. ``amount`` is positive."""

    document: Document
    invoice: str
    entries: Sequence[Entry]

    @property
    def amount(self) -> Decimal:
        return sum((entry.amount for entry in self.entries), ZERO)


class Sales:
    """Everybody's sales, found by customer and product."""

    def __init__(self, sales: Sequence[tuple[str, Sale]]) -> None:
        self._holding: dict[tuple[str, str], list[Sale]] = defaultdict(list)
        for contact, sale in sorted(sales, key=lambda pair: (pair[1].moment, pair[1].number), reverse=True):
            for key in sale.held:
                self._holding[contact, key].append(sale)

    def give_back(self, cancellation: Document, currency: str) -> tuple[list[Refund], list[Rejected]]:
        """The refunds that the cancellation comes to, one for each invoice, and the lines that find none.

        All of it goes to one invoice where one holds all of it; otherwise each line to its own.
        """
        whole = self._taken(cancellation, cancellation.entries)
        if whole:
            return [Refund(cancellation, whole.number, cancellation.entries)], []
        parts: dict[str, list[Entry]] = defaultdict(list)
        rejected = []
        for entry in cancellation.entries:
            sale = self._taken(cancellation, [entry])
            if sale:
                parts[sale.number].append(entry)
            else:
                rejected.append(self._why_not(cancellation, entry, currency))
        return [Refund(cancellation, number, entries) for number, entries in parts.items()], rejected

    def _taken(self, cancellation: Document, entries: Sequence[Entry]) -> Sale | None:
        """The sale that these lines were returned to."""
        wanted = quantities(entries)
        amount = sum((entry.amount for entry in entries), ZERO)
        for sale in self._earlier(cancellation, entries[0]):
            if sale.can_take(wanted, amount):
                sale.take(wanted, amount)
                return sale
        return None

    def _earlier(self, cancellation: Document, entry: Entry) -> Iterator[Sale]:
        """The customer's invoices with this product, up to the cancellation's moment, the latest first."""
        sales = self._holding.get((cancellation.contact, entry.product_key), ())
        return (sale for sale in sales if sale.moment <= cancellation.moment)

    def _why_not(self, cancellation: Document, entry: Entry, currency: str) -> Rejected:
        product = entry.sku or entry.description
        latest = next(self._earlier(cancellation, entry), None)
        if latest is None:
            why = _now("The customer has no earlier invoice that holds %(product)s.")
            return Rejected(Reason.NO_SALE, why % {"product": product}, entry.row)
        words = {
            "quantity": f"{entry.quantity.normalize():f}",
            "product": product,
            "amount": money.show(entry.amount, currency),
            "invoice": latest.number,
            "held": f"{latest.held[entry.product_key].normalize():f}",
            "paid": money.show(latest.paid, currency),
        }
        why = _now(
            "%(quantity)s × %(product)s for %(amount)s is more than any earlier invoice has left to return;"
            " the latest, %(invoice)s, has %(held)s of it and %(paid)s."
        )
        return Rejected(Reason.NOTHING_LEFT, why % words, entry.row)


def quantities(entries: Sequence[Entry]) -> dict[str, Decimal]:
    """How much of each product the lines hold together."""
    total: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        total[entry.product_key] += entry.quantity
    return total
