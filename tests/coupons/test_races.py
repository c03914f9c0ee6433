"""Eight invoices take the last coupon in the same moment, each in a thread with its own connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from billing.admin.coupons import CouponForm
from billing.models import Coupon, CouponCode, CouponRedemption, Header, Invoice, LineInput
from billing.models.coupons.coupon import CouponQuerySet
from billing.models.guard import Refused
from billing.statuses import InvoiceStatus
from billing.tasks import bill_due_orders
from tests.attempts.desk import assert_books_agree
from tests.attempts.locks import no_locks, race
from tests.coupons.test_back_office import GROUP
from tests.coupons.test_orders import ALL, NEXT_MONTH, club, sale
from tests.factories import NOON, ContactFactory, CouponFactory, InvoiceFactory, UserFactory
from tests.gateways.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
LANTERN = [LineInput("Lantern", Decimal(1), Decimal(100))]


def in_turn(invoices: list[Invoice]) -> Iterator[Invoice]:
    return iter([Invoice.objects.get(pk=invoice.pk) for invoice in invoices])


def issue(turns: Iterator[Invoice]) -> str:
    try:
        next(turns).issue(None, at=NOON)
    except Refused as refusal:
        return str(refusal)
    return ""


def test_the_last_one_left_goes_to_one_of_eight() -> None:
    CouponFactory.create(code="LAST", total_available=3)
    for _ in range(2):
        InvoiceFactory.create(coupon="LAST")
    drafts = [InvoiceFactory.create(coupon="LAST", status=InvoiceStatus.DRAFT) for _ in range(8)]
    turns = in_turn(drafts)
    answers = at_once(lambda: issue(turns))
    assert sorted(answers) == [
        "",
        *["Coupon code is “LAST”: all 3 that there were have been redeemed."] * 7,
    ]
    assert Coupon.objects.get().redeemed == 3
    assert CouponRedemption.objects.count() == 3
    assert Invoice.objects.filter(status=InvoiceStatus.DRAFT, coupon_code__code="LAST").count() == 7
    assert_books_agree()


@pytest.mark.postgres
@pytest.mark.parametrize("is_locked", [True, False])
def test_a_redemption_while_the_coupon_is_renamed_is_counted(client: Client, is_locked: bool) -> None:
    coupon = CouponFactory.create(code="SPRING")
    draft = InvoiceFactory.create(coupon="SPRING", status=InvoiceStatus.DRAFT)
    client.force_login(UserFactory.create(role="Billing manager", is_staff=True))
    url = reverse("admin:billing_coupon_change", args=[coupon.pk])
    with nullcontext() if is_locked else no_locks(CouponQuerySet):
        race(
            lambda: client.post(url, {**GROUP, "name": "Renamed"}),
            lambda: Invoice.objects.get(pk=draft.pk).issue(None, at=NOON),
            owner=CouponForm,
            call="clean",
        )
    coupon.refresh_from_db()
    assert (coupon.name, coupon.redeemed) == ("Renamed", 1 if is_locked else 0)


def give_up(invoice: Invoice) -> None:
    Invoice.objects.get(pk=invoice.pk).void(None, reason="")


def take_off(invoice: Invoice) -> None:
    fresh = Invoice.objects.get(pk=invoice.pk)
    lines = [line.given for line in fresh.lines.all()]
    fresh.edit(None, header=replace(Header.of(fresh), coupon=""), lines=lines)


@pytest.mark.postgres
@pytest.mark.parametrize("deed", [give_up, take_off])
@pytest.mark.parametrize("is_locked", [True, False])
def test_a_coupon_that_a_payment_uses_at_that_moment_is_not_given_back(
    deed: Callable[[Invoice], None], is_locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    CouponFactory.create(code="ALWAYS", percent=Decimal(50), scope=ALL, total_available=1)
    invoice = sale(club(), coupon="ALWAYS")
    if not is_locked:
        monkeypatch.setattr(Invoice, "lock_coupon_and_orders", lambda self, *others: None)
    race(lambda: bill_due_orders(NEXT_MONTH), lambda: deed(invoice), owner=Invoice, call="issued_for")
    assert Invoice.objects.get(order__isnull=False).total == 15
    assert Coupon.objects.get().redeemed == (1 if is_locked else 0)


def test_a_personal_code_goes_to_one_of_eight() -> None:
    contact = ContactFactory.create()
    CouponFactory.create(code="MINE", contact=contact)
    drafts = [
        InvoiceFactory.create(contact=contact, coupon="MINE", status=InvoiceStatus.DRAFT) for _ in range(8)
    ]
    turns = in_turn(drafts)
    answers = at_once(lambda: issue(turns))
    assert sorted(answers) == ["", *["Coupon code is “MINE”: it has been redeemed already."] * 7]
    assert_books_agree()


def test_what_is_given_back_and_taken_at_once_is_counted_right() -> None:
    CouponFactory.create(code="SPRING", total_available=8)
    issued = [InvoiceFactory.create(coupon="SPRING") for _ in range(4)]
    drafts = [InvoiceFactory.create(coupon="SPRING", status=InvoiceStatus.DRAFT) for _ in range(4)]
    turns = in_turn([each for pair in zip(issued, drafts, strict=True) for each in pair])

    def deed() -> None:
        invoice = next(turns)
        if invoice.status == InvoiceStatus.DRAFT:
            invoice.issue(None, at=NOON)
        else:
            invoice.void(None, reason="")

    at_once(deed)
    assert Coupon.objects.get().redeemed == 4
    assert_books_agree()


def test_open_invoices_that_swap_their_coupons_wait_for_one_another() -> None:
    for code in ("SPRING", "AUTUMN"):
        CouponFactory.create(code=code)
    invoices = [InvoiceFactory.create(coupon=code) for code in ("SPRING", "AUTUMN") * 4]
    turns = in_turn(invoices)

    def swap() -> None:
        invoice = next(turns)
        other = "AUTUMN" if invoice.coupon == "SPRING" else "SPRING"
        header = Header("USD", date(2026, 3, 2), date(2026, 3, 16), coupon=other)
        invoice.edit(None, header=header, lines=LANTERN)

    at_once(swap)
    assert list(Coupon.objects.values_list("redeemed", flat=True)) == [4, 4]
    assert_books_agree()


@contextmanager
def without_the_lock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(CouponQuerySet, "locked", lambda rows: rows.order_by("pk"))
        yield


@pytest.mark.postgres
def test_without_the_lock_the_count_goes_wrong_or_the_database_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The race above is one: eight that count from the same number lose some, or are refused by it."""
    CouponFactory.create(code="SPRING")
    drafts = [InvoiceFactory.create(coupon="SPRING", status=InvoiceStatus.DRAFT) for _ in range(8)]
    turns = in_turn(drafts)
    with without_the_lock(monkeypatch):
        at_once(lambda: issue(turns))
    assert CouponRedemption.objects.count() == 8
    assert Coupon.objects.get().redeemed < 8


def test_a_withdrawal_and_a_redemption_end_in_one_of_the_two() -> None:
    contact = ContactFactory.create()
    CouponFactory.create(code="MINE", contact=contact)
    draft = InvoiceFactory.create(contact=contact, coupon="MINE", status=InvoiceStatus.DRAFT)
    turns = iter(range(8))

    def deed() -> None:
        try:
            if next(turns) % 2:
                CouponCode.objects.get().withdraw(None, reason="")
            else:
                Invoice.objects.get(pk=draft.pk).issue(None, at=NOON)
        except Refused:
            pass

    at_once(deed)
    assert CouponRedemption.objects.count() == (CouponCode.objects.get().state == "redeemed")
    assert_books_agree()
