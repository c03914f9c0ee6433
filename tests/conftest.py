"""What every test may ask for: a browser, and programs of their own beside the tests."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from hypothesis import settings as hypothesis
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from billing import gateways
from billing.context import WORKER_IS_AWAY
from billing.gateways.sandbox import clock as desk_clock
from billing.gateways.stripe.gateway import make as make_stripe
from config.environment import hosted_pages
from tests.stripe.behind import NotInstalled
from tests.stripe.desk import Stripe
from tests.stripe.shim import running
from tests.stripe.signing import SECRET

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
CHROMIUM_FLAGS = [
    "--no-sandbox",  # as root, in containers, it would not start otherwise
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REFUSALS = "Failed to load resource: the server responded with a status of 4"
"""Chromium's word for an answer such as 409 or 422, which a page may well have asked for."""

hypothesis.register_profile("desk", deadline=None, derandomize=True)
hypothesis.load_profile("desk")


def on_postgresql() -> bool:
    return bool(settings.DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql")


def pytest_report_header() -> list[str]:
    database = "PostgreSQL" if on_postgresql() else "SQLite; tests marked postgres run on PostgreSQL only"
    stripe = "localstripe" if find_spec("localstripe") else "none, so tests of Stripe are skipped"
    return [
        f"database: {database}",
        f"browser: {CHROMIUM or 'none, so tests marked browser are skipped'}",
        f"stripe: {stripe}",
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
    if not on_postgresql():
        elsewhere = [item for item in items if item.get_closest_marker("postgres")]
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """A database for each process of the run. On SQLite it is a file, because threads and processes share no
    database in memory; a new one for each run.
    """
    if not on_postgresql():
        file = tmp_path_factory.mktemp("database") / "test.sqlite3"
        settings.DATABASES["default"]["TEST"]["NAME"] = str(file)


@pytest.fixture(autouse=True)
def the_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process asks once a second how far the desk's clock is ahead: tests that count queries must not see
    that, and those without a database cannot.
    """
    monkeypatch.setattr(desk_clock, "FRESH_FOR", float("inf"))
    monkeypatch.setattr(desk_clock, "_known", (0.0, timedelta()))


@pytest.fixture(autouse=True)
def worker() -> None:
    """Every page of staff says when there is no worker, which it looks up now and then: here there is one."""
    cache.set(WORKER_IS_AWAY, value=False, timeout=None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no browser on this machine: install Debian's chromium, or name one in CHROMIUM")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread for as long as it lives, and Django then takes
        # the queries of the test itself for queries of asynchronous code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A page of the desk in a browser of 1440 by 1000. The test fails if the page logged an error."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert [error for error in errors if not error.startswith(REFUSALS)] == []


@pytest.fixture
def environment(transactional_db: None) -> dict[str, str]:
    """The environment in which another process works on the database of this test."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{at['NAME']}"
    else:
        user, password = quote(at["USER"], safe=""), quote(at["PASSWORD"], safe="")
        url = f"postgres://{user}:{password}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
    return {**os.environ, "DATABASE_URL": url}


@pytest.fixture(scope="session")
def stripe_at_work() -> Iterator[Stripe]:
    try:
        with running() as (origin, shim):
            yield Stripe(origin, shim)
    except NotInstalled as reason:
        pytest.skip(str(reason))


@pytest.fixture
def stripe(stripe_at_work: Stripe, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stripe]:
    """A Stripe with empty books, and a desk that charges through it, as its environment would have it."""
    settings.GATEWAY = "stripe"
    settings.STRIPE_API_KEY = "sk_test_of_the_tests"
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    settings.STRIPE_API_BASE = stripe_at_work.origin
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    pages = hosted_pages(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE)
    settings.CONTENT_SECURITY_POLICY = {
        "DIRECTIVES": {**policy, "form-action": [*policy["form-action"], *pages]}
    }
    monkeypatch.setitem(gateways._makers, "stripe", make_stripe)
    stripe_at_work.shim.start_over()
    yield stripe_at_work
    stripe_at_work.shim.start_over()
