"""The lines of an invoice as the editor sends them.

Seven columns of equal length, one value per line, in the order that the page shows; read by hand, because
2,000 Django forms take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.text import get_text_list
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.forms.fields import AmountField, NumberField, PlainTextField, check_precision
from billing.forms.taxes import Tax, Taxes
from billing.models import Invoice, InvoiceLine, LineInput, Product
from billing.models.base import MAX_LINES
from billing.money import ZERO

COLUMNS = ("product", "sku", "description", "quantity", "unit_price", "discount", "tax")
FIGURES = ("quantity", "unit_price", "discount", "tax")
LONGEST_ID = 18
"""Digits of a key that every database can compare."""
SENTENCES_SHOWN = 12

FIELDS: dict[str, forms.Field] = {
    "sku": PlainTextField(label=_("SKU"), max_length=60, required=False),
    "description": PlainTextField(
        label=_("Description"), max_length=200, error_messages={"required": _("Description is missing.")}
    ),
    "quantity": NumberField(
        label=_("Quantity"),
        min_value=Decimal("0.001"),
        max_value=Decimal("999999999.999"),
        decimal_places=3,
        error_messages={"required": _("Quantity is missing.")},
    ),
    "unit_price": AmountField(
        label=_("Unit price"), min_value=0, error_messages={"required": _("Unit price is missing.")}
    ),
    "discount": AmountField(label=_("Discount"), min_value=0, required=False),
}


@dataclass(slots=True)
class Row:
    """One line as it was typed, with what is wrong with it by column."""

    product: str = ""
    sku: str = ""
    description: str = ""
    quantity: str = "1"
    unit_price: str = ""
    discount: str = ""
    tax: str = ""
    tax_select: str = field(default="", init=False)
    terms: str = field(default="", init=False)
    """What comes after this invoice, when the product is sold as a subscription or on a plan."""
    coupon: str = field(default="", init=False)
    """What the invoice's coupon takes off it."""
    input: LineInput | None = field(default=None, init=False)
    """The line, when its figures can be read."""
    amount: str = field(default="", init=False)
    errors: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def is_blank(self) -> bool:
        typed = self.product or self.description.strip() or self.unit_price.strip() or self.discount.strip()
        return not typed and self.quantity.strip() in {"", "1"}

    @property
    def is_unreadable(self) -> bool:
        """Whether a figure is typed that cannot be counted; one that is still to come does not matter."""
        return any(getattr(self, name).strip() and name in self.errors for name in FIGURES)

    @classmethod
    def of(cls, line: InvoiceLine, currency: str, taxes: Taxes) -> Self:
        return cls(
            product=str(line.product_id or ""),
            sku=line.sku,
            description=line.description,
            quantity=f"{line.quantity.normalize():f}",
            unit_price=money.plain(line.unit_price, currency),
            discount=money.plain(line.discount, currency) if line.discount else "",
            tax=taxes.value_of(line),
        )


