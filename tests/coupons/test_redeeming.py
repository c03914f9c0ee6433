# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""When a coupon is redeemed, when it is given back, and who may not use it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.models import Coupon, CouponCode, CouponRedemption, Event, Header, Invoice, LineInput
from billing.models.guard import Invalid
from billing.statuses import CodeState, InvoiceStatus
from tests.attempts.desk import assert_books_agree, fresh
from tests.factories import (
    NOON,
    ContactFactory,
    CouponFactory,
    InvoiceFactory,
    ProductFactory,
    refund_all,
)

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 2)


def redeemed() -> list[int]:
    return list(Coupon.objects.order_by("pk").values_list("redeemed", flat=True))


def lantern(price: str = "100.00", **more: object) -> list[LineInput]:
    return [LineInput("Lantern", Decimal(1), Decimal(price), **more)]  # type: ignore[arg-type]


def with_code(invoice: Invoice, code: str) -> Header:
    return Header(invoice.currency, invoice.invoice_date, invoice.due_on, coupon=code)


def test_an_invoice_redeems_its_coupon_when_it_is_issued_and_not_before() -> None:
    CouponFactory.create(code="SPRING", percent=Decimal(10))
    draft = InvoiceFactory.create(coupon="spring", status=InvoiceStatus.DRAFT)
    assert (draft.total, draft.coupon, redeemed()) == (90, "SPRING", [0])
    draft.issue(None, at=NOON)
    assert redeemed() == [1]
    redemption = CouponRedemption.objects.get()
    assert (redemption.invoice, redemption.returned_at) == (draft, None)
    line = draft.lines.get()
    assert (line.discount, line.coupon_discount, line.net) == (0, 10, 90)
    assert_books_agree()


@pytest.mark.parametrize("typed", ["spring10", " Spring-10 ", "SPRING 10", "s-p-r-i-n-g-1-0"])
def test_case_blanks_and_hyphens_do_not_matter(typed: str) -> None:
    CouponFactory.create(code="SPRING10")
    assert InvoiceFactory.create(coupon=typed).coupon == "SPRING10"


def test_two_codes_that_differ_in_case_alone_are_one() -> None:
    coupon = CouponFactory.create(code="SPRING10", contact=ContactFactory.create())
    for code in ("SPRING10", "spring10"):
        with pytest.raises(IntegrityError), transaction.atomic():
            CouponCode.objects.create(
                coupon=coupon, code=code, contact=ContactFactory.create(), issued_at=NOON
            )


def test_a_whole_coupon_closes_the_invoice_as_it_is_issued() -> None:
    CouponFactory.create(code="GIFT", percent=Decimal(100))
    invoice = InvoiceFactory.create(coupon="GIFT")
    assert (invoice.status, invoice.total, invoice.balance, redeemed()) == ("closed", 0, 0, [1])
    assert_books_agree()


def test_the_database_takes_no_second_coupon_on_an_invoice_and_no_second_use_of_a_personal_code() -> None:
    contact = ContactFactory.create()
    CouponFactory.create(code="MINE", contact=contact)
    one = InvoiceFactory.create(contact=contact, coupon="MINE")
    other = InvoiceFactory.create(contact=contact)
    code = CouponCode.objects.get()
    for invoice in (one, other):
        with pytest.raises(IntegrityError), transaction.atomic():
            CouponRedemption.objects.create(code=code, invoice=invoice, is_single=True, redeemed_at=NOON)


