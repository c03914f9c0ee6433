"""The desk in a browser that runs no scripts: plain links and forms."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from billing.models import Invoice
from billing.statuses import InvoiceStatus
from contacts.models import Contact
from tests.attempts.desk import assert_books_agree, fresh, owing
from tests.browser.conftest import OpenBrowser
from tests.browser.hands import (
    PASSWORD,
    choose,
    listed_statuses,
    page_of,
    press,
    press_deed,
    section,
    status,
    tab,
    toast,
    type_sign_in,
)
from tests.factories import (
    ContactFactory,
    InvoiceFactory,
    PaymentFactory,
    ProductFactory,
    UserFactory,
)


@pytest.fixture
def ada(transactional_db: None) -> Contact:
    contact: Contact = ContactFactory.create(name="Ada Lovelace")
    return contact


@pytest.fixture
def plain(open_browser: OpenBrowser, ada: Contact) -> Page:
    """Signed in by hand, found by search, and on the tab of Ada."""
    UserFactory.create(role="Billing manager", username="grace", password=PASSWORD)
    page = open_browser(java_script_enabled=False)
    page.goto("/")
    type_sign_in(page, "grace")
    search = page.get_by_role("searchbox", name="Find anything")
    search.fill("lovelace")
    search.press("Enter")
    page.get_by_role("link", name="Ada Lovelace", exact=True).click()
    page.get_by_role("navigation", name="Contact").get_by_role("link", name="Purchases").click()
    expect(page.get_by_role("heading", name="Invoices")).to_be_visible()
    return page


def test_an_offline_payment_is_taken_from_the_tab(plain: Page, ada: Contact) -> None:
    invoice = InvoiceFactory.create(contact=ada)
    plain.reload()
    choose(plain, invoice, "Pay")
    plain.get_by_label("Cheque").check()
    plain.get_by_label("Reference").fill("No. 17")
    plain.get_by_role("button", name=re.compile("Record|Charge")).click()
    expect(listed_statuses(plain)).to_have_text("Closed")
    expect(toast(plain)).to_contain_text("Cheque")
    assert plain.url.endswith(tab(ada))
    assert_books_agree()


def test_a_wrong_amount_is_refused_at_its_field_with_the_rest_still_there(plain: Page, ada: Contact) -> None:
    invoice = InvoiceFactory.create(contact=ada)
    plain.goto(page_of(invoice))
    press(plain, "Pay")
    plain.get_by_label("Amount").fill("1000.005")
    plain.get_by_label("Reference").fill("No. 17")
    plain.get_by_role("button", name=re.compile("Record")).click()
    expect(plain.get_by_label("Amount")).to_have_attribute("aria-invalid", "true")
    expect(plain.get_by_label("Amount")).to_have_value("1000.005")
    expect(plain.get_by_label("Reference")).to_have_value("No. 17")


def test_an_invoice_is_voided(plain: Page, ada: Contact) -> None:
    invoice = InvoiceFactory.create(contact=ada)
    plain.goto(page_of(invoice))
    press(plain, "Void")
    plain.get_by_label("Reason").fill("Ordered twice")
    press_deed(plain, f"Void {invoice}")
    expect(status(plain)).to_have_text(["Voided"])
    expect(section(plain, "timeline")).to_contain_text("Ordered twice")


def test_a_payment_is_refunded_in_part(plain: Page, ada: Contact) -> None:
    invoice, card = owing(contact=ada)
    PaymentFactory.create(invoice=invoice, card=card)
    plain.goto(page_of(invoice))
    press(plain, "Refund")
    plain.get_by_label("Amount").fill("20")
    plain.get_by_role("button", name=re.compile("^Refund")).click()
    expect(status(plain)).to_have_text(["Closed", "Partly refunded"])
    assert fresh(invoice).refunded == 20


def test_an_invoice_is_made_with_a_product_from_the_list(plain: Page, ada: Contact) -> None:
    ProductFactory.create(name="Red lantern", sku="RL", price=Decimal(25))
    plain.get_by_role("link", name="New invoice").first.click()
    plain.get_by_label("Description").fill("Delivery")
    plain.get_by_label("Unit price").fill("5.50")
    plain.get_by_label("Find a product").fill("lant")
    plain.get_by_role("button", name="Find", exact=True).click()
    plain.get_by_role("button", name="Add Red lantern").click()
    expect(plain.get_by_label("Description").nth(1)).to_have_value("Red lantern")
    plain.get_by_label("Request payment (send now)").check()
    plain.get_by_role("button", name="Recalculate").last.click()
    expect(plain.locator("#totals .total")).to_contain_text("$30.50")
    press_deed(plain, "Create and request $30.50")
    expect(status(plain)).to_have_text(["Open"])
    assert Invoice.objects.get().line_count == 2


def test_the_selected_rows_are_exported(plain: Page, ada: Contact) -> None:
    invoices = InvoiceFactory.create_batch(2, contact=ada)
    InvoiceFactory.create(contact=ada)
    plain.reload()
    for invoice in invoices:
        plain.get_by_label(f"Select {invoice}").check()
    bar = plain.get_by_role("group", name="Actions on the selected rows")
    bar.get_by_role("button", name="Export").click()
    with plain.expect_download() as downloading:
        press_deed(plain, "Download the file")
    assert len(downloading.value.path().read_text("utf-8-sig").splitlines()) == 3


def test_a_long_run_goes_on_by_a_button(plain: Page, ada: Contact) -> None:
    InvoiceFactory.create_batch(26, contact=ada)
    plain.goto("/invoices/")
    plain.get_by_label(re.compile("^Select INV-")).first.check()
    plain.get_by_label("All 26 that match").check()
    bar = plain.get_by_role("group", name="Actions on the selected rows")
    bar.get_by_role("button", name="Void").click()
    press_deed(plain, "Void 26 invoices")
    expect(plain.get_by_role("status").first).to_contain_text("25 of 26 dealt with")
    press_deed(plain, "Go on")
    expect(plain.get_by_role("status").first).to_contain_text("26 of 26 dealt with")
    assert set(Invoice.objects.values_list("status", flat=True)) == {InvoiceStatus.VOIDED}


def test_a_link_to_be_copied_is_shown(plain: Page, ada: Contact) -> None:
    invoice = InvoiceFactory.create(contact=ada)
    plain.reload()
    choose(plain, invoice, "Copy pay link")
    expect(plain.locator("main").get_by_role("textbox")).to_have_value(invoice.pay_link)
