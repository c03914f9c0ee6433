"""Every page and dialog, wide and light as on a desk, narrow and dark as on a phone: it fits, and everybody
can read it. The data is what breaks layouts: long words, right-to-left names, emoji, large amounts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from billing.models import Header, Invoice, LineInput, Mail
from billing.statuses import InvoiceStatus
from contacts.models import Contact
from tests.attempts.desk import CHARGED_LOST
from tests.browser.hands import DECLINES, choose, dialog, page_of, press, press_deed, section, tab
from tests.factories import CardFactory, ContactFactory, InvoiceFactory, PaymentFactory, ProductFactory

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
AXE = Axe()
SIDEWAYS = """() => {
    const right = (part) => part.getBoundingClientRect().right;
    return [document.documentElement, ...document.querySelectorAll("dialog:modal, :popover-open")]
        .filter((box) => box.scrollWidth > box.clientWidth)
        .map((box) => [...box.querySelectorAll("*")].findLast((part) => right(part) > right(box))?.outerHTML);
}"""
"""Of each box that scrolls sideways, the innermost part that sticks out last."""

Place = Callable[[Page], None]
PLACES: list[Place] = []


def place(open_it: Place) -> Place:
    PLACES.append(open_it)
    return open_it


@pytest.mark.parametrize("open_it", PLACES, ids=lambda place: place.__name__)
def test_a_page_fits_and_can_be_read_by_everybody(desk: Page, open_it: Place) -> None:
    open_it(desk)
    for width, scheme in ((1440, "light"), (390, "dark")):
        desk.set_viewport_size({"width": width, "height": 1000})
        desk.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert desk.evaluate(SIDEWAYS) == []
        violations = AXE.run(desk, options=RULES).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == []


def contact() -> Contact:
    found: Contact = ContactFactory.create(
        name=f"محمد بن موسى الخوارزمي 😀 {'W' * 60}",
        company=f"{'Donaudampfschifffahrtsgesellschaft' * 3} & Söhne",
        email=f"{'a' * 60}@{'example' * 8}.com",
        phone="+44 1234 567890 ext. 123456789",
        notes=f"<script>alert(1)</script> {'N' * 300}\n\nשלום 👋",
    )
    return found


def invoice(**given: Any) -> Invoice:
    lines = [
        LineInput("X" * 200, Decimal(1234), Decimal("999.999"), sku="S" * 60, tax_percent=Decimal("20.000")),
        LineInput("مصباح أحمر 🏮 =HYPERLINK(1)", Decimal("1.5"), Decimal(9), discount=Decimal("1.125")),
    ]
    header = Header(
        "KWD",
        date(2026, 3, 2),
        date(2026, 3, 16),
        note=f"שלום {'n' * 200}",
        internal_note=f"{'i' * 200} 👀",
        external_ref="PO-" + "7" * 60,
    )
    asked = {"lines": lines, "header": header, **given}
    asked.setdefault("contact", None)
    asked["contact"] = asked["contact"] or contact()
    made: Invoice = InvoiceFactory.create(**asked)
    return made


def invoice_with_everything() -> Invoice:
    """Declined once, paid in part, with one attempt in the air, and a mail of each."""
    made = invoice()
    for number, amount in ((DECLINES, 5), ("4242424242424242", 7), (CHARGED_LOST, 3)):
        card = CardFactory.create(contact=made.contact, number=number)
        made.request_payment(None, recipient=made.contact.email, message="😀" * 50)
        made.pay(None, source=card, amount=Decimal(amount), send_receipt=True)
    return made


@place
def sign_in(desk: Page) -> None:
    desk.context.clear_cookies()
    desk.goto("/login/?next=/contacts/")


@place
def contacts(desk: Page) -> None:
    ContactFactory.create_batch(26)
    contact()
    desk.goto("/contacts/?sort=-created")


@place
def contacts_empty(desk: Page) -> None:
    desk.goto("/contacts/?q=nobody")


@place
def contact_details(desk: Page) -> None:
    desk.goto(f"/contacts/{contact().pk}/")


@place
def contact_form_with_refusals(desk: Page) -> None:
    desk.goto("/contacts/new/")
    desk.get_by_label("E-mail").fill("W" * 100)
    desk.get_by_role("button", name="Create contact").click()
    expect(desk.locator(".error").first).to_be_visible()


@place
def search_results(desk: Page) -> None:
    desk.goto(f"/contacts/{contact().pk}/")
    desk.get_by_role("searchbox", name="Find a contact").press_sequentially("محمد")
    expect(desk.locator("#found a")).to_be_visible()


@place
def purchases(desk: Page) -> None:
    made = invoice_with_everything()
    for status in InvoiceStatus:
        invoice(contact=made.contact, status=status)
    desk.goto(tab(made.contact))


@place
def purchases_empty(desk: Page) -> None:
    desk.goto(tab(contact()))


@place
def purchases_with_rows_selected(desk: Page) -> None:
    made = invoice()
    InvoiceFactory.create_batch(25, contact=made.contact)
    desk.goto(tab(made.contact))
    desk.get_by_label("Select all invoices on this page").check()
    expect(desk.locator(".bulk-bar")).to_be_visible()


@place
def row_menu(desk: Page) -> None:
    made = invoice()
    desk.goto(tab(made.contact))
    desk.get_by_role("button", name=f"Actions for {made}").click()


@place
def timeline(desk: Page) -> None:
    desk.goto(f"/contacts/{invoice_with_everything().contact_id}/timeline/")


@place
def invoice_page(desk: Page) -> None:
    desk.goto(page_of(invoice_with_everything()))


@place
def draft_page(desk: Page) -> None:
    desk.goto(page_of(invoice(status=InvoiceStatus.DRAFT)))


@place
def mail(desk: Page) -> None:
    made = invoice()
    made.request_payment(None, recipient=made.contact.email, message="M" * 300)
    desk.goto(f"/mail/{Mail.objects.get().pk}/")


@place
def editor(desk: Page) -> None:
    desk.goto(f"{page_of(invoice())}edit/")


@place
def editor_with_refusals(desk: Page) -> None:
    ProductFactory.create(name="P" * 100, sku="Q" * 50)
    desk.goto(f"/contacts/{contact().pk}/invoices/new/")
    desk.get_by_label("Unit price").fill("1.005")
    desk.get_by_role("button", name="Save draft").or_(desk.locator("[data-deed]:visible")).first.click()
    expect(desk.get_by_role("alert")).to_be_visible()
    desk.get_by_label("Description").press_sequentially("PPP")
    expect(desk.locator("td .found button")).to_be_visible()


@place
def invoices(desk: Page) -> None:
    invoice()
    InvoiceFactory.create_batch(25)
    desk.goto("/invoices/?status=open&status=draft")


@place
def payments(desk: Page) -> None:
    invoice_with_everything()
    PaymentFactory.create()
    desk.goto("/payments/")


@place
def list_with_an_unreadable_filter(desk: Page) -> None:
    desk.goto(f"/invoices/?q={'W' * 200}&amount_min=abc&date_from=abc&contact=abc")


@place
def export_page(desk: Page) -> None:
    invoice()
    desk.goto("/invoices/export/")
    pick_columns(desk)


def invoice_dialog(entry: str, **given: Any) -> Place:
    def open_it(desk: Page) -> None:
        made = invoice(**given)
        desk.goto(page_of(made))
        press(desk, entry)
        expect(dialog(desk)).to_be_visible()
        for details in dialog(desk).locator("summary").all():
            details.click()

    open_it.__name__ = f"dialog_{entry.lower().replace(' ', '_')}"
    return open_it


PLACES += [
    invoice_dialog("Request payment"),
    invoice_dialog("Send invoice receipt", status=InvoiceStatus.CLOSED),
    invoice_dialog("Refund", status=InvoiceStatus.CLOSED),
    invoice_dialog("Void", status=InvoiceStatus.CLOSED),
    invoice_dialog("Write off"),
    invoice_dialog("Delete", status=InvoiceStatus.DRAFT),
    invoice_dialog("Why not another?"),
]


@place
def dialog_pay_refused(desk: Page) -> None:
    made = invoice()
    CardFactory.create(contact=made.contact)
    CardFactory.create(contact=made.contact, exp_year=2021)
    desk.goto(page_of(made))
    press(desk, "Pay")
    dialog(desk).get_by_label("Amount").fill("1.00005")
    dialog(desk).locator("#deed").click()
    expect(dialog(desk).locator(".error").first).to_be_visible()


@place
def dialog_refund_of_a_payment(desk: Page) -> None:
    made = invoice()
    PaymentFactory.create(invoice=made, card=CardFactory.create(contact=made.contact))
    desk.goto(page_of(made))
    section(desk, "payments").get_by_role("link", name="Refund", exact=True).click()
    expect(dialog(desk)).to_be_visible()


@place
def dialog_add_a_card(desk: Page) -> None:
    desk.goto(tab(contact()))
    section(desk, "cards").get_by_role("link", name="Add a card").click()
    expect(dialog(desk)).to_be_visible()


@place
def dialog_remove_a_card(desk: Page) -> None:
    card = CardFactory.create(contact=contact())
    desk.goto(tab(card.contact))
    choose(desk, card, "Remove")
    expect(dialog(desk)).to_be_visible()


@place
def dialog_declined(desk: Page) -> None:
    made = invoice()
    CardFactory.create(contact=made.contact, number=DECLINES)
    desk.goto(page_of(made))
    press(desk, "Pay")
    dialog(desk).locator("#deed").click()
    expect(dialog(desk).get_by_role("button", name="Mark unpaid")).to_be_visible()


@place
def dialog_of_an_unknown_outcome(desk: Page) -> None:
    made = invoice_with_everything()
    desk.goto(page_of(made))
    desk.get_by_role("link", name="Details").click()
    expect(dialog(desk).get_by_role("button", name="Ask the gateway")).to_be_visible()


@place
def dialog_not_possible(desk: Page) -> None:
    made = invoice()
    desk.goto(page_of(made))
    made.void(None, reason="Ordered twice")
    press(desk, "Pay")
    expect(dialog(desk)).to_contain_text("Nothing was changed.")


@place
def dialog_many(desk: Page) -> None:
    made = invoice()
    for status in InvoiceStatus:
        invoice(contact=made.contact, status=status)
    desk.goto(tab(made.contact))
    desk.get_by_label("Select all invoices on this page").check()
    desk.locator(".bulk-bar").get_by_role("button", name="Void").click()
    dialog(desk).locator("summary").click()


@place
def dialog_export(desk: Page) -> None:
    invoice()
    desk.goto("/invoices/")
    section(desk, "page").get_by_role("link", name="Export", exact=True).first.click()
    pick_columns(desk)


def pick_columns(desk: Page) -> None:
    desk.get_by_label("Those picked below, in their order").check()
    desk.locator("summary:visible", has_text="Columns").first.click()
    expect(desk.get_by_label(re.compile("^Place of ")).first).to_be_visible()


@place
def dialog_of_the_keys(desk: Page) -> None:
    desk.goto("/contacts/")
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog", name="Keys")).to_be_visible()


@place
def toast_of_a_deed(desk: Page) -> None:
    made = invoice()
    desk.goto(page_of(made))
    press(desk, "Pay")
    dialog(desk).locator("#deed").click()
    expect(desk.locator("#toasts .toast")).to_be_visible()
    desk.locator("#toasts .toast").hover()


@place
def public_invoice(desk: Page) -> None:
    desk.goto(f"/i/{invoice_with_everything().token}/")


@place
def pay_page(desk: Page) -> None:
    desk.goto(f"/pay/{invoice().token}/")


@place
def card_company_page_with_refusals(desk: Page) -> None:
    desk.goto(f"/pay/{invoice().token}/")
    desk.locator("form button").click()
    desk.locator("form button").click()
    expect(desk.locator(".error").first).to_be_visible()


@place
def page_that_is_not_found(desk: Page) -> None:
    desk.goto("/invoices/999999/")


@place
def page_of_a_run(desk: Page) -> None:
    made = invoice()
    gone = invoice(contact=made.contact, status=InvoiceStatus.VOIDED)
    desk.goto(tab(made.contact))
    for each in (made, gone):
        desk.get_by_label(f"Select {each}").check()
    desk.locator(".bulk-bar").get_by_role("button", name="Void").click()
    press_deed(desk, "Void 1 invoice")
    desk.locator("#toasts").get_by_role("link", name="Details").click()
    expect(desk.get_by_role("progressbar")).to_be_visible()
