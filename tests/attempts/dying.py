"""A process that does one deed and dies at one step of it, as if it had been killed there.

Started by ``test_killed.py`` in a Python of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.utils import timezone

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Invoice
from billing.statuses import RefundRoute
from billing.tasks import resolve_attempts

KILLED = 9
Step = tuple[type, str, bool]


def before(owner: type, name: str) -> Step:
    return owner, name, False


def after(owner: type, name: str) -> Step:
    return owner, name, True


CHARGING: dict[str, Step] = {
    "inside the first transaction": after(Attempt, "start"),
    "after the attempt was written down": before(Attempt, "run"),
    "before the gateway heard of it": before(SandboxGateway, "prepare"),
    "after the gateway took it down": after(SandboxGateway, "prepare"),
    "after the reference was written down": after(Attempt, "_write_down"),
    "after the money moved": after(SandboxGateway, "confirm"),
    "inside the last transaction": after(Invoice, "book"),
    "after all of it": after(Attempt, "settle"),
}
REFUNDING: dict[str, Step] = {
    "inside the first transaction": after(Attempt, "start"),
    "after the attempt was written down": before(Attempt, "run"),
    "before the gateway heard of it": before(SandboxGateway, "refund"),
    "after the money went back": after(SandboxGateway, "refund"),
    "inside the last transaction": after(Invoice, "book"),
    "after all of it": after(Attempt, "settle"),
}
RESOLVING: dict[str, Step] = {
    "before the gateway was asked": before(Attempt, "ask"),
    "after the gateway answered": after(SandboxGateway, "retrieve"),
    "after the gateway called it off": after(SandboxGateway, "cancel"),
    "inside the last transaction": after(Invoice, "book"),
}


def die_at(step: Step) -> None:
    owner, name, is_after = step
    original = getattr(owner, name)

    def deadly(*args: Any, **kwargs: Any) -> None:
        if is_after:
            original(*args, **kwargs)
        os._exit(KILLED)

    setattr(owner, name, deadly)


def charge(invoice: Invoice) -> None:
    card = invoice.contact.cards.get()
    invoice.pay(None, source=card, amount=invoice.balance, send_receipt=True)


def refund(invoice: Invoice) -> None:
    invoice.refund(None, amount=Decimal(40), route=RefundRoute.GATEWAY, reason="Broken", send_receipt=True)


def resolve(invoice: Invoice) -> None:
    Attempt.objects.filter(invoice=invoice).update(due_at=timezone.now())
    resolve_attempts(timezone.now())


DEEDS: dict[str, tuple[Callable[[Invoice], None], dict[str, Step]]] = {
    "charge": (charge, CHARGING),
    "refund": (refund, REFUNDING),
    "resolve": (resolve, RESOLVING),
}


def main(deed: str, step: str, invoice: int) -> None:
    do, steps = DEEDS[deed]
    die_at(steps[step])
    do(Invoice.objects.get(pk=invoice))
