"""What the year prints."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence

from django.db.models import Count

from billing.models import Attempt, Invoice, Mail, Order
from tests.year.calendar import expected
from tests.year.course import Story
from tests.year.sales import Sale
from tests.year.verdict import KINDS, Deviation

MOST_SHOWN = 20


def figures(sales: Sequence[Sale], story: Story) -> str:
    """One line for each kind of order, and what became of everything."""
    made = dict(Invoice.objects.exclude(order=None).values_list("order").annotate(Count("pk")).order_by())
    rows: dict[str, Tally[str]] = {}
    for sale in sales:
        order = story.orders.get(sale.number)
        if order is not None:
            row = rows.setdefault(sale.kind, Tally())
            row.update(orders=1, calendar=len(expected(sale, story.of(sale))), invoices=made.get(order, 0))
    lines = [f"{'':<30}{'orders':>8}{'calendar':>10}{'invoices':>10}"]
    lines += [_line(kind, rows[kind]) for kind in sorted(rows)]
    lines.append(_line("all", sum(rows.values(), Tally[str]())))
    return "\n".join([*lines, *_states(), f"happened to them: {_befell(story)}"])


def _line(name: str, row: Tally[str]) -> str:
    return f"{name:<30}{row['orders']:>8}{row['calendar']:>10}{row['invoices']:>10}"


def _states() -> list[str]:
    counted = (("orders", Order, "status"), ("invoices", Invoice, "status"), ("charges", Attempt, "state"))
    return [
        f"{name}: {_counts(model, column)}" for name, model, column in (*counted, ("mails", Mail, "kind"))
    ]


def _counts(model: type[Order | Invoice | Attempt | Mail], column: str) -> str:
    rows = model._default_manager.values_list(column).annotate(Count("pk")).order_by(column)
    return ", ".join(f"{count} {value}" for value, count in rows) or "none"


def _befell(story: Story) -> str:
    deeds = Tally(done.what for each in story.deeds.values() for done in each)
    return ", ".join(f"{count} {what}" for what, count in sorted(deeds.items())) or "nothing"


def differences(found: Sequence[Deviation]) -> str:
    kinds = Tally(each.kind for each in found)
    lines = [f"{kind}: {kinds[kind]}" for kind in KINDS]
    for kind in KINDS:
        these = [each.words for each in found if each.kind == kind]
        lines += [f"  {kind}: {words}" for words in these[:MOST_SHOWN]]
        if len(these) > MOST_SHOWN:
            lines.append(f"  {kind}: and {len(these) - MOST_SHOWN} more")
    return "\n".join(lines)
