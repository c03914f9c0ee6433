"""An agent's day: everything that a customer on the phone may ask for, by mouse."""

from __future__ import annotations

import re
from decimal import Decimal

from django.utils import timezone
from playwright.sync_api import Page, expect

from billing.models import Attempt, Invoice, Mail
from billing.statuses import InvoiceStatus
from tests.attempts.desk import assert_books_agree, fresh, moved
from tests.browser.conftest import OpenBrowser
from tests.browser.hands import (
    APPROVES,
    CHARGED_LOST,
    DECLINES,
    PASSWORD,
    choose,
    dialog,
    expect_done,
    listed_statuses,
    page_of,
    press,
    press_deed,
    section,
    status,
    tab,
    toast,
    type_card,
    type_sign_in,
)
from tests.factories import CardFactory, ContactFactory, InvoiceFactory, ProductFactory, UserFactory


def test_an_agent_finds_a_contact_bills_her_charges_a_new_card_and_refunds_a_part(
    transactional_db: None, open_browser: OpenBrowser
) -> None:
    UserFactory.create(role="Billing manager", username="grace", password=PASSWORD)
    ContactFactory.create(name="Ada Lovelace", email="ada@example.com")
    ContactFactory.create(name="Charles Babbage")
    ProductFactory.create(name="Red lantern", sku="RL", price=Decimal(25))
    page = open_browser()

    page.goto("/")
    type_sign_in(page, "grace")
    find_contact(page, "lovel", "Ada Lovelace")
    bill_two_lanterns_and_their_delivery(page)
    expect(status(page)).to_have_text(["Open"])
    expect(toast(page)).to_contain_text("INV-000001")
    assert Mail.objects.get().to == "ada@example.com"

    charge_a_new_card(page)
    expect(status(page)).to_have_text(["Closed"])
    expect(toast(page).filter(has_text="$55.50")).to_be_visible()

    refund_a_part(page)
    expect(status(page)).to_have_text(["Closed", "Partly refunded"])
    expect(section(page, "payments").get_by_role("row").filter(has_text="-$20.50")).to_contain_text("Refund")
    assert moved() == [(Decimal("55.50"), Decimal("20.50"))]
    assert_books_agree()


def find_contact(page: Page, typed: str, name: str) -> None:
    box = page.get_by_role("searchbox", name="Find anything")
    expect(box).to_be_visible()
    page.wait_for_load_state()  # what is typed before the scripts are there finds nothing
    box.press_sequentially(typed)
    found = page.locator("#found a")
    expect(found).to_have_count(1)
    found.click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def bill_two_lanterns_and_their_delivery(page: Page) -> None:
    page.get_by_role("link", name="New invoice").first.click()
    page.get_by_label("Description").press_sequentially("lant")
    page.get_by_role("button", name="Red lantern").click()
    page.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Add a line").click()
    page.get_by_label("Description").nth(1).fill("Delivery")
    page.get_by_label("Unit price").nth(1).fill("5.50")
    page.get_by_label("Request payment (send now)").check()
    expect(page.locator("#totals .total")).to_contain_text("$55.50")
    press_deed(page, "Create and request $55.50")


def charge_a_new_card(page: Page) -> None:
    press(page, "Pay")
    dialog(page).get_by_role("link", name="Charge a new card").click()
    press_deed(page, "Go to the card page")
    type_card(page, APPROVES, "Save card")
    expect(page.get_by_label(re.compile("Visa •• 4242"))).to_be_checked()
    press_deed(page, "Charge $55.50 to Visa •• 4242")


def refund_a_part(page: Page) -> None:
    press(page, "Refund")
    deed = dialog(page).locator("#deed")
    expect(deed).to_have_text("Refund $55.50 to Visa •• 4242")
    dialog(page).get_by_label("Amount").fill("20.5")
    expect(deed).to_have_text("Refund $20.50 to Visa •• 4242")
    expect(dialog(page).get_by_role("row", name="Paid")).to_contain_text("$35.00")
    deed.click()
    expect_done(page, "$20.50")


