"""A process that does one deed of the outbox and dies at one step of it, as if it had been killed there.

Started by ``test_killed.py`` in a Python of its own.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any
from unittest.mock import patch

from django.core.mail.backends.smtp import EmailBackend

from billing.models import Mail
from billing.models.mail import MailQuerySet
from billing.tasks import send_due_mail, tell_of_expiring_cards
from tests.killed import DIED

STEPS: dict[str, tuple[type, str, bool]] = {
    "before the server has taken it": (EmailBackend, "send_messages", False),
    "after the server has taken it": (Mail, "mark_sent", False),
    "inside the transaction that tells": (MailQuerySet, "queue_once", True),
}
"""Where to die: before the call, or after it."""
DEEDS = {"send": send_due_mail, "tell": tell_of_expiring_cards}


def main(deed: str, step: str, at: str) -> None:
    owner, call, does_it = STEPS[step]
    original = getattr(owner, call)

    def dies(*args: Any, **kwargs: Any) -> None:
        if does_it:
            original(*args, **kwargs)
        os._exit(DIED)

    with patch.object(owner, call, dies):
        DEEDS[deed](datetime.fromisoformat(at))
