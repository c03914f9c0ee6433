"""verify_books is silent about true books and names every row that lies."""

from datetime import date
from decimal import Decimal

import pytest
from django.db.models import F
from pytest_django import DjangoAssertNumQueries

from billing import books
from billing.models import Attempt, Header, Invoice, InvoiceLine, LineInput, Payment, Series
from billing.statuses import (
    AttemptState,
    InvoiceStatus,
    PaymentMethod,
    PaymentStatus,
    RefundRoute,
)
from tests.factories import (
    DECLINES,
    NOON,
    CardFactory,
    ContactFactory,
    InvoiceFactory,
    PaymentFactory,
)

LOSES_ANSWER = "4000000000000119"
NEEDS_CUSTOMER = "4000002760003184"

pytestmark = pytest.mark.django_db


def found() -> set[tuple[str, int, str]]:
    return {(problem.kind, problem.id, problem.column) for problem in books.problems()}  # type: ignore[misc]


def test_empty_books_add_up() -> None:
    assert list(books.problems()) == []


@pytest.mark.parametrize("status", InvoiceStatus)
def test_an_invoice_of_every_status_adds_up(status: InvoiceStatus) -> None:
    InvoiceFactory.create(status=status)
    assert list(books.problems()) == []


@pytest.mark.parametrize("currency", ["JPY", "USD", "KWD"])
def test_taxes_and_discounts_add_up_in_every_currency(currency: str) -> None:
    lines = [
        LineInput("Lantern", Decimal("1.5"), Decimal(333), Decimal(1), tax_percent=Decimal(19)),
        LineInput("Rope", Decimal("0.333"), Decimal(7), tax_percent=Decimal("8.875")),
    ]
    header = Header(currency, date(2026, 3, 2), date(2026, 3, 16), shipping=Decimal(4))
    InvoiceFactory.create(header=header, lines=lines, status=InvoiceStatus.CLOSED)
    assert list(books.problems()) == []


def test_charges_declines_and_partial_refunds_add_up() -> None:
    invoice = InvoiceFactory.create()
    PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=invoice.contact, number=DECLINES))
    PaymentFactory.create(
        invoice=invoice, card=CardFactory.create(contact=invoice.contact), amount=Decimal(60)
    )
    PaymentFactory.create(invoice=invoice)
    invoice.refund(None, amount=Decimal(70), route=RefundRoute.GATEWAY, reason="Broken", send_receipt=False)
    assert invoice.paid == 30
    assert list(books.problems()) == []
    assert list(books.gateway_problems()) == []


def test_money_that_was_not_owed_adds_up() -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)
    invoice._add_money(
        Decimal(40), method=PaymentMethod.BANK_TRANSFER, received_on=date(2026, 3, 4), made_at=NOON
    )
    invoice.store(*invoice.recompute())
    assert invoice.overpaid == 40
    assert list(books.problems()) == []


def test_a_refund_after_a_write_off_adds_up() -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.WRITTEN_OFF, paid=Decimal(30))
    payment = invoice.payments.get()
    payment.refund(None, amount=Decimal(10), route=RefundRoute.RECORDED, reason="", send_receipt=False)
    assert list(books.problems()) == []


def test_an_attempt_in_flight_adds_up() -> None:
    invoice = InvoiceFactory.create()
    card = CardFactory.create(contact=invoice.contact, number=LOSES_ANSWER)
    invoice.pay(None, source=card, amount=Decimal(100))
    assert invoice.awaiting_gateway
    assert list(books.problems()) == []
    assert list(books.gateway_problems()) == []


CACHES = {
    "subtotal": Decimal(1),
    "tax_total": Decimal(1),
    "total": Decimal(101),
    "paid": Decimal(99),
    "refunded": Decimal(1),
    "overpaid": Decimal(1),
    "line_count": 2,
    "summary": "Something else",
    "awaiting_gateway": True,
    "written_off_amount": Decimal(1),
}


@pytest.mark.parametrize("column", sorted(CACHES))
def test_a_wrong_figure_of_an_invoice_is_named(column: str) -> None:
    status = InvoiceStatus.WRITTEN_OFF if column == "written_off_amount" else InvoiceStatus.CLOSED
    invoice = InvoiceFactory.create(status=status)
    other = InvoiceFactory.create(status=status)
    Invoice.objects.filter(pk=invoice.pk).update(**{column: CACHES[column]})
    assert found() == {("invoice", invoice.pk, column)}
    assert other.pk != invoice.pk


