"""Sending what is due, and finding out whether the mail server can be reached."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from billing import mail
from billing.models import (
    Mail,
)
from billing.models.mail import MOST_TRIES
from billing.tasks.batches import MOST_AT_ONCE, Batch, Proceed, always, error_words, text_of

log = logging.getLogger(__name__)


def send_due_mail(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> Counter[str]:
    """Send what is due over one connection; how many ended in which state. Queued means: tried again later.

    Without a mail server nothing is claimed: the mails stay queued, to be read at their invoice.
    """
    counts: Counter[str] = Counter()
    if not mail.has_server():
        return counts
    connection, batch = get_connection(), Batch(limit, proceed)
    try:
        while batch.goes_on():
            due = Mail.objects.claim_next(now)
            if due is None:
                break
            server_answers = _send(due, connection, now)
            counts[due.state] += 1
            if not server_answers:
                break
    finally:
        _hang_up(connection)
    return counts


def _send(due: Mail, connection: BaseEmailBackend, now: datetime) -> bool:
    """Hand one mail over and write down how that went; False when the server cannot be talked to.

    What the server refuses for good (5xx) about this recipient or this text fails at once. Anything else, a
    refused sender too, is the installation's or the network's trouble and is tried again.
    """
    if due.tries > MOST_TRIES:  # each time, the sender died before it could write down why
        due.mark_refused(due.error or "The sender stopped while it was sending this mail.")
        return True
    try:
        _hand_over(due.message(), connection)
    except (SMTPRecipientsRefused, SMTPDataError) as error:
        code, words = _refusal(error)
        log.warning("Mail %s to %s was refused: %s", due.pk, due.to, words)
        if code >= 500:
            due.mark_refused(words)
        else:
            due.mark_failed(words, now)
    except (SMTPException, OSError) as error:
        log.warning("Mail %s: the mail server gave no good answer: %s", due.pk, error_words(error))
        due.mark_failed(error_words(error), now)
        return False
    except Exception as error:
        log.exception("Mail %s could not be made into a message", due.pk)
        due.mark_failed(error_words(error), now)
    else:
        due.mark_sent(now)
    return True


def _hand_over(message: EmailMessage, connection: BaseEmailBackend) -> None:
    connection.open()  # unless it is open
    if not connection.send_messages([message]):
        raise ValueError("The mail has no recipient.")


def _refusal(error: SMTPRecipientsRefused | SMTPDataError) -> tuple[int, str]:
    if isinstance(error, SMTPDataError):
        return error.smtp_code, error_words(error)
    code, text = next(iter(error.recipients.values()))
    return code, f"{code} {text_of(text)}"


def _hang_up(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (SMTPException, OSError):
        log.info("The mail server was gone before the goodbye")


def check_mail_server() -> Counter[str]:
    """Find out whether the mail server answers and lets us in. Raises what keeps it from that."""
    if not mail.has_server():
        return Counter()
    connection = get_connection()
    try:
        connection.open()
    finally:
        _hang_up(connection)
    return Counter({"reached": 1})
