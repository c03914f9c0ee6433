"""Two that lock the same rows of coupons, contacts and numbers: one waits for the other, never for ever.

Everybody locks in this order: invoice, coupon, code, contact, referral, number series, order, commissions.
PostgreSQL looks at references last, as a transaction commits: that must wait for no lock of theirs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from billing.models import Coupon, Invoice, LineInput, Order, OrderForm, Submission
from billing.models.selling.submission import GIVEN_UP_AFTER, Sent
from billing.statuses import CouponScope, InvoiceStatus
from tests.attempts.desk import assert_books_agree
from tests.attempts.locks import race
from tests.factories import NOON, CouponFactory, InvoiceFactory, OrderFormFactory, ProductFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
NEXT_MONTH = datetime(2026, 4, 2, 12, tzinfo=UTC)
BOTH = ("done", "done")


def sends(
    form: OrderForm, *, coupon: str, email: str = "ada@example.com", visit: UUID | None = None
) -> Submission:
    basket = form.basket(form.offers(), {item.pk: 1 for item in form.items.all()})
    typed = {"name": "Ada Lovelace", "email": email, "coupon": coupon}
    return Submission.send(form, visit or uuid4(), Sent(typed, basket, at=timezone.now()))


def test_an_invoice_is_issued_while_an_order_bills_with_the_same_code() -> None:
    CouponFactory.create(code="ALWAYS", scope=CouponScope.ALL)
    club = ProductFactory.create(sold_as="subscription")
    InvoiceFactory.create(
        coupon="ALWAYS", lines=[LineInput("Club", Decimal(1), Decimal(30), product_id=club.pk)]
    )
    draft = InvoiceFactory.create(coupon="ALWAYS", status=InvoiceStatus.DRAFT)
    told = race(
        lambda: draft.issue(None, at=NOON),
        lambda: Order.bill_next(NEXT_MONTH),
        owner=Invoice,
        call="redeem_coupon",
    )
    assert told == BOTH
    assert_books_agree()


def test_visitors_who_swap_their_coupons_wait_for_one_another() -> None:
    for code in ("SPRING", "AUTUMN"):
        CouponFactory.create(code=code)
    form = OrderFormFactory.create(asks_coupon=True)
    first = sends(form, coupon="SPRING", email="one@example.com")
    second = sends(form, coupon="AUTUMN", email="two@example.com")
    told = race(
        lambda: sends(form, coupon="AUTUMN", email="one@example.com", visit=first.visit),
        lambda: sends(form, coupon="SPRING", email="two@example.com", visit=second.visit),
        owner=Invoice,
        call="give_back_coupon",
    )
    assert told == BOTH
    assert set(Coupon.objects.values_list("redeemed", flat=True)) == {1}
    assert_books_agree()


def test_an_order_is_given_up_while_its_visitor_orders_for_nothing() -> None:
    CouponFactory.create(code="HALF", amount=Decimal(25))
    lantern = ProductFactory.create(price=Decimal(25))
    form = OrderFormFactory.create(products=[lantern], asks_coupon=True)
    lamp = OrderFormFactory.create(products=[ProductFactory.create(price=Decimal(60))], asks_coupon=True)
    given_up = sends(lamp, coupon="HALF")
    late = timezone.now() + GIVEN_UP_AFTER + timedelta(hours=1)
    told = race(
        lambda: given_up.look_after(at=late),
        lambda: sends(form, coupon="HALF"),
        owner=Submission,
        call="finish",
    )
    assert told == BOTH
    assert Coupon.objects.get().redeemed == 1
    assert_books_agree()
