"""Where the desk can be looked at: each place is how to get there. Dialogs have a file of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from django.utils import timezone
from playwright.sync_api import Page, expect

from billing.gateways.sandbox import dashboard
from billing.gateways.sandbox.models import Charge, Message
from billing.models import GatewayEvent, Invoice, Job, Mail
from billing.statuses import DisputeState, InvoiceStatus, OrderStatus, RefundRoute
from billing.tasks import act_on_notices, tick
from tests.browser.hands import dialog, page_of, press, press_deed, tab
from tests.browser.stress import contact, invoice, invoice_with_everything, order
from tests.factories import (
    APPROVES,
    DECLINES,
    CardFactory,
    ContactFactory,
    InvoiceFactory,
    OrderFactory,
    PaymentFactory,
    ProductFactory,
)

Place = Callable[[Page], None]
PLACES: dict[str, list[Place]] = {}
"""By group. One test looks at all of a group: emptying the database takes as long as looking at a place."""


def place(group: str) -> Callable[[Place], Place]:
    def keep(open_it: Place) -> Place:
        PLACES.setdefault(group, []).append(open_it)
        return open_it

    return keep


def pick_columns(desk: Page) -> None:
    """Open the last question of the export."""
    desk.get_by_label("Those picked below, in their order").check()
    desk.locator("summary:visible", has_text="Columns").first.click()
    expect(desk.get_by_label(re.compile("^Place of ")).first).to_be_visible()


@place("contacts")
def contacts(desk: Page) -> None:
    ContactFactory.create_batch(26)
    contact()
    desk.goto("/contacts/?sort=-created")


@place("contacts")
def contacts_empty(desk: Page) -> None:
    desk.goto("/contacts/?q=nobody")


@place("contacts")
def contact_details(desk: Page) -> None:
    desk.goto(f"/contacts/{contact().pk}/")


@place("contacts")
def contact_form_with_refusals(desk: Page) -> None:
    desk.goto("/contacts/new/")
    desk.get_by_label("E-mail").fill("W" * 100)
    desk.get_by_role("button", name="Create contact").click()
    expect(desk.locator(".error").first).to_be_visible()


@place("contacts")
def search_results(desk: Page) -> None:
    desk.goto(f"/contacts/{contact().pk}/")
    desk.get_by_role("searchbox", name="Find a contact").press_sequentially("محمد")
    expect(desk.locator("#found a").first).to_be_visible()


@place("purchases")
def purchases(desk: Page) -> None:
    made = invoice_with_everything()
    for status in InvoiceStatus:
        invoice(contact=made.contact, status=status)
    for standing in OrderStatus:
        order(contact=made.contact, status=standing, payments=2)
    desk.goto(tab(made.contact))


@place("purchases")
def purchases_empty(desk: Page) -> None:
    desk.goto(tab(contact()))


@place("purchases")
def purchases_with_rows_selected(desk: Page) -> None:
    made = invoice()
    InvoiceFactory.create_batch(25, contact=made.contact)
    desk.goto(tab(made.contact))
    desk.get_by_label("Select all invoices on this page").check()
    expect(desk.locator(".bulk-bar")).to_be_visible()


@place("purchases")
def row_menu(desk: Page) -> None:
    made = invoice()
    desk.goto(tab(made.contact))
    desk.get_by_role("button", name=f"Actions for {made}").click()


@place("contacts")
def timeline(desk: Page) -> None:
    desk.goto(f"/contacts/{invoice_with_everything().contact_id}/timeline/")


@place("invoice")
def invoice_page(desk: Page) -> None:
    desk.goto(page_of(invoice_with_everything()))


@place("invoice")
def draft_page(desk: Page) -> None:
    desk.goto(page_of(invoice(status=InvoiceStatus.DRAFT)))


@place("invoice")
def in_collections(desk: Page) -> None:
    """Behind the question with which card it is retried now."""
    made = invoice()
    for number in (DECLINES, APPROVES, DECLINES):
        card = CardFactory.create(contact=made.contact, number=number)
    made.pay(None, source=card, amount=made.balance)
    made.run_collections(None)
    desk.goto(page_of(made))
    desk.get_by_role("link", name="Retry now").click()
    expect(dialog(desk)).to_be_visible()


@place("invoice")
def mail(desk: Page) -> None:
    made = invoice()
    made.request_payment(None, recipient=made.contact.email, message="M" * 300)
    desk.goto(f"/mail/{Mail.objects.get(invoice=made).pk}/")


@place("invoice")
def editor(desk: Page) -> None:
    desk.goto(f"{page_of(invoice())}edit/")


@place("invoice")
def editor_with_refusals(desk: Page) -> None:
    ProductFactory.create(name="P" * 100, sku="Q" * 50)
    desk.goto(f"/contacts/{contact().pk}/invoices/new/")
    desk.get_by_label("Unit price").fill("1.005")
    desk.get_by_role("button", name="Save draft").or_(desk.locator("[data-deed]:visible")).first.click()
    expect(desk.get_by_role("alert")).to_be_visible()
    desk.get_by_label("Description").press_sequentially("PPP")
    expect(desk.locator("td .found button")).to_be_visible()


@place("lists")
def invoices(desk: Page) -> None:
    invoice()
    InvoiceFactory.create_batch(25)
    desk.goto("/invoices/?status=open&status=draft")


@place("lists")
def payments(desk: Page) -> None:
    invoice_with_everything()
    PaymentFactory.create()
    desk.goto("/payments/")


def needing_a_person() -> None:
    """Something of each kind, with words and amounts that break layouts."""
    made = invoice_with_everything()
    paid = made.payments.get(status="applied")
    now = timezone.now()
    dashboard.pay_again(paid.gateway_ref, amount=Decimal(987654321), description="W" * 200, now=now)
    dashboard.dispute(paid.gateway_ref, amount=Decimal(3), now=now)
    lost = dashboard.dispute(paid.gateway_ref, amount=Decimal(2), reason="product_" * 5, now=now)
    dashboard.close_dispute(lost.ref, DisputeState.LOST, now=now)
    Message.objects.write("charge." + "x" * 90, ref="y" * 200, now=now)
    kept = PaymentFactory.create(
        invoice=invoice(contact=made.contact), card=CardFactory.create(contact=made.contact)
    )
    Charge.objects.filter(ref=kept.gateway_ref).update(refuses_refunds=True)
    kept.refund(None, amount=Decimal(1), route=RefundRoute.GATEWAY, reason="", send_receipt=False)
    act_on_notices(now)
    Invoice.objects.filter(pk=made.pk).update(overpaid=Decimal("123456789.123"))
    failed = {"state": "failed", "processed_at": None, "error": "E" * 500}
    GatewayEvent.objects.filter(kind="other").update(**failed)


@place("attention")
def attention(desk: Page) -> None:
    needing_a_person()
    desk.goto("/attention/")
    expect(desk.locator(".matters").first).to_be_visible()


@place("attention")
def attention_opened(desk: Page) -> None:
    """On a phone, every row with all that is known of it."""
    needing_a_person()
    desk.set_viewport_size({"width": 390, "height": 1000})
    desk.goto("/attention/")
    for more in desk.locator("details.more summary").all():
        more.click()


@place("lists")
def attention_empty(desk: Page) -> None:
    desk.goto("/attention/")


@place("attention")
def disputed_payments(desk: Page) -> None:
    needing_a_person()
    desk.goto(tab(Invoice.objects.latest("pk").contact))


@place("attention")
def dialog_match(desk: Page) -> None:
    needing_a_person()
    desk.goto("/attention/")
    desk.get_by_role("link", name="Match to an invoice").first.click()
    dialog(desk).get_by_label("Invoice").fill(str(Invoice.objects.latest("pk")))
    expect(dialog(desk)).to_contain_text("will be overpaid")


@place("attention")
def dialog_set_aside_refused(desk: Page) -> None:
    needing_a_person()
    desk.goto("/attention/")
    desk.get_by_role("link", name="Set aside").first.click()
    dialog(desk).locator("#deed").click()
    expect(dialog(desk).locator(".error").first).to_be_visible()


@place("attention")
def dialog_record(desk: Page) -> None:
    needing_a_person()
    desk.goto("/attention/")
    desk.get_by_role("link", name="Record the refund").first.click()
    expect(dialog(desk)).to_be_visible()


@place("lists")
def orders(desk: Page) -> None:
    order()
    OrderFactory.create_batch(25)
    desk.goto("/orders/?status=active&status=past_due")


@place("orders")
def order_page(desk: Page) -> None:
    desk.goto(f"/orders/{order(status=OrderStatus.PAST_DUE).pk}/")


@place("orders")
def order_that_ended(desk: Page) -> None:
    desk.goto(f"/orders/{order(status=OrderStatus.CANCELLED).pk}/")


@place("orders")
def order_edited(desk: Page) -> None:
    desk.goto(f"/orders/{order().pk}/edit/")


@place("orders")
def order_cancelled(desk: Page) -> None:
    desk.goto(f"/orders/{order(status=OrderStatus.PAST_DUE).pk}/cancel/")


@place("orders")
def new_order_with_refusals(desk: Page) -> None:
    ProductFactory.create(name="P" * 100, sku="Q" * 50, sold_as="subscription")
    desk.goto(f"/contacts/{contact().pk}/orders/new/")
    desk.locator("#deed").click()
    expect(desk.locator(".error").first).to_be_visible()
    desk.locator("summary", has_text="More terms").click()


@place("lists")
def list_with_an_unreadable_filter(desk: Page) -> None:
    desk.goto(f"/invoices/?q={'W' * 200}&amount_min=abc&date_from=abc&contact=abc")


@place("lists")
def export_page(desk: Page) -> None:
    invoice()
    desk.goto("/invoices/export/")
    pick_columns(desk)


@place("invoice")
def toast_of_a_deed(desk: Page) -> None:
    made = invoice()
    desk.goto(page_of(made))
    press(desk, "Pay")
    dialog(desk).locator("#deed").click()
    expect(desk.locator("#toasts .toast")).to_be_visible()
    desk.locator("#toasts .toast").hover()


@place("customers")
def public_invoice(desk: Page) -> None:
    desk.goto(f"/i/{invoice_with_everything().token}/")


@place("customers")
def pay_page(desk: Page) -> None:
    desk.goto(f"/pay/{invoice().token}/")


@place("customers")
def card_page(desk: Page) -> None:
    desk.goto(f"/card/{order(status=OrderStatus.PAST_DUE).token}/")


@place("customers")
def card_company_page_with_refusals(desk: Page) -> None:
    desk.goto(f"/pay/{invoice().token}/")
    desk.locator("form button").click()
    desk.locator("form button").click()
    expect(desk.locator(".error").first).to_be_visible()


@place("lists")
def page_that_is_not_found(desk: Page) -> None:
    desk.goto("/invoices/999999/")


@place("lists")
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


@place("customers")
def sign_in(desk: Page) -> None:
    desk.context.clear_cookies()
    desk.goto("/login/?next=/contacts/")


@place("lists")
def health(desk: Page) -> None:
    tick(timezone.now())
    Job.objects.update(
        error="stripe: Stripe does not know the key that is set in STRIPE_API_KEY. " * 3, failures=3
    )
    InvoiceFactory.create().request_payment(None, recipient="ada@example.com", message="")
    desk.goto("/health/")
