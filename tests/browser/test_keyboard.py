"""The desk without a mouse: the keys of the list behind ``?``."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from billing.models import Invoice
from contacts.models import Contact
from tests.browser.hands import dialog, listed_statuses, page_of, section, tab
from tests.factories import ContactFactory, InvoiceFactory, ProductFactory


@pytest.fixture
def ada(desk: Page) -> Contact:
    """A contact with two open invoices, whose tab stands on the desk; the newer invoice is the upper one."""
    contact: Contact = ContactFactory.create(name="Ada Lovelace")
    InvoiceFactory.create_batch(2, contact=contact)
    desk.goto(tab(contact))
    expect(desk.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    return contact


def upper_and_lower(contact: Contact) -> tuple[Invoice, Invoice]:
    upper, lower = Invoice.objects.of(contact).for_list()
    return upper, lower


def menu_button(desk: Page, invoice: Invoice) -> str:
    return f"Actions for {invoice}"


def test_a_slash_goes_to_the_search_and_the_arrows_into_what_it_found(desk: Page, ada: Contact) -> None:
    search = desk.get_by_role("searchbox", name="Find anything")
    desk.keyboard.press("/")
    expect(search).to_be_focused()
    desk.keyboard.type("love")
    expect(desk.locator("#found a")).to_have_count(1)
    desk.keyboard.press("ArrowDown")
    expect(desk.locator("#found a")).to_be_focused()
    desk.keyboard.press("ArrowUp")
    expect(search).to_be_focused()
    desk.keyboard.press("Escape")
    expect(desk.locator("#found a")).to_have_count(0)
    expect(search).to_be_focused()


def test_n_begins_an_invoice_for_the_contact(desk: Page, ada: Contact) -> None:
    desk.keyboard.press("n")
    desk.wait_for_url(f"**/contacts/{ada.pk}/invoices/new/")


def test_j_and_k_walk_through_the_rows_and_the_dot_opens_the_menu_of_the_row(
    desk: Page, ada: Contact
) -> None:
    _upper, lower = upper_and_lower(ada)
    links = section(desk, "invoices").locator(".key a")
    desk.keyboard.press("j")
    expect(links.nth(0)).to_be_focused()
    desk.keyboard.press("j")
    expect(links.nth(1)).to_be_focused()
    desk.keyboard.press("k")
    expect(links.nth(0)).to_be_focused()
    desk.keyboard.press("j")
    desk.keyboard.press(".")
    entries = desk.locator(".menu:popover-open a")
    expect(entries.first).to_be_focused()
    expect(entries.first).to_have_attribute("href", re.compile(f"^{page_of(lower)}pay/"))


def test_the_arrows_walk_through_the_menu_and_escape_gives_the_focus_back(desk: Page, ada: Contact) -> None:
    upper, _lower = upper_and_lower(ada)
    button = desk.get_by_role("button", name=menu_button(desk, upper))
    button.press("Enter")
    entries = desk.locator(".menu:popover-open a")
    expect(entries.nth(0)).to_be_focused()
    desk.keyboard.press("ArrowDown")
    expect(entries.nth(1)).to_be_focused()
    desk.keyboard.press("ArrowUp")
    desk.keyboard.press("ArrowUp")
    expect(entries.last).to_be_focused()
    desk.keyboard.press("Home")
    expect(entries.first).to_be_focused()
    desk.keyboard.press("v")
    expect(desk.locator(":focus")).to_have_text("Void")
    desk.keyboard.press("Escape")
    expect(desk.locator(".menu:popover-open")).to_have_count(0)
    expect(button).to_be_focused()


def test_p_opens_the_payment_of_the_row_and_escape_gives_the_focus_back(desk: Page, ada: Contact) -> None:
    _upper, lower = upper_and_lower(ada)
    address = desk.url
    desk.keyboard.press("j")
    desk.keyboard.press("j")
    desk.keyboard.press("p")
    expect(dialog(desk).get_by_role("heading")).to_have_text(f"Pay · {lower}")
    assert desk.url.endswith(f"{page_of(lower)}pay/")
    desk.keyboard.press("Escape")
    expect(dialog(desk)).to_be_hidden()
    expect(desk.get_by_role("link", name=str(lower)).first).to_be_focused()
    expect(desk).to_have_url(address)


def test_the_focus_stays_in_the_dialog_and_starts_away_from_a_dangerous_deed(
    desk: Page, ada: Contact
) -> None:
    upper, _lower = upper_and_lower(ada)
    desk.get_by_role("button", name=menu_button(desk, upper)).press("Enter")
    expect(desk.locator(".menu:popover-open a").first).to_be_focused()
    desk.keyboard.press("v")
    desk.keyboard.press("Enter")
    expect(dialog(desk).get_by_label("Reason")).to_be_focused()
    for _step in range(8):
        desk.keyboard.press("Tab")
        assert desk.evaluate("document.activeElement.matches('body, dialog *')")
    desk.keyboard.press("j")
    expect(dialog(desk)).to_be_visible()


def test_a_payment_is_taken_by_keys_alone_and_the_focus_comes_back_to_the_row(
    desk: Page, ada: Contact
) -> None:
    upper, _lower = upper_and_lower(ada)
    for key in ("j", "p"):
        desk.keyboard.press(key)
    expect(dialog(desk).get_by_role("radio", checked=True)).to_be_focused()
    desk.keyboard.press("Enter")
    expect(dialog(desk)).to_be_hidden()
    expect(listed_statuses(desk).first).to_have_text("Closed")
    expect(desk.get_by_role("button", name=menu_button(desk, upper))).to_be_focused()


def test_a_question_mark_lists_the_keys(desk: Page, ada: Contact) -> None:
    desk.keyboard.press("?")
    keys = desk.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Pay the invoice")
    desk.keyboard.press("Escape")
    expect(keys).to_be_hidden()


def test_x_selects_the_row(desk: Page, ada: Contact) -> None:
    upper, _lower = upper_and_lower(ada)
    desk.keyboard.press("j")
    desk.keyboard.press("x")
    expect(desk.get_by_label(f"Select {upper}")).to_be_checked()
    expect(desk.locator("#invoices .bulk-bar")).to_contain_text("1 selected")


@pytest.mark.parametrize("field", ["Find anything", "Note to the customer", "Quantity"])
def test_keys_are_only_letters_while_somebody_types(desk: Page, field: str) -> None:
    ProductFactory.create(name="Red lantern")
    contact = ContactFactory.create()
    address = f"/contacts/{contact.pk}/invoices/new/"
    desk.goto(address)
    box = desk.get_by_label(field).first
    box.fill("")
    box.press_sequentially("npjk?./x")
    expect(box).to_have_value("npjk?./x")
    assert desk.url.endswith(address)
    expect(desk.get_by_role("dialog")).to_have_count(0)
