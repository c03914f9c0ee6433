"""The forms of the back office fit, on a desk and on a phone, and read as people write."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.urls import reverse
from playwright.sync_api import expect

from billing.models import PartnerProgram, ProgramRate, RechargeSettings, Threshold
from billing.statuses import RateKind
from tests.browser.conftest import OpenBrowser
from tests.browser.test_pages import SIDEWAYS
from tests.factories import CouponFactory, OrderFormFactory, ProductFactory, ProgramFactory, UserFactory


def program(product: Any) -> PartnerProgram:
    made: PartnerProgram = ProgramFactory.create(name="N" * 60)
    rate = {"kind": RateKind.FLAT, "level_1": 25, "level_2": 5, "currency": "USD"}
    ProgramRate.objects.create(program=made, product=product, **rate)
    Threshold.objects.create(program=made, currency="JPY", amount=2000)
    return made


def test_the_forms_of_the_back_office_fit(open_browser: OpenBrowser) -> None:
    product = ProductFactory.create(name="P" * 100, sku="S" * 50, price=Decimal("19.5"))
    product.prices.create(currency="BHD", price=7)
    records: list[Any] = [
        product,
        program(product),
        CouponFactory.create(name="C" * 90, products=[product]),
        OrderFormFactory.create(products=[product], title="T" * 100),
        RechargeSettings.objects.get_or_create()[0],
    ]
    page = open_browser(UserFactory.create(is_superuser=True, is_staff=True))
    found = []
    for record in records:
        page.goto(reverse(f"admin:billing_{record._meta.model_name}_change", args=[record.pk]))
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 1000})
            found += [(record._meta.model_name, width, part) for part in page.evaluate(SIDEWAYS)]
    assert found == []


def test_numbers_are_shown_without_the_zeros_of_their_columns(open_browser: OpenBrowser) -> None:
    made = program(ProductFactory.create())
    page = open_browser(UserFactory.create(is_superuser=True, is_staff=True))
    page.goto(reverse("admin:billing_partnerprogram_change", args=[made.pk]))
    expect(page.get_by_label("Level 1, percent:")).to_have_value("10")
    expect(page.locator("[name=rates-0-level_1]")).to_have_value("25")
    expect(page.locator("[name=rates-0-currency]")).to_have_value("USD")
    expect(page.locator("[name=thresholds-0-amount]")).to_have_value("2000")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
