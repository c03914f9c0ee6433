"""The contacts' pages in a real browser: keys, search as one types, both sizes, both colour schemes."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from contacts.models import Contact
from tests.factories import ContactFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture
def marta(page: Page) -> Contact:
    UserFactory.create(username="boss", password="a long password", is_staff=True, is_superuser=True)
    ContactFactory.create(name="Ada Lovelace")
    marta: Contact = ContactFactory.create(name="Marta Lindqvist", email="marta@example.com", city="Lund")
    page.goto("/login/")
    page.fill("[name=username]", "boss")
    page.fill("[name=password]", "a long password")
    page.click("form [type=submit]")
    page.wait_for_url(lambda address: "/login/" not in address)
    return marta


def test_the_list_follows_what_is_typed_and_so_does_the_address(page: Page, marta: Contact) -> None:
    page.goto("/contacts/")
    page.fill("#contact-q", "lindq")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text("Marta Lindqvist")
    assert page.url.endswith("/contacts/?q=lindq")
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_slash_finds_a_contact_without_the_mouse(page: Page, marta: Contact) -> None:
    page.goto("/contacts/new/")
    page.keyboard.press("/")
    page.keyboard.type("marta")
    expect(page.locator("#found a")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found a")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_be_focused()


def test_j_and_k_walk_the_rows_and_n_starts_a_new_contact(page: Page, marta: Contact) -> None:
    page.goto("/contacts/")
    for key in "jjk":
        page.keyboard.press(key)
    expect(page.get_by_role("link", name="Ada Lovelace", exact=True)).to_be_focused()
    page.keyboard.press("n")
    page.wait_for_url("**/contacts/new/")


def test_keys_are_letters_while_one_types(page: Page, marta: Contact) -> None:
    page.goto("/contacts/new/")
    page.fill("[name=name]", "")
    page.locator("[name=name]").press_sequentially("n/j?.")
    expect(page.locator("[name=name]")).to_have_value("n/j?.")
    expect(page.locator("#keys")).to_be_hidden()


def test_the_question_mark_lists_the_keys(page: Page, marta: Contact) -> None:
    page.goto("/contacts/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_fits_and_is_accessible(
    page: Page, marta: Contact, width: int, scheme: Literal["light", "dark"]
) -> None:
    ContactFactory.create(name="W" * 200, email="w" * 60 + "@example.com", company="W" * 200, city="W" * 100)
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    addresses = ["", "?q=zzz", "new/", f"{marta.pk}/", f"{marta.pk + 1}/", f"{marta.pk}/edit/"]
    for address in addresses:
        page.goto(f"/contacts/{address}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        assert Axe().run(page, options=WCAG).response["violations"] == [], address