class Lines:
    """All lines of the page. :meth:`clean` reads them; what cannot be read stays as it was typed."""

    def __init__(self, rows: list[Row], taxes: Taxes) -> None:
        self.rows, self.taxes = rows, taxes
        self.broken = ""

    @classmethod
    def of(cls, invoice: Invoice | None, taxes: Taxes) -> Self:
        stored = invoice.lines.all() if invoice else ()
        currency = invoice.currency if invoice else ""
        return cls([Row.of(line, currency, taxes) for line in stored], taxes)

    @classmethod
    def typed(cls, data: QueryDict, taxes: Taxes) -> Self:
        """Read the columns. A column that is left out altogether is empty in every line."""
        columns = {name: data.getlist(f"line-{name}") for name in COLUMNS}
        columns = {name: values for name, values in columns.items() if values}
        counts = {len(values) for values in columns.values()}
        length = min(counts, default=0)
        rows = [Row(**{name: values[n] for name, values in columns.items()}) for n in range(length)]
        lines = cls(rows, taxes)
        if len(counts) > 1:
            seen = [f"{name} {len(values)}" for name, values in columns.items()]
            lines.broken = _now("Lines came incomplete (%(counts)s): load the page again.") % {
                "counts": get_text_list(seen, _now("and"))
            }
        return lines

    def clean(self, currency: str | None) -> None:
        """Read every line that is not blank. Without a known currency its precision is not asked for."""
        if len(self.filled) > MAX_LINES:
            self.broken = _now("Lines are %(count)s: an invoice holds at most %(most)s.") % {
                "count": len(self.filled),
                "most": MAX_LINES,
            }
            return
        products = self._known_products(currency or "")
        for row in self.filled:
            self._clean_row(row, currency, products)

    @property
    def filled(self) -> list[Row]:
        return [row for row in self.rows if not row.is_blank]

    @property
    def inputs(self) -> list[LineInput]:
        """The lines whose figures can be read, in order."""
        return [row.input for row in self.rows if row.input]

    def is_valid(self) -> bool:
        return not self.broken and not any(row.errors for row in self.rows)

    def sentences(self) -> Iterator[str]:
        """What is wrong, each with the number of its line, as many as a person reads at once."""
        if self.broken:
            yield self.broken
        wrong = [(n, row) for n, row in enumerate(self.rows, start=1) if row.errors]
        told = [
            _now("Line %(number)s: %(sentence)s") % {"number": number, "sentence": sentence}
            for number, row in wrong[:SENTENCES_SHOWN]
            for sentence in row.errors.values()
        ]
        yield from told
        if len(wrong) > SENTENCES_SHOWN:
            numbers = [str(number) for number, _row in wrong[SENTENCES_SHOWN:]]
            more = ", ".join(numbers[:100]) + (" …" if len(numbers) > 100 else "")
            yield _now("Lines with errors as well: %(numbers)s.") % {"numbers": more}

    def uncounted(self) -> Iterator[str]:
        """The first few lines whose figures cannot be read, while they are being typed."""
        unread = ((n, row) for n, row in enumerate(self.rows, start=1) if row.is_unreadable)
        for number, row in islice(unread, 3):
            yield _now("Line %(number)s is not counted: %(sentence)s") % {
                "number": number,
                "sentence": " ".join(row.errors.values()),
            }

    def take_off(self, shares: Sequence[Decimal], totals: Sequence[Decimal], currency: str) -> None:
        """Show on each line that can be read its share of the coupon, and what is left of it."""
        counted = (row for row in self.rows if row.input)
        for row, share, total in zip(counted, shares, totals, strict=True):
            words = _now("coupon %(share)s") % {"share": money.show(-share, currency)}
            row.coupon = words if share else ""
            row.amount = money.show(total, currency)

    def render_choices(self) -> None:
        for row in self.rows:
            row.tax_select = self.taxes.select(row.tax, wrong="tax" in row.errors)

    # -- rearranging, for a browser without scripts

    def add(self, row: Row | None = None) -> None:
        while self.rows and self.rows[-1].is_blank and row:
            self.rows.pop()
        self.rows.append(row or Row())

    def remove(self, index: int) -> None:
        if 0 <= index < len(self.rows):
            del self.rows[index]

    def move(self, index: int, step: int) -> None:
        if 0 <= index < len(self.rows) and 0 <= index + step < len(self.rows):
            self.rows.insert(index + step, self.rows.pop(index))

    # -- one line

    def _known_products(self, currency: str) -> dict[str, str]:
        """The terms of each product that a line names, in this currency if it has them there, by its id."""
        asked = {int(row.product) for row in self.filled if is_id(row.product)}
        known = Product.objects.filter(pk__in=asked).prefetch_related("prices") if asked else ()
        return {str(product.pk): (product.priced_in(currency) or product).terms for product in known}

    def _clean_row(self, row: Row, currency: str | None, products: dict[str, str]) -> None:
        row.errors, row.input, row.coupon, values = {}, None, "", dict[str, Any]()
        for name, each in FIELDS.items():
            try:
                values[name] = each.clean(getattr(row, name))
                if currency and name in ("unit_price", "discount"):
                    check_precision(str(each.label), values[name], currency)
            except ValidationError as error:
                row.errors[name] = " ".join(error.messages)
        row.terms = products.get(row.product, "")
        if row.product and row.product not in products:
            row.errors["product"] = _now("Product is “%(value)s”: there is no such product.") % {
                "value": row.product[:40]
            }
        tax = self.taxes.get(row.tax)
        if tax is None:
            row.errors["tax"] = _now("Tax rate is “%(value)s”: it is not one of the rates offered.") % {
                "value": row.tax[:40]
            }
        elif not row.errors.keys() & {"quantity", "unit_price", "discount"}:
            row.input = line_input(row, values, tax)
            if currency:
                check_amounts(row, row.input, currency)


def is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_ID


def line_input(row: Row, values: dict[str, Any], tax: Tax) -> LineInput:
    return LineInput(
        description=values.get("description", ""),
        quantity=values["quantity"],
        unit_price=values["unit_price"],
        discount=values["discount"] or ZERO,
        sku=values.get("sku", ""),
        product_id=int(row.product) if row.product and "product" not in row.errors else None,
        tax_rate_id=tax.rate_id,
        tax_percent=tax.percent,
    )


def check_amounts(row: Row, line: LineInput, currency: str) -> None:
    """Note on the row a discount above the line, or an amount too large to be kept."""
    amounts = line.amounts(currency)
    if amounts.net < 0:
        row.errors["discount"] = _now("Discount is %(discount)s: it is more than the line comes to.") % {
            "discount": money.show(line.discount, currency)
        }
    elif amounts.total > money.LARGEST:
        row.errors["unit_price"] = _now("Amount is %(amount)s: at most %(most)s can be kept.") % {
            "amount": money.show(amounts.total, currency),
            "most": money.LARGEST,
        }
    else:
        row.amount = money.show(amounts.total, currency)
    if "discount" in row.errors or "unit_price" in row.errors:
        row.input = None
