"""Invoices with their whole story, written by the thousand: without the verbs, by the same arithmetic."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.db.models import Model

from billing import money
from billing.actions import UNSETTLED
from billing.gateways.sandbox.models import Charge, Refund, StoredCard
from billing.gateways.sandbox.models.keys import new_ref
from billing.management.seeding.catalogue import WORTH
from billing.management.seeding.stories import REST, Receipt, Story
from billing.models import (
    Attempt,
    Card,
    Invoice,
    InvoiceLine,
    LineInput,
    Payment,
    Product,
    RechargeSchedule,
    Series,
)
from billing.models.attempts.base import GRACE
from billing.models.base import summary_of
from billing.models.figures import Figures, MoneyRow, figures
from billing.models.payment import snapshot
from billing.money import ZERO
from billing.statuses import (
    AttemptKind,
    AttemptState,
    AtTheEnd,
    InvoiceStatus,
    PaymentMethod,
    PaymentStatus,
    PaymentType,
    Stopped,
)

OFFLINE = [method for method in PaymentMethod if method != PaymentMethod.CARD]
REFUSAL = ("insufficient_funds", "The card has insufficient funds.")


@dataclass(frozen=True, slots=True)
class Buyer:
    """``card`` with its twin at the sandbox; nobody has one of them alone."""

    contact_id: int
    currency: str
    card: Card | None
    stored: StoredCard | None


@dataclass(slots=True)
class Sheet:
    """Rows that wait to be written together, each list after those that it points at."""

    random: Random
    products: list[Product]
    until: date
    invoices: list[Invoice] = field(default_factory=list)
    lines: list[InvoiceLine] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    returns: list[Refund] = field(default_factory=list)
    refund_attempts: list[Attempt] = field(default_factory=list)
    refunds: list[Payment] = field(default_factory=list)
    schedules: list[RechargeSchedule] = field(default_factory=list)

    def write(self) -> None:
        """Give the invoices their numbers and store everything."""
        issued = [invoice for invoice in self.invoices if invoice.status != InvoiceStatus.DRAFT]
        for invoice, taken in zip(issued, Series.take(len(issued)), strict=True):
            invoice.sequence, invoice.number = taken
        for rows in (
            *(self.invoices, self.lines, self.charges, self.attempts, self.payments),
            *(self.returns, self.refund_attempts, self.refunds, self.schedules),
        ):
            _store(rows)
            rows.clear()

    def add(self, buyer: Buyer, story: Story, *, on: date, ref: str) -> None:
        """Compose an invoice of 1 to 6 lines whose story began on a day."""
        invoice = Invoice(
            contact_id=buyer.contact_id,
            status=story.status,
            currency=buyer.currency,
            invoice_date=on,
            due_on=on + timedelta(days=self.random.choice((0, 14, 14, 30))),
            external_ref=ref,
            shipping=self._price(Decimal("4.90"), buyer.currency) if self.random.random() < 0.2 else ZERO,
            issued_at=None if story.status == InvoiceStatus.DRAFT else _moment(on, 0, self.until),
        )
        lines = [self._line(invoice, position) for position in range(1, self.random.randint(1, 6) + 1)]
        rows: list[Payment] = []
        now = _figures(invoice, lines, rows)
        for day, receipt in enumerate(story.receipts, start=2):
            rows += self._receive(invoice, buyer, receipt, now, at=_moment(on, day * 3, self.until))
            now = _figures(invoice, lines, rows)
        for column in Invoice.FIGURES:
            setattr(invoice, column, getattr(now, column))
        invoice.line_count = len(lines)
        invoice.summary = summary_of(lines[0].description, len(lines))
        if story.status == InvoiceStatus.WRITTEN_OFF:
            invoice.written_off_amount = now.total - now.paid
        if story.status == InvoiceStatus.COLLECTIONS:
            self.schedules.append(self._ended(invoice, buyer, at=_moment(on, 9, self.until)))
        self.invoices.append(invoice)
        self.lines += lines

    def _ended(self, invoice: Invoice, buyer: Buyer, *, at: datetime) -> RechargeSchedule:
        """Left in Collections after its retries: a worker beside data at scale has nothing to charge."""
        return RechargeSchedule(
            invoice=invoice,
            card=buyer.card,
            entered_at=at,
            entered_on=at.date(),
            at_the_end=AtTheEnd.STAY,
            stopped=Stopped.OVER,
        )

    def _price(self, dollars: Decimal, currency: str) -> Decimal:
        return money.round_half_up(dollars * WORTH[currency], currency)

    def _line(self, invoice: Invoice, position: int) -> InvoiceLine:
        product = self.random.choice(self.products)
        price = self._price(product.price, invoice.currency)
        quantity = Decimal(self.random.choice((1, 1, 1, 2, 3, 5, 12, "1.5")))
        cheaper = self.random.random() < 0.1
        given = LineInput(
            description=product.name,
            sku=product.sku,
            product_id=product.pk,
            quantity=quantity,
            unit_price=price,
            discount=money.round_half_up(quantity * price / 10, invoice.currency) if cheaper else ZERO,
            tax_rate_id=product.tax_rate_id,
            tax_percent=product.tax_rate.percent if product.tax_rate else ZERO,
        )
        line = InvoiceLine.made_from(given, invoice_id=None, position=position, currency=invoice.currency)
        line.invoice = invoice
        return line

    def _receive(
        self, invoice: Invoice, buyer: Buyer, receipt: Receipt, now: Figures, *, at: datetime
    ) -> list[Payment]:
        share = now.total - now.paid if receipt.share == REST else now.total * receipt.share
        amount = money.round_half_up(share, invoice.currency)
        status = PaymentStatus.DECLINED if receipt.declined else PaymentStatus.APPLIED
        payment = Payment(
            invoice=invoice,
            contact_id=buyer.contact_id,
            type=PaymentType.PAYMENT,
            status=status,
            amount=amount,
            currency=invoice.currency,
            received_on=at.date(),
            made_at=at,
        )
        charge = self._charge(payment, buyer) if receipt.card else None
        if charge is None:
            payment.method = self.random.choice(OFFLINE)
            payment.reference = f"{self.random.randint(1, 9999):04d}"
            payment.recorded_only = True
        self.payments.append(payment)
        if not receipt.back:
            return [payment]
        return [payment, self._return(payment, charge, receipt.back, at=at + timedelta(hours=30))]

    def _charge(self, payment: Payment, buyer: Buyer) -> Charge:
        """The charge at the sandbox and the attempt that asked for it."""
        assert buyer.card
        declined = payment.status == PaymentStatus.DECLINED
        code, message = REFUSAL if declined else ("", "")
        charge = Charge(
            ref=new_ref("charge"),
            key=uuid.uuid4(),
            card=buyer.stored,
            amount=payment.amount,
            currency=payment.currency,
            state=AttemptState.DECLINED if declined else AttemptState.APPROVED,
            code=code,
            message=message,
            created_at=payment.made_at,
        )
        charge.confirm_key = charge.key
        attempt = _attempt(
            payment,
            kind=AttemptKind.CHARGE,
            state=charge.state,
            key=charge.key,
            amount=payment.amount,
            gateway_ref=charge.ref,
            card=buyer.card,
            card_token=buyer.card.token,
            code=code,
            message=message,
        )
        payment.method, payment.attempt = PaymentMethod.CARD, attempt
        payment.gateway, payment.gateway_ref = attempt.gateway, charge.ref
        payment.decline_code, payment.decline_reason = code, message
        for name, value in snapshot(buyer.card).items():
            setattr(payment, name, value)
        self.charges.append(charge)
        self.attempts.append(attempt)
        return charge

    def _return(self, payment: Payment, charge: Charge | None, share: Decimal, *, at: datetime) -> Payment:
        amount = money.round_half_up(payment.amount * share, payment.currency)
        payment.refunded_amount = amount
        row = Payment(
            invoice=payment.invoice,
            contact_id=payment.contact_id,
            type=PaymentType.REFUND,
            status=PaymentStatus.APPLIED,
            method=payment.method,
            amount=-amount,
            currency=payment.currency,
            card=payment.card,
            card_brand=payment.card_brand,
            card_last4=payment.card_last4,
            card_exp_month=payment.card_exp_month,
            card_exp_year=payment.card_exp_year,
            refund_of=payment,
            reference="Sent back",
            recorded_only=charge is None,
            received_on=at.date(),
            made_at=at,
        )
        if charge is not None:
            self._return_by_gateway(row, charge, amount)
        self.refunds.append(row)
        return row

    def _return_by_gateway(self, row: Payment, charge: Charge, amount: Decimal) -> None:
        charge.refunded = amount
        back = Refund(
            ref=new_ref("refund"),
            key=uuid.uuid4(),
            charge=charge,
            amount=amount,
            state=AttemptState.APPROVED,
            created_at=row.made_at,
        )
        attempt = _attempt(
            row,
            kind=AttemptKind.REFUND,
            state=AttemptState.APPROVED,
            key=back.key,
            amount=amount,
            gateway_ref=back.ref,
            card=row.card,
            refund_of=row.refund_of,
            reason=row.reference,
        )
        row.attempt, row.gateway, row.gateway_ref = attempt, attempt.gateway, back.ref
        self.returns.append(back)
        self.refund_attempts.append(attempt)


def _attempt(row: Payment, **given: Any) -> Attempt:
    return Attempt(
        invoice=row.invoice,
        currency=row.currency,
        gateway="sandbox",
        started_at=row.made_at,
        due_at=row.made_at + GRACE,
        settled_at=row.made_at,
        **given,
    )


def _figures(invoice: Invoice, lines: list[InvoiceLine], rows: list[Payment]) -> Figures:
    return figures(
        status=invoice.status if invoice.status in UNSETTLED else InvoiceStatus.CLOSED,
        subtotal=sum((line.net for line in lines), ZERO),
        tax_total=sum((line.tax for line in lines), ZERO),
        shipping=invoice.shipping,
        payments=[MoneyRow(row.type, row.status, row.amount, row.excess) for row in rows],
    )


def _moment(on: date, days: int, until: date) -> datetime:
    """During office hours, and never after the last day."""
    return datetime.combine(min(on + timedelta(days=days), until), time(9 + days % 8, 30), tzinfo=UTC)


def _store(rows: list[Any]) -> None:
    if rows:
        model: type[Model] = type(rows[0])
        model._default_manager.bulk_create(rows, batch_size=1000)
