# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""A coupon on the invoice that starts an order: of the first payment alone, or of all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.models import Coupon, CouponRedemption, Header, Invoice, LineInput, Order, Product
from billing.models.guard import Invalid
from billing.statuses import CouponScope, InvoiceStatus, PastDue, SoldAs
from billing.tasks import bill_due_orders
from tests.attempts.desk import assert_books_agree, fresh
from tests.factories import CouponFactory, InvoiceFactory, ProductFactory

pytestmark = pytest.mark.django_db
NEXT_MONTH = datetime(2026, 4, 2, 12, tzinfo=UTC)
ALL = CouponScope.ALL


def club(name: str = "Garden club") -> Product:
    return ProductFactory.create(name=name, price=Decimal(30), sold_as=SoldAs.SUBSCRIPTION)


def sale(*products: Product, coupon: str) -> Invoice:
    return InvoiceFactory.create(coupon=coupon, lines=asked(*products))


def asked(*products: Product) -> list[LineInput]:
    return [LineInput(each.name, Decimal(1), each.price, product_id=each.pk) for each in products]


def billed(order: Order) -> list[Decimal]:
    bill_due_orders(NEXT_MONTH)
    return list(order.invoices.order_by("period").values_list("total", flat=True))


def test_a_coupon_of_the_first_payment_is_of_that_invoice_alone() -> None:
    CouponFactory.create(code="FIRST", percent=Decimal(50))
    assert sale(club(), coupon="FIRST").total == 15
    order = Order.objects.get()
    assert (order.coupon_code_id, order.amount, billed(order)) == (None, 30, [30])
    assert_books_agree()


def test_a_coupon_of_all_payments_goes_along_and_is_redeemed_once() -> None:
    CouponFactory.create(code="ALWAYS", percent=Decimal(50), scope=ALL, total_available=1)
    sale(club(), coupon="ALWAYS")
    order = Order.objects.get()
    charges = order.upcoming(order.regular_lines(), date.max, order.discount())
    assert (order.amount, len(charges), {charge.amount for charge in charges}) == (15, 12, {15})
    assert billed(order) == [15]
    period = order.invoices.get()
    assert (period.coupon, period.lines.get().coupon_discount) == ("ALWAYS", 15)
    assert CouponRedemption.objects.count() == Coupon.objects.get().redeemed == 1
    assert_books_agree()


def test_what_was_promised_stays_when_the_coupon_ends() -> None:
    CouponFactory.create(code="ALWAYS", percent=Decimal(50), scope=ALL)
    sale(club(), coupon="ALWAYS")
    Coupon.objects.update(is_active=False, ends_on=date(2026, 3, 3))
    assert billed(Order.objects.get()) == [15]
    assert_books_agree()


def test_a_whole_coupon_of_all_payments_closes_each_of_them() -> None:
    CouponFactory.create(code="FREE", percent=Decimal(100), scope=ALL)
    sale(club(), coupon="FREE")
    order = Order.objects.get()
    assert billed(order) == [0]
    period = order.invoices.get()
    assert (period.status, period.charge_due_at) == (InvoiceStatus.CLOSED, None)
    assert fresh_order(order).payments_made == 2
    assert_books_agree()


