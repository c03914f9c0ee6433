"""A billing run that dies at one step, as if it had been killed there.

Started by ``test_killed.py`` in a Python of its own.
"""

from __future__ import annotations

import os
from datetime import datetime

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Invoice, Order
from billing.models.base import InvoiceQuerySet
from billing.tasks import tick
from tests.crash.points import Points, after, before, struck_at
from tests.killed import DIED

BILLING: Points = {
    "before the invoice was made": before(Invoice, "issued_for"),
    "after the order was moved on": after(Order, "schedule"),
    "inside the transaction that bills": after(Order, "bill"),
    "after the period was billed": after(Order, "bill_next"),
    "before the charge was claimed": before(InvoiceQuerySet, "claim_charge"),
    "after the charge was claimed": after(InvoiceQuerySet, "claim_charge"),
    "inside the transaction that starts the charge": after(Attempt, "start"),
    "after the attempt was written down": before(Attempt, "run"),
    "before the gateway heard of it": before(SandboxGateway, "prepare"),
    "after the reference was written down": after(Attempt, "_write_down"),
    "after the money moved": after(SandboxGateway, "confirm"),
    "inside the last transaction": after(Invoice, "book"),
    "after all of it": after(Attempt, "settle"),
}


def main(step: str, at: str) -> None:
    with struck_at(BILLING[step], SandboxGateway, lambda: os._exit(DIED)):
        tick(datetime.fromisoformat(at))
