"""Signing in with a second step: whoever switched it on is asked for a code, and nobody gets past it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from config import two_factor
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    """What django-otp and the desk take for the present."""

    def __init__(self) -> None:
        self.now = NOON

    def seconds(self) -> float:
        return self.now.timestamp()

    def passes(self, **words: float) -> None:
        self.now += timedelta(**words)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with (
        patch.object(timezone, "now", lambda: clock.now),
        patch("time.time", clock.seconds),
    ):
        yield clock


@pytest.fixture
def agent() -> User:
    user = UserFactory.create(role="Support")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def spare(agent: User, clock: Clock) -> list[str]:
    """The spare codes of an agent who switched it on a minute ago."""
    two_factor.begin(agent)
    device = two_factor.begun(agent)
    assert device
    codes = list(two_factor.switch_on(agent, device))
    clock.passes(minutes=1)
    return codes


def shown_by_the_app(user: User, clock: Clock, *, confirmed: bool = True) -> str:
    device = TOTPDevice.objects.get(user=user, confirmed=confirmed)
    totp = TOTP(device.bin_key)
    totp.time = clock.now.timestamp()
    return f"{totp.token():06d}"


def type_password(client: Client, user: User, way: str = "") -> str:
    """Where the browser is led then."""
    answer = client.post(f"/login/{way}", {"username": user.username, "password": PASSWORD})
    return str(answer.headers.get("Location", ""))


def is_signed_in(client: Client) -> bool:
    return client.get("/contacts/").status_code == 200


def test_without_it_the_password_signs_in(client: Client, agent: User) -> None:
    type_password(client, agent)

    assert is_signed_in(client)


def test_with_it_the_password_alone_opens_nothing(client: Client, agent: User, spare: list[str]) -> None:
    assert type_password(client, agent).startswith("/login/code/")
    assert not is_signed_in(client)


def test_the_code_of_the_app_signs_in_and_leads_to_the_page_that_was_asked_for(
    client: Client, agent: User, spare: list[str], clock: Clock
) -> None:
    way = type_password(client, agent, "?next=/invoices/")
    answer = client.post(way, {"code": shown_by_the_app(agent, clock)})

    assert answer.headers["Location"] == "/invoices/"
    assert is_signed_in(client)


def test_nobody_is_led_to_another_site(client: Client, agent: User, spare: list[str], clock: Clock) -> None:
    type_password(client, agent)
    code = shown_by_the_app(agent, clock)

    assert client.post("/login/code/?next=https://evil.example/", {"code": code}).headers["Location"] == "/"


def test_a_code_signs_in_once(client: Client, agent: User, spare: list[str], clock: Clock) -> None:
    code = shown_by_the_app(agent, clock)
    client.post(type_password(client, agent), {"code": code})
    other = Client()

    answer = other.post(type_password(other, agent), {"code": code})

    assert answer.status_code == 200
    assert not is_signed_in(other)


def test_a_spare_code_signs_in_once_however_it_is_typed(
    client: Client, agent: User, spare: list[str]
) -> None:
    client.post(type_password(client, agent), {"code": f" {spare[0].upper()} "})
    other = Client()
    other.post(type_password(other, agent), {"code": spare[0]})

    assert is_signed_in(client)
    assert not is_signed_in(other)
    assert two_factor.spare_codes_left(agent) == len(spare) - 1


def test_a_wrong_code_is_refused_in_words_and_the_next_one_must_wait(
    client: Client, agent: User, spare: list[str], clock: Clock
) -> None:
    way = type_password(client, agent)
    wrong = "000000" if shown_by_the_app(agent, clock) != "000000" else "111111"

    assert (
        f"Code is “{wrong}”: it is not what your app shows now"
        in client.post(way, {"code": wrong}).content.decode()
    )
    right = client.post(way, {"code": shown_by_the_app(agent, clock)})
    assert "no other is looked at for 1 second" in right.content.decode()
    assert not is_signed_in(client)

    clock.passes(seconds=2)
    client.post(way, {"code": shown_by_the_app(agent, clock)})
    assert is_signed_in(client)


@pytest.mark.parametrize("code", ["", " ", "abc", "１２３４５６", "9" * 21, "\x00", "-1", "1e5"])
def test_no_code_breaks_the_page(client: Client, agent: User, spare: list[str], code: str) -> None:
    answer = client.post(type_password(client, agent), {"code": code})

    assert answer.status_code == 200
    assert not is_signed_in(client)


def test_the_code_must_come_within_five_minutes(
    client: Client, agent: User, spare: list[str], clock: Clock
) -> None:
    way = type_password(client, agent)
    clock.passes(minutes=5, seconds=1)

    assert client.post(way, {"code": shown_by_the_app(agent, clock)}).headers["Location"] == "/login/"
    assert not is_signed_in(client)


def test_a_password_that_was_changed_meanwhile_counts_no_more(
    client: Client, agent: User, spare: list[str], clock: Clock
) -> None:
    way = type_password(client, agent)
    agent.set_password("another one altogether")
    agent.save()

    client.post(way, {"code": shown_by_the_app(agent, clock)})

    assert not is_signed_in(client)


def test_the_page_of_the_code_is_nothing_without_a_password(client: Client) -> None:
    assert client.get("/login/code/").headers["Location"] == "/login/"


def test_it_is_switched_on_with_a_code_of_the_app_and_shows_the_spare_codes_once(
    client: Client, agent: User, clock: Clock
) -> None:
    client.force_login(agent, "config.backends.OneQueryBackend")
    client.post("/two-factor/", {"deed": "begin"})
    page = client.get("/two-factor/").content.decode()
    assert "<svg" in page
    assert not two_factor.is_on(agent)

    code = shown_by_the_app(agent, clock, confirmed=False)
    page = client.post("/two-factor/", {"deed": "switch_on", "code": code}).content.decode()

    assert len(re.findall(r"<li><code>[a-z2-7]+</code>", page)) == two_factor.SPARE_CODES
    assert two_factor.is_on(agent)
    again = client.get("/two-factor/").content.decode()
    assert "<li><code>" not in again
    assert "<svg" not in again.partition('id="content"')[2]


def test_a_wrong_code_does_not_switch_it_on(client: Client, agent: User, clock: Clock) -> None:
    client.force_login(agent, "config.backends.OneQueryBackend")
    client.post("/two-factor/", {"deed": "begin"})
    answer = client.post("/two-factor/", {"deed": "switch_on", "code": "12345"})

    assert answer.status_code == 422
    assert not two_factor.is_on(agent)


def test_it_is_switched_off_with_a_code_and_not_without(
    client: Client, agent: User, spare: list[str]
) -> None:
    client.force_login(agent, "config.backends.OneQueryBackend")

    assert client.post("/two-factor/", {"deed": "switch_off", "code": ""}).status_code == 422
    assert two_factor.is_on(agent)
    client.post("/two-factor/", {"deed": "switch_off", "code": spare[0]})
    assert not two_factor.is_on(agent)
    assert two_factor.spare_codes_left(agent) == 0


def test_new_spare_codes_replace_the_old_ones(client: Client, agent: User, spare: list[str]) -> None:
    client.force_login(agent, "config.backends.OneQueryBackend")
    client.post("/two-factor/", {"deed": "renew", "code": spare[0]})

    assert two_factor.spare_codes_left(agent) == two_factor.SPARE_CODES
    assert not two_factor.is_right(agent, spare[1], of=None)


def test_an_app_that_was_replaced_meanwhile_is_not_switched_on(agent: User) -> None:
    two_factor.begin(agent)
    device = two_factor.begun(agent)
    assert device
    two_factor.begin(agent)

    assert not two_factor.switch_on(agent, device)
    assert not two_factor.is_on(agent)


def test_an_administrator_switches_it_off_for_who_lost_the_phone_but_not_for_a_superuser(
    client: Client, agent: User, spare: list[str]
) -> None:
    owner = UserFactory.create(is_superuser=True)
    two_factor.begin(owner)
    device = two_factor.begun(owner)
    assert device
    two_factor.switch_on(owner, device)
    boss = UserFactory.create(role="Administrator", is_staff=True)
    client.force_login(boss, "config.backends.OneQueryBackend")
    chosen = {"action": "switch_off_two_factor", "_selected_action": [agent.pk, owner.pk]}

    client.post("/admin/auth/user/", chosen)

    assert not two_factor.is_on(agent)
    assert two_factor.is_on(owner)


def test_the_back_office_shows_nobodys_secret(client: Client, agent: User, spare: list[str]) -> None:
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    device = TOTPDevice.objects.get(user=agent)

    assert client.get(f"/admin/otp_totp/totpdevice/{device.pk}/change/").status_code == 404