def test_a_wrong_balance_is_named_with_both_figures() -> None:
    invoice = InvoiceFactory.create(paid=Decimal(30))
    Invoice.objects.filter(pk=invoice.pk).update(balance=Decimal(7))
    [problem] = books.problems()
    assert str(problem) == f"invoice {invoice.pk} ({invoice.number}): balance is 7.000, should be 70.000"


def test_a_wrong_amount_of_a_line_is_named() -> None:
    line = InvoiceFactory.create().lines.get()
    InvoiceLine.objects.filter(pk=line.pk).update(quantity=2)
    assert found() == {("line", line.pk, "net"), ("line", line.pk, "total")}


def test_a_wrong_tax_of_a_line_is_named_with_the_invoice_that_adds_it() -> None:
    invoice = InvoiceFactory.create()
    line = invoice.lines.get()
    InvoiceLine.objects.filter(pk=line.pk).update(tax=1, total=F("total") + 1)
    assert found() == {
        ("line", line.pk, "tax"),
        ("line", line.pk, "total"),
        ("invoice", invoice.pk, "tax_total"),
        ("invoice", invoice.pk, "total"),
        ("invoice", invoice.pk, "balance"),
    }


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        (InvoiceStatus.CLOSED, InvoiceStatus.REFUNDED),
        (InvoiceStatus.REFUNDED, InvoiceStatus.CLOSED),
        (InvoiceStatus.CLOSED, InvoiceStatus.OPEN),
        (InvoiceStatus.CLOSED, InvoiceStatus.COLLECTIONS),
    ],
)
def test_a_status_that_the_money_contradicts_is_named(status: InvoiceStatus, wrong: InvoiceStatus) -> None:
    invoice = InvoiceFactory.create(status=status)
    Invoice.objects.filter(pk=invoice.pk).update(status=wrong)
    assert found() - {("invoice", invoice.pk, "schedule")} == {("invoice", invoice.pk, "status")}


def test_a_closed_invoice_that_was_not_paid_is_named() -> None:
    invoice = InvoiceFactory.create(paid=Decimal(30))
    Invoice.objects.filter(pk=invoice.pk).update(status=InvoiceStatus.CLOSED, balance=0)
    assert found() == {("invoice", invoice.pk, "status")}


def test_a_draft_that_was_paid_is_named() -> None:
    invoice = InvoiceFactory.create(paid=Decimal(30))
    Series.objects.update(last=0)
    Invoice.objects.filter(pk=invoice.pk).update(status=InvoiceStatus.DRAFT, number=None, sequence=None)
    assert found() == {("invoice", invoice.pk, "status")}


def test_money_above_the_total_that_nobody_marked_is_named() -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)
    Payment.objects.update(amount=F("amount") + 40)
    assert found() == {("invoice", invoice.pk, "paid"), ("invoice", invoice.pk, "overpaid")}


def test_a_currency_that_is_none_is_named() -> None:
    invoice = InvoiceFactory.create()
    Invoice.objects.update(currency="XXQ")
    assert found() == {("invoice", invoice.pk, "currency")}


def test_shipping_finer_than_the_currency_is_named() -> None:
    invoice = InvoiceFactory.create()
    amount = Decimal("0.005")
    Invoice.objects.update(shipping=amount, total=F("total") + amount, balance=F("balance") + amount)
    assert found() == {("invoice", invoice.pk, "shipping")}


def a_payment() -> Payment:
    return InvoiceFactory.create(status=InvoiceStatus.CLOSED).payments.get()


def test_a_payment_in_another_currency_is_named() -> None:
    payment = a_payment()
    Payment.objects.update(currency="EUR")
    assert found() == {("payment", payment.pk, "currency")}


def test_a_payment_of_another_contact_is_named() -> None:
    payment = a_payment()
    Payment.objects.update(contact=ContactFactory.create())
    assert found() == {("payment", payment.pk, "contact_id")}


def test_a_payment_finer_than_its_currency_is_named() -> None:
    payment = a_payment()
    Payment.objects.update(amount=Decimal("100.001"))
    assert ("payment", payment.pk, "amount") in found()


