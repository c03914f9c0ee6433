"""Tells a customer's story by the desk's own verbs, each step on its day."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _now

from billing import clock, money
from billing.gateways.sandbox import pages
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.numbers import read_card, read_number
from billing.management.seeding.catalogue import WORTH
from billing.models import (
    Attempt,
    Card,
    CardPage,
    GatewayEvent,
    Header,
    Invoice,
    LineInput,
    Payment,
    Product,
    Series,
)
from billing.models import Order as Subscription
from billing.models.guard import Deed, tell
from billing.money import ZERO
from billing.statuses import (
    InvoiceStatus,
    PaymentMethod,
    PaymentStatus,
    PaymentType,
    RefundRoute,
)
from billing.tasks import act_on_notices
from contacts.models import Contact

APPROVES = "4242424242424242"
MASTERCARD = "5555555555554444"
DECLINES = "4000000000000341"
INSUFFICIENT = "4000000000009995"
STOLEN = "4000000000009979"
NEEDS_CUSTOMER = "4000002760003184"
CHARGES_AND_IS_LOST = "4000000000000119"
IS_LOST = "4000000000000127"

Order = Sequence[tuple[str, int | str]]
"""SKU and quantity of each line."""
Story = Iterator[int]
"""Yields the number of days ago on which it goes on, each fewer than the one before."""


@dataclass(slots=True)
class Teller:
    support: User
    manager: User
    products: dict[str, Product]
    now: datetime
    waiting: list[tuple[int, int, Story]] = field(default_factory=list)
    begun: int = 0

    def begin(self, story: Story) -> None:
        """Let a story run beside the others, each step on its day: numbers follow the days."""
        self.begun += 1
        self._wait(self.begun, story)

    def tell(self) -> None:
        """Run the stories to their ends, in the order of their days."""
        while self.waiting:
            day, number, story = heappop(self.waiting)
            with self._clock(-day):
                self._wait(number, story)

    def _wait(self, number: int, story: Story) -> None:
        days_ago = next(story, None)
        if days_ago is not None:
            heappush(self.waiting, (-days_ago, number, story))

    @contextmanager
    def _clock(self, days_ago: int) -> Iterator[None]:
        """Set the clock to that day: the verbs write down what happens as happening now."""
        at = datetime.combine(self.now.date() - timedelta(days=days_ago), time(9, 40), tzinfo=UTC)
        with patch.object(timezone, "now", return_value=min(at, self.now)):
            yield

    def card(self, contact: Contact, number: str, *, years: int = 3) -> Card:
        """A card on file, typed in today; it expires so many ``years`` from now."""
        today = clock.today()
        details = SandboxGateway().store_card(
            number, exp_month=today.month, exp_year=today.year + years, today=today
        )
        return Card.add(self.support, contact=contact, details=details, gateway="sandbox", key=None)

    def draft(
        self,
        contact: Contact,
        order: Order,
        *,
        currency: str = "USD",
        discount: int = 0,
        shipping: str = "0",
        note: str = "",
        price: str = "",
        fee: str = "",
    ) -> Invoice:
        """``discount`` in per cent of each line; ``shipping`` in ``currency``.

        ``price``: of a trial, in the place of the product's; ``fee``: for setting up, on a line of its own.
        """
        today = clock.today()
        header = Header(currency, today, today + timedelta(days=14), Decimal(shipping), note)
        lines = [self._line(sku, Decimal(quantity), currency, discount) for sku, quantity in order]
        if price:
            lines = [line.at_price(Decimal(price)) for line in lines]
        if fee:
            lines.append(LineInput("Set-up fee", Decimal(1), Decimal(fee)))
        event = Invoice.draft(self.support, contact=contact, header=header, lines=lines)
        assert event.invoice
        return event.invoice

    def invoice(self, contact: Contact, order: Order, **more: Any) -> Invoice:
        """A draft, issued at once; ``more`` as for :meth:`draft`."""
        invoice = self.draft(contact, order, **more)
        invoice.issue(self.support, at=clock.now())
        return invoice

    def _line(self, sku: str, quantity: Decimal, currency: str, discount: int) -> LineInput:
        product = self.products[sku]
        price = money.round_half_up(product.price * WORTH[currency], currency)
        return LineInput(
            description=product.name,
            sku=sku,
            product_id=product.pk,
            quantity=quantity,
            unit_price=price,
            discount=money.round_half_up(quantity * price * discount / 100, currency),
            tax_rate_id=product.tax_rate_id,
            tax_percent=product.tax_rate.percent if product.tax_rate else ZERO,
        )

    def pay(
        self,
        invoice: Invoice,
        source: Card | PaymentMethod,
        amount: str = "",
        *,
        reference: str = "",
        send_receipt: bool = False,
    ) -> None:
        """``amount``: all that is owed unless given."""
        with _quiet():
            invoice.pay(
                self.support,
                source=source,
                amount=Decimal(amount) if amount else invoice.balance,
                reference=reference,
                received_on=clock.today(),
                send_receipt=send_receipt,
            )

    def request(self, invoice: Invoice, message: str = "") -> None:
        invoice.request_payment(self.support, recipient=invoice.contact.email, message=message)

    def refund(
        self,
        invoice: Invoice,
        amount: str = "",
        *,
        reason: str,
        route: RefundRoute = RefundRoute.GATEWAY,
    ) -> None:
        """``amount``: all that was paid unless given."""
        given = Decimal(amount) if amount else invoice.paid
        invoice.refund(self.manager, amount=given, route=route, reason=reason, send_receipt=True)

    def write(self, invoice: Invoice, queue: Callable[[], None]) -> None:
        """Let the desk write a mail that it writes by itself."""
        with transaction.atomic():
            invoice.lock()
            queue()

    def tell_of_failure(self, invoice: Invoice) -> None:
        attempt = invoice.attempts.latest("id")
        again = clock.today() + timedelta(days=3)
        self.write(invoice, lambda: invoice.queue_payment_failed(attempt, next_try_on=again, first=True))

    def store_card(self, order: Subscription, number: str) -> None:
        """As the customer does by the link: open the page, type a card at the gateway, come back."""
        now = clock.now()
        order.note_card_page_opened(at=now)
        home = f"/card/{order.token}/"
        CardPage.open_for(order, return_url=home, cancel_url=home, opened_from="", at=now)
        page = order.card_pages.get(ended_at=None)
        typed = read_card(read_number(number), exp_month=now.month, exp_year=now.year + 3, today=now.date())
        pages.take_card(page.page_ref, typed, now=now)
        page.take(at=now)

    def hear(self) -> None:
        """Let the desk act on what the gateway tells."""
        with _quiet():
            act_on_notices(clock.now())

    def try_again(self, event: GatewayEvent) -> None:
        with _quiet():
            event.act(at=clock.now())

    def let_wait(self, invoice: Invoice) -> None:
        """Leave an attempt in flight for the visitor to ask about: the worker would settle it in minutes."""
        Attempt.objects.in_flight().filter(invoice=invoice).update(due_at=self.now + timedelta(days=1))

    def refuse_order(self, contact: Contact, order: Order) -> Invoice:
        """What an order form leaves behind when the card that was typed in is refused."""
        invoice = self.draft(contact, order)
        with transaction.atomic():
            invoice.lock()
            invoice.sequence, invoice.number = Series.take()[0]
            invoice.issued_at = clock.now()
            invoice.become(InvoiceStatus.DECLINED)
            payment = self._refusal(invoice)
            invoice.store("sequence", "number", "issued_at", "status", *invoice.recompute())
            text = _now("The card of an order was declined: %(reason)s") % {"reason": payment.decline_reason}
            tell(invoice, None, "charge_declined", Deed(text, related={"payment": payment}))
        return invoice

    def _refusal(self, invoice: Invoice) -> Payment:
        return Payment.objects.create(
            invoice=invoice,
            contact=invoice.contact,
            type=PaymentType.PAYMENT,
            status=PaymentStatus.DECLINED,
            method=PaymentMethod.CARD,
            amount=invoice.total,
            currency=invoice.currency,
            card_brand="Visa",
            card_last4=DECLINES[-4:],
            card_exp_month=11,
            card_exp_year=self.now.year + 3,
            gateway="sandbox",
            decline_code="generic_decline",
            decline_reason="The bank declined this card and gave no reason.",
            received_on=clock.today(),
            made_at=clock.now(),
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Some of the demo's answers are lost on purpose, and some of its messages are: no news for its log."""
    log = logging.getLogger("billing.models")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
