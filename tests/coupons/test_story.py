"""Any sequence of deeds on invoices with coupons keeps the books right: nothing falls below 0, and no Open
invoice below what is paid.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing import money
from billing.models import Coupon, CouponCode, Header, Invoice, InvoiceLine, LineInput
from billing.models.guard import Refused
from billing.statuses import InvoiceStatus, PaymentMethod
from tests.attempts.desk import assert_books_agree
from tests.factories import NOON, ContactFactory, CouponFactory, ProductFactory, refund_all

CODES = ["", "HALF", "GIFT", "TEN", "MINE", "COVERED", "NONE"]
MOST_INVOICES = 4

which = st.integers(0, MOST_INVOICES - 1)
codes = st.sampled_from(CODES)
prices = st.lists(st.integers(0, 5000), min_size=1, max_size=3)
ENDS: dict[str, Callable[[Invoice], Any]] = {
    "delete": lambda invoice: invoice.discard(None),
    "issue": lambda invoice: invoice.issue(None, at=NOON),
    "refund": refund_all,
    "void": lambda invoice: invoice.void(None, reason=""),
    "write_off": lambda invoice: invoice.write_off(None, reason=""),
}


class Desk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone._from_testcase = True  # type: ignore[attr-defined]  # durable blocks may stand in it
        self.undone.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    @initialize()
    def open_the_desk(self) -> None:
        """Coupons of each kind, of some of which there are few."""
        self.contact, self.product = ContactFactory.create(), ProductFactory.create()
        CouponFactory.create(code="HALF", percent=Decimal("49.99"), total_available=1)
        CouponFactory.create(code="GIFT", percent=Decimal(100), total_available=2)
        CouponFactory.create(code="TEN", amount=Decimal(10))
        CouponFactory.create(code="MINE", contact=self.contact)
        CouponFactory.create(code="COVERED", amount=Decimal(7), products=(self.product,))

    def given(self, prices: list[int], code: str, currency: str) -> dict[str, Any]:
        """Every second line is of the product; all are discounted by a coin, if they come to one."""
        coin = money.quantum(currency)
        lines = [
            LineInput(
                "Lantern",
                Decimal(1),
                price * coin,
                coin if price else Decimal(0),
                product_id=self.product.pk if at % 2 else None,
                tax_percent=Decimal("7.7"),
            )
            for at, price in enumerate(prices)
        ]
        return {"header": Header(currency, date(2026, 3, 2), date(2026, 3, 16), coupon=code), "lines": lines}

    def attempt(self, n: int, verb: Callable[[Invoice], Any]) -> None:
        """Do it to one of the invoices; what is refused changes nothing."""
        found = list(Invoice.objects.order_by("pk"))
        if not found:
            return
        invoice = found[n % len(found)]
        before = state_of(invoice)
        try:
            verb(invoice)
        except Refused:
            assert state_of(invoice) == before

    @rule(prices=prices, code=codes, currency=st.sampled_from(["USD", "USD", "JPY"]), issued=st.booleans())
    def create(self, prices: list[int], code: str, currency: str, issued: bool) -> None:
        if Invoice.objects.count() >= MOST_INVOICES:
            return
        with suppress(Refused):
            event = Invoice.draft(None, contact=self.contact, **self.given(prices, code, currency))
            assert event.invoice
            if issued:
                event.invoice.issue(None, at=NOON)

    @rule(n=which, prices=prices, code=codes)
    def edit(self, n: int, prices: list[int], code: str) -> None:
        self.attempt(n, lambda each: each.edit(None, **self.given(prices, code, each.currency)))

    @rule(n=which, part=st.sampled_from([Decimal(1), Decimal("0.5")]))
    def pay(self, n: int, part: Decimal) -> None:
        def pay(invoice: Invoice) -> None:
            amount = money.round_half_up(invoice.balance * part, invoice.currency)
            invoice.pay(None, source=PaymentMethod.CASH, amount=amount, send_receipt=False)

        self.attempt(n, pay)

    @rule(n=which, do=st.sampled_from(sorted(ENDS)))
    def end(self, n: int, do: str) -> None:
        self.attempt(n, ENDS[do])

    @rule()
    def withdraw(self) -> None:
        with suppress(Refused):
            CouponCode.objects.get(code="MINE").withdraw(None, reason="")

    @invariant()
    def the_books_add_up(self) -> None:
        assert_books_agree()

    @invariant()
    def nothing_falls_below_0_or_below_what_is_paid(self) -> None:
        for line in InvoiceLine.objects.all():
            assert min(line.coupon_discount, line.net, line.tax, line.total) >= 0
        for invoice in Invoice.objects.all():
            assert min(invoice.total, invoice.balance) >= 0
            if invoice.status == InvoiceStatus.OPEN:
                assert invoice.total > invoice.paid
        for coupon in Coupon.objects.exclude(total_available=None):
            assert 0 <= coupon.redeemed <= (coupon.total_available or 0)


def state_of(invoice: Invoice) -> tuple[Any, ...]:
    return Invoice.objects.values_list("status", "total", "paid", "coupon_code", "version").get(pk=invoice.pk)


@pytest.mark.django_db
def test_any_story_of_coupons_keeps_the_books_right() -> None:
    bounds = settings(max_examples=25, stateful_step_count=15, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Desk, settings=bounds)
