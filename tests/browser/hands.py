"""What people do with the pages, and where they look."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from billing.models import Invoice
from contacts.models import Contact
from tests.attempts.desk import CHARGED_LOST
from tests.factories import APPROVES, DECLINES

__all__ = ["APPROVES", "CHARGED_LOST", "DECLINES"]

PASSWORD = "correct horse"


def tab(contact: Contact) -> str:
    return f"/contacts/{contact.pk}/purchases/"


def page_of(invoice: Invoice) -> str:
    return f"/invoices/{invoice.pk}/"


def type_sign_in(page: Page, username: str) -> None:
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def type_card(page: Page, number: str, deed: str, *, clicks: int = 1) -> None:
    """At the gateway's own page."""
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Name on the card").fill("Ada Lovelace")
    page.get_by_label("Expiry month").fill("11")
    page.get_by_label("Expiry year").fill("40")
    page.get_by_label("CVC").fill("918")
    page.get_by_role("button", name=deed).click(click_count=clicks)


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def toast(page: Page) -> Locator:
    return page.locator("#toasts .toast")


def status(page: Page) -> Locator:
    """The badges beside the heading of an invoice's page."""
    return page.locator("h1 .badge")


def section(page: Page, name: str) -> Locator:
    """A list of a page by its anchor: ``invoices``, ``payments``."""
    return page.locator(f"#{name}")


def listed_statuses(page: Page) -> Locator:
    """The statuses of the invoices of a list, without the marks beside them."""
    return page.locator("#invoices tbody .status .badge:first-child")


def choose(page: Page, about: object, entry: str) -> None:
    """An entry of the menu of a row."""
    page.get_by_role("button", name=f"Actions for {about}", exact=True).click()
    page.locator(".menu:popover-open").get_by_role("link", name=entry, exact=True).click()


def press(page: Page, entry: str) -> None:
    """A button in the head of an invoice's page, or an entry of the menu beside them."""
    head = page.locator(".page-head")
    button = head.get_by_role("link", name=entry, exact=True)
    expect(head.locator("[popovertarget]")).to_be_visible()
    if not button.is_visible():
        head.locator("[popovertarget]").click()
    button.click()


def press_deed(page: Page, words: str) -> None:
    page.get_by_role("button", name=words, exact=True).click()


def expect_done(page: Page, words: str) -> None:
    """The dialog is gone, and a toast says what was done."""
    expect(dialog(page)).to_be_hidden()
    expect(toast(page).filter(has_text=words)).to_be_visible()
