"""A process that does one deed and dies at one step of it, as if it had been killed there.

Started by ``test_killed.py`` in a Python of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal

from django.utils import timezone

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Invoice
from billing.statuses import RefundRoute
from billing.tasks import resolve_attempts
from tests.crash.points import CHARGING, REFUNDING, RESOLVING, Points, struck_at
from tests.killed import DIED


def charge(invoice: Invoice) -> None:
    card = invoice.contact.cards.get()
    invoice.pay(None, source=card, amount=invoice.balance, send_receipt=True)


def refund(invoice: Invoice) -> None:
    invoice.refund(None, amount=Decimal(40), route=RefundRoute.GATEWAY, reason="Broken", send_receipt=True)


def resolve(invoice: Invoice) -> None:
    Attempt.objects.filter(invoice=invoice).update(due_at=timezone.now())
    resolve_attempts(timezone.now())


DEEDS: dict[str, tuple[Callable[[Invoice], None], Points]] = {
    "charge": (charge, CHARGING),
    "refund": (refund, REFUNDING),
    "resolve": (resolve, RESOLVING),
}


def main(deed: str, step: str, invoice: int) -> None:
    do, steps = DEEDS[deed]
    with struck_at(steps[step], SandboxGateway, lambda: os._exit(DIED)):
        do(Invoice.objects.get(pk=invoice))
