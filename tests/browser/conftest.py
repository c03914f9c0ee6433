"""Browsers of several people, each with cookies of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from tests.conftest import REFUSALS
from tests.factories import UserFactory

OpenBrowser = Callable[..., Page]


@pytest.fixture
def open_browser(browser: Browser, live_server: LiveServer) -> Iterator[OpenBrowser]:
    """``open_browser(user, java_script_enabled=False)``: signed in as ``user``, or as nobody.

    The test fails if a page of any of them logged an error.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def start(user: User | None = None, **options: Any) -> Page:
        size = {"width": 1440, "height": 1000}
        context = browser.new_context(**{"base_url": live_server.url, "viewport": size, **options})
        context.set_default_timeout(10_000)
        contexts.append(context)
        context.on("weberror", lambda problem: errors.append(str(problem.error)))
        context.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        if user:
            client = Client()
            client.force_login(user)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
        return context.new_page()

    yield start
    for context in contexts:
        context.close()
    assert [error for error in errors if not error.startswith(REFUSALS)] == []


@pytest.fixture
def manager(transactional_db: None) -> User:
    return UserFactory.create(role="Billing manager")


@pytest.fixture
def desk(open_browser: OpenBrowser, manager: User) -> Page:
    """The browser of a billing manager who has signed in already; the sign-in page has tests of its own."""
    return open_browser(manager)
