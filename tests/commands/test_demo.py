"""The demo shows every part of the desk, honestly, as often as it is started."""

import signal
import socket
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from billing import books
from billing.management.seeding import company, staff
from billing.models import Attempt, Card, Dispute, Event, GatewayEvent, Invoice, Mail, Payment, UnmatchedMoney
from billing.roles import ROLES
from billing.statuses import AttemptState, DisputeState, InvoiceStatus, MailKind
from contacts.models import Contact
from tests.factories import ContactFactory

ROOT = Path(__file__).parents[2]


def demo() -> str:
    out = StringIO()
    call_command("demo", no_serve=True, stdout=out)
    return out.getvalue()


@pytest.fixture
def debug(settings: Settings) -> None:
    settings.DEBUG = True
    settings.BASE_URL = "http://testserver"


@pytest.fixture
def ada(db: None, debug: None) -> Contact:
    """The contact whose tab is shown, with the rest of the company around."""
    demo()
    return Contact.objects.get(external_ref=company.SHOWCASE)


def test_the_books_of_the_company_add_up_and_its_days_follow_each_other(ada: Contact) -> None:
    assert list(books.problems()) == []
    assert list(books.gateway_problems()) == []
    issued = Invoice.objects.exclude(number=None).order_by("number")
    days = list(issued.values_list("invoice_date", flat=True))
    assert days == sorted(days)
    for event in Event.objects.exclude(invoice=None).select_related("invoice"):
        assert event.invoice is not None
        assert event.invoice.invoice_date <= event.at.date()
        assert event.at <= timezone.now()


def test_everything_can_be_seen_somewhere(ada: Contact) -> None:
    assert set(ada.invoices.values_list("status", flat=True)) == set(InvoiceStatus)
    assert ada.payments.count() > 25
    assert {"JPY", "USD", "KWD"} <= set(Invoice.objects.values_list("currency", flat=True))
    assert {"Visa", "Mastercard"} <= set(Card.objects.values_list("brand", flat=True))
    assert any(card.has_expired for card in ada.cards.all())
    in_flight = Attempt.objects.in_flight().order_by("state").values_list("state", flat=True)
    assert list(in_flight) == [AttemptState.NEEDS_ACTION, AttemptState.UNKNOWN, AttemptState.UNKNOWN]
    assert set(Mail.objects.values_list("kind", flat=True)) == set(MailKind)
    assert Event.objects.filter(action="replace_card").count() == 1
    names = Contact.objects.values_list("name", flat=True)
    assert any("\u0600" <= name[0] <= "\u06ff" for name in names)
    assert any("🐝" in name for name in names)
    assert max(map(len, names)) > 150
    assert not Invoice.objects.filter(contact__name="Nora Newcomer").exists()


def test_something_of_each_kind_needs_a_person(ada: Contact) -> None:
    assert UnmatchedMoney.objects.open().count() == 1
    assert Invoice.objects.overpaid().count() == 1
    states = Dispute.objects.for_a_person().order_by("state").values_list("state", flat=True)
    assert list(states) == [DisputeState.LOST, DisputeState.OPEN]
    assert Payment.objects.refused_refunds().count() == 1
    assert GatewayEvent.objects.given_up().count() == 1
    assert Event.objects.filter(action="refunded_at_gateway").exists()


def test_each_role_signs_in_and_opens_the_tab_and_mails_link_to_the_demo(
    ada: Contact, client: Client
) -> None:
    for each in staff.SIGN_INS:
        user = User.objects.get(username=each.username)
        assert user.check_password(staff.PASSWORD)
        assert [group.name for group in user.groups.all()] == [each.role]
        assert user.is_staff == (each.username == "admin")
        assert not user.is_superuser
        client.force_login(user)
        assert client.get(reverse("billing:purchases", args=[ada.pk])).status_code == 200
    assert {each.role for each in staff.SIGN_INS} == set(ROLES)
    mail = Mail.objects.filter(contact=ada, kind="unpaid_invoice").latest("id")
    assert "http://localhost:8000/pay/" in mail.text


def test_a_second_start_shows_the_same(ada: Contact) -> None:
    user = User.objects.get(username="viewer")
    user.set_password("something of my own")
    user.save()
    counted = (User, Contact, Invoice, Payment, Event, Mail)
    before = [model._default_manager.count() for model in counted]
    said = demo()
    assert [model._default_manager.count() for model in counted] == before
    assert f"http://localhost:8000/contacts/{ada.pk}/purchases/" in said
    assert "viewer   (has been changed)" in said
    assert f"support  {staff.PASSWORD}" in said


@pytest.mark.django_db
def test_a_demo_that_was_interrupted_is_not_taken_for_a_whole_one(debug: None) -> None:
    ContactFactory.create(external_ref=company.SHOWCASE)
    with pytest.raises(CommandError, match="was interrupted"):
        demo()


@pytest.mark.django_db
def test_known_passwords_do_not_open_another_desk(debug: None) -> None:
    User.objects.create_user("admin", "boss@example.com")
    with pytest.raises(CommandError, match="a database of its own"):
        demo()
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_it_is_refused_when_debug_is_off(settings: Settings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG=1 only"):
        demo()


@pytest.mark.parametrize("port", ["0", "65536", "http", "８０００"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(CommandError, match="a number from 1 to 65535"):
        call_command("demo", f"--port={port}")


def test_it_serves_until_it_is_interrupted(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "manage.py", "demo", f"--port={port}"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if "Quit the server" in line:
                break
        status = _first_answer(port, process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert status.startswith("HTTP/1.1 302")
    assert process.returncode == 0
    assert "Traceback" not in errors


def _first_answer(port: int, process: subprocess.Popen[str]) -> str:
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return connection.recv(64).decode()
        except ConnectionRefusedError:
            continue  # it is about to listen
    return "it ended"
