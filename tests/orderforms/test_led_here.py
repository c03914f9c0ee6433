# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""A partner's link and a coupon on an order form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch

import pytest
from django.utils import timezone

from billing import books
from billing.models import Commission, Coupon, Invoice, OrderForm, Product, Referral
from billing.tasks import look_after_forms, resolve_attempts
from contacts.models import Contact
from tests.factories import ContactFactory, CouponFactory, OrderFormFactory, PartnerFactory, ProductFactory
from tests.orderforms.visitor import ADA, DECLINES, REFUSED, THANKS, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def form() -> OrderForm:
    return OrderFormFactory.create(asks_coupon=True)


@pytest.fixture
def visitor(form: OrderForm) -> Visitor:
    return Visitor(form)


def referrers() -> tuple[str, str]:
    referral = Referral.objects.select_related("first", "last").get(contact__email=ADA["email"])
    assert referral.first
    assert referral.last
    return referral.first.code, referral.last.code


# -- partners


def test_a_partners_link_sets_both_referrers_and_they_earn_on_the_order(visitor: Visitor) -> None:
    partner = PartnerFactory.create(code="BEES")
    visitor.opens("?ref=bees")
    visitor.orders()
    assert referrers() == ("BEES", "BEES")
    assert Commission.objects.get().partner == partner


def test_a_partners_link_counts_when_the_card_is_refused_too(visitor: Visitor) -> None:
    PartnerFactory.create(code="BEES")
    visitor.opens("?ref=BEES")
    visitor.orders(DECLINES)
    assert referrers() == ("BEES", "BEES")


@pytest.fixture
def customer(visitor: Visitor) -> Visitor:
    """Ada, whom BEES led to her first order. MOSS is a partner of the same program."""
    moss = PartnerFactory.create(code="MOSS")
    PartnerFactory.create(code="BEES", program=moss.program)
    visitor.opens("?ref=BEES")
    visitor.orders()
    return visitor


def refused(thief: Visitor) -> None:
    thief.orders(DECLINES)


def left(thief: Visitor) -> None:
    thief.fills_in()
    look_after_forms(timezone.now() + timedelta(hours=50))


def had_for_nothing(thief: Visitor) -> None:
    thief.form.items.update(product=ProductFactory.create(price=0))
    assert THANKS in thief.goes_to(thief.fills_in())


@pytest.mark.parametrize("order", [refused, left, had_for_nothing])
def test_an_order_that_costs_nobody_anything_moves_no_referrer_of_a_customer(
    customer: Visitor, form: OrderForm, order: Callable[[Visitor], None]
) -> None:
    thief = Visitor(form)
    thief.opens("?ref=MOSS")
    order(thief)
    assert referrers() == ("BEES", "BEES")


def free_trial() -> Product:
    return ProductFactory.create(sold_as="subscription", trial_days=14)


@pytest.mark.parametrize("product", [ProductFactory.create, free_trial])
def test_a_customer_who_comes_by_another_link_and_pays_or_leaves_a_card_has_it_as_the_last(
    customer: Visitor, form: OrderForm, product: Callable[[], Product]
) -> None:
    form.items.update(product=product())
    customer.opens("?ref=MOSS")
    assert THANKS in customer.orders()
    assert referrers() == ("BEES", "MOSS")


def test_the_first_link_and_the_last_are_both_remembered(visitor: Visitor) -> None:
    first = PartnerFactory.create(code="BEES")
    for code in ("MOSS", "OAK"):
        PartnerFactory.create(code=code, program=first.program)
    for code in ("BEES", "MOSS", "OAK"):
        visitor.opens(f"?ref={code}")
    visitor.orders()
    assert referrers() == ("BEES", "OAK")


