from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from billing import clock
from billing.gateways.sandbox.checks import is_switched_on
from billing.management.seeding import company, staff
from billing.management.seeding.catalogue import put_catalogue
from billing.management.seeding.coupons import put_coupons
from billing.management.seeding.forms import put_forms
from billing.management.seeding.recurring import put_recurring
from billing.management.seeding.teller import Teller
from billing.models import OrderForm
from billing.worker import work
from contacts.models import Contact

PAUSE = 5.0
"""Seconds between two rounds of the worker."""


class Command(BaseCommand):
    help = "Try the desk out: migrate, invent a small company, print who can sign in, serve with a worker."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument("--port", type=_port, default=8000, help="default: %(default)s")
        parser.add_argument("--no-serve", action="store_true", help="make the company and stop")

    def handle(self, *, address: str, port: int, no_serve: bool, **options: Any) -> None:
        if not settings.DEBUG or not is_switched_on():
            raise CommandError(
                "The demo is for trying out, with passwords that everybody knows: it runs with DEBUG=1 only."
            )
        settings.BASE_URL = f"http://localhost:{port}"  # what the links in its mails point to
        call_command("migrate", verbosity=0)
        staff.check_own_database()
        if not company.is_complete():
            self.stdout.write("Inventing a small company …")
            self.stdout.flush()
            _found_company()
        self._introduce(port)
        if not no_serve:
            with _worker():
                call_command("runserver", f"{address}:{port}", use_reloader=False)

    def _introduce(self, port: int) -> None:
        users = {user.username: user for user in User.objects.filter(email__endswith=staff.DOMAIN)}
        self.stdout.write("\nSign in as")
        for each in staff.SIGN_INS:
            known = users[each.username].check_password(staff.PASSWORD)
            password = staff.PASSWORD if known else "(has been changed)"
            self.stdout.write(f"  {each.username:<8} {password:<18} {each.role}: {each.may}")
        ada = Contact.objects.get(external_ref=company.SHOWCASE)
        at = f"http://localhost:{port}"
        self.stdout.write(f"\nThe desk         {at}/")
        self.stdout.write(f"{ada.name:<16} {at}{reverse('billing:purchases', args=[ada.pk])}")
        for form in OrderForm.objects.order_by("slug"):
            self.stdout.write(f"An order form    {at}{form.get_absolute_url()}")
        self.stdout.write(f"The back office  {at}/admin/ (as admin)\n")
        self.stdout.flush()


def _found_company() -> None:
    users = staff.put_staff()
    products = {product.sku: product for product in [*put_catalogue(), *put_recurring()]}
    put_forms(products)
    put_coupons(products)
    company.put_customers(Teller(users["support"], users["manager"], products, clock.now()))


@contextmanager
def _worker() -> Iterator[None]:
    """Work beside the server until it stops."""
    stopping = Event()
    thread = Thread(target=work, args=[stopping], kwargs={"every": PAUSE}, name="worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(timeout=PAUSE)


def _port(typed: str) -> int:
    if not typed.isascii() or not typed.isdigit() or not 0 < int(typed) < 65536:
        raise ArgumentTypeError(f"“{typed}” is no port: it must be a number from 1 to 65535.")
    return int(typed)
