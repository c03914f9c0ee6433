"""What people do at the card company itself, without asking the desk: each deed is one transaction, with the
message that tells the desk of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from billing.gateways.sandbox.models import Charge, Dispute, Message, Refund
from billing.gateways.sandbox.models.keys import new_ref
from billing.money import EXPONENTS, LARGEST, is_too_fine, show
from billing.statuses import AttemptState, DisputeState

ANSWER_WITHIN = timedelta(days=7)
"""The shortest time that card networks give a merchant to answer a dispute."""


class NotPossible(Exception):
    """Nothing was done; ``str()`` says why, to the person at the dashboard."""


def check_amount(amount: Decimal, currency: str, *, limit: Decimal) -> None:
    """Raises NotPossible."""
    if currency not in EXPONENTS or not amount.is_finite() or is_too_fine(amount, currency):
        raise NotPossible(f"Amount is {amount} {currency}: it is finer than the currency.")
    if not 0 < amount <= limit:
        raise NotPossible(f"Amount is {show(amount, currency)}: at most {show(limit, currency)} is possible.")


def pay_again(ref: str, *, amount: Decimal | None, description: str = "", now: datetime) -> Charge:
    """Charge the card of the charge ``ref`` once more, its whole amount unless told otherwise.

    Raises UnknownRef, as all of these do, and NotPossible.
    """
    with transaction.atomic(durable=True):
        before = Charge.objects.locked(ref)
        amount = before.amount if amount is None else amount
        check_amount(amount, before.currency, limit=LARGEST)
        charge = Charge.objects.create(
            ref=new_ref("charge"),
            card=before.card,
            amount=amount,
            currency=before.currency,
            description=description,
            state=AttemptState.APPROVED.value,
            created_at=now,
        )
        Message.objects.write("charge.succeeded", ref=charge.ref, now=now)
    return charge


def refund(ref: str, *, amount: Decimal | None, now: datetime) -> Refund:
    """Give back ``amount`` of a charge, or all that is left of it."""
    with transaction.atomic(durable=True):
        charge = _approved(ref)
        amount = charge.left if amount is None else amount
        check_amount(amount, charge.currency, limit=charge.left)
        made = charge.refund_under(None, amount=amount, currency=charge.currency, now=now)
        Message.objects.write("refund.created", ref=made.ref, now=now)
    return made


def dispute(ref: str, *, amount: Decimal | None, now: datetime, reason: str = "fraudulent") -> Dispute:
    """The cardholder's bank wants ``amount`` of a charge back, or all that is left of it."""
    with transaction.atomic(durable=True):
        charge = _approved(ref)
        amount = charge.left if amount is None else amount
        check_amount(amount, charge.currency, limit=charge.left)
        opened = Dispute.objects.create(
            ref=new_ref("dispute"),
            charge=charge,
            amount=amount,
            reason=reason,
            respond_by=now + ANSWER_WITHIN,
            created_at=now,
        )
        Message.objects.write("dispute.opened", ref=opened.ref, now=now)
    return opened


def close_dispute(ref: str, state: DisputeState, *, now: datetime) -> Dispute:
    """The bank has decided. Raises NotPossible when it had done so before."""
    with transaction.atomic(durable=True):
        closed = Dispute.objects.select_for_update(of=("self",)).by_ref(ref)
        if closed.state != DisputeState.OPEN:
            raise NotPossible(f"{ref} is {closed.get_state_display()} already.")
        closed.state = state
        closed.save(update_fields=["state"])
        Message.objects.write("dispute.closed", ref=closed.ref, now=now)
    return closed


def _approved(ref: str) -> Charge:
    charge = Charge.objects.locked(ref)
    if charge.state != AttemptState.APPROVED:
        raise NotPossible(f"Nothing was taken by {ref}.")
    return charge
