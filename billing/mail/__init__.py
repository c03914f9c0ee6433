"""The e-mails: what each may say, from plain values to a subject, a text and an HTML part. Sends nothing.

The sentences about money are made in ``sentences``, where they can be tested against every status; the words
around them are the files in ``templates/email/``, or what the back office made of those.
"""

from __future__ import annotations

from django.conf import settings

from billing.mail.facts import ChargeFacts, InvoiceFacts, LineFacts, OrderFacts, PaymentFacts
from billing.mail.letter import Letter, Message, Wording
from billing.mail.letters import (
    card_expiring,
    order_cancelled,
    payment_failed,
    receipt,
    recovered,
    refund_receipt,
    unpaid_invoice,
    written_off,
)

__all__ = [
    "ChargeFacts",
    "InvoiceFacts",
    "Letter",
    "LineFacts",
    "Message",
    "OrderFacts",
    "PaymentFacts",
    "Wording",
    "card_expiring",
    "has_server",
    "order_cancelled",
    "payment_failed",
    "receipt",
    "recovered",
    "refund_receipt",
    "unpaid_invoice",
    "written_off",
]

NO_SERVER = "django.core.mail.backends.dummy.EmailBackend"


def has_server() -> bool:
    """Whether mails leave this installation; otherwise they stay queued, to be read where they belong."""
    return settings.EMAIL_BACKEND != NO_SERVER
