"""What must be true of one invoice and its rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from billing import money
from billing.actions import OWING
from billing.books.account import Account, AttemptRow, PaymentRow
from billing.books.problem import Problem
from billing.models import Invoice, UnmatchedMoney
from billing.models.base import summary_of
from billing.models.figures import Figures, MoneyRow, figures
from billing.money import ZERO
from billing.statuses import (
    IN_FLIGHT,
    AttemptKind,
    AttemptState,
    InvoiceStatus,
    PaymentStatus,
    PaymentType,
    UnmatchedKind,
)

MADE_BY = {AttemptKind.CHARGE: (PaymentType.PAYMENT, 1), AttemptKind.REFUND: (PaymentType.REFUND, -1)}
"""What an attempt becomes: the payment's type and the sign of its amount."""
ENDS_AS = {
    AttemptState.APPROVED: PaymentStatus.APPLIED,
    AttemptState.DECLINED: PaymentStatus.DECLINED,
}


def problems_of(account: Account) -> Iterator[Problem]:
    if account.invoice.currency not in money.EXPONENTS:
        yield _of_invoice(account, "currency", account.invoice.currency, "a currency of ISO 4217")
        return
    now = _figures(account)
    yield from _lines(account)
    yield from _caches(account, now)
    yield from _state(account, now)
    yield from _payments(account)
    yield from _attempts(account)


def _of_invoice(account: Account, column: str, stored: object, computed: object) -> Problem:
    return Problem("invoice", account.invoice.id, account.name, column, str(stored), str(computed))


def _of_payment(account: Account, row: PaymentRow, column: str, stored: object, computed: object) -> Problem:
    return Problem("payment", row.id, account.name, column, str(stored), str(computed))


def _lines(account: Account) -> Iterator[Problem]:
    for line in account.lines:
        exact = money.line_amounts(
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount=line.discount,
            tax_percent=line.tax_percent,
            currency=account.invoice.currency,
            coupon=line.coupon_discount,
        )
        for column in ("net", "tax", "total"):
            stored, computed = getattr(line, column), getattr(exact, column)
            if stored != computed:
                yield Problem("line", line.id, account.name, column, str(stored), str(computed))


def _figures(account: Account) -> Figures:
    return figures(
        status=account.invoice.status,
        subtotal=sum((line.net for line in account.lines), ZERO),
        tax_total=sum((line.tax for line in account.lines), ZERO),
        shipping=account.invoice.shipping,
        payments=[MoneyRow(row.type, row.status, row.amount, row.excess) for row in account.payments],
    )


def _caches(account: Account, now: Figures) -> Iterator[Problem]:
    invoice = account.invoice
    for column in Invoice.FIGURES:
        stored, computed = getattr(invoice, column), getattr(now, column)
        if stored != computed:
            yield _of_invoice(account, column, stored, computed)
    count = len(account.lines)
    if invoice.line_count != count:
        yield _of_invoice(account, "line_count", invoice.line_count, count)
    summary = summary_of(account.lines[0].description if account.lines else "", count)
    if invoice.summary != summary:
        yield _of_invoice(account, "summary", repr(invoice.summary), repr(summary))
    in_flight = any(attempt.state in IN_FLIGHT for attempt in account.attempts)
    if invoice.awaiting_gateway != in_flight:
        yield _of_invoice(account, "awaiting_gateway", invoice.awaiting_gateway, in_flight)


def _state(account: Account, now: Figures) -> Iterator[Problem]:
    """What the status and the amounts beside the balance may be, given the money."""
    invoice = account.invoice
    implied = _implied_status(account, now)
    if invoice.status != implied:
        yield _of_invoice(account, "status", invoice.status, implied)
    if now.overpaid < now.paid - now.total:
        yield _of_invoice(account, "overpaid", now.overpaid, f"at least {now.paid - now.total}")
    if money.is_too_fine(invoice.shipping, invoice.currency):
        exact = money.round_half_up(invoice.shipping, invoice.currency)
        yield _of_invoice(account, "shipping", invoice.shipping, exact)
    if invoice.status == InvoiceStatus.WRITTEN_OFF:
        # what comes after a write-off is not owed, and what goes back then is not written off
        late = sum((row.excess for row in account.payments), ZERO)
        most = now.total - now.paid + late
        if not max(ZERO, most - now.refunded) <= invoice.written_off_amount <= most:
            yield _of_invoice(account, "written_off_amount", invoice.written_off_amount, most)