def test_a_declined_card_leaves_three_choices_and_mark_unpaid_keeps_the_invoice_open(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    CardFactory.create(contact=invoice.contact, number=DECLINES)
    desk.goto(tab(invoice.contact))
    choose(desk, invoice, "Pay")
    press_deed(desk, "Charge $100.00 to Visa •• 0341")

    expect(dialog(desk)).to_contain_text("The bank declined this card and gave no reason.")
    choices = dialog(desk).locator(".dialog-body form button")
    expect(choices).to_have_text(["Mark unpaid", "Run collections", re.compile("^Void")])
    expect(section(desk, "payments").locator("tbody tr")).to_contain_text("Declined")
    choices.first.click()
    expect_done(desk, "unpaid")
    expect(listed_statuses(desk)).to_have_text("Open")
    assert fresh(invoice).balance == 100


def test_what_became_of_a_declined_charge_can_be_settled_on_a_page_of_its_own(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    CardFactory.create(contact=invoice.contact, number=DECLINES)
    desk.goto(f"{page_of(invoice)}pay/")
    press_deed(desk, "Charge $100.00 to Visa •• 0341")
    press_deed(desk, "Run collections")
    expect(status(desk)).to_have_text(["Collections"])


def test_an_unknown_outcome_is_settled_by_asking_the_gateway(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    CardFactory.create(contact=invoice.contact, number=CHARGED_LOST)
    desk.goto(page_of(invoice))
    press(desk, "Pay")
    press_deed(desk, "Charge $100.00 to Visa •• 0119")

    asking = dialog(desk).get_by_role("button", name="Ask the gateway")
    expect(asking).to_be_visible()
    desk.keyboard.press("Escape")
    expect(desk.locator(".page-head").get_by_role("link", name="Pay", exact=True)).to_be_hidden()
    desk.get_by_role("button", name="Ask the gateway").click()
    expect(dialog(desk)).to_contain_text("Approved")
    expect(status(desk)).to_have_text(["Closed"])
    assert moved() == [(Decimal(100), Decimal(0))]


def test_an_invoice_is_voided_with_its_reason_in_the_timeline(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    desk.goto(tab(invoice.contact))
    choose(desk, invoice, "Void")
    dialog(desk).get_by_label("Reason").fill("Ordered twice")
    press_deed(desk, f"Void {invoice}")
    expect_done(desk, "Voided")
    expect(listed_statuses(desk)).to_have_text("Voided")

    toast(desk).get_by_role("link", name="Timeline").click()
    expect(desk.locator(".event:target")).to_contain_text("Ordered twice")


def test_an_invoice_is_written_off_and_the_figures_above_the_lists_follow(desk: Page) -> None:
    invoice = InvoiceFactory.create(paid=Decimal(40))
    desk.goto(tab(invoice.contact))
    owed = desk.locator(".fact").first
    expect(owed).to_contain_text("$60.00")
    choose(desk, invoice, "Write off")
    press_deed(desk, "Write off $60.00")
    expect_done(desk, "$60.00")
    expect(owed).to_contain_text("$0.00")
    expect(listed_statuses(desk)).to_have_text("Write off")


def test_a_deleted_draft_is_gone_from_the_tab(desk: Page) -> None:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    desk.goto(tab(draft.contact))
    choose(desk, draft, "Delete")
    press_deed(desk, f"Delete {draft}")
    expect(toast(desk)).to_be_visible()
    expect(section(desk, "invoices")).to_contain_text("The first one you make for this contact stands here.")
    assert not Invoice.objects.exists()


def test_a_draft_deleted_from_its_own_page_leads_to_the_contact(desk: Page) -> None:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    desk.goto(page_of(draft))
    press(desk, "Delete")
    press_deed(desk, f"Delete {draft}")
    desk.wait_for_url(f"**{tab(draft.contact)}")
    expect(toast(desk)).to_be_visible()


def test_a_pay_link_is_copied(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desk.goto(tab(invoice.contact))
    choose(desk, invoice, "Copy pay link")
    expect(toast(desk)).to_contain_text("Copied.")
    assert desk.evaluate("navigator.clipboard.readText()") == invoice.pay_link


def forbid_clipboard(page: Page) -> None:
    chromium = page.context.new_cdp_session(page)
    context = chromium.send("Target.getTargetInfo")["targetInfo"]["browserContextId"]
    permission = {"permission": {"name": "clipboard-write"}, "setting": "denied"}
    origin = page.evaluate("location.origin")
    chromium.send("Browser.setPermission", {**permission, "origin": origin, "browserContextId": context})


def test_where_the_clipboard_is_forbidden_the_link_is_shown_selected(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    desk.goto(tab(invoice.contact))
    forbid_clipboard(desk)
    choose(desk, invoice, "Copy pay link")
    expect(dialog(desk).get_by_role("textbox")).to_have_value(invoice.pay_link)
    assert desk.evaluate("getSelection().toString()") == invoice.pay_link


def test_two_rows_are_voided_at_once_and_a_third_is_left_out_with_its_reason(desk: Page) -> None:
    contact = ContactFactory.create()
    first, second = InvoiceFactory.create_batch(2, contact=contact)
    gone = InvoiceFactory.create(contact=contact, status=InvoiceStatus.VOIDED)
    desk.goto(tab(contact))
    for invoice in (first, second, gone):
        desk.get_by_label(f"Select {invoice}").check()
    bar = section(desk, "invoices").get_by_role("group", name="Actions on the selected rows")
    expect(bar).to_contain_text("3 selected")
    bar.get_by_role("button", name="Void").click()

    expect(dialog(desk)).to_contain_text("1 is left out")
    dialog(desk).get_by_text("1 is left out").click()
    expect(dialog(desk)).to_contain_text("is Voided: only")
    press_deed(desk, "Void 2 invoices")
    expect_done(desk, "Void: 2 done, 1 not.")
    expect(listed_statuses(desk)).to_have_text(["Voided"] * 3)
    toast(desk).get_by_role("link", name="Details").click()
    expect(desk.get_by_role("progressbar")).to_have_attribute("value", "3")
    expect(desk.get_by_role("row").filter(has_text=str(gone))).to_contain_text("is Voided: only")


def test_an_invoice_that_is_opened_after_its_answer_was_lost_finds_out_by_itself(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    invoice.pay(
        None, source=CardFactory.create(contact=invoice.contact, number=CHARGED_LOST), amount=Decimal(100)
    )
    Attempt.objects.update(due_at=timezone.now())
    desk.goto(f"/invoices/{invoice.pk}/")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Closed")
    expect(section(desk, "timeline")).to_contain_text("$100.00 charged to Visa •• 0119")


def test_a_long_run_shows_how_far_it_is_until_it_is_done(desk: Page) -> None:
    contact = ContactFactory.create()
    InvoiceFactory.create_batch(27, contact=contact)
    desk.goto("/invoices/")
    desk.get_by_label("Select all invoices on this page").check()
    desk.get_by_label("All 27 that match").check()
    desk.get_by_role("group", name="Actions on the selected rows").get_by_role(
        "button", name="Write off"
    ).click()
    press_deed(desk, "Write off 27 invoices")
    expect(desk.get_by_role("progressbar")).to_have_attribute("value", "27")
    expect(desk.locator("main")).to_contain_text("27 of 27 dealt with")
    assert set(Invoice.objects.values_list("status", flat=True)) == {InvoiceStatus.WRITTEN_OFF}


def test_an_export_of_what_the_filter_finds_comes_as_a_csv_file(desk: Page) -> None:
    invoice = InvoiceFactory.create()
    InvoiceFactory.create(status=InvoiceStatus.VOIDED)
    desk.goto("/invoices/?status=open")
    section(desk, "page").get_by_role("link", name="Export", exact=True).first.click()
    expect(dialog(desk)).to_contain_text("All 1 that match")
    with desk.expect_download() as downloading:
        press_deed(desk, "Download the file")
    file = downloading.value
    assert re.fullmatch(r"invoices-[0-9-]{10}\.csv", file.suggested_filename)
    header, *rows = file.path().read_text("utf-8-sig").splitlines()
    assert "currency" in header.lower()
    assert len(rows) == 1
    assert str(invoice) in rows[0]
