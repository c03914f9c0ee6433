# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""A person makes coupons in the back office without reading code, and what is promised stays promised."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from billing.models import Coupon, CouponCode, Header, Invoice, Product
from billing.statuses import InvoiceStatus
from tests.factories import ContactFactory, CouponFactory, InvoiceFactory, ProductFactory, UserFactory

pytestmark = pytest.mark.django_db
ADD = reverse("admin:billing_coupon_add")
GROUP = {
    "name": "Spring",
    "kind": "percent",
    "percent": "10",
    "scope": "first",
    "audience": "group",
    "public_code": "Spring-10",
    "is_active": "on",
}
FLAT = {**GROUP, "kind": "flat", "percent": "", "amount": "10", "currency": "USD"}


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager", is_staff=True))
    return client


def change(coupon: Coupon) -> str:
    return reverse("admin:billing_coupon_change", args=[coupon.pk])


def test_a_group_coupon_is_made_with_its_public_code(office: Client) -> None:
    assert office.post(ADD, GROUP).status_code == 302
    coupon = Coupon.objects.get()
    assert (coupon.codes.get().code, coupon.codes.get().contact) == ("SPRING10", None)
    assert "10 % off" in office.get(reverse("admin:billing_coupon_changelist")).content.decode()
    assert office.post(change(coupon), {**GROUP, "public_code": "autumn10"}).status_code == 302
    assert list(CouponCode.objects.values_list("code", flat=True)) == ["AUTUMN10"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({**GROUP, "percent": ""}, "Percent is missing: how much of each line comes off?"),
        ({**GROUP, "percent": "101"}, "Percent is 101: it must be above 0 and at most 100."),
        (
            {**GROUP, "currency": "USD"},
            "Currency is USD: a coupon of so many percent is good in all of them.",
        ),
        ({**FLAT, "percent": "5"}, "Percent is 5: a coupon of a flat amount has none."),
        ({**FLAT, "amount": ""}, "Flat amount is missing: how much comes off?"),
        ({**FLAT, "amount": "-1"}, "Flat amount is -1: it must be above 0."),
        ({**FLAT, "amount": "1.5", "currency": "JPY"}, "Flat amount is 1.5: JPY has 0 decimals."),
        ({**FLAT, "currency": "XXX"}, "Currency is “XXX”: it is not in ISO 4217, for example USD."),
        ({**GROUP, "public_code": ""}, "Public code is missing: a group coupon has one."),
        ({**GROUP, "public_code": "Ä1!"}, "Public code is “Ä1!”: use 3 to 32 letters (A to Z) and digits."),
        ({**GROUP, "public_code": "taken"}, "Public code is “TAKEN”: another coupon has it."),
        ({**GROUP, "audience": "personal"}, "a personal coupon has none, its codes are issued."),
        ({**GROUP, "days": "30"}, "Days from issue is 30: only a personal code is issued."),
        (
            {**GROUP, "begins_on": "2026-03-02", "ends_on": "2026-03-01"},
            "Until is 2026-03-01: that is before from, 2026-03-02.",
        ),
        (
            {**GROUP, "audience": "personal", "public_code": "", "days": "30", "ends_on": "2026-03-01"},
            "Days from issue is 30: leave it empty, or from and until.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_rule(
    office: Client, given: dict[str, str], sentence: str
) -> None:
    CouponFactory.create(code="TAKEN")
    assert sentence in office.post(ADD, given).content.decode()
    assert Coupon.objects.count() == 1


def test_what_an_invoice_uses_stays_and_the_rest_can_be_changed(office: Client) -> None:
    coupon = CouponFactory.create(code="SPRING")
    draft = InvoiceFactory.create(coupon="SPRING", status=InvoiceStatus.DRAFT)
    given = {**GROUP, "name": "Summer", "percent": "90", "public_code": "other", "total_available": "5"}
    assert office.post(change(coupon), given).status_code == 302
    coupon.refresh_from_db()
    assert (coupon.name, coupon.percent, coupon.total_available) == ("Summer", 10, 5)
    assert coupon.codes.get().code == "SPRING"
    draft.edit(None, header=Header("USD", draft.invoice_date, draft.due_on), lines=[])
    assert office.post(change(coupon), given).status_code == 302
    assert Coupon.objects.get().percent == 90


def test_fewer_than_were_redeemed_are_refused(office: Client) -> None:
    coupon = CouponFactory.create(code="SPRING")
    InvoiceFactory.create_batch(2, coupon="SPRING")
    answer = office.post(change(coupon), {**GROUP, "total_available": "1"}).content.decode()
    assert "Total available is 1: 2 have been redeemed already." in answer


def test_a_code_that_was_redeemed_and_taken_off_again_stays_with_its_terms(office: Client) -> None:
    coupon = CouponFactory.create(code="SPRING")
    invoice = InvoiceFactory.create(coupon="SPRING")
    invoice.edit(
        None,
        header=replace(Header.of(invoice), coupon=""),
        lines=[line.given for line in invoice.lines.all()],
    )
    assert not Invoice.objects.filter(coupon_code__code="SPRING").exists()
    given = {**GROUP, "percent": "90", "public_code": "other"}
    assert office.post(change(coupon), given).status_code == 302
    coupon.refresh_from_db()
    assert (coupon.percent, coupon.codes.get().code) == (10, "SPRING")


def test_a_product_that_a_coupon_names_is_not_deleted(client: Client) -> None:
    """Or the coupon, which names none then, would be good for all of them."""
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    product = ProductFactory.create()
    CouponFactory.create(code="SPRING", products=[product])
    page = client.post(reverse("admin:billing_product_delete", args=[product.pk]), {"post": "yes"})
    assert "would require deleting the following protected" in page.content.decode()
    with pytest.raises(ProtectedError):
        Product.objects.all().delete()
    assert Coupon.objects.get().products.get() == product


def test_a_coupon_that_names_a_product_can_be_deleted() -> None:
    coupon = CouponFactory.create(code="SPRING", products=[ProductFactory.create()])
    coupon.codes.all().delete()
    coupon.delete()
    assert not Coupon.objects.exists()


def test_codes_are_read_there_and_lead_to_the_guarded_actions(office: Client) -> None:
    coupon = CouponFactory.create(code="MINE", contact=ContactFactory.create())
    code = coupon.codes.get()
    page = office.get(reverse("admin:billing_couponcode_change", args=[code.pk])).content.decode()
    assert f'href="/codes/{code.pk}/withdraw/' in page
    assert f'href="/coupons/issue/?coupon={coupon.pk}"' in office.get(change(coupon)).content.decode()
    assert office.post(reverse("admin:billing_couponcode_delete", args=[code.pk])).status_code == 403


def test_whoever_may_only_look_reads_a_coupon(client: Client) -> None:
    client.force_login(UserFactory.create(role="Viewer", is_staff=True))
    coupon = CouponFactory.create(code="SPRING")
    assert client.get(change(coupon)).status_code == 200
    assert client.post(change(coupon), GROUP).status_code == 403
