from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.servers.basehttp import get_internal_wsgi_application
from django.db import connection
from django.db.models import Count
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import reverse
from django.utils.http import urlencode

from billing.models import Invoice
from billing.roles import BILLING_MANAGER

WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Measure:
    """Times in milliseconds, ``size`` in bytes."""

    queries: int
    median: float
    p95: float
    size: int


class Command(BaseCommand):
    help = (
        "Measure how long the server takes for its heaviest pages on the present data, rendered whole for a "
        "signed-in member of staff, without a network. A list of Django admin's stands beside them, since "
        "figures of two machines cannot be compared."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--runs", type=int, default=50, help="of each page; default: %(default)s")

    def handle(self, *, runs: int, **options: Any) -> None:
        if runs < 2:
            raise CommandError(f"--runs is {runs}: it must be 2 or more.")
        get_internal_wsgi_application()  # as a server starts, with all that this prepares
        pages = _pages()
        width = max(len(page.name) for page in pages)
        self.stdout.write(
            f"{connection.vendor}, {Invoice.objects.count():,} invoices, {runs} runs of each page"
        )
        self.stdout.write(f"{'':<{width}}  queries  median ms  p95 ms  KB")
        with override_settings(DEBUG=False), _signed_in() as client:
            for page in pages:
                found = measure(client, page.path, runs=runs)
                self.stdout.write(
                    f"{page.name:<{width}}  {found.queries:>7}  {found.median:>9.1f}  {found.p95:>6.1f}"
                    f"  {found.size // 1024:>2}"
                )


def _pages() -> list[Page]:
    """The tab of the contact with the most invoices and of one with three, home, and the lists."""
    contacts = Invoice.objects.values("contact").annotate(count=Count("id")).order_by("-count", "contact")
    heaviest = contacts.first()
    if heaviest is None:
        raise CommandError("There is nothing to measure: make some data with `manage.py seed`.")
    lightest = contacts.filter(count=3).first() or contacts.order_by("count", "contact").first() or heaviest
    tabs = [
        Page(
            f"Purchases of a contact with {each['count']:,} invoices",
            reverse("billing:purchases", args=[each["contact"]]),
        )
        for each in (heaviest, lightest)
    ]
    of_heaviest = urlencode({"contact__id__exact": heaviest["contact"]})
    return [
        *tabs,
        Page("Home", reverse("home")),
        Page("Contacts", reverse("contacts:list")),
        Page("Invoices", reverse("billing:invoices")),
        Page("Payments", reverse("billing:payments")),
        Page(
            f"Django admin's list of those {heaviest['count']:,} invoices",
            f"{reverse('admin:billing_invoice_changelist')}?{of_heaviest}",
        ),
    ]


def measure(client: Client, path: str, *, runs: int) -> Measure:
    """Raises CommandError for a page that does not open."""
    for _ in range(WARM_UP):
        response = client.get(path)
        if response.status_code != 200:
            raise CommandError(f"{path} answers {response.status_code}: there is nothing to measure.")
    with CaptureQueriesContext(connection) as captured:
        size = len(client.get(path).content)
    queries = len(captured)  # the next request begins a new log
    times = sorted(_milliseconds(client, path) for _ in range(runs))
    return Measure(
        queries=queries,
        median=statistics.median(times),
        p95=statistics.quantiles(times, n=20, method="inclusive")[-1],
        size=size,
    )


def _milliseconds(client: Client, path: str) -> float:
    began = time.perf_counter()
    client.get(path)
    return (time.perf_counter() - began) * 1000


@contextmanager
def _signed_in() -> Iterator[Client]:
    """A browser of a billing manager who exists for as long as the measuring lasts."""
    host = urlsplit(settings.BASE_URL).netloc
    client = Client(headers={"host": host, "x-forwarded-proto": "https"})
    user = User.objects.create_user(f"benchmark-{secrets.token_hex(8)}", is_staff=True)
    user.groups.add(Group.objects.get(name=BILLING_MANAGER))
    client.force_login(user, settings.AUTHENTICATION_BACKENDS[-1])
    try:
        yield client
    finally:
        client.session.flush()
        user.delete()