def fresh_order(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def test_a_flat_coupon_comes_off_once_per_payment_though_two_orders_start() -> None:
    CouponFactory.create(code="TEN", amount=Decimal(10), scope=ALL)
    invoice = sale(club(), club("Bee club"), coupon="TEN")
    assert invoice.total == 50
    assert list(Order.objects.order_by("pk").values_list("amount", flat=True)) == [20, 30]
    assert_books_agree()


def test_an_order_whose_product_it_does_not_cover_goes_without() -> None:
    covered, other = club(), club("Bee club")
    CouponFactory.create(code="HALF", percent=Decimal(50), scope=ALL, products=(covered,))
    sale(other, covered, coupon="HALF")
    assert list(Order.objects.order_by("pk").values_list("amount", flat=True)) == [30, 15]


def test_an_order_that_is_edited_to_another_product_pays_for_it_in_full() -> None:
    covered, other = club(), club("Bee club")
    CouponFactory.create(code="HALF", percent=Decimal(50), scope=ALL, products=(covered,))
    sale(covered, coupon="HALF")
    order = Order.objects.get()
    order.lines.update(product=other)
    order.store(*order.summarize())
    assert (billed(order), order.invoices.get().coupon) == ([30], "")
    assert_books_agree()


def test_a_coupon_that_is_given_back_leaves_the_orders_too() -> None:
    CouponFactory.create(code="ALWAYS", percent=Decimal(50), scope=ALL)
    invoice = sale(club(), coupon="ALWAYS")
    invoice.void(None, reason="")
    order = Order.objects.get()
    assert (order.amount, Coupon.objects.get().redeemed) == (30, 0)
    assert order.events.filter(action="lose_coupon").exists()
    assert billed(order) == [30]
    assert_books_agree()


@pytest.mark.parametrize(("percent", "amount"), [(50, 15), (100, 0)])
def test_a_coupon_that_a_later_payment_has_used_is_not_given_back(percent: int, amount: int) -> None:
    CouponFactory.create(code="ALWAYS", percent=Decimal(percent), scope=ALL, total_available=1)
    invoice = sale(club(), coupon="ALWAYS")
    order = Order.objects.get()
    assert billed(order) == [amount]
    invoice = fresh(invoice)
    assert not invoice.gives_coupon_back()
    invoice.void(None, reason="")
    assert (fresh_order(order).amount, Coupon.objects.get().redeemed) == (amount, 1)
    assert_books_agree()


def test_a_coupon_that_a_later_payment_has_used_is_not_taken_off_by_an_edit() -> None:
    CouponFactory.create(code="ALWAYS", percent=Decimal(50), scope=ALL, total_available=1)
    invoice = sale(club(), coupon="ALWAYS")
    assert billed(Order.objects.get()) == [15]
    invoice = fresh(invoice)
    lines = [line.given for line in invoice.lines.all()]
    with pytest.raises(Invalid, match="a later payment of its order has used it"):
        invoice.edit(None, header=replace(Header.of(invoice), coupon=""), lines=lines)
    assert (fresh(invoice).coupon, Coupon.objects.get().redeemed) == ("ALWAYS", 1)
    assert_books_agree()


def test_a_coupon_goes_back_once_the_later_payment_has_come_to_nothing_too() -> None:
    CouponFactory.create(code="ALWAYS", percent=Decimal(50), scope=ALL)
    invoice = sale(club(), coupon="ALWAYS")
    order = Order.objects.get()
    assert billed(order) == [15]
    order.invoices.get().void(None, reason="")
    fresh(invoice).void(None, reason="")
    assert (fresh_order(order).amount, Coupon.objects.get().redeemed) == (30, 0)
    assert_books_agree()


def test_an_edit_puts_the_coupon_on_the_orders_and_takes_it_off_again() -> None:
    CouponFactory.create(code="ALWAYS", percent=Decimal(50), scope=ALL)
    product = club()
    invoice = sale(product, coupon="")
    order = Order.objects.get()
    for code, amount in (("ALWAYS", 15), ("", 30)):
        header = Header("USD", invoice.invoice_date, invoice.due_on, coupon=code)
        fresh(invoice).edit(None, header=header, lines=asked(product))
        assert fresh_order(order).amount == amount
    assert_books_agree()


def test_a_cancelled_order_keeps_its_code_as_a_record() -> None:
    CouponFactory.create(code="ALWAYS", percent=Decimal(50), scope=ALL)
    invoice = sale(club(), coupon="ALWAYS")
    order = Order.objects.get()
    order.cancel(None, past_due=PastDue.LEAVE, reason="")
    fresh(invoice).void(None, reason="")
    assert (fresh_order(order).coupon_code_id, fresh_order(order).amount) == ("ALWAYS", 15)
    assert_books_agree()
