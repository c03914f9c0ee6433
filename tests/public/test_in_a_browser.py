"""A real browser applies what Django's client does not: referrer and content policies, and layout."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from billing.models import Invoice, LineInput
from billing.statuses import InvoiceStatus
from tests.factories import APPROVES, ContactFactory, InvoiceFactory

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


def type_card(page: Page) -> None:
    for name, value in (("number", APPROVES), ("exp_month", "11"), ("exp_year", "40"), ("cvc", "918")):
        page.fill(f"input[name={name}]", value)
    page.fill("input[name=holder]", "Ada Lovelace")
    page.get_by_role("button", name="Pay $100.00").click()


def test_a_customer_pays_from_the_invoice_to_the_thanks(page: Page) -> None:
    invoice = InvoiceFactory.create()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/i/{invoice.token}/")
    page.get_by_role("link", name="Pay $100.00").click()
    page.get_by_label("Remember my card").check()
    page.get_by_role("button", name="Pay $100.00").click()
    type_card(page)
    page.get_by_role("heading", name="Thank you: your payment has arrived").wait_for()
    assert page.evaluate(SIDEWAYS) == 0
    assert Invoice.objects.get().status == InvoiceStatus.CLOSED
    page.go_back()
    page.goto(f"/pay/{invoice.token}/")
    assert page.get_by_text("Paid in full").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_customers_pages_fit_and_can_be_read(
    page: Page, width: int, scheme: Literal["light", "dark"]
) -> None:
    contact = ContactFactory.create(name=f"محمد 😀 {'W' * 150}")
    lines = [
        LineInput("X" * 200, Decimal(1234567), Decimal("999.999"), sku="S" * 60, tax_percent=Decimal(20)),
        LineInput("Lantern", Decimal(2), Decimal(9), discount=Decimal(1)),
    ]
    invoices = [
        InvoiceFactory.create(contact=contact, lines=lines, currency="KWD", paid=Decimal(1)),
        InvoiceFactory.create(status="refunded"),
    ]
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    for invoice in invoices:
        for path in (f"/i/{invoice.token}/", f"/pay/{invoice.token}/"):
            page.goto(path)
            assert page.evaluate(SIDEWAYS) == 0
            found = Axe().run(page, options=RULES).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
