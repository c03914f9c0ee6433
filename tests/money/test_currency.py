"""One currency per invoice: whatever was ever paid or asked for on it is in that one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from django.utils import timezone

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Header, Invoice, LineInput
from billing.models.guard import Invalid
from billing.statuses import InvoiceStatus
from tests.attempts.desk import assert_books_agree, fresh, give_back, no_answer, owing, pay
from tests.factories import DECLINES, InvoiceFactory, PaymentFactory

pytestmark = pytest.mark.django_db
URL = "https://desk.example.com/"


def change_currency(invoice: Invoice, to: str = "EUR") -> None:
    header = replace(Header.of(invoice), currency=to)
    invoice.edit(None, header=header, lines=[LineInput("Lantern", Decimal(1), Decimal(100))])


def assert_stays_in_dollars(invoice: Invoice) -> None:
    with pytest.raises(Invalid, match=r"Currency is EUR: .* in USD") as refused:
        change_currency(invoice)
    assert refused.value.field == "currency"
    assert fresh(invoice).currency == "USD"
    assert_books_agree()


def test_the_currency_of_a_draft_and_of_an_untouched_open_invoice_may_change() -> None:
    for status in (InvoiceStatus.DRAFT, InvoiceStatus.OPEN):
        invoice = InvoiceFactory.create(status=status)
        change_currency(invoice, "JPY")
        assert fresh(invoice).currency == "JPY"
    assert_books_agree()


def test_the_currency_stays_after_all_of_a_payment_went_back() -> None:
    invoice = InvoiceFactory.create()
    give_back(PaymentFactory.create(invoice=invoice, amount=Decimal(40)), 40)
    assert_stays_in_dollars(fresh(invoice))


def test_the_currency_stays_after_a_declined_charge() -> None:
    invoice, card = owing(DECLINES)
    pay(invoice, card)
    assert_stays_in_dollars(fresh(invoice))


def test_the_currency_stays_while_a_customer_can_pay_on_a_page_that_could_not_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice = InvoiceFactory.create()
    invoice.open_page(return_url=URL, cancel_url=URL, remember=False, at=timezone.now())
    monkeypatch.setattr(SandboxGateway, "expire_page", no_answer)
    assert_stays_in_dollars(fresh(invoice))
