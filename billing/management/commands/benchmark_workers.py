from __future__ import annotations

import subprocess
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from billing import clock
from billing.gateways.sandbox.checks import is_switched_on
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.management.seeding.teller import APPROVES
from billing.models import Card, LineInput, Order
from billing.models.orders.base import OrderQuerySet
from billing.models.terms import OrderTerms
from billing.statuses import OrderKind, OrderStatus
from contacts.models import Contact

PREFIX = "throughput-"
"""Begins the external reference of every contact made here."""
PAUSE = "0.2"
PATIENCE = timedelta(minutes=10)


class Command(BaseCommand):
    help = (
        "Measure how many due orders workers bill and charge per second: each is a process with a folder of "
        "its own, as on hosts of their own, and all share the database. Takes a database to throw away."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--orders", type=_count, default=200, help="for each number of workers; default: %(default)s"
        )
        parser.add_argument(
            "--workers", type=_count, nargs="+", default=[1, 2, 4], metavar="N", help="default: 1 2 4"
        )

    def handle(self, *, orders: int, workers: list[int], **options: Any) -> None:
        _check()
        self.stdout.write(f"{connection.vendor}, {orders:,} due orders for each number of workers")
        self.stdout.write("workers  seconds  orders/s")
        for number in workers:
            due = _put_orders(orders)
            with _working(number):
                seconds = _until_done(due)
            self.stdout.write(f"{number:>7}  {seconds:>7.2f}  {orders / seconds:>8.1f}")
            self.stdout.flush()


def _check() -> None:
    """Raise CommandError wherever an order of somebody's might be charged."""
    if not is_switched_on() or settings.GATEWAY != "sandbox":
        raise CommandError(
            "Only play money is charged for measuring: set GATEWAY=sandbox and SANDBOX_GATEWAY=1."
        )
    if Order.objects.exclude(contact__external_ref__startswith=PREFIX).exists():
        raise CommandError(
            "This database holds orders that were not made for measuring, and the workers would charge what"
            " is due of them: take a database to throw away."
        )


def _put_orders(count: int) -> OrderQuerySet:
    """Orders of one payment each, which nobody charges yet."""
    now = clock.now()
    known = Contact.objects.filter(external_ref__startswith=PREFIX).count()
    refs = [f"{PREFIX}{known + number}" for number in range(1, count + 1)]
    contacts = Contact.objects.bulk_create([Contact(name=ref, external_ref=ref) for ref in refs])
    terms = OrderTerms(kind=OrderKind.PLAN, every=1, unit="month", payments=1)
    lines = [LineInput("Garden club", Decimal(1), Decimal(19))]
    gateway, today = SandboxGateway(), clock.today()
    for contact in contacts:
        details = gateway.store_card(APPROVES, exp_month=12, exp_year=today.year + 3, today=today)
        with transaction.atomic():
            card = Card.keep(contact, details, gateway=gateway.name)
        Order.begin(
            None,
            contact=contact,
            currency=settings.DEFAULT_CURRENCY,
            terms=terms,
            lines=lines,
            first_charge_on=today + timedelta(days=300),
            zone="UTC",
            at=now,
            card=card,
            send_invoices=False,
        )
    return Order.objects.filter(contact__in=contacts)


@contextmanager
def _working(number: int) -> Iterator[None]:
    """So many workers that have nothing to do yet."""
    with TemporaryDirectory() as folder:
        started = [_start(Path(folder, str(each))) for each in range(number)]
        try:
            for worker in started:
                assert worker.stdout is not None
                if not worker.stdout.readline():
                    raise CommandError("A worker did not start.")
            yield
        finally:
            for worker in started:
                worker.terminate()
            for worker in started:
                worker.communicate()


def _start(folder: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    program = str(Path(settings.BASE_DIR, "manage.py"))
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-u", program, "work", "--every", PAUSE],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _until_done(due: OrderQuerySet) -> float:
    """Let all fall due at the same moment; the seconds until each is paid. Raises CommandError."""
    began, until = time.perf_counter(), time.monotonic() + PATIENCE.total_seconds()
    due.update(next_charge_at=clock.now(), next_charge_on=clock.today())
    while left := due.exclude(status=OrderStatus.COMPLETED).count():
        if time.monotonic() > until:
            raise CommandError(f"{left} orders have not been paid after {PATIENCE}; Health says why.")
        time.sleep(0.05)
    return time.perf_counter() - began


def _count(typed: str) -> int:
    if not typed.isascii() or not typed.isdigit() or not 0 < int(typed) <= 100_000:
        raise ArgumentTypeError(f"“{typed}” is none: it must be a whole number from 1 to 100000.")
    return int(typed)
