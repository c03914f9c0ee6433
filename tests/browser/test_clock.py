"""Days pass at the press of a button while one watches, at a desk and on a phone, with or without scripts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from billing import clock
from tests.browser.conftest import OpenBrowser
from tests.browser.test_pages import problems
from tests.factories import OrderFactory, UserFactory

WEEK = timedelta(days=7)


@pytest.fixture
def administrator(transactional_db: None) -> User:
    return UserFactory.create(role="Administrator")


@pytest.fixture(autouse=True)
def a_day_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.views.clock.A_WHILE", 0)


def test_a_week_passes_a_day_at_a_time(open_browser: OpenBrowser, administrator: User) -> None:
    now = timezone.now()
    OrderFactory.create(at=now, first_charge_on=(now + timedelta(days=2)).date())
    until = clock.today() + WEEK
    page = open_browser(administrator)
    page.goto("/clock/")
    page.get_by_role("button", name="One week").click()
    banner = page.locator(".test-bar")
    expect(banner).to_contain_text(f"the clock says {until.day} {until:%b %Y}")
    expect(page.locator("#happened")).to_contain_text(re.compile(r"Cards charged\s*1"))
    assert clock.today() == until
    for width, scheme in ((1440, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 1000})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert list(problems(page)) == []


def test_without_scripts_one_goes_on_by_hand(open_browser: OpenBrowser, administrator: User) -> None:
    until = clock.today() + WEEK
    page = open_browser(administrator, java_script_enabled=False)
    page.goto("/clock/")
    page.get_by_label("Until").fill(str(until))
    page.get_by_role("button", name="Let time pass").click()
    for left in range(6, 0, -1):
        expect(page.get_by_role("status").first).to_contain_text(f"{left} day")
        page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="One day")).to_be_visible()
    assert clock.today() == until
