"""A real browser applies the content policy to each redirect after a form, as those to hosted pages are."""

from __future__ import annotations

from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from billing.models import Card, Invoice
from billing.statuses import InvoiceStatus
from tests.factories import ContactFactory, InvoiceFactory, UserFactory
from tests.stripe.desk import Stripe


def test_a_customer_is_led_to_checkout_and_back_with_the_card_kept(page: Page, stripe: Stripe) -> None:
    invoice = InvoiceFactory.create()
    page.goto(f"/pay/{invoice.token}/")
    page.get_by_label("Remember my card").check()
    page.get_by_role("button", name="Pay $100.00").click()
    page.wait_for_url(f"{stripe.origin}/c/pay/*")
    page.get_by_label("Card").select_option(label="stolen")
    page.get_by_role("button", name="Pay").click()
    page.get_by_text("Your card was declined.").wait_for()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("heading").first.wait_for()
    page.goto(f"/pay/{invoice.token}/")
    page.get_by_label("Remember my card").check()
    page.get_by_role("button", name="Pay $100.00").click()
    page.get_by_role("button", name="Pay").click()
    page.get_by_role("heading", name="Thank you: your payment has arrived").wait_for()
    assert Invoice.objects.get().status == InvoiceStatus.CLOSED
    assert Card.objects.get().gateway == "stripe"


def test_an_agent_is_led_to_the_setup_page_and_back(
    page: Page, stripe: Stripe, live_server: LiveServer
) -> None:
    ada = ContactFactory.create()
    UserFactory.create(username="grace", password="s3cret", role="Support")
    page.goto("/login/")
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill("s3cret")
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"/contacts/{ada.pk}/cards/new/")
    assert page.get_by_text("TEST – no real cards").is_visible()
    page.locator("main form button").first.click()
    page.wait_for_url(f"{stripe.origin}/c/pay/*")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(f"{live_server.url}/contacts/{ada.pk}/purchases/")
    assert ada.cards.get().last4 == "4242"
