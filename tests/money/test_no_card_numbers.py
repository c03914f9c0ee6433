"""No card number is anywhere on our side: not in database, logs, e-mails, pages or files."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from billing import tasks
from billing.models import Attempt, Card
from billing.models.attempts.base import GRACE
from billing.statuses import RefundRoute
from contacts.models import Contact
from tests.factories import ContactFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)
APPROVES, STOLEN, LOST = "5555555555554444", "4000000000009979", "4000000000000119"
NOBODYS = "4539 5787 6362 1486"
"""A number that some bank may have given out: it is refused, and kept nowhere either."""
TYPED = [APPROVES, STOLEN, LOST, NOBODYS]
CVC = "918"
RUN_OF_DIGITS = re.compile(r"(?<![0-9A-Za-z_-])[0-9](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z_-])")


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: the sum of the digits, every second one from the right doubled, ends in 0."""
    doubled = [int(d) * 2 for d in digits[-2::-2]]
    return (sum(map(int, digits[::-2])) + sum(d - 9 * (d > 9) for d in doubled)) % 10 == 0


def card_numbers(text: str) -> list[str]:
    """The numbers that were typed, however they are spaced; and whatever else could be a card's number."""
    bare = re.sub(r"[ -]", "", text)
    typed = [number for number in TYPED if number.replace(" ", "") in bare]
    runs = (re.sub(r"[ -]", "", run) for run in RUN_OF_DIGITS.findall(text))
    return typed + [run for run in runs if luhn(run)]


class Wire:
    """A browser that keeps all that it is shown, but for the sandbox's list of the numbers that it takes."""

    def __init__(self, user: User | None = None) -> None:
        self.client, self.shown = Client(raise_request_exception=False), ""
        if user:
            self.client.force_login(user)

    def get(self, path: str, **more: Any) -> Any:
        return self._kept(self.client.get(path, **more))

    def post(self, path: str, data: dict[str, Any], **more: Any) -> Any:
        return self._kept(self.client.post(path, data, **more))

    def _kept(self, answer: Any) -> Any:
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        text = body.decode(errors="replace")
        if "sandbox/card.html" in [template.name for template in getattr(answer, "templates", [])]:
            text = re.sub(r"<code>[0-9]+</code>", "", text)
        self.shown += text + repr(answer.headers)
        return answer

    def types(self, page: str, number: str, **more: str) -> str:
        """Type the card at the gateway; where it leads."""
        card = {"number": number, "exp_month": "11", "exp_year": "40", "cvc": CVC, "holder": "Ada"} | more
        return str(self.post(page, card).headers.get("Location", ""))


def everything_stored() -> str:
    """All tables, column by column as text."""
    rows: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  # a name of ours
            rows += [f"{table}: {' | '.join(map(str, row))}" for row in cursor.fetchall()]
    return "\n".join(rows)


@pytest.fixture
def receipts(settings: Any) -> list[mail.EmailMessage]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail.outbox = []
    return mail.outbox


def a_day_at_the_desk(staff: Wire, visitor: Wire) -> None:
    """A card is added on its hosted page, charged and refunded; another is declined; an answer gets lost."""
    contact = ContactFactory.create()
    for number in (APPROVES, STOLEN, LOST):
        page = staff.post(f"/contacts/{contact.pk}/cards/new/", {})["Location"]
        staff.types(page, NOBODYS)
        staff.types(page, number, holder=number)
        staff.get(staff.types(page, number))
    for card in Card.objects.order_by("id"):
        invoice = InvoiceFactory.create(contact=contact)
        invoice.pay(None, source=card, amount=invoice.balance, send_receipt=True)
        staff.get(f"/invoices/{invoice.pk}/")
        if invoice.paid:
            invoice.refund(
                None, amount=invoice.paid, route=RefundRoute.GATEWAY, reason="Broken", send_receipt=True
            )
    pay_by_link(visitor, contact, STOLEN)
    pay_by_link(visitor, contact, APPROVES)
    tasks.tick(timezone.now() + GRACE)


def pay_by_link(visitor: Wire, contact: Contact, number: str) -> None:
    invoice = InvoiceFactory.create(contact=contact)
    page = visitor.post(f"/pay/{invoice.token}/", {"remember": "1"})["Location"]
    visitor.types(page, NOBODYS)
    visitor.get(visitor.types(page, number))
    visitor.get(f"/i/{invoice.token}/")


def fall_over(*args: Any, **kwargs: Any) -> None:
    raise ArithmeticError("The desk fell over.")


def everything_shown(staff: Wire) -> None:
    """The pages and files that show cards, payments and what happened."""
    for attempt in Attempt.objects.all():
        staff.get(f"/attempts/{attempt.pk}/")
    for contact in Contact.objects.all():
        staff.get(f"/contacts/{contact.pk}/")
        staff.get(f"/contacts/{contact.pk}/purchases/")
    for path in ("/contacts/", "/invoices/", "/payments/"):
        assert staff.get(path).status_code == 200


@pytest.mark.parametrize("debug", [False, True])
def test_no_card_number_is_anywhere(
    debug: bool,
    settings: Any,
    receipts: list[mail.EmailMessage],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.DEBUG, settings.SANDBOX_GATEWAY = debug, True
    settings.ADMINS = [("Ada", "ada@example.com")]
    staff, visitor = Wire(UserFactory.create(role="Administrator")), Wire()

    a_day_at_the_desk(staff, visitor)
    everything_shown(staff)
    exported = exported_by(staff)
    error_pages(monkeypatch, visitor)

    assert "Lantern" in exported
    assert Attempt.objects.filter(state="approved").exists()
    assert Attempt.objects.filter(state="declined").exists()
    assert "4444" in everything_stored()
    assert receipts
    assert "the gateway gave no answer" in caplog.text
    places = {
        "pages": staff.shown + visitor.shown,
        "exports": exported,
        "mails": "\n".join(words_of(each) for each in receipts),
        "logs": caplog.text,
        "database": everything_stored(),
    }
    assert {place: card_numbers(text) for place, text in places.items()} == {place: [] for place in places}


def exported_by(staff: Wire) -> str:
    """Every column of every file."""
    before = len(staff.shown)
    for path, per in (("invoices", "invoices"), ("invoices", "products"), ("payments", "payments")):
        asked = {"all": "1", "per": per, "columns": "all", "filter": ""}
        assert staff.post(f"/{path}/export/", asked)["Content-Type"].startswith("text/csv")
    return staff.shown[before:]


def words_of(message: mail.EmailMessage) -> str:
    """Without its id and what separates its parts, which are numbers of the clock and of chance."""
    return f"{message.subject} {message.to} {message.body} {getattr(message, 'alternatives', '')}"


def error_pages(patch: pytest.MonkeyPatch, visitor: Wire) -> None:
    """Fall over just before and just after a card that was typed is taken."""
    for step in ("pages.take_card", "views._after_card"):
        page = visitor.post(f"/pay/{InvoiceFactory.create().token}/", {})["Location"]
        with patch.context() as broken:
            broken.setattr(f"billing.gateways.sandbox.{step}", fall_over)
            card = {"number": APPROVES, "exp_month": "11", "exp_year": "40", "cvc": CVC, "holder": "Ada"}
            assert visitor.post(page, card).status_code == 500


def test_a_number_would_be_found_however_it_is_written() -> None:
    assert card_numbers("paid with 5555-5555 5555 4444, thanks") == [APPROVES, "5555555555554444"]
    assert card_numbers("4111111111111111") == ["4111111111111111"]
    assert card_numbers("4111111111111112 and sbx_charge_4111111111111111") == []
