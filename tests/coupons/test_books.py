"""verify_books knows what coupons, their codes and their shares of lines must be, and names what lies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing import books
from billing.models import Coupon, CouponCode, CouponRedemption, Invoice, InvoiceLine, Order
from billing.statuses import CodeState, InvoiceStatus
from tests.coupons.test_orders import ALL, club, sale
from tests.factories import ContactFactory, CouponFactory, InvoiceFactory

pytestmark = pytest.mark.django_db


def found() -> set[tuple[str, str]]:
    return {(problem.kind, problem.column) for problem in books.problems()}


@pytest.fixture
def invoice() -> Invoice:
    contact = ContactFactory.create()
    CouponFactory.create(code="MINE", contact=contact)
    return InvoiceFactory.create(contact=contact, coupon="MINE")


@pytest.mark.parametrize("status", InvoiceStatus)
def test_an_invoice_of_every_status_with_a_coupon_adds_up(status: InvoiceStatus) -> None:
    CouponFactory.create(code="SPRING")
    InvoiceFactory.create(coupon="SPRING", status=status)
    assert list(books.problems()) == []


@pytest.mark.parametrize(
    ("model", "lie", "named"),
    [
        (Coupon, {"redeemed": 2}, {("coupon", "redeemed")}),
        (CouponCode, {"state": CodeState.ISSUED}, {("coupon code", "state")}),
        (Coupon, {"percent": Decimal(20)}, {("line", "coupon_discount")}),
        (Invoice, {"coupon_code": None}, {("line", "coupon_discount"), ("invoice", "redemption")}),
        (Coupon, {"audience": "group"}, {("coupon code", "contact")}),
    ],
)
def test_what_lies_is_named(
    invoice: Invoice, model: type[Any], lie: dict[str, Any], named: set[tuple[str, str]]
) -> None:
    model.objects.update(**lie)
    assert found() == named


def test_a_share_that_its_line_does_not_take_off_is_named(invoice: Invoice) -> None:
    InvoiceLine.objects.update(coupon_discount=Decimal(9))
    assert {("line", "coupon_discount"), ("line", "net")} <= found()


@pytest.mark.parametrize("status", [InvoiceStatus.DECLINED, InvoiceStatus.VOIDED])
def test_a_coupon_that_was_not_given_back_is_named(status: InvoiceStatus) -> None:
    CouponFactory.create(code="SPRING")
    invoice = InvoiceFactory.create(coupon="SPRING", status=status)
    CouponRedemption.objects.update_or_create(
        invoice=invoice,
        defaults={
            "code": CouponCode.objects.get(),
            "is_single": False,
            "redeemed_at": timezone.now(),
            "returned_at": None,
        },
    )
    Coupon.objects.update(redeemed=1)
    assert found() == {("invoice", "redemption")}


def test_an_order_with_a_coupon_that_its_invoice_has_not_redeemed_is_named() -> None:
    CouponFactory.create(code="SPRING", scope=ALL)
    sale(club(), coupon="SPRING")
    order = Order.objects.get()
    assert (order.coupon_code_id, list(books.problems())) == ("SPRING", [])
    CouponRedemption.objects.update(returned_at=timezone.now())
    Coupon.objects.update(redeemed=0)
    assert found() == {("invoice", "redemption"), ("order", "coupon_code")}


def test_a_coupon_that_was_never_redeemed_is_named(invoice: Invoice) -> None:
    CouponRedemption.objects.update(returned_at=timezone.now())
    Coupon.objects.update(redeemed=0)
    CouponCode.objects.update(state=CodeState.ISSUED)
    assert found() == {("invoice", "redemption")}
