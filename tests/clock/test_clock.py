"""The desk's clock: who moves it, how far, and what keeps the rest of the desk from having another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models, transaction
from django.test import Client
from django.utils import timezone

from billing import clock, gateways
from billing.gateways.sandbox import clock as desk_clock
from billing.gateways.sandbox.models import DeskClock
from billing.models import Attempt, Invoice, Mail, Order, Payment
from billing.models.attempts.base import GRACE
from billing.tasks import tick
from tests.factories import OrderFactory, UserFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def seen_at_once(the_real_time: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock asks the database, as that of a process which has not asked for a second."""
    monkeypatch.setattr(desk_clock, "FRESH_FOR", 0.0)


def in_days(days: int) -> datetime:
    """Noon of a day to come."""
    day = timezone.now() + days * DAY
    return day.replace(hour=12, minute=0, second=0, microsecond=0)


def reads(at: datetime) -> bool:
    """Whether the desk's clock has come to that moment just now."""
    return at <= clock.now() < at + MINUTE


def begun(*, in_: int = 10, **given: Any) -> Order:
    """An order whose first charge is so many days ahead."""
    now = timezone.now()
    return OrderFactory.create(at=now, first_charge_on=(now + in_ * DAY).date(), **given)


# -- moving it


def test_a_desk_whose_clock_nobody_has_moved_has_the_real_time() -> None:
    assert timezone.now() <= clock.now() <= timezone.now()
    assert not clock.is_ahead()


def test_from_where_it_was_moved_to_time_goes_on() -> None:
    desk_clock.move(in_days(100))
    first = clock.now()
    assert reads(in_days(100))
    assert clock.now() > first


def test_another_process_notices_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_clock, "FRESH_FOR", 1.0)
    now = [100.0]
    monkeypatch.setattr(desk_clock, "monotonic", lambda: now[0])
    desk_clock.look()
    DeskClock.objects.advance(in_days(3), real=timezone.now())  # by another process
    now[0] += 0.9
    assert not clock.is_ahead()
    now[0] += 0.2
    assert clock.is_ahead()


def test_it_is_never_moved_back() -> None:
    desk_clock.move(in_days(30))
    with pytest.raises(desk_clock.ClockRefused, match=r"is past: the desk's clock says .*only be moved on"):
        desk_clock.move(in_days(29))
    assert reads(in_days(30))


def test_two_that_move_it_at_once_leave_it_at_the_later_moment() -> None:
    """The second has read the clock before the first one moved it: the statement itself compares."""
    DeskClock.objects.advance(in_days(1), real=timezone.now())
    assert DeskClock.objects.advance(in_days(30), real=timezone.now())
    assert not DeskClock.objects.advance(in_days(20), real=timezone.now())
    assert reads(in_days(30))


def test_several_may_move_it_to_the_same_moment() -> None:
    for _worker in range(3):
        desk_clock.move(in_days(30))
    assert reads(in_days(30))


def test_the_past_of_a_clock_that_was_never_moved_is_refused() -> None:
    with pytest.raises(desk_clock.ClockRefused, match="is past"):
        desk_clock.move(in_days(-1))
    assert not DeskClock.objects.exists()


def test_more_than_ten_years_are_refused() -> None:
    with pytest.raises(desk_clock.ClockRefused, match="within ten years from today"):
        desk_clock.move(in_days(4000))


def test_it_is_read_in_a_transaction_that_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        assert clock.now() - timezone.now() < MINUTE


# -- where it can be moved


def in_production(settings: Any) -> None:
    settings.DEBUG = settings.SANDBOX_GATEWAY = False


def at_stripe(settings: Any) -> None:
    settings.GATEWAY = "stripe"