def test_a_wrong_count_of_what_went_back_is_named() -> None:
    payment = a_payment()
    Payment.objects.update(refunded_amount=1)
    assert found() == {("payment", payment.pk, "refunded_amount")}


def test_more_refunds_than_were_received_are_named() -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.REFUNDED)
    payment, refund = invoice.payments.order_by("id")
    Payment.objects.filter(pk=refund.pk).update(amount=-150)
    assert {("payment", payment.pk, "refunds"), ("payment", payment.pk, "refunded_amount")} <= found()


def test_a_refund_of_another_invoices_money_is_named() -> None:
    payment = a_payment()
    refund = InvoiceFactory.create(status=InvoiceStatus.REFUNDED).payments.latest("id")
    Payment.objects.filter(pk=refund.pk).update(refund_of=payment)
    assert ("payment", refund.pk, "refund_of") in found()


def a_charge(number: str = "4242424242424242") -> Payment:
    invoice = InvoiceFactory.create()
    return PaymentFactory.create(
        invoice=invoice, card=CardFactory.create(contact=invoice.contact, number=number)
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [("amount", Decimal(90)), ("gateway", "offline"), ("status", PaymentStatus.DECLINED)],
)
def test_a_payment_that_its_attempt_contradicts_is_named(column: str, value: object) -> None:
    payment = a_charge()
    Payment.objects.update(**{column: value})
    assert ("payment", payment.pk, column) in found()


def test_an_approved_attempt_without_a_payment_is_named() -> None:
    payment = a_charge()
    attempt_id = payment.attempt_id
    Payment.objects.update(attempt=None)
    assert found() == {("attempt", attempt_id, "payment")}


def test_a_payment_whose_attempt_has_not_ended_is_named() -> None:
    payment = a_charge()
    Attempt.objects.update(state=AttemptState.UNKNOWN)
    attempt_id = payment.attempt_id
    assert ("attempt", attempt_id, "state") in found()
    assert ("invoice", payment.invoice_id, "awaiting_gateway") in found()


def test_a_payment_by_another_invoices_attempt_is_named() -> None:
    payment, other = a_charge(), InvoiceFactory.create(status=InvoiceStatus.CLOSED).payments.get()
    attempt = payment.attempt
    Payment.objects.filter(pk=payment.pk).update(attempt=None)
    Payment.objects.filter(pk=other.pk).update(attempt=attempt)
    assert ("payment", other.pk, "attempt") in found()


def test_an_attempt_in_another_currency_is_named() -> None:
    payment = a_charge()
    Attempt.objects.update(currency="EUR")
    assert found() == {("attempt", payment.attempt_id, "currency")}


def test_a_missing_number_is_named() -> None:
    InvoiceFactory.create()
    gone = InvoiceFactory.create()
    InvoiceFactory.create()
    Invoice.objects.filter(pk=gone.pk).update(sequence=None)
    series = Series.objects.get()
    assert found() == {("series", series.pk, "place 2")}


def test_a_new_format_of_the_numbers_leaves_no_gap() -> None:
    InvoiceFactory.create()
    Series.objects.update(format="{number:04d}/2026")
    assert InvoiceFactory.create().number == "0002/2026"
    assert found() == set()


def test_a_number_beyond_the_last_one_taken_is_named() -> None:
    InvoiceFactory.create()
    Series.objects.update(last=0)
    assert found() == {("series", Series.objects.get().pk, "last")}


def test_numbers_of_other_origin_are_nobodys_business() -> None:
    invoice = InvoiceFactory.create()
    Series.objects.update(last=0)
    Invoice.objects.filter(pk=invoice.pk).update(number="536365", sequence=None)
    assert found() == set()


def test_the_walk_takes_the_same_queries_for_one_invoice_and_for_twenty(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    InvoiceFactory.create(status=InvoiceStatus.CLOSED)
    for _ in range(2):
        with django_assert_num_queries(22):  # three of them for partners, who have earned nothing here
            assert list(books.problems()) == []
        InvoiceFactory.create_batch(19, status=InvoiceStatus.REFUNDED)


def test_the_walk_goes_on_after_the_first_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.books.account.BATCH", 2)
    monkeypatch.setattr("billing.books.numbers.BATCH", 2)
    invoices = InvoiceFactory.create_batch(5)
    Invoice.objects.update(summary="Other")
    assert found() == {("invoice", invoice.pk, "summary") for invoice in invoices}