def test_the_database_counts_no_more_than_there_are() -> None:
    coupon = CouponFactory.create(total_available=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Coupon.objects.filter(pk=coupon.pk).update(redeemed=2)


# -- refusals


def refusal(typed: str, **more: object) -> str:
    with pytest.raises(Invalid) as caught:
        InvoiceFactory.create(coupon=typed, status=InvoiceStatus.DRAFT, **more)
    assert caught.value.field == "coupon"
    return str(caught.value)


def test_each_refusal_names_the_code_and_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "localdate", lambda *_args: DAY)
    CouponFactory.create(code="LATER", begins_on=date(2026, 4, 1))
    CouponFactory.create(code="PAST", ends_on=date(2026, 2, 1))
    CouponFactory.create(code="OFF", is_active=False)
    CouponFactory.create(code="EUROS", amount=Decimal(10), currency="EUR")
    CouponFactory.create(code="LAST", total_available=1)
    CouponFactory.create(code="HERS", contact=ContactFactory.create())
    CouponFactory.create(code="BENCHES", products=(ProductFactory.create(),))
    InvoiceFactory.create(coupon="LAST")
    assert refusal("no such") == "Coupon code is “no such”: there is no such code."
    assert refusal("later") == "Coupon code is “LATER”: it begins on 1 Apr 2026."
    assert refusal("past") == "Coupon code is “PAST”: it ended on 1 Feb 2026."
    assert refusal("off") == "Coupon code is “OFF”: it is not offered any more."
    assert refusal("euros") == "Coupon code is “EUROS”: it takes €10.00 off, and the invoice is in USD."
    assert refusal("last") == "Coupon code is “LAST”: all 1 that there were have been redeemed."
    assert refusal("hers") == "Coupon code is “HERS”: it was issued to somebody else."
    assert refusal("benches") == "Coupon code is “BENCHES”: it covers other products than these."
    assert not Invoice.objects.filter(status=InvoiceStatus.DRAFT).exists()


def test_the_last_day_is_a_day_and_the_day_after_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    CouponFactory.create(code="MARCH", begins_on=DAY, ends_on=DAY)
    monkeypatch.setattr(timezone, "localdate", lambda *_args: DAY)
    assert InvoiceFactory.create(coupon="MARCH").coupon == "MARCH"
    monkeypatch.setattr(timezone, "localdate", lambda *_args: date(2026, 3, 3))
    assert "ended" in refusal("MARCH")


def test_a_draft_whose_coupon_was_used_up_meanwhile_says_so_and_loses_nothing() -> None:
    CouponFactory.create(code="LAST", total_available=1)
    draft = InvoiceFactory.create(coupon="LAST", status=InvoiceStatus.DRAFT)
    InvoiceFactory.create(coupon="LAST")
    with pytest.raises(Invalid, match="all 1 that there were have been redeemed"):
        draft.issue(None, at=NOON)
    assert (fresh(draft).status, fresh(draft).total, fresh(draft).coupon) == ("draft", 90, "LAST")
    assert redeemed() == [1]
    assert_books_agree()


def test_a_personal_code_is_good_once_and_for_its_contact() -> None:
    contact = ContactFactory.create()
    CouponFactory.create(code="MINE", contact=contact)
    InvoiceFactory.create(contact=contact, coupon="MINE")
    assert CouponCode.objects.get().state == CodeState.REDEEMED
    assert "it has been redeemed already" in refusal("MINE", contact=contact)
    assert "somebody else" in refusal("MINE")
    with pytest.raises(Invalid, match="say who you are first"):
        CouponCode.accept("mine", contact=None, products=[None], currency="USD", today=DAY)


def test_whoever_asks_what_a_code_takes_off_is_told_without_using_it_up() -> None:
    product = ProductFactory.create()
    CouponFactory.create(code="SPRING", products=(product,))
    takes = CouponCode.accept("spring", contact=None, products=[product.pk], currency="JPY", today=DAY)
    assert takes.words == "SPRING: 10 % off"
    assert takes.shares([*lantern(product_id=product.pk), *lantern()], "USD") == [10, 0]
    assert redeemed() == [0]


# -- given back


def test_voiding_an_unpaid_invoice_gives_the_coupon_back() -> None:
    contact = ContactFactory.create()
    CouponFactory.create(code="MINE", contact=contact)
    invoice = InvoiceFactory.create(contact=contact, coupon="MINE")
    invoice.void(None, reason="")
    assert (redeemed(), CouponCode.objects.get().state) == ([0], CodeState.ISSUED)
    assert (fresh(invoice).coupon, invoice.lines.get().coupon_discount) == ("MINE", 10)
    assert Event.objects.filter(invoice=invoice, action="give_back_coupon").exists()
    InvoiceFactory.create(contact=contact, coupon="MINE")
    assert redeemed() == [1]
    assert_books_agree()


