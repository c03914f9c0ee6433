"""The editor under a person's hands: what is typed, pressed and moved."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from billing.models import Invoice
from billing.statuses import InvoiceStatus
from tests.editor.typing_in import new_url
from tests.factories import CardFactory, ContactFactory, ProductFactory, UserFactory


@pytest.fixture
def editor(transactional_db: None, page: Page) -> Page:
    """A new invoice for a contact with a card, opened by a support agent."""
    contact = ContactFactory.create()
    CardFactory.create(contact=contact)
    ProductFactory.create(name="Red lantern", sku="RL")
    agent = UserFactory.create(role="Support", username="agent", password="correct horse")
    page.goto(new_url(contact))
    page.get_by_label("Username").fill(agent.username)
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{new_url(contact)}")
    return page


def cell(page: Page, name: str, line: int = 0) -> str:
    return page.locator(f"[data-rows-body] [name=line-{name}]").nth(line).input_value()


def test_a_product_is_typed_chosen_and_charged_from_the_keyboard(editor: Page) -> None:
    description = editor.locator("[data-rows-body] [name=line-description]")
    description.press_sequentially("lant")
    expect(editor.locator(".found button")).to_have_text(re.compile("Red lantern"))
    description.press("Enter")
    assert (cell(editor, "description"), cell(editor, "unit_price"), cell(editor, "sku")) == (
        "Red lantern",
        "25.00",
        "RL",
    )

    editor.locator("[data-rows-body] [name=line-quantity]").fill("2")
    expect(editor.get_by_role("button", name="Create and charge $50.00")).to_be_visible()
    expect(editor.locator("[data-amount]").first).to_have_text("$50.00")

    editor.locator("[data-rows-body] [name=line-quantity]").press("Control+Enter")
    editor.wait_for_url(re.compile(r"/invoices/[0-9]+/$"))
    assert Invoice.objects.get().status == InvoiceStatus.CLOSED


def test_lines_are_added_moved_and_removed_without_loading_the_page(editor: Page) -> None:
    descriptions = editor.locator("[data-rows-body] [name=line-description]")
    descriptions.first.fill("First")
    descriptions.first.press("Enter")
    expect(descriptions.nth(1)).to_be_focused()
    editor.keyboard.type("Second")
    editor.keyboard.press("Alt+ArrowUp")
    assert [cell(editor, "description", line) for line in (0, 1)] == ["Second", "First"]
    expect(descriptions.first).to_be_focused()

    editor.get_by_role("button", name="Remove").first.click()
    expect(descriptions).to_have_count(1)
    assert cell(editor, "description") == "First"

    editor.get_by_role("button", name="Remove").click()
    expect(descriptions).to_have_count(1)
    assert cell(editor, "description") == ""


def test_the_fields_and_the_button_follow_the_wish(editor: Page) -> None:
    for wish, label, button in (
        ("Log an offline payment", "Reference", "Create and record $0.00"),
        ("Request payment (send now)", "To", "Create and request $0.00"),
        ("Charge a card now", "Card", "Create and charge $0.00"),
    ):
        editor.get_by_label(wish).check()
        expect(editor.locator(".step:visible")).to_have_count(1)
        expect(editor.locator(".step:visible")).to_contain_text(label)
        expect(editor.locator("[data-deed]:visible")).to_have_text(button)
    editor.get_by_label("Save a draft").check()
    expect(editor.locator(".step:visible")).to_have_count(0)
    expect(editor.locator("[data-deed]:visible")).to_have_text("Save draft")


def test_enter_in_a_field_charges_nothing(editor: Page) -> None:
    address = editor.url
    editor.get_by_label("External reference").press("Enter")
    expect(editor.get_by_label("External reference")).to_be_focused()
    assert editor.url == address


def test_a_subscription_brings_its_set_up_fee_and_shows_its_terms(editor: Page) -> None:
    ProductFactory.create(name="Garden club", sku="GC", sold_as="plan", payments=12, setup_fee=10)
    description = editor.locator("[data-rows-body] [name=line-description]")
    description.press_sequentially("garden")
    expect(editor.locator(".found button")).to_have_text(re.compile("every month, 12 payments"))
    description.press("Enter")
    expect(description).to_have_count(2)
    assert (cell(editor, "description", 1), cell(editor, "unit_price", 1)) == (
        "Set-up fee: Garden club",
        "10.00",
    )
    expect(editor.locator("[data-terms-of-line]").first).to_have_text(re.compile("set-up fee \\$10.00"))
    expect(editor.get_by_role("button", name="Create and charge $35.00")).to_be_visible()
