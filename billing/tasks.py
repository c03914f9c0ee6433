"""What is done without anybody asking: billing orders and charging them, sending mails, asking gateways, and
acting on what they tell.

Every row that waits carries its due time, and is claimed before it is worked on: any number of workers may
run these at once, and one that dies leaves nothing that the next run does not find.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException
from time import monotonic
from typing import Protocol, runtime_checkable

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from billing import clock, gateways, mail
from billing.gateways import NoAnswer, NotOurGateway
from billing.models import (
    Attempt,
    CardPage,
    GatewayEvent,
    Invoice,
    Job,
    Mail,
    Order,
    RechargeSchedule,
)
from billing.models.guard import Refused
from billing.models.job import DAILY
from billing.models.mail import MOST_TRIES
from billing.models.orders import expiring
from billing.models.orders.billing import BillingFailed

log = logging.getLogger(__name__)

MOST_AT_ONCE = 200
LONGEST = timedelta(minutes=2)
"""No run claims anything after this long, so that each claim is still fresh when it is worked on."""

Proceed = Callable[[], bool]
"""Asked before each item; a worker that is told to stop answers no."""


def always() -> bool:
    return True


class Batch:
    """How many more items one run may take on."""

    def __init__(self, most: int, proceed: Proceed) -> None:
        self._left, self._proceed = most, proceed
        self._until = monotonic() + LONGEST.total_seconds()

    def goes_on(self) -> bool:
        self._left -= 1
        return self._left >= 0 and monotonic() < self._until and self._proceed()


# -- mails


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
        log.warning("Mail %s: the mail server gave no good answer: %s", due.pk, _words(error))
        due.mark_failed(_words(error), now)
        return False
    except Exception as error:
        log.exception("Mail %s could not be made into a message", due.pk)
        due.mark_failed(_words(error), now)
    else:
        due.mark_sent(now)
    return True


def _hand_over(message: EmailMessage, connection: BaseEmailBackend) -> None:
    connection.open()  # unless it is open
    if not connection.send_messages([message]):
        raise ValueError("The mail has no recipient.")


def _refusal(error: SMTPRecipientsRefused | SMTPDataError) -> tuple[int, str]:
    if isinstance(error, SMTPDataError):
        return error.smtp_code, _words(error)
    code, text = next(iter(error.recipients.values()))
    return code, f"{code} {_text(text)}"


def _words(error: Exception) -> str:
    """What the server, or the way to it, said: ``451 4.3.0 Try again later``."""
    if isinstance(error, SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return f"{type(error).__name__}: {error}"


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words


def _hang_up(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except (SMTPException, OSError):
        log.info("The mail server was gone before the goodbye")


# -- attempts


@dataclass(frozen=True, slots=True)
class Asked:
    """One attempt after the gateway was asked; ``error`` is what kept it from being asked or settled."""

    attempt: Attempt
    error: str = ""


def resolve_attempts(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> list[Asked]:
    """Ask the gateways how the attempts that are due ended, and settle them. Never charges again.

    One that fails is asked again later and does not keep the others waiting.
    """
    asked, batch = [], Batch(limit, proceed)
    while batch.goes_on():
        attempt = Attempt.objects.due(now).claim_first(now)
        if attempt is None:
            break
        asked.append(_ask(attempt, now))
    return asked


def _ask(attempt: Attempt, now: datetime) -> Asked:
    try:
        attempt.ask(at=now)
    except Exception as error:
        log.exception("Attempt %s could not be settled", attempt.key)
        return Asked(attempt, _words(error))
    if attempt.needs_a_person(now):
        log.error("Attempt %s has had no answer for days: a person must ask the gateway", attempt.key)
    return Asked(attempt)


def ends(asked: list[Asked]) -> Counter[str]:
    """How many ended, or still wait, in which state."""
    return Counter("failed" if each.error else str(each.attempt.state) for each in asked)


# -- notices


@runtime_checkable
class KeepsMessages(Protocol):
    """A gateway that cannot post its messages to the desk, as the sandbox: they are fetched from it."""

    def undelivered(self, *, now: datetime) -> Iterator[tuple[bytes, dict[str, str]]]: ...


def act_on_notices(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> Counter[str]:
    """Act on the gateways' messages that are due; how many ended in which state. Failed means: tried again
    later, until it is given up.
    """
    counts: Counter[str] = Counter()
    batch = Batch(limit, proceed)
    _fetch_messages(now, batch, counts)
    while batch.goes_on():
        event = GatewayEvent.objects.claim_next(now)
        if event is None:
            break
        event.act(at=now)
        counts[event.state] += 1
    return counts


def _fetch_messages(now: datetime, batch: Batch, counts: Counter[str]) -> None:
    """Take in what waits at a gateway that posts nothing, by the same door as what others post."""
    try:
        gateway = gateways.get(settings.GATEWAY)
    except KeyError:
        return
    if not isinstance(gateway, KeepsMessages):
        return
    for body, headers in gateway.undelivered(now=now):
        event = GatewayEvent.receive(gateway, body, headers, at=now)
        counts[event.state] += 1
        if not batch.goes_on():
            break


# -- gateways


def check_gateways() -> Counter[str]:
    """Find out whether each installed gateway answers and knows us.

    Raises ConnectionError, with a sentence for each that does not.
    """
    troubles = {name: trouble for name in gateways.installed() if (trouble := _trouble_with(name))}
    if troubles:
        raise ConnectionError(" ".join(f"{name}: {words}" for name, words in troubles.items()))
    return Counter({"reached": len(gateways.installed())})


def _trouble_with(name: str) -> str:
    try:
        gateways.get(name).check()
    except (NoAnswer, NotOurGateway, ValueError) as error:
        log.warning("The gateway %s is not to be used: %s", name, error)
        return gateways.reason_of(error) or str(error) or type(error).__name__
    return ""


# -- orders


def bill_due_orders(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> Counter[str]:
    """Make the invoice of each period that is due, the longest waiting first; how many.

    An order that cannot be billed is logged and keeps the others from nothing; the next run tries it again.
    """
    counts, batch, failed = Counter[str](), Batch(limit, proceed), set[int]()
    while batch.goes_on():
        try:
            if Order.bill_next(now, leave_out=failed) is None:
                break
            counts["billed"] += 1
        except BillingFailed as failure:
            log.exception("Order %s could not be billed", failure.order)
            failed.add(failure.order)
            counts["failed"] += 1
    return counts


def charge_due_invoices(
    now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always
) -> Counter[str]:
    """Charge the cards of orders, and once more those that were declined, for the invoices whose time has
    come; how many were started or put off.
    """
    counts, batch = Counter[str](), Batch(limit, proceed)
    while batch.goes_on():
        invoice = Invoice.objects.claim_charge(now)
        if invoice is None:
            break
        try:
            invoice.charge_by_itself(at=now)
            counts["dealt with"] += 1
        except Refused as refusal:
            log.warning("%s was not charged now: %s", invoice, refusal)
            counts["put off"] += 1
        except Exception:
            log.exception("%s could not be charged", invoice)
            counts["failed"] += 1
    return counts


def end_collections(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> Counter[str]:
    """Carry out the end of what could not be collected, as its recharge settings say; how many."""
    counts, batch = Counter[str](), Batch(limit, proceed)
    while batch.goes_on():
        schedule = RechargeSchedule.objects.claim_end(now)
        if schedule is None:
            break
        try:
            schedule.invoice.end_retries(at=now)
            counts["ended"] += 1
        except Refused as refusal:
            log.warning("%s was not ended now: %s", schedule, refusal)
            counts["put off"] += 1
        except Exception:
            log.exception("%s could not be ended", schedule)
            counts["failed"] += 1
    return counts


# -- cards


def take_cards(now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always) -> Counter[str]:
    """Ask the gateways about the pages on which customers replace their cards, in case that a browser never
    came back; how many brought one.
    """
    counts, batch = Counter[str](), Batch(limit, proceed)
    while batch.goes_on():
        page = CardPage.objects.claim_next(now)
        if page is None:
            break
        try:
            counts["stored" if page.ask(at=now) else "waiting"] += 1
        except Exception:
            log.exception("The card page %s could not be asked about", page.pk)
            counts["failed"] += 1
    return counts


def tell_of_expiring_cards(
    now: datetime, limit: int = MOST_AT_ONCE, *, proceed: Proceed = always
) -> Counter[str]:
    """Tell customers of the cards that their orders cannot charge next time; how many."""
    counts, batch, failed = Counter[str](), Batch(limit, proceed), set[int]()
    while batch.goes_on():
        found = expiring.tell_of_next(clock.day_of(now), leave_out=failed)
        if found is None:
            break
        card, was_told = found
        counts["told" if was_told else "failed"] += 1
        if not was_told:
            failed.add(card.pk)
    return counts


# -- all of it


def tick(now: datetime, *, proceed: Proceed = always) -> dict[str, Counter[str] | None]:
    """Run every job once; what each came to. One that fails is logged, and the others still run."""
    results: dict[str, Counter[str] | None] = {}
    for name, job in JOBS.items():
        if name in PERIODS and not Job.objects.is_due(name, every=PERIODS[name], at=now):
            continue
        try:
            results[name] = counts = job(now, proceed)
        except Exception as error:
            log.exception("The job %s failed", name)
            results[name] = None
            Job.objects.note(name, at=now, counts={}, error=_words(error))
        else:
            Job.objects.note(name, at=now, counts=counts)
    return results


JOBS: dict[str, Callable[[datetime, Proceed], Counter[str]]] = {
    "act_on_notices": lambda now, proceed: act_on_notices(now, proceed=proceed),
    "resolve_attempts": lambda now, proceed: ends(resolve_attempts(now, proceed=proceed)),
    "check_gateways": lambda now, proceed: check_gateways(),
    "take_cards": lambda now, proceed: take_cards(now, proceed=proceed),
    "bill_due_orders": lambda now, proceed: bill_due_orders(now, proceed=proceed),
    "charge_due_invoices": lambda now, proceed: charge_due_invoices(now, proceed=proceed),
    "end_collections": lambda now, proceed: end_collections(now, proceed=proceed),
    "tell_of_expiring_cards": lambda now, proceed: tell_of_expiring_cards(now, proceed=proceed),
    "send_due_mail": lambda now, proceed: send_due_mail(now, proceed=proceed),
}
"""In this order: what was replaced or billed is charged, and its receipt leaves, with the same tick."""
PERIODS = {"check_gateways": timedelta(minutes=5), **DAILY}
"""How far two runs of a job are apart; the others run each time."""