@pytest.mark.parametrize("end", ["refund", "part", "write_off", "refund and void"])
def test_money_that_came_and_bad_debt_use_the_coupon_up(end: str) -> None:
    CouponFactory.create(code="SPRING")
    status = InvoiceStatus.CLOSED if "refund" in end else InvoiceStatus.OPEN
    invoice = InvoiceFactory.create(coupon="SPRING", status=status, paid=Decimal(30 if end == "part" else 0))
    if "refund" in end:
        refund_all(invoice)
    if end == "write_off":
        invoice.write_off(None, reason="")
    if "void" in end or end == "part":
        fresh(invoice).void(None, reason="")
    assert redeemed() == [1]
    assert_books_agree()


def test_a_decline_gives_it_back() -> None:
    """As an order form does: it reserves the coupon, charges, and gives it back when the card is refused."""
    CouponFactory.create(code="LAST", total_available=1)
    draft = InvoiceFactory.create(coupon="LAST", status=InvoiceStatus.DRAFT)
    with transaction.atomic():
        draft.lock()
        draft.redeem_coupon(None, at=NOON)
        draft.redeem_coupon(None, at=NOON)
    assert redeemed() == [1]
    with transaction.atomic():
        draft.lock()
        draft.give_back_coupon(None)
        draft.give_back_coupon(None)
    assert redeemed() == [0]
    draft.issue(None, at=NOON)
    assert redeemed() == [1]


def test_deleting_a_draft_gives_back_what_it_reserved() -> None:
    CouponFactory.create(code="LAST", total_available=1)
    draft = InvoiceFactory.create(coupon="LAST", status=InvoiceStatus.DRAFT)
    with transaction.atomic():
        draft.redeem_coupon(None, at=NOON)
    draft.discard(None)
    assert (redeemed(), CouponRedemption.objects.count()) == ([0], 0)


# -- edits


def test_an_edit_takes_the_coupon_off_and_the_manual_discount_stays() -> None:
    CouponFactory.create(code="SPRING")
    lines = lantern(discount=Decimal(20))
    invoice = InvoiceFactory.create(coupon="SPRING", lines=lines)
    assert invoice.total == 72
    invoice.edit(None, header=with_code(invoice, ""), lines=lines)
    assert (fresh(invoice).total, fresh(invoice).coupon, redeemed()) == (80, "", [0])
    line = invoice.lines.get()
    assert (line.discount, line.coupon_discount) == (20, 0)
    assert_books_agree()


def test_an_edit_puts_another_coupon_in_its_place() -> None:
    CouponFactory.create(code="SPRING")
    CouponFactory.create(code="AUTUMN", amount=Decimal(30))
    invoice = InvoiceFactory.create(coupon="SPRING")
    invoice.edit(None, header=with_code(invoice, "autumn"), lines=lantern())
    assert (fresh(invoice).total, redeemed()) == (70, [0, 1])
    assert_books_agree()


def test_an_open_invoice_keeps_its_coupon_through_edits_after_it_has_ended() -> None:
    coupon = CouponFactory.create(code="SPRING", total_available=1)
    invoice = InvoiceFactory.create(coupon="SPRING")
    Coupon.objects.filter(pk=coupon.pk).update(is_active=False)
    invoice.edit(None, header=with_code(invoice, "SPRING"), lines=lantern("50.00"))
    assert (fresh(invoice).total, redeemed()) == (45, [1])
    other = InvoiceFactory.create()
    with pytest.raises(Invalid, match="not offered any more"):
        other.edit(None, header=with_code(other, "SPRING"), lines=lantern("50.00"))
    assert_books_agree()


def test_no_coupon_brings_the_total_under_what_is_paid() -> None:
    CouponFactory.create(code="SPRING", percent=Decimal(60))
    invoice = InvoiceFactory.create(paid=Decimal(50))
    with pytest.raises(Invalid, match=r"Total is \$40.00: it may not fall below the \$50.00 that is paid"):
        invoice.edit(None, header=with_code(invoice, "SPRING"), lines=lantern())
    assert (fresh(invoice).total, fresh(invoice).coupon, redeemed()) == (100, "", [0])
    assert_books_agree()


def test_the_code_goes_when_no_line_is_left_that_it_covers() -> None:
    product = ProductFactory.create()
    CouponFactory.create(code="LANTERNS", products=(product,))
    invoice = InvoiceFactory.create(coupon="LANTERNS", lines=lantern(product_id=product.pk))
    with pytest.raises(Invalid, match="it covers other products"):
        invoice.edit(None, header=with_code(invoice, "LANTERNS"), lines=lantern())
    assert redeemed() == [1]
