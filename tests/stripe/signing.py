"""Messages as Stripe sends them to a webhook: with their signature."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

SECRET = "whsec_of_the_tests"


def signed(
    event: dict[str, Any] | str, *, secret: str = SECRET, at: float | None = None
) -> tuple[bytes, dict[str, str]]:
    """Body and headers, to be posted to the desk. ``at`` is the moment of the signature, now by default."""
    text = event if isinstance(event, str) else json.dumps(event)
    moment = int(time.time() if at is None else at)
    mac = hmac.new(secret.encode(), f"{moment}.{text}".encode(), hashlib.sha256)
    return text.encode(), {"Stripe-Signature": f"t={moment},v1={mac.hexdigest()}"}