def _implied_status(account: Account, now: Figures) -> str:
    """The status that the money speaks for, where it speaks: nobody can see a void from payments."""
    status = InvoiceStatus(account.invoice.status)
    if status == InvoiceStatus.DRAFT and account.payments:
        return InvoiceStatus.OPEN
    if status in OWING and not now.balance:
        return InvoiceStatus.CLOSED
    if status == InvoiceStatus.CLOSED:
        if now.refunded and not now.paid and now.total:
            return InvoiceStatus.REFUNDED
        return status if now.paid + now.refunded >= now.total else InvoiceStatus.OPEN
    if status == InvoiceStatus.REFUNDED and not (now.refunded and now.paid == now.overpaid):
        return InvoiceStatus.CLOSED
    return status


def _payments(account: Account) -> Iterator[Problem]:
    invoice = account.invoice
    returned = _returned(account)
    for row in account.payments:
        expected = {
            "currency": invoice.currency,
            "contact_id": invoice.contact_id,
            "amount": money.round_half_up(row.amount, invoice.currency),
            "refunded_amount": returned[row.id],
        }
        for column, computed in expected.items():
            stored = getattr(row, column)
            if stored != computed:
                yield _of_payment(account, row, column, stored, computed)
        if returned[row.id] > max(row.amount, ZERO):
            yield _of_payment(account, row, "refunds", returned[row.id], f"at most {row.amount}")
    yield from _refunds(account)


def _returned(account: Account) -> dict[int | None, Decimal]:
    """What went back of each payment, by its id."""
    returned: dict[int | None, Decimal] = defaultdict(Decimal)
    for row in account.payments:
        if row.type == PaymentType.REFUND and row.status == PaymentStatus.APPLIED:
            returned[row.refund_of_id] -= row.amount
    return returned


def _refunds(account: Account) -> Iterator[Problem]:
    """A refund returns money that was received on the same invoice."""
    received = {
        row.id
        for row in account.payments
        if row.type == PaymentType.PAYMENT and row.status == PaymentStatus.APPLIED
    }
    for row in account.payments:
        if row.type == PaymentType.REFUND and row.refund_of_id not in received:
            yield _of_payment(account, row, "refund_of", row.refund_of_id, "money received on this invoice")


def _attempts(account: Account) -> Iterator[Problem]:
    """Each attempt that ended in a payment has that one, and no other attempt has any."""
    made = {row.attempt_id: row for row in account.payments if row.attempt_id}
    for attempt in account.attempts:
        if attempt.currency != account.invoice.currency:
            yield _of_attempt(account, attempt, "currency", attempt.currency, account.invoice.currency)
        payment = made.pop(attempt.id, None)
        if payment and attempt.state not in ENDS_AS:
            yield _of_attempt(account, attempt, "state", attempt.state, payment.status)
        elif payment:
            yield from _outcome(account, attempt, payment)
        elif attempt.state in ENDS_AS and attempt.amount != _unmatched(attempt):
            yield _of_attempt(account, attempt, "payment", "missing", f"{attempt.state} {attempt.amount}")
    for row in made.values():
        yield _of_payment(account, row, "attempt", row.attempt_id, "an attempt on this invoice")


def _unmatched(attempt: AttemptRow) -> Decimal:
    """The part of a refund that its payment had no room for: it waits for a person, or did."""
    if attempt.kind != AttemptKind.REFUND or attempt.state != AttemptState.APPROVED:
        return ZERO
    noted = UnmatchedMoney.objects.filter(gateway=attempt.gateway, ref=attempt.gateway_ref)
    return noted.filter(kind=UnmatchedKind.REFUND).values_list("amount", flat=True).first() or ZERO


def _of_attempt(account: Account, row: AttemptRow, column: str, stored: object, computed: object) -> Problem:
    return Problem("attempt", row.id, account.name, column, str(stored), str(computed))


def _outcome(account: Account, attempt: AttemptRow, payment: PaymentRow) -> Iterator[Problem]:
    kind, sign = MADE_BY[AttemptKind(attempt.kind)]
    expected = {
        "type": kind,
        "status": ENDS_AS[AttemptState(attempt.state)],
        "amount": sign * attempt.amount,
        "gateway": attempt.gateway,
    }
    for column, computed in expected.items():
        stored = getattr(payment, column)
        if stored != computed and not (column == "amount" and stored - computed == _unmatched(attempt)):
            yield _of_payment(account, payment, column, stored, computed)
