from __future__ import annotations

import time
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import clock
from billing.gateways.sandbox.checks import is_switched_on
from billing.management.seeding import scale
from billing.management.seeding.scale import Size


class Command(BaseCommand):
    help = (
        "Fill the database with invented trade of three years, for measuring: the same arguments give the "
        "same data, and a second run adds nothing. Cards are the sandbox's."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--contacts", type=int, default=200, help="default: %(default)s")
        parser.add_argument(
            "--invoices", type=int, default=1000, help="spread over the contacts; default: %(default)s"
        )
        parser.add_argument("--heavy", type=int, default=0, help="further invoices, all of the first contact")
        parser.add_argument(
            "--until",
            type=date.fromisoformat,
            default=None,
            metavar="YYYY-MM-DD",
            help="the last day of the three years; default: today",
        )

    def handle(self, *, contacts: int, invoices: int, heavy: int, until: date | None, **options: Any) -> None:
        began = time.monotonic()
        size = Size(contacts, invoices, heavy)
        _check(size)
        if _is_there(size):
            self.stdout.write("This database holds exactly this data already: nothing was added.")
            return
        scale.seed(size, until=until or clock.today(), tell_progress=self._tell)
        scale.settle_down()
        took = time.monotonic() - began
        self.stdout.write(f"{contacts:,} contacts and {invoices + heavy:,} invoices made in {took:.0f} s.")

    def _tell(self, invoices: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{invoices:,} invoices", ending="")
            self.stdout.flush()


def _check(size: Size) -> None:
    if not is_switched_on():
        raise CommandError(
            "The data has card payments of the sandbox, which is switched off here: set SANDBOX_GATEWAY=1."
        )
    for name in ("contacts", "invoices", "heavy"):
        if getattr(size, name) < 0:
            raise CommandError(f"--{name} is {getattr(size, name)}: it must be 0 or more.")
    if not size.contacts:
        raise CommandError("--contacts is 0: there must be somebody to send the invoices to.")


def _is_there(size: Size) -> bool:
    found = scale.present()
    if found is None:
        return False
    if (found.contacts, found.invoices) != (size.contacts, size.invoices + size.heavy):
        raise CommandError(
            f"This database was seeded with {found.contacts:,} contacts and {found.invoices:,} invoices: "
            "take an empty one for another size."
        )
    return True
