from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.actions import ACTIONS, Action
from billing.statuses import InvoiceStatus

BETWEEN = re.compile(r"(?<=<!-- action table -->\n).*?(?=<!-- /action table -->)", re.DOTALL)


class Command(BaseCommand):
    help = "Print which action appears on which status, as a table in Markdown."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--write",
            type=Path,
            metavar="FILE",
            help="put it between <!-- action table --> and <!-- /action table --> of this file instead",
        )

    def handle(self, *, write: Path | None, **options: Any) -> None:
        if write is None:
            self.stdout.write(table(), ending="")
        else:
            _write_into(write)
            self.stdout.write(f"{write} has the table.")


def table() -> str:
    """The lines of ``billing.actions`` by status, ending with a line break."""
    head = ["action", *(str(status.label) for status in InvoiceStatus)]
    rule = ["---", *(":-:" for _ in InvoiceStatus)]
    rows = [head, rule, *(_row(action) for action in ACTIONS.values())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _row(action: Action) -> list[str]:
    return [str(action.label), *("Y" if status in action.on else "–" for status in InvoiceStatus)]


def _write_into(file: Path) -> None:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from error
    if not BETWEEN.search(text):
        raise CommandError(
            f"{file} has no lines <!-- action table --> and <!-- /action table --> to put the table between."
        )
    file.write_text(BETWEEN.sub(lambda _: f"\n{table()}\n", text, count=1), encoding="utf-8")
