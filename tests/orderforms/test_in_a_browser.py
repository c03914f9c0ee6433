"""A real browser orders: by keyboard, twice at once, back and forth, on a phone and without scripts."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing.models import Invoice, OrderForm, Payment, Referral
from tests.browser.hands import type_card
from tests.browser.test_pages import problems
from tests.factories import (
    APPROVES,
    DECLINES,
    CouponFactory,
    OrderFormFactory,
    PartnerFactory,
    ProductFactory,
)


def form(**more: object) -> OrderForm:
    lantern = ProductFactory.create(name="Lantern")
    return OrderFormFactory.create(
        products=[lantern], most=5, asks_coupon=True, terms="No returns.", title="Shop", **more
    )


def fill_in(page: Page) -> None:
    page.get_by_label("Name").fill("Ada Lovelace")
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("I agree to the terms").check()


def fill_in_by_keyboard(page: Page) -> None:
    page.get_by_label("Name").focus()
    page.keyboard.type("Ada Lovelace")
    page.keyboard.press("Tab")
    page.keyboard.type("ada@example.com")
    for key in ("Tab", "Tab", "Tab", "Tab", "Space"):  # past phone, company and the terms
        page.keyboard.press(key)
    for key in ("Tab", "Tab", "Tab", "Enter"):  # past the coupon
        page.keyboard.press(key)


def test_a_card_is_refused_another_one_pays_and_nothing_is_typed_twice(page: Page) -> None:
    PartnerFactory.create(code="BEES")
    CouponFactory.create(code="SPRING10")
    page.goto(f"/order/{form().slug}/?ref=BEES")
    page.get_by_label("Quantity of “Lantern”").fill("2")
    expect(page.locator("#order")).to_have_text("Order and pay $50.00")  # without a button, and no page anew
    page.get_by_label("Coupon code").fill("spring10")
    expect(page.locator("#sums")).to_contain_text("SPRING10: 10 % off")
    fill_in_by_keyboard(page)
    type_card(page, DECLINES, "Pay $45.00")
    expect(page.get_by_role("alert")).to_contain_text("The bank declined this card and gave no reason.")
    expect(page.get_by_label("Name")).to_have_value("Ada Lovelace")
    expect(page.get_by_label("Quantity of “Lantern”")).to_have_value("2")
    page.get_by_role("button", name="Order and pay $45.00").dblclick()
    type_card(page, APPROVES, "Pay $45.00", clicks=2)
    expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
    assert sorted(Invoice.objects.values_list("status", flat=True)) == ["closed", "declined"]
    assert Payment.objects.applied().count() == 1
    referral = Referral.objects.get()
    assert referral.first == referral.last


def test_back_from_the_gateway_the_order_is_as_it_was_and_can_be_changed(page: Page) -> None:
    page.goto(f"/order/{form().slug}/")
    fill_in(page)
    page.get_by_role("button", name="Order and pay $25.00").click()
    expect(page.get_by_label("Card number")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Name")).to_have_value("Ada Lovelace")
    page.get_by_label("Quantity of “Lantern”").fill("3")
    page.get_by_role("button", name="Order and pay $75.00").click()
    type_card(page, APPROVES, "Pay $75.00")
    expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
    page.go_back()
    page.reload()
    assert (Invoice.objects.count(), Payment.objects.count()) == (1, 1)


def test_back_from_the_gateway_after_something_was_refused_the_page_is_there(page: Page) -> None:
    """Where a browser goes back to the answer to what was sent, it asks whether to send that again."""
    page.goto(f"/order/{form().slug}/")
    page.get_by_label("Coupon code").fill("NOSUCH")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("there is no such code.")).to_be_visible()
    page.locator("#order").click()
    expect(page.get_by_role("alert").first).to_contain_text("Nothing was ordered yet")
    expect(page.get_by_text("Name is missing.")).to_be_visible()
    page.get_by_label("Coupon code").fill("")
    fill_in(page)
    page.get_by_role("button", name="Order and pay $25.00").click()
    expect(page.get_by_label("Card number")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Name")).to_have_value("Ada Lovelace")
    page.get_by_label("I agree to the terms").check()
    page.get_by_role("button", name="Order and pay $25.00").click()
    type_card(page, APPROVES, "Pay $25.00")
    expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
    assert Invoice.objects.count() == 1


def test_a_lost_connection_is_told_and_nothing_typed_is_lost(
    browser: Browser, live_server: LiveServer
) -> None:
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    page.goto(f"/order/{form().slug}/")
    fill_in(page)
    context.set_offline(True)
    page.locator("#order").click()
    expect(page.get_by_role("alert")).to_contain_text("We could not be reached.")
    context.set_offline(False)
    page.evaluate("document.getElementById('offline').hidden = true")
    page.route("**/order/**", lambda route: route.fulfill(status=503, body="<main>Come back later</main>"))
    page.locator("#order").click()
    expect(page.get_by_role("alert")).to_contain_text("We could not be reached.")
    expect(page.get_by_label("Name")).to_have_value("Ada Lovelace")
    page.unroute("**/order/**")
    page.locator("#order").click()
    type_card(page, APPROVES, "Pay $25.00")
    expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
    context.close()


def test_a_form_that_was_closed_meanwhile_says_so(page: Page) -> None:
    page.goto(f"/order/{form().slug}/")
    fill_in(page)
    OrderForm.objects.update(is_active=False)
    page.locator("#order").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing can be ordered here just now.")


def test_on_a_phone_and_without_scripts_it_is_ordered_all_the_same(
    browser: Browser, live_server: LiveServer
) -> None:
    slug = form().slug
    phone = {"width": 390, "height": 844}
    context = browser.new_context(base_url=live_server.url, viewport=phone, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"/order/{slug}/")
    fill_in(page)
    page.get_by_label("Quantity of “Lantern”").fill("2")
    page.get_by_role("button", name="Order and pay $25.00").click()
    expect(page.get_by_role("alert")).to_contain_text("The total is $50.00.")
    page.get_by_role("button", name="Order and pay $50.00").click()
    type_card(page, APPROVES, "Pay $50.00")
    expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
    context.close()


LONG = f"{'W' * 140} محمد بن موسى الخوارزمي 😀👩‍👩‍👧"
"""Nowhere to break it, and what is read from the right."""


def shop_that_breaks_layouts() -> OrderForm:
    plan = ProductFactory.create(
        name=LONG, price=123456789, sold_as="plan", payments=12, setup_fee=9, trial_days=3, trial_price=7
    )
    dear = ProductFactory.create(name="Donaudampfschifffahrtsgesellschaft" * 5, price="999999999.99")
    others = [ProductFactory.create(name=f"مصباح أحمر 🏮 {n} " * 9, price="88888888.88") for n in range(4)]
    CouponFactory.create(code="W" * 32, percent=90)
    shop: OrderForm = OrderFormFactory.create(
        products=[plan, dear, *others],
        most=9999,
        asks_address=True,
        asks_coupon=True,
        title="T" * 120,
        intro="I" * 900,
        terms="Terms\n" * 90 + "t" * 900,
        thanks="Y" * 900 + " https://shop.example/" + "x/" * 400,
    )
    return shop


def fill_in_what_is_refused(page: Page) -> None:
    page.locator("input[name^=quantity]").first.fill("9" * 90)
    page.get_by_label("E-mail").fill(f"{'w' * 200}@example")
    page.get_by_label("Coupon code").fill("X" * 32)
    page.locator("#order").click()
    expect(page.get_by_text("Street is missing.")).to_be_visible()


def fill_in_long_words(page: Page) -> None:
    page.locator("input[name^=quantity]").first.fill("1")
    page.get_by_label("Name").fill(LONG)
    page.get_by_label("Company").fill("C" * 150)
    page.get_by_label("E-mail").fill(f"{'w' * 60}@{'w' * 60}.{'w' * 60}.example")
    page.get_by_label("Street", exact=True).fill("S" * 150)
    page.get_by_label("City").fill("L" * 90)
    page.get_by_label("Country").select_option("GB")
    page.get_by_label("Coupon code").fill("W" * 32)
    page.get_by_label("I agree to the terms").check()
    expect(page.locator("#sums")).to_contain_text("90 % off")


@pytest.mark.parametrize(
    ("width", "scheme"), [(1440, "light"), (390, "light"), (390, "dark"), (320, "light")]
)
def test_the_pages_fit_and_can_be_read(page: Page, width: int, scheme: Literal["light", "dark"]) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"/order/{shop_that_breaks_layouts().slug}/")
    look(page)
    fill_in_what_is_refused(page)
    look(page)
    fill_in_long_words(page)
    look(page)
    page.locator("#order").click()
    expect(page.get_by_label("Card number")).to_be_visible()
    look(page)
    type_card(page, DECLINES, "Pay")
    expect(page.get_by_text("The card was declined")).to_be_visible()
    look(page)
    page.locator("#order").click()
    type_card(page, APPROVES, "Pay")
    expect(page.get_by_role("heading", name=re.compile("Thank you"))).to_be_visible()
    look(page)


def test_a_page_that_scrolls_sideways_is_noticed(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"/order/{form().slug}/")
    look(page)
    page.evaluate("document.querySelector('h1').style.minWidth = '23rem'")
    assert {problem for problem, _part in problems(page)} == {"sticks out"}


def look(page: Page) -> None:
    expect(page.locator(".htmx-request")).to_have_count(0)  # nothing is about to be replaced
    assert list(problems(page)) == []
