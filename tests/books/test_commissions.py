"""A commission, a payout or a referral that its rows contradict is named."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing import books
from billing.models import Commission, Invoice, Partner, Payout, Referral
from tests.factories import PartnerFactory
from tests.partners.desk import close, give_back, pay_all, sale

pytestmark = pytest.mark.django_db


def found() -> set[tuple[str, str]]:
    return {(problem.kind, problem.column) for problem in books.problems()}


@pytest.fixture
def ada() -> Partner:
    return PartnerFactory.create()


def test_a_sum_that_is_not_due_is_named(ada: Partner) -> None:
    close(sale(ada))
    Commission.objects.update(amount=Decimal("10.01"))
    assert found() == {("commission", "sum")}


def test_a_refund_that_took_nothing_back_is_named(ada: Partner) -> None:
    give_back(close(sale(ada)), 50)
    Commission.objects.update(amount=Decimal(10))
    assert found() == {("commission", "sum")}


def test_rows_at_two_rates_are_named(ada: Partner) -> None:
    invoice = close(sale(ada))
    pay_all(ada)
    give_back(invoice, 50)
    Commission.objects.filter(kind="clawback").update(rate_value=Decimal(3))
    assert found() == {("commission", "rate")}


def test_another_currency_and_another_invoices_line_are_named(ada: Partner) -> None:
    close(sale(ada))
    other: Invoice = sale(ada)
    Commission.objects.update(currency="EUR")
    assert found() == {("commission", "currency")}
    Commission.objects.update(currency="USD", line=other.lines.get())
    assert found() == {("commission", "invoice_id")}


def test_a_payout_that_is_not_the_sum_of_its_commissions_is_named(ada: Partner) -> None:
    close(sale(ada))
    pay_all(ada)
    Payout.objects.update(total=Decimal(9), partner_count=2)
    assert found() == {("payout", "total"), ("payout", "partner_count")}


def test_a_referrer_of_another_program_is_named(ada: Partner) -> None:
    sale(ada)
    Referral.objects.update(last=PartnerFactory.create())
    assert found() == {("referral", "partners")}
