"""What a line of the editor can be taxed with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django import forms
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now

from billing.models import Invoice, InvoiceLine, TaxRate
from billing.money import ZERO


@dataclass(frozen=True, slots=True)
class Tax:
    """A choice of tax: a rate, and the percentage that a line with it has or keeps."""

    label: str
    rate_id: int | None = None
    percent: Decimal = ZERO


class Taxes(dict[str, Tax]):
    """What a line can be taxed with: every active rate, and what the invoice's lines have already.

    A line keeps its percentage when its rate is changed or withdrawn later.
    """

    def __init__(self, invoice: Invoice | None) -> None:
        super().__init__({"": Tax(_now("No tax"))})
        for rate in TaxRate.objects.filter(is_active=True):
            self[str(rate.pk)] = Tax(str(rate), rate.pk, rate.percent)
        self._values = {(tax.rate_id, tax.percent): value for value, tax in self.items()}
        for rate_id, name, percent in self._kept_by(invoice):
            if (rate_id, percent) not in self._values:
                value = f"{rate_id or ''}@{percent.normalize():f}"
                label = _now("%(name)s (%(percent)s %%), as it was")
                words = {"name": name or _now("Tax"), "percent": f"{percent.normalize():f}"}
                self[value] = Tax(label % words, rate_id, percent)
                self._values[rate_id, percent] = value
        self._rendered: dict[tuple[str, bool], SafeString] = {}

    @staticmethod
    def _kept_by(invoice: Invoice | None) -> list[tuple[int | None, str | None, Decimal]]:
        kept = InvoiceLine.objects.filter(invoice=invoice).order_by("tax_rate__name", "tax_percent")
        return list(kept.values_list("tax_rate_id", "tax_rate__name", "tax_percent").distinct())

    def value_of(self, line: InvoiceLine) -> str:
        return self._values[line.tax_rate_id, line.tax_percent]

    def select(self, value: str, *, wrong: bool) -> SafeString:
        """The choice as HTML, rendered once for all lines that have the same."""
        if (value, wrong) not in self._rendered:
            choices = [(each, tax.label) for each, tax in self.items()]
            if value not in self:
                choices.append((value, f"“{value[:40]}”"))
            attrs = {"aria-label": _now("Tax rate"), **({"aria-invalid": "true"} if wrong else {})}
            widget = forms.Select(choices=choices)
            self._rendered[value, wrong] = widget.render("line-tax", value, attrs)
        return self._rendered[value, wrong]
