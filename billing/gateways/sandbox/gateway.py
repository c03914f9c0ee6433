"""The gateway for trying out and for tests: a card company in six tables, behaving as each number says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from billing import clock
from billing.gateways import (
    CardDetails,
    DisputeFacts,
    Movement,
    NoAnswer,
    Notice,
    Outcome,
    Page,
    PageResult,
)
from billing.gateways.sandbox import messages, pages
from billing.gateways.sandbox.checks import is_switched_on
from billing.gateways.sandbox.models import Charge, Dispute, Message, Refund, StoredCard
from billing.gateways.sandbox.models.keys import UnknownRef, new_ref, refuse_other_use
from billing.gateways.sandbox.numbers import read_card, read_number
from billing.gateways.sandbox.pages import Order
from billing.money import EXPONENTS, LARGEST, is_too_fine


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """Money that moved: ``amount`` was taken, maybe under a ``key``; ``refunded`` of it went back."""

    ref: str
    key: UUID | None
    amount: Decimal
    currency: str
    refunded: Decimal


class SandboxGateway:
    """Every call that writes commits by itself; inside the caller's transaction it raises RuntimeError.

    A key first used for another call, an unknown reference or an impossible amount is our fault: ValueError.
    """

    name = "sandbox"

    def check(self) -> None:
        """The sandbox is here as long as its database is."""

    def customer(self, *, key: UUID, name: str, email: str) -> str:
        return ""

    def card_page(self, *, key: UUID, return_url: str, cancel_url: str, customer: str = "") -> Page:
        return pages.open_page(key, Order(return_url, cancel_url), now=clock.now())

    def pay_page(
        self,
        *,
        key: UUID,
        amount: Decimal,
        currency: str,
        description: str,
        remember: bool,
        return_url: str,
        cancel_url: str,
        customer: str = "",
    ) -> Page:
        _refuse_impossible(amount, currency)
        order = Order(return_url, cancel_url, (amount, currency), description, remember)
        return pages.open_page(key, order, now=clock.now())

    def page_result(self, ref: str) -> PageResult:
        return pages.look(ref, now=clock.now()).result

    def expire_page(self, ref: str) -> PageResult:
        return pages.expire(ref, now=clock.now()).result

    def prepare(self, *, key: UUID, amount: Decimal, currency: str, token: str) -> str:
        _refuse_impossible(amount, currency)
        with transaction.atomic(durable=True):
            card = StoredCard.objects.filter(token=token).first()
            if card is None:
                raise UnknownRef(token)
            charge, _ = Charge.objects.select_related("card").get_or_create(
                key=key,
                defaults={
                    "ref": new_ref("charge"),
                    "card": card,
                    "amount": amount,
                    "currency": currency,
                    "created_at": clock.now(),
                },
            )
        first = (charge.amount, charge.currency, charge.card.token if charge.card else None)
        refuse_other_use(key, first=first, now=(amount, currency, token))
        return charge.ref

    def confirm(self, ref: str, *, key: UUID) -> Outcome:
        with transaction.atomic(durable=True):
            charge = Charge.objects.locked(ref)
            charge.confirm_under(key)
        if charge.loses_answer:
            raise NoAnswer(f"The sandbox lost its answer about {ref}, as this card number asks.")
        return charge.outcome

    def retrieve(self, ref: str) -> Outcome:
        return Charge.objects.by_ref(ref).outcome

    def cancel(self, ref: str) -> Outcome:
        with transaction.atomic(durable=True):
            charge = Charge.objects.locked(ref)
            charge.cancel()
        return charge.outcome

    def refund(self, ref: str, *, key: UUID, amount: Decimal, currency: str) -> Outcome:
        _refuse_impossible(amount, currency)
        with transaction.atomic(durable=True):
            charge = Charge.objects.locked(ref)
            refund = Refund.objects.select_related("charge").filter(key=key).first()
            if refund is None:
                refund = charge.refund_under(key, amount=amount, currency=currency, now=clock.now())
        first = (refund.charge.ref, refund.amount, refund.charge.currency)
        refuse_other_use(key, first=first, now=(ref, amount, currency))
        return refund.outcome

    def find_refund(self, ref: str, *, key: UUID) -> Outcome | None:
        refund = Refund.objects.filter(charge__ref=ref, key=key).first()
        return refund.outcome if refund else None

    def detach_card(self, token: str) -> None:
        StoredCard.objects.filter(token=token).update(on_file=False)

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        return messages.read(body, headers, now=clock.now())

    def charge_made(self, ref: str) -> Movement:
        return Charge.objects.by_ref(ref).movement

    def refund_made(self, ref: str) -> Movement:
        refund = Refund.objects.select_related("charge__card").filter(ref=ref).first()
        if refund is None:
            raise UnknownRef(ref)
        return refund.movement

    def dispute(self, ref: str) -> DisputeFacts:
        return Dispute.objects.by_ref(ref).facts

    def undelivered(self, *, now: datetime) -> Iterator[tuple[bytes, dict[str, str]]]:
        """The messages that wait, signed, oldest first: nobody here could post them to the desk's address.

        Each counts as delivered once the next one is asked for.
        """
        for message in Message.objects.undelivered():
            body = message.body.encode()
            yield body, messages.sign(body, now=now)
            Message.objects.filter(pk=message.pk).update(delivered_at=now)

    @sensitive_variables("number")
    def store_card(self, number: str, *, exp_month: int, exp_year: int, today: date) -> CardDetails:
        """Store a test card without a page, for demonstrations and tests. Raises CardRefused."""
        typed = read_card(read_number(number), exp_month=exp_month, exp_year=exp_year, today=today)
        return StoredCard.objects.store(typed, on_file=True).details

    def ledger(self) -> Iterator[LedgerLine]:
        """Everything that moved, oldest first, for comparing our books with the gateway's."""
        for charge in Charge.objects.moved().iterator():
            yield LedgerLine(charge.ref, charge.key, charge.amount, charge.currency, charge.refunded)


def _refuse_impossible(amount: Decimal, currency: str) -> None:
    if currency not in EXPONENTS:
        raise ValueError(f"{currency!r} is not a currency.")
    if not amount.is_finite() or not 0 < amount <= LARGEST or is_too_fine(amount, currency):
        raise ValueError(f"{amount} {currency} cannot be charged or returned.")


def make() -> SandboxGateway:
    """Raises KeyError while the sandbox is switched off, as for a gateway that is not installed."""
    if not is_switched_on():
        raise KeyError("sandbox is switched off: DEBUG is off and SANDBOX_GATEWAY is not set")
    return SandboxGateway()
