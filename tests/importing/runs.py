"""Running the command as people do, on the retailer's sample or on a few lines written down in a test."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command

from billing.models import Event, Invoice, InvoiceLine, Payment, Product
from contacts.models import Contact

SAMPLE = Path(__file__).with_name("online_retail_sample.csv")
COLUMNS = (
    *("number=InvoiceNo", "sku=StockCode", "description=Description", "quantity=Quantity"),
    *("date=InvoiceDate", "price=UnitPrice", "contact=CustomerID", "country=Country"),
)
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


@dataclass(frozen=True)
class Run:
    """What one run printed, and the rows of its report."""

    summary: str
    rejected: list[dict[str, str]]

    @property
    def reasons(self) -> dict[int, str]:
        """Reason by line number."""
        return {int(row["line"]): row["reason"] for row in self.rejected}

    def figures(self, heading: str) -> tuple[str, ...]:
        """The documents, lines and amount that the summary shows beside a heading."""
        line = next(line for line in self.summary.splitlines() if line.strip().startswith(heading))
        return tuple(line.strip().removeprefix(heading).split())


def run_import(path: Path, *arguments: str, currency: str = "GBP") -> Run:
    """Import in London's time, with C for cancellations and the report beside the file."""
    report = path.with_name(f"{path.name}.rejected.csv")
    out = io.StringIO()
    given = ("--currency", currency, "--timezone", "Europe/London", "--cancelled-prefix", "C")
    reporting = ("--report", str(report))
    call_command(
        "import_purchases", str(path), *given, *reporting, *arguments, "--columns", *COLUMNS, stdout=out
    )
    return Run(out.getvalue(), read_report(report))


def read_report(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def line(number: str = "7001", **changes: str) -> str:
    """One good line, with the cells of its fields that are named changed."""
    cells = {
        "sku": "71053",
        "description": "WHITE METAL LANTERN",
        "quantity": "6",
        "date": "2011-03-01 08:26:00",
        "price": "3.39",
        "contact": "17850",
        "country": "United Kingdom",
        **changes,
    }
    text = io.StringIO()
    csv.writer(text).writerow([number, *cells.values()])
    return text.getvalue().removesuffix("\r\n")


def written(folder: Path, *lines: str, name: str = "purchases.csv") -> Path:
    path = folder / name
    path.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8", newline="")
    return path


def numbers() -> list[str]:
    """The invoices in the books."""
    return [str(invoice) for invoice in Invoice.objects.order_by("number")]


def everything() -> dict[str, list[object]]:
    """Every row that an import can write."""
    models = (Contact, Product, Invoice, InvoiceLine, Payment, Event)
    return {model.__name__: list(model._default_manager.order_by("pk").values_list()) for model in models}
