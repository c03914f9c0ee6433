from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import books, clock
from billing.books import Problem
from billing.models import Invoice, InvoiceLine, Job, Payment
from billing.models.job import VERIFY_BOOKS


class Command(BaseCommand):
    help = "Recompute every figure from its rows. Names each row that disagrees, and then exits with 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--without-gateways",
            action="store_true",
            help="leave out the comparison with the ledger of a gateway that shows one",
        )
        parser.add_argument(
            "--most", type=int, default=1000, help="stop after so many disagreements (default: %(default)s)"
        )

    def handle(self, *, without_gateways: bool, most: int, **options: Any) -> None:
        began = time.monotonic()
        with books.one_moment():
            found = self._report(
                books.problems() if without_gateways else chain(books.problems(), books.gateway_problems()),
                most,
            )
            counts = ", ".join(
                f"{model._default_manager.count():,} {model._meta.verbose_name_plural}"
                for model in (Invoice, InvoiceLine, Payment)
            )
        error = f"{found}{' or more' if found == most else ''} disagreements in {counts}." if found else ""
        if error:
            Job.objects.note_failure(VERIFY_BOOKS, at=clock.now(), error=error)
            raise CommandError(error)
        Job.objects.note(VERIFY_BOOKS, at=clock.now(), counts={"invoices": Invoice.objects.count()})
        self.stdout.write(f"The books add up: {counts}, {time.monotonic() - began:.1f} s.")

    def _report(self, problems: Iterator[Problem], most: int) -> int:
        found = 0
        for problem in problems:
            self.stdout.write(str(problem))
            found += 1
            if found == most:
                break
        return found