@pytest.mark.parametrize("elsewhere", [in_production, at_stripe])
def test_elsewhere_it_is_refused_and_what_was_moved_before_counts_for_nothing(
    elsewhere: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    desk_clock.move(in_days(30))
    elsewhere(settings)
    with django_assert_num_queries(0):
        assert clock.now() - timezone.now() < MINUTE
        assert not clock.is_ahead()
    words = "GATEWAY=sandbox, and DEBUG=1 or SANDBOX_GATEWAY=1"
    with pytest.raises(CommandError, match=f"--at is refused.*{words}"):
        call_command("tick", "--at", "2099-03-01T00:00Z")


def test_a_desk_that_could_charge_cards_at_stripe_keeps_the_real_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(gateways._makers, "stripe", object)
    with pytest.raises(desk_clock.ClockRefused, match="STRIPE_API_KEY is set"):
        desk_clock.move(in_days(3))


# -- the command


def test_a_tick_at_a_moment_does_what_is_due_then_and_stamps_it_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    order, at = begun(), in_days(10)
    call_command("tick", "--at", at.isoformat())
    said = capsys.readouterr().out
    assert "bill_due_orders: 1 billed" in said
    invoice = Invoice.objects.get(order=order)
    payment, attempt = Payment.objects.get(), Attempt.objects.get()
    stamps = [
        invoice.created_at,
        invoice.issued_at,
        payment.made_at,
        attempt.started_at,
        attempt.settled_at,
        Mail.objects.get().made_at,
        *invoice.events.values_list("at", flat=True),
    ]
    assert [stamp for stamp in stamps if not (stamp and at <= stamp < at + MINUTE)] == []
    assert payment.received_on == at.date()


def test_a_moment_without_a_zone_is_the_desks() -> None:
    with timezone.override("Asia/Tokyo"):
        call_command("tick", "--at", in_days(5).replace(tzinfo=None).isoformat(), verbosity=0)
    assert reads(in_days(5) - timedelta(hours=9))


@pytest.mark.parametrize("typed", ["soon", "2027-02-30T00:00Z", "", "2027", "0001-01-01T00:00+14:00"])
def test_what_is_no_moment_to_come_is_refused_with_a_sentence(typed: str) -> None:
    with pytest.raises(CommandError, match=r"^--at is (“|refused)"):
        call_command("tick", "--at", typed)
    assert not DeskClock.objects.exists()


def test_what_was_claimed_in_the_future_does_not_wait_for_it() -> None:
    """Leases and schedules are written by the same clock that later asks for them."""
    begun(number="4000000000000119")  # charges, and loses the answer
    desk_clock.move(in_days(10))
    tick(clock.now())
    attempt = Attempt.objects.get()
    assert attempt.is_in_flight
    assert clock.now() < attempt.due_at <= clock.now() + GRACE
    desk_clock.move(clock.now() + GRACE + MINUTE)
    tick(clock.now())
    attempt.refresh_from_db()
    assert attempt.is_approved


# -- one clock


def test_no_column_is_stamped_by_another_clock() -> None:
    ours = (model for app in ("billing", "sandbox") for model in apps.get_app_config(app).get_models())
    dates = (
        each for model in ours for each in model._meta.local_fields if isinstance(each, models.DateField)
    )
    assert [
        str(each)
        for each in dates
        if each.auto_now or getattr(each, "auto_now_add", False) or each.default is timezone.now
    ] == []


def test_templates_ask_for_no_time_of_their_own() -> None:
    folder = Path(__file__).parents[2] / "templates"
    asking = ("{% now ", "|timesince }}", "|timeuntil }}", "|naturaltime", "|naturalday")
    found = [file.name for file in folder.rglob("*.*") if any(word in file.read_text() for word in asking)]
    assert found == []


# -- the page


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Administrator"))
    return client


def test_a_day_passes_at_the_press_of_a_button_and_the_page_says_what_it_brought(desk: Client) -> None:
    begun(in_=1)
    begun(in_=1, number="4000000000000341")
    shown = desk.get("/clock/").content.decode()
    tomorrow = clock.today() + DAY
    assert f'value="{tomorrow}"' in shown
    answer = desk.post("/clock/", {"to": str(tomorrow)})
    assert answer.status_code == 302
    shown = desk.get(answer["Location"]).content.decode()
    assert clock.today() == tomorrow
    for label, count in (
        ("Payments of orders asked for", 2),
        ("Cards charged", 1),
        ("Moved to Collections", 1),
    ):
        assert f'<span>{label}</span><span class="nowrap">{count}</span>' in shown
    assert "the clock says" in shown


def test_a_button_that_is_pressed_twice_lets_the_day_pass_once(desk: Client) -> None:
    tomorrow = clock.today() + DAY
    for _press in range(2):
        assert desk.post("/clock/", {"to": str(tomorrow)}).status_code == 302
    assert clock.today() == tomorrow


def test_each_day_on_the_way_has_its_own_run(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order of every day is billed on each of them, not by one run that catches up."""
    monkeypatch.setattr("billing.views.clock.A_WHILE", 60)
    order = begun(in_=1, unit="day")
    desk.post("/clock/", {"to": str(clock.today() + 5 * DAY)})
    issued = Invoice.objects.filter(order=order).order_by("period").values_list("issued_at", flat=True)
    assert [at.date() for at in issued if at] == [clock.today() - n * DAY for n in (4, 3, 2, 1, 0)]


def test_a_long_way_is_gone_in_parts_which_anybody_may_go_on_with(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.views.clock.A_WHILE", 0)
    to = clock.today() + 3 * DAY
    desk.post("/clock/", {"to": str(to)})
    assert clock.today() == to - 2 * DAY
    shown = desk.get("/clock/").content.decode()
    assert "2 days are left." in shown
    assert f'<input type="hidden" name="to" value="{to}">' in shown
    part = desk.post("/clock/", {"to": str(to)}, headers={"HX-Request": "true"}).content.decode()
    assert "1 day is left." in part
    assert "<html" not in part
    last = desk.post("/clock/", {"to": str(to)}, headers={"HX-Request": "true"})
    assert last["HX-Redirect"] == "/clock/"  # so that the head of the page tells the new time
    assert clock.today() == to
    assert "left." not in desk.get("/clock/").content.decode()


@pytest.mark.parametrize(
    ("days", "rule"),
    [(0, "it must be later than"), (-1, "it must be later than"), (367, "or earlier, a year from")],
)
def test_a_day_that_cannot_be_reached_is_refused_with_what_was_typed(
    desk: Client, days: int, rule: str
) -> None:
    to = clock.today() + days * DAY
    answer = desk.post("/clock/", {"to": str(to)})
    assert answer.status_code == 422
    assert f"Until is {to}: it must be" in answer.content.decode()
    assert rule in answer.content.decode()
    assert f'value="{to}"' in answer.content.decode()
    assert not clock.is_ahead()


@pytest.mark.parametrize("typed", ["", "tomorrow", "2027-02-30", "\0"])
def test_what_is_no_day_is_refused_with_a_sentence(desk: Client, typed: str) -> None:
    answer = desk.post("/clock/", {"to": typed})
    assert answer.status_code == 422
    assert "Until is " in answer.content.decode()


def test_where_the_clock_is_the_real_one_the_page_says_why(desk: Client, settings: Any) -> None:
    settings.GATEWAY = "stripe"
    answer = desk.get("/clock/")
    assert answer.status_code == 409
    assert "Only with GATEWAY=sandbox" in answer.content.decode()
    assert 'href="/clock/"' not in desk.get("/orders/").content.decode()


@pytest.mark.parametrize("role", ["Viewer", "Support", "Billing manager"])
def test_only_administrators_move_it(client: Client, role: str) -> None:
    client.force_login(UserFactory.create(role=role))
    assert client.get("/clock/").status_code == 403
    assert client.post("/clock/", {"to": str(clock.today() + DAY)}).status_code == 403
    assert 'href="/clock/"' not in client.get("/orders/").content.decode()
    assert not clock.is_ahead()


def test_the_page_asks_as_much_however_much_has_happened(
    desk: Client, django_assert_num_queries: Any
) -> None:
    begun(in_=1)
    desk.post("/clock/", {"to": str(clock.today() + DAY)})
    desk_clock.FRESH_FOR = float("inf")  # undone with the fixture
    with django_assert_num_queries(7) as few:
        desk.get("/clock/")
    for _order in range(5):
        begun(in_=0)
    tick(clock.now())
    with django_assert_num_queries(len(few)):
        desk.get("/clock/")


def test_the_moment_of_a_message_from_the_sandbox_is_the_desks() -> None:
    """What it signs in the future is read in the future."""
    desk_clock.move(in_days(50))
    assert tick(clock.now())["act_on_notices"] is not None
    assert clock.now() > datetime.now(tz=UTC) + 49 * DAY
