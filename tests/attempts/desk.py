"""What the tests of moving money share: an agent's deeds, and a look at all the books."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest

from billing import books
from billing.gateways import NoAnswer
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Card, Event, Invoice, Payment
from billing.statuses import RefundRoute
from tests.factories import APPROVES, CardFactory, InvoiceFactory, PaymentFactory

AUTHENTICATES = "4000002760003184"
CHARGED_LOST = "4000000000000119"
UNCHARGED_LOST = "4000000000000127"


def owing(number: str = APPROVES, **given: Any) -> tuple[Invoice, Card]:
    """An open invoice over 100 dollars and its contact's card."""
    invoice = InvoiceFactory.create(**given)
    return invoice, CardFactory.create(contact=invoice.contact, number=number)


def paid_by_card() -> Payment:
    invoice, card = owing()
    return PaymentFactory.create(invoice=invoice, card=card)


def pay(invoice: Invoice, card: Card, amount: Decimal | None = None, **more: Any) -> Attempt:
    return attempt_of(invoice.pay(None, source=card, amount=amount or invoice.balance, **more))


def give_back(payment: Payment, amount: int, route: str = RefundRoute.GATEWAY, **more: Any) -> Event:
    asked = {"reason": "Broken", "send_receipt": False, **more}
    return payment.refund(None, amount=Decimal(amount), route=route, **asked)


def attempt_of(event: Event) -> Attempt:
    assert event.attempt
    return event.attempt


def fresh(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def moved() -> list[tuple[Decimal, Decimal]]:
    """What the gateway took and gave back, charge by charge."""
    return [(line.amount, line.refunded) for line in SandboxGateway().ledger()]


def assert_books_agree() -> None:
    """Our figures with our rows, and our rows with the gateway's."""
    assert [str(problem) for problem in chain(books.problems(), books.gateway_problems())] == []


def no_answer(*args: Any, **kwargs: Any) -> Any:
    raise NoAnswer("The line is dead.")


def just_before(patch: pytest.MonkeyPatch, call: str, do: Callable[[], Any]) -> None:
    """Let something else happen once in the moment before the gateway hears of ``call``."""
    original, waiting = getattr(SandboxGateway, call), [do]

    def delayed(*args: Any, **kwargs: Any) -> Any:
        while waiting:
            waiting.pop()()
        return original(*args, **kwargs)

    patch.setattr(SandboxGateway, call, delayed)


def just_after(patch: pytest.MonkeyPatch, call: str, do: Callable[[], Any]) -> None:
    """Let something else happen once after the gateway did ``call``, before the desk hears of it."""
    original, waiting = getattr(SandboxGateway, call), [do]

    def delayed(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        while waiting:
            waiting.pop()()
        return answer

    patch.setattr(SandboxGateway, call, delayed)
