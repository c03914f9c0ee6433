from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _now

from billing import clock, importing, money
from billing.importing import Columns, ImportRefused, Plan, Source, Terms
from contacts.models import Contact, tidy

EXAMPLE = (
    "number=InvoiceNo sku=StockCode description=Description quantity=Quantity date=InvoiceDate"
    " price=UnitPrice contact=CustomerID country=Country"
)


class Command(BaseCommand):
    help = (
        "Import purchases from a CSV file (UTF-8; .xz and .gz are unpacked). All lines with one number become"
        " a Closed invoice with its payment, cancellations become refunds. Running it again changes nothing"
        " that it has imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--columns",
            nargs="+",
            default=[],
            metavar="FIELD=HEADING",
            help=f"the headings of the file, for example: {EXAMPLE}",
        )
        parser.add_argument(
            "--currency", default=settings.DEFAULT_CURRENCY, help="ISO 4217 (default: %(default)s)"
        )
        parser.add_argument(
            "--timezone",
            default=settings.TIME_ZONE,
            help="zone of times without an offset (default: %(default)s)",
        )
        parser.add_argument(
            "--cancelled-prefix",
            default="",
            help="what the numbers of cancellations begin with, for example C",
        )
        parser.add_argument(
            "--adjustment-prefix",
            default="A",
            help="numbers of this and digits are adjustments, which are rejected (default: %(default)s)",
        )
        parser.add_argument(
            "--unknown-contact", default="", metavar="NAME", help="contact for documents without a customer"
        )
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="write every rejected line to this CSV file"
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="show what would be imported, and write nothing but the report",
        )

    def handle(self, *, file: Path, report: Path | None, dry_run: bool, **options: Any) -> None:
        unknown_contact = contact_name(options["unknown_contact"])
        terms = terms_of(options)
        columns = pairs(options["columns"])
        if report and report.exists() and file.exists() and report.samefile(file):
            raise CommandError("--report names the file that is to be read; name another.")
        written = 0
        try:
            self._progress("Reading …")
            plan = importing.read(file, Columns(columns), terms, unknown_contact=unknown_contact)
            if report:
                importing.save(plan, report)
            if not dry_run:
                source = Source(shown(file), unknown_contact, terms.now)
                for lines in importing.write(plan, source):
                    written += lines
                    self._progress(f"{written:,} lines imported …")
        except ImportRefused as refused:
            raise CommandError(str(refused)) from refused
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted. {importing.again()}", returncode=130) from None
        finally:
            self._progress("")
        self._sum_up(plan, file, report, dry_run=dry_run)

    def _progress(self, text: str) -> None:
        """On a terminal, say how far it has got, each time on the same line."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def _sum_up(self, plan: Plan, file: Path, report: Path | None, *, dry_run: bool) -> None:
        currency = plan.terms.currency
        table = [
            (_now("Sales"), plan.sold()),
            (_now("Refunds"), plan.returned()),
            (_now("Imported before"), plan.imported_before()),
            (_now("Rejected"), plan.refused()),
            *((f"  {reason.label}", tally) for reason, tally in plan.rejections().items()),
        ]
        self.stdout.write(f"{shown(file)}: {plan.lines:,} lines")
        self.stdout.write(f"{'':<50} {_now('documents'):>10} {_now('lines'):>10} {currency:>18}")
        for words, tally in table:
            documents = f"{tally.documents:,}" if tally.documents else ""
            amount = f"{tally.amount:,.{money.exponent(currency)}f}"
            self.stdout.write(f"{words:<50} {documents:>10} {tally.lines:>10,} {amount:>18}")
        if report:
            self.stdout.write(f"Every rejected line, with its reason: {shown(report)}")
        elif plan.rejected:
            self.stdout.write("--report FILE writes down every rejected line with its reason.")
        if dry_run:
            self.stdout.write("This was a dry run: nothing was imported.")


def shown(path: Path) -> str:
    """The file's name as text that can be printed and stored, whatever bytes it is made of."""
    return os.fsencode(path.name).decode(errors="replace")


def terms_of(options: dict[str, Any]) -> Terms:
    """Raises CommandError for a currency or a time zone that does not exist."""
    currency = options["currency"]
    if currency not in money.EXPONENTS:
        raise CommandError(f"--currency is “{currency}”: it must be a code of ISO 4217, such as GBP.")
    try:
        zone = ZoneInfo(options["timezone"])
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CommandError(
            f"--timezone is “{options['timezone']}”: it must be an IANA zone, such as Europe/London."
        ) from error
    return Terms(
        currency=currency,
        zone=zone,
        cancelled_prefix=options["cancelled_prefix"],
        adjustment_prefix=options["adjustment_prefix"],
        now=clock.now(),
    )


def contact_name(text: str) -> str:
    """The name as it is kept. Raises CommandError for one that a contact cannot have."""
    name = tidy(text)
    try:
        Contact._meta.get_field("name").run_validators(name)
    except ValidationError as error:
        raise CommandError(f"--unknown-contact: {error.messages[0]}") from error
    if text and not name:
        raise CommandError("--unknown-contact is blank: name the contact for documents without a customer.")
    return name


def pairs(texts: list[str]) -> dict[str, str]:
    """Raises CommandError for a text that is not FIELD=HEADING, or a field that is named twice."""
    found: dict[str, str] = {}
    for text in texts:
        field, equals, heading = text.partition("=")
        if not equals or not heading or field in found:
            raise CommandError(f"--columns holds “{text}”: name each field once, as FIELD=HEADING.")
        found[field] = heading
    return found
