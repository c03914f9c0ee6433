"""A customer and an agent, each in a browser of their own."""

from __future__ import annotations

from decimal import Decimal

from playwright.sync_api import Page, expect

from tests.attempts.desk import assert_books_agree, moved
from tests.browser.conftest import OpenBrowser
from tests.browser.hands import (
    APPROVES,
    CHARGED_LOST,
    DECLINES,
    dialog,
    listed_statuses,
    page_of,
    press,
    section,
    status,
    tab,
    type_card,
)
from tests.factories import InvoiceFactory


def test_a_customer_pays_by_the_link_and_the_agent_sees_it_closed_with_the_card_on_file(
    desk: Page, open_browser: OpenBrowser
) -> None:
    invoice = InvoiceFactory.create()
    customer = open_browser()
    customer.goto(f"/i/{invoice.token}/")
    customer.get_by_role("link", name="Pay $100.00").click()
    customer.get_by_label("Remember my card for later payments").check()
    customer.get_by_role("button", name="Pay $100.00").click()
    type_card(customer, APPROVES, "Pay $100.00")
    expect(customer.get_by_role("heading", name="Thank you: your payment has arrived")).to_be_visible()
    expect(customer.locator("main")).to_contain_text("The card is remembered for later payments.")

    desk.goto(tab(invoice.contact))
    expect(listed_statuses(desk)).to_have_text("Closed")
    expect(section(desk, "cards")).to_contain_text("Visa •• 4242")
    assert moved() == [(Decimal(100), Decimal(0))]
    assert_books_agree()


def test_a_declined_customer_reads_why_and_pays_with_another_card(open_browser: OpenBrowser) -> None:
    invoice = InvoiceFactory.create()
    customer = open_browser()
    customer.goto(f"/pay/{invoice.token}/")
    customer.get_by_role("button", name="Pay $100.00").click()
    type_card(customer, DECLINES, "Pay $100.00")
    expect(customer.get_by_role("alert")).to_contain_text("The bank declined this card and gave no reason.")
    customer.get_by_role("link", name="Try again or use another card").click()
    customer.get_by_role("button", name="Pay $100.00").click()
    type_card(customer, APPROVES, "Pay $100.00")
    expect(customer.get_by_role("heading", name="Thank you: your payment has arrived")).to_be_visible()
    assert_books_agree()


def test_a_customer_whose_answer_was_lost_comes_back_and_is_not_asked_to_pay_twice(
    desk: Page, open_browser: OpenBrowser
) -> None:
    invoice = InvoiceFactory.create()
    customer = open_browser()
    customer.goto(f"/pay/{invoice.token}/")
    customer.get_by_role("button", name="Pay $100.00").click()
    type_card(customer, CHARGED_LOST, "Pay $100.00")
    expect(customer.get_by_role("heading", name="The answer was lost")).to_be_visible()
    customer.goto(f"/pay/{invoice.token}/")
    customer.get_by_role("link", name="See how it ended").click()
    expect(customer.get_by_role("heading", name="Thank you: your payment has arrived")).to_be_visible()
    desk.goto(page_of(invoice))
    expect(status(desk)).to_have_text(["Closed"])
    assert moved() == [(Decimal(100), Decimal(0))]


def test_a_customer_who_comes_too_late_reads_that_the_invoice_was_voided(
    desk: Page, open_browser: OpenBrowser
) -> None:
    invoice = InvoiceFactory.create()
    customer = open_browser()
    customer.goto(f"/pay/{invoice.token}/")
    desk.goto(page_of(invoice))
    press(desk, "Void")
    dialog(desk).get_by_role("button", name=f"Void {invoice}").click()
    expect(status(desk)).to_have_text(["Voided"])
    customer.get_by_role("button", name="Pay $100.00").click()
    expect(customer.get_by_role("heading", name="There is nothing to pay here")).to_be_visible()
    expect(customer.locator("main")).to_contain_text("This invoice was cancelled")
