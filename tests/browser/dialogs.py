"""The dialogs, each opened as an agent opens it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from billing.statuses import InvoiceStatus
from tests.browser.hands import DECLINES, choose, dialog, page_of, press, section, tab
from tests.browser.places import PLACES, Place, pick_columns, place
from tests.browser.stress import contact, invoice, invoice_with_everything
from tests.factories import CardFactory, PaymentFactory

__all__ = ["PLACES"]


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


PLACES["dialogs of an invoice"] = [
    invoice_dialog("Request payment"),
    invoice_dialog("Send invoice receipt", status=InvoiceStatus.CLOSED),
    invoice_dialog("Refund", status=InvoiceStatus.CLOSED),
    invoice_dialog("Void", status=InvoiceStatus.CLOSED),
    invoice_dialog("Write off"),
    invoice_dialog("Delete", status=InvoiceStatus.DRAFT),
    invoice_dialog("Why not another?"),
]


@place("dialogs of money")
def dialog_pay_refused(desk: Page) -> None:
    made = invoice()
    CardFactory.create(contact=made.contact)
    CardFactory.create(contact=made.contact, exp_year=2021)
    desk.goto(page_of(made))
    press(desk, "Pay")
    dialog(desk).get_by_label("Amount").fill("1.00005")
    dialog(desk).locator("#deed").click()
    expect(dialog(desk).locator(".error").first).to_be_visible()


@place("dialogs of money")
def dialog_refund_of_a_payment(desk: Page) -> None:
    made = invoice()
    PaymentFactory.create(invoice=made, card=CardFactory.create(contact=made.contact))
    desk.goto(page_of(made))
    section(desk, "payments").get_by_role("link", name="Refund", exact=True).click()
    expect(dialog(desk)).to_be_visible()


@place("dialogs of money")
def dialog_add_a_card(desk: Page) -> None:
    desk.goto(tab(contact()))
    section(desk, "cards").get_by_role("link", name="Add a card").click()
    expect(dialog(desk)).to_be_visible()


@place("dialogs of money")
def dialog_remove_a_card(desk: Page) -> None:
    card = CardFactory.create(contact=contact())
    desk.goto(tab(card.contact))
    choose(desk, card, "Remove")
    expect(dialog(desk)).to_be_visible()


@place("dialogs of money")
def dialog_declined(desk: Page) -> None:
    made = invoice()
    CardFactory.create(contact=made.contact, number=DECLINES)
    desk.goto(page_of(made))
    press(desk, "Pay")
    dialog(desk).locator("#deed").click()
    expect(dialog(desk).get_by_role("button", name="Mark unpaid")).to_be_visible()


@place("dialogs of money")
def dialog_of_an_unknown_outcome(desk: Page) -> None:
    made = invoice_with_everything()
    desk.goto(page_of(made))
    desk.get_by_role("link", name="Details").click()
    expect(dialog(desk).get_by_role("button", name="Ask the gateway")).to_be_visible()


@place("dialogs of money")
def dialog_not_possible(desk: Page) -> None:
    made = invoice()
    desk.goto(page_of(made))
    made.void(None, reason="Ordered twice")
    press(desk, "Pay")
    expect(dialog(desk)).to_contain_text("Nothing was changed.")


@place("dialogs of lists")
def dialog_many(desk: Page) -> None:
    made = invoice()
    for status in InvoiceStatus:
        invoice(contact=made.contact, status=status)
    desk.goto(tab(made.contact))
    desk.get_by_label("Select all invoices on this page").check()
    desk.locator(".bulk-bar").get_by_role("button", name="Void").click()
    dialog(desk).locator("summary").click()


@place("dialogs of lists")
def dialog_export(desk: Page) -> None:
    invoice()
    desk.goto("/invoices/")
    section(desk, "page").get_by_role("link", name="Export", exact=True).first.click()
    pick_columns(desk)


@place("dialogs of lists")
def dialog_of_the_keys(desk: Page) -> None:
    desk.goto("/contacts/")
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog", name="Keys")).to_be_visible()
