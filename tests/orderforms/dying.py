"""A process that asks what became of an order and dies at one step of it. Started by ``test_killed.py``."""

from __future__ import annotations

import os

from django.utils import timezone

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Submission
from tests.crash.points import COMING_BACK, struck_at
from tests.killed import DIED


def main(step: str, order: int) -> None:
    with struck_at(COMING_BACK[step], SandboxGateway, lambda: os._exit(DIED)):
        Submission.objects.with_invoice().get(pk=order).look(at=timezone.now())
