"""Billing orders, charging for them, and ending what could not be collected."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime

from billing.models import (
    Invoice,
    Order,
    RechargeSchedule,
)
from billing.models.guard import Refused
from billing.models.orders.billing import BillingFailed
from billing.tasks.batches import MOST_AT_ONCE, Batch, Proceed, always

log = logging.getLogger(__name__)


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