def test_a_link_that_nobody_has_takes_no_place_of_one_that_a_partner_has(visitor: Visitor) -> None:
    first = PartnerFactory.create(code="BEES")
    PartnerFactory.create(code="OAK", program=first.program)
    for code in ("BESE", "BEES", "OAK"):
        visitor.opens(f"?ref={code}")
    visitor.orders()
    assert referrers() == ("BEES", "OAK")


def test_a_link_survives_the_way_to_the_gateway_without_its_cookie(visitor: Visitor) -> None:
    PartnerFactory.create(code="BEES")
    visitor.fills_in("?ref=BEES")
    visitor.client.cookies.clear()
    visitor.pays()
    assert referrers() == ("BEES", "BEES")


def test_a_link_counts_for_as_long_as_the_form_says(visitor: Visitor, form: OrderForm) -> None:
    PartnerFactory.create(code="BEES")
    OrderForm.objects.update(referral_days=7)
    with patch.object(timezone, "now", return_value=timezone.now() - timedelta(days=8)):
        visitor.opens("?ref=BEES")
    cookie = visitor.client.cookies["referral"]
    assert (cookie["max-age"], cookie["httponly"], cookie["samesite"]) == (7 * 24 * 3600, True, "Lax")
    visitor.orders()
    assert not Referral.objects.exists()


@pytest.mark.parametrize("query", ["?ref=", "?ref=%00", "?ref=NOBODY", "?ref=a%20b", "?ref=" + "x" * 4000])
def test_a_link_that_nobody_has_changes_nothing(visitor: Visitor, query: str) -> None:
    PartnerFactory.create(code="BEES")
    visitor.opens(query)
    assert THANKS in visitor.orders()
    assert not Referral.objects.exists()


@pytest.mark.parametrize("cookie", ["", "BEES", "W10:1uX:abc", "x" * 4000])
def test_a_cookie_that_was_made_up_is_not_believed(visitor: Visitor, cookie: str) -> None:
    PartnerFactory.create(code="BEES")
    visitor.client.cookies["referral"] = cookie
    visitor.client.cookies["visit"] = cookie
    assert THANKS in visitor.orders()
    assert not Referral.objects.exists()


# -- coupons


def test_a_coupon_is_shown_before_paying_and_redeemed(visitor: Visitor) -> None:
    CouponFactory.create(code="SPRING10")
    visitor.opens()
    visitor.sends("totals", coupon="spring10")
    assert "SPRING10: 10 % off" in visitor.text
    assert "Order and pay $22.50" in visitor.text
    visitor.sends(**ADA)
    assert THANKS in visitor.pays()
    invoice = Invoice.objects.get()
    assert (invoice.total, invoice.coupon, Coupon.objects.get().redeemed) == (Decimal("22.5"), "SPRING10", 1)
    assert list(books.problems()) == []


def test_a_coupon_that_nobody_has_is_refused_at_its_field_and_nothing_is_lost(visitor: Visitor) -> None:
    visitor.opens()
    visitor.sends("totals", coupon="WINTER")
    assert "Coupon code is “WINTER”: there is no such code." in visitor.text
    visitor.sends(**ADA)
    assert (visitor.status, "there is no such code" in visitor.text) == (422, True)
    assert (visitor.fields["name"], visitor.fields["coupon"]) == (ADA["name"], "WINTER")


def test_a_coupon_that_was_used_up_meanwhile_is_told_at_its_field(visitor: Visitor, form: OrderForm) -> None:
    CouponFactory.create(code="LAST", total_available=1)
    visitor.opens()
    visitor.sends("totals", coupon="LAST")
    assert "$22.50" in visitor.text
    other = Visitor(form)
    other.opens()
    other.sends("totals", coupon="LAST")
    other.sends(**{**ADA, "email": "quicker@example.com"})
    visitor.sends(**ADA)
    assert visitor.status == 422
    assert "Coupon code is “LAST”" in visitor.text
    assert (visitor.fields["name"], visitor.fields["coupon"]) == (ADA["name"], "LAST")
    assert Invoice.objects.count() == 1
    assert "Order and pay $25.00" in visitor.text
    visitor.sends(coupon="")
    assert THANKS in visitor.pays()


