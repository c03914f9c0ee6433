"""Impatient fingers, the back button, and two tabs on one invoice."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from billing.models import Payment
from tests.attempts.desk import assert_books_agree, fresh, moved, owing
from tests.browser.conftest import OpenBrowser
from tests.browser.hands import (
    APPROVES,
    dialog,
    expect_done,
    page_of,
    press,
    press_deed,
    status,
    type_card,
)
from tests.factories import InvoiceFactory

CHARGE = "Charge $100.00 to Visa •• 4242"
ONCE = [(Decimal(100), Decimal(0))]


def test_a_double_click_on_the_deed_charges_once(desk: Page) -> None:
    invoice, _card = owing()
    desk.goto(page_of(invoice))
    press(desk, "Pay")
    dialog(desk).get_by_role("button", name=CHARGE).dblclick()
    expect_done(desk, "$100.00")
    expect(status(desk)).to_have_text(["Closed"])
    assert moved() == ONCE
    assert_books_agree()


def test_a_double_click_without_scripts_charges_once_and_shows_the_result(
    open_browser: OpenBrowser, manager: User
) -> None:
    invoice, _card = owing()
    page = open_browser(manager, java_script_enabled=False)
    page.goto(f"{page_of(invoice)}pay/")
    page.get_by_role("button", name=CHARGE).dblclick()
    page.wait_for_load_state()
    if "/attempts/" in page.url:  # the second click came while the first was still being answered
        page.goto(page_of(invoice))
    expect(status(page)).to_have_text(["Closed"])
    assert moved() == ONCE
    assert_books_agree()


def test_a_double_click_of_a_customer_charges_once(open_browser: OpenBrowser) -> None:
    invoice = InvoiceFactory.create()
    customer = open_browser()
    customer.goto(f"/pay/{invoice.token}/")
    customer.get_by_role("button", name="Pay $100.00").dblclick()
    type_card(customer, APPROVES, "Pay $100.00", clicks=2)
    expect(customer.get_by_role("heading", name="Thank you: your payment has arrived")).to_be_visible()
    assert moved() == ONCE
    assert_books_agree()


def test_going_back_after_paying_brings_no_form_that_charges_again(desk: Page) -> None:
    invoice, _card = owing()
    desk.goto(f"{page_of(invoice)}pay/")
    press_deed(desk, CHARGE)
    expect(status(desk)).to_have_text(["Closed"])
    desk.go_back()
    expect(desk.get_by_role("alert")).to_contain_text(f"{invoice} is Closed: only")
    expect(desk.get_by_role("button", name=CHARGE)).to_have_count(0)
    assert moved() == ONCE


def test_the_second_of_two_tabs_is_shown_the_new_state_with_what_was_typed_in_it(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    second = desk.context.new_page()
    for page in (desk, second):
        page.goto(page_of(invoice))
        press(page, "Pay")
        dialog(page).get_by_label("Cheque").check()
    dialog(second).get_by_label("Reference").fill("No. 17")
    dialog(second).get_by_label("Amount").fill("30")
    dialog(desk).get_by_label("Amount").fill("60")
    press_deed(desk, "Record $60.00")
    expect_done(desk, "$60.00")

    press_deed(second, "Record $30.00")
    expect(dialog(second).get_by_role("alert")).to_contain_text("changed")
    expect(dialog(second).get_by_role("row", name="Balance")).to_contain_text("$40.00")
    expect(dialog(second).get_by_label("Reference")).to_have_value("No. 17")
    expect(dialog(second).get_by_label("Amount")).to_have_value("30")
    assert fresh(invoice).paid == 60
    press_deed(second, "Record $30.00")
    expect_done(second, "$30.00")
    assert fresh(invoice).paid == 90


def test_the_second_of_two_tabs_is_told_why_nothing_can_be_done_any_more(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    second = desk.context.new_page()
    for page, entry in ((desk, "Void"), (second, "Pay")):
        page.goto(page_of(invoice))
        press(page, entry)
        expect(dialog(page)).to_be_visible()
    press_deed(desk, f"Void {invoice}")
    expect_done(desk, "Voided")
    press_deed(second, "Record $100.00")
    sentence = f"{invoice} is Voided: only Open and Collections invoices can be paid."
    expect(dialog(second).get_by_role("alert")).to_have_text(sentence)
    assert not Payment.objects.exists()


def test_a_page_left_open_while_the_session_ended_asks_to_sign_in_and_comes_back(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    desk.goto(page_of(invoice))
    desk.context.clear_cookies(name="sessionid")
    press(desk, "Pay")
    expect(desk.get_by_role("button", name="Sign in")).to_be_visible()
    assert desk.url.endswith(f"/login/?next={page_of(invoice)}")
