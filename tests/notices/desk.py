"""What the tests of gateways' messages share: messages as the sandbox signs them, and their door."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from billing.gateways.sandbox import messages
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge, StoredCard
from billing.models import GatewayEvent, Payment
from billing.tasks import act_on_notices
from tests.attempts.desk import paid_by_card

DOOR = "/webhooks/sandbox/"


def told(type_: str, ref: str = "", *, event: str = "", **more: str) -> bytes:
    """The body of a message of this type."""
    return json.dumps({"id": event or f"event-{uuid4()}", "type": type_, "ref": ref, **more}).encode()


def post(body: bytes, *, signed_at: datetime | None = None, signature: str | None = None) -> tuple[int, str]:
    """What the desk answers to the message: status and words."""
    headers = messages.sign(body, now=signed_at or timezone.now())
    if signature is not None:
        headers = {messages.HEADER: signature}
    response = Client(enforce_csrf_checks=True).post(
        DOOR, body, content_type="application/json", headers=headers
    )
    return response.status_code, response.content.decode()


def tell(type_: str, ref: str = "", **more: str) -> GatewayEvent:
    """Have the message acted on, and return its row."""
    status, _words = post(told(type_, ref, **more))
    assert status == 200
    return GatewayEvent.objects.latest("pk")


def deliver() -> dict[str, int]:
    """Fetch and act on all that waits at the sandbox."""
    return dict(act_on_notices(timezone.now()))


def charged_here() -> Payment:
    """100 dollars that the desk charged."""
    return paid_by_card()


def charged_there(amount: int = 70, currency: str = "USD") -> Charge:
    """A payment that somebody took in the card company's dashboard, of which the desk has heard nothing."""
    details = SandboxGateway().store_card(
        "4242424242424242", exp_month=12, exp_year=2040, today=timezone.localdate()
    )
    return Charge.objects.create(
        ref=f"sbx_charge_{uuid4().hex[:24]}",
        card=StoredCard.objects.get(token=details.token),
        amount=Decimal(amount),
        currency=currency,
        description="Terminal 2",
        state="approved",
        created_at=timezone.now(),
    )