def test_a_coupon_is_given_back_when_the_card_is_refused_and_serves_the_next_try(visitor: Visitor) -> None:
    CouponFactory.create(code="LAST", total_available=1)
    visitor.opens()
    visitor.sends("totals", coupon="LAST")
    visitor.sends(**ADA)
    assert Coupon.objects.get().redeemed == 1
    assert REFUSED in visitor.pays(DECLINES)
    assert Coupon.objects.get().redeemed == 0
    assert "$22.50" in visitor.text
    visitor.sends()
    assert THANKS in visitor.pays()
    assert Coupon.objects.get().redeemed == 1
    assert list(books.problems()) == []


def test_a_coupon_of_an_order_that_nobody_pays_is_given_back(visitor: Visitor) -> None:
    CouponFactory.create(code="LAST", total_available=1)
    visitor.opens()
    visitor.sends("totals", coupon="LAST")
    visitor.sends(**ADA)
    for hours in (25, 50):
        resolve_attempts(timezone.now() + timedelta(hours=hours))
        look_after_forms(timezone.now() + timedelta(hours=hours))
    assert (Coupon.objects.get().redeemed, Invoice.objects.get().status) == (0, "declined")


def test_two_clicks_redeem_a_coupon_once_and_a_change_keeps_it(visitor: Visitor) -> None:
    CouponFactory.create(code="LAST", total_available=1)
    visitor.opens()
    visitor.sends("totals", coupon="LAST")
    first = visitor.sends(**ADA)
    assert visitor.sends(**ADA) == first
    visitor.opens()
    assert visitor.sends(phone="555 0100") not in ("", first)
    assert Coupon.objects.get().redeemed == 1
    visitor.opens()
    visitor.sends("totals", coupon="")
    visitor.sends()
    assert (Coupon.objects.get().redeemed, Invoice.objects.get().total) == (0, 25)
    assert THANKS in visitor.pays()


def test_a_coupon_for_everything_closes_the_order_at_once(visitor: Visitor) -> None:
    CouponFactory.create(code="FREE", percent=Decimal(100))
    visitor.opens()
    visitor.sends("totals", coupon="FREE")
    assert "Order, nothing to pay" in visitor.text
    assert THANKS in visitor.goes_to(visitor.sends(**ADA))
    assert (Invoice.objects.get().status, Invoice.objects.get().total) == ("closed", 0)


def test_a_coupon_for_everything_on_a_subscription_still_asks_for_a_card(
    visitor: Visitor, form: OrderForm
) -> None:
    CouponFactory.create(code="FREE", percent=Decimal(100))
    form.items.update(product=ProductFactory.create(sold_as="subscription", price=30))
    visitor.opens()
    visitor.sends("totals", coupon="FREE")
    assert "Order and leave a card" in visitor.text
    visitor.sends(**ADA)
    assert THANKS in visitor.pays()
    order = Invoice.objects.get().started_orders.get()
    assert (order.amount, order.card is not None) == (30, True)


def test_a_personal_code_is_for_its_contact_and_tells_nobody_who_is_known(visitor: Visitor) -> None:
    mine = ContactFactory.create(email="mine@example.com")
    ContactFactory.create(email="known@example.com")
    CouponFactory.create(code="MINE", contact=mine)
    visitor.opens()
    answers = []
    for email in ("known@example.com", "nobody@example.com"):
        visitor.sends(**{**ADA, "email": email, "coupon": "MINE"})
        answers.append((visitor.status, visitor.text.count("it was issued to somebody else")))
    assert answers[0] == answers[1]
    assert answers[0][1]
    assert Contact.objects.count() == 2
    visitor.sends("totals", email="mine@example.com")
    visitor.sends()
    assert THANKS in visitor.pays()
