"""What the settings promise about every request."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format, get_format

MEGABYTE = 1024 * 1024
PASSWORD = "a long way to Tipperary"


@pytest.fixture
def ines(db: None) -> User:
    return User.objects.create_user("ines", password=PASSWORD)


def sign_in(
    client: Client, password: str = PASSWORD, username: str = "ines", address: str = "192.0.2.1"
) -> int:
    return client.post(
        "/login/", {"username": username, "password": password}, REMOTE_ADDR=address
    ).status_code


def idle(client: Client, *, seconds: int) -> None:
    """Let the client's last request be that long ago."""
    session = client.session
    session["seen_at"] = int(time.time()) - seconds
    session.save()
    Session.objects.update(expire_date=timezone.now() + timedelta(minutes=30, seconds=-seconds))


def remaining() -> timedelta:
    return Session.objects.get().expire_date - timezone.now()


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_session_is_prolonged_by_use(client: Client, ines: User) -> None:
    client.force_login(ines)
    idle(client, seconds=600)
    answer = client.get("/admin/")
    assert remaining() > timedelta(minutes=29)
    assert answer.cookies["sessionid"]["max-age"] == 30 * 60


def test_a_session_is_written_once_a_minute_at_most(client: Client, ines: User) -> None:
    client.force_login(ines)
    idle(client, seconds=50)
    answer = client.get("/admin/")
    assert remaining() < timedelta(minutes=29, seconds=11)
    assert "sessionid" not in answer.cookies


def test_no_browser_keeps_a_page_of_somebody_signed_in(client: Client, ines: User) -> None:
    client.force_login(ines)
    assert "no-store" in client.get("/admin/").headers["Cache-Control"]


def test_a_session_ends_after_half_an_hour_of_inactivity(client: Client, ines: User) -> None:
    client.force_login(ines)
    assert is_signed_in(client)
    idle(client, seconds=30 * 60 + 1)
    assert not is_signed_in(client)


def test_a_page_for_everybody_makes_no_session(client: Client, db: None) -> None:
    assert "sessionid" not in client.get("/login/").cookies
    assert not Session.objects.exists()


def test_the_fifth_wrong_password_locks_that_name_at_that_address(client: Client, ines: User) -> None:
    assert [sign_in(client, "guess") for _ in range(5)] == [200, 200, 200, 200, 429]
    assert sign_in(client) == 429
    assert sign_in(client, address="192.0.2.2") == 302


def test_whoever_is_locked_out_reads_for_how_long(client: Client, ines: User) -> None:
    for _ in range(4):
        sign_in(client, "guess")
    answer = client.post("/login/", {"username": "ines", "password": "guess"}, REMOTE_ADDR="192.0.2.1")
    assert "again in 15 minutes" in answer.content.decode()


def test_the_lock_opens_by_itself(client: Client, ines: User) -> None:
    for _ in range(5):
        sign_in(client, "guess")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert sign_in(client) == 302


def test_signing_in_forgets_the_wrong_passwords_before(client: Client, ines: User) -> None:
    for _ in range(4):
        sign_in(client, "guess")
    sign_in(client)
    assert [sign_in(client, "guess") for _ in range(4)] == [200, 200, 200, 200]


@pytest.mark.parametrize("username", ["i" * 300, "ines\x00", "\u202eines", "inés😀", "<script>"])
def test_any_name_can_be_typed_at_the_door(client: Client, db: None, username: str) -> None:
    assert sign_in(client, username=username) == 200


def test_the_log_does_not_name_who_failed_to_sign_in(
    client: Client, ines: User, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(client, "guess")
    assert caplog.records
    assert "ines" not in caplog.text
    assert "guess" not in caplog.text


def test_the_back_office_has_no_door_of_its_own(client: Client, db: None) -> None:
    answer = client.get("/admin/login/?next=/admin/")
    assert (answer.status_code, answer["location"]) == (302, "/login/?next=/admin/")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"username=" + b"x" * 10 * MEGABYTE),
        ("application/json", b"x" * 10 * MEGABYTE),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\n'
            + b"x" * 10 * MEGABYTE
            + b"\r\n--b--\r\n",
        ),
        ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(25_001))),
        ("multipart/form-data", b"without a boundary"),
    ],
    ids=["form", "json", "multipart", "fields", "broken"],
)
@pytest.mark.parametrize("path", ["/login/", "/nowhere/"])
def test_a_body_too_large_to_be_meant_is_refused(path: str, content_type: str, body: bytes, db: None) -> None:
    answer = Client(enforce_csrf_checks=True).post(path, body, content_type=content_type)
    assert 400 <= answer.status_code < 500


def test_a_form_of_two_thousand_lines_is_read(client: Client, db: None) -> None:
    fields = {f"lines-{line}-{field}": "₤" * 40 for line in range(2_000) for field in "abcdefghij"}
    answer = client.post("/login/", {"username": "ines", "password": "guess", **fields})
    assert answer.status_code == 200


def test_another_host_than_ours_is_refused(client: Client, db: None) -> None:
    assert client.get("/login/", headers={"host": "elsewhere.example.com"}).status_code == 400


def test_no_month_can_be_taken_for_a_day() -> None:
    moment = datetime(2026, 3, 2, 15, 4, tzinfo=UTC)
    assert date_format(moment, "SHORT_DATE_FORMAT") == "2 Mar 2026"
    assert date_format(moment, "DATETIME_FORMAT") == "2 Mar 2026, 15:04"
    assert get_format("DATE_INPUT_FORMATS")[0] == "%Y-%m-%d"
