"""The sandbox's messages to the desk: signed as a real card company signs them, and read as theirs are."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.crypto import salted_hmac

from billing.gateways import Notice, NoticeKind, NotSigned

HEADER = "Sandbox-Signature"
TOLERANCE = timedelta(seconds=300)
"""As Stripe's: a message that somebody recorded cannot be played back for long."""

KINDS = {
    "charge.succeeded": NoticeKind.CHARGE,
    "charge.failed": NoticeKind.CHARGE,
    "page.completed": NoticeKind.CHARGE,
    "refund.created": NoticeKind.REFUND,
    "dispute.opened": NoticeKind.DISPUTE,
    "dispute.closed": NoticeKind.DISPUTE,
}
"""Types that the desk acts on; a message of another type is about nothing that moves money."""

_SIGNATURE = re.compile(r"t=(?P<t>[0-9]{1,12}),v1=(?P<v1>[0-9a-f]{64})")


def sign(body: bytes, *, now: datetime) -> dict[str, str]:
    """The header that proves a message: a moment, and an HMAC-SHA256 under SECRET_KEY over both."""
    moment = str(int(now.timestamp()))
    return {HEADER: f"t={moment},v1={_mac(moment, body)}"}


def _mac(moment: str, body: bytes) -> str:
    return salted_hmac("sandbox.message", moment.encode() + b"." + body, algorithm="sha256").hexdigest()


def read(body: bytes, headers: Mapping[str, str], *, now: datetime) -> Notice:
    """Raises NotSigned."""
    signature = _SIGNATURE.fullmatch(headers.get(HEADER, ""))
    if signature is None:
        raise NotSigned(f"The header {HEADER} is missing or is not t=…,v1=….")
    if not hmac.compare_digest(signature["v1"], _mac(signature["t"], body)):
        raise NotSigned(f"The header {HEADER} does not match the body: it was signed with another key.")
    if abs(now.timestamp() - int(signature["t"])) > TOLERANCE.total_seconds():
        raise NotSigned(f"The header {HEADER} is more than {TOLERANCE.seconds} seconds old or ahead.")
    return _notice(_told(body))


def _told(body: bytes) -> dict[str, str]:
    try:
        told: Any = json.loads(body)
    except ValueError:
        raise NotSigned("The body is not JSON in UTF-8.") from None
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise NotSigned("The body is not an object of texts.")
    if not told.get("id") or not told.get("type"):
        raise NotSigned("The body has no id or no type.")
    return told


def _notice(told: dict[str, str]) -> Notice:
    key = told.get("key", "")
    try:
        uuid = UUID(key) if key else None
    except ValueError:
        raise NotSigned("The key in the body is not a UUID.") from None
    return Notice(
        id=told["id"],
        type=told["type"],
        kind=KINDS.get(told["type"], NoticeKind.OTHER),
        ref=told.get("ref", ""),
        key=uuid,
        page_ref=told.get("page", ""),
    )
