"""The pages beside the tab: timeline, invoice, attempt and e-mail."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from billing.models import Attempt, Event, Invoice, LineInput, Mail, Payment
from billing.statuses import InvoiceStatus, MailState
from contacts.models import Contact
from tests.factories import DECLINES, CardFactory, ContactFactory, InvoiceFactory, PaymentFactory, UserFactory

pytestmark = pytest.mark.django_db
LOST, AUTHENTICATES = "4000000000000127", "4000002760003184"
CHARGED_LOST = "4000000000000119"


@pytest.fixture
def manager() -> User:
    return UserFactory.create(role="Billing manager")


@pytest.fixture
def desk(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


@pytest.fixture
def ada() -> Contact:
    return ContactFactory.create(name="Ada Lovelace", email="ada@example.com")


def read(desk: Client, path: str) -> str:
    response = desk.get(path)
    assert response.status_code == 200
    return response.content.decode()


def part(page: str, name: str) -> str:
    return page.split(f'id="{name}"')[1].split("</section>", maxsplit=1)[0]


# -- timelines


def test_the_timeline_of_a_contact_tells_everything_newest_first(
    desk: Client, ada: Contact, manager: User
) -> None:
    invoice = InvoiceFactory.create(contact=ada, by=manager)
    CardFactory.create(contact=ada).make_default(manager)
    invoice.void(manager, reason="Ordered twice")
    InvoiceFactory.create()
    page = read(desk, f"/contacts/{ada.pk}/timeline/")
    events = list(Event.objects.filter(contact=ada).order_by("-at", "-id"))
    places = [page.index(f'id="event-{event.pk}"') for event in events]
    assert places == sorted(places)
    assert page.count('class="event"') == len(events) >= 4
    for words in ("Grace Hopper", "Ordered twice", "is now the default card", f">{invoice.number}</a>"):
        assert words in page, words


def test_a_deed_that_nobody_of_the_staff_did_is_a_customers_or_the_systems(
    desk: Client, ada: Contact
) -> None:
    InvoiceFactory.create(contact=ada, by=None)
    assert "customer or system" in read(desk, f"/contacts/{ada.pk}/timeline/")


def test_the_timeline_keeps_what_was_done_to_a_draft_that_is_gone(desk: Client, ada: Contact) -> None:
    draft = InvoiceFactory.create(contact=ada, status=InvoiceStatus.DRAFT)
    name = str(draft)
    draft.discard(None)
    page = read(desk, f"/contacts/{ada.pk}/timeline/")
    assert name in page
    assert f">{name}</a>" not in page


def test_an_empty_timeline_says_what_will_be_in_it(desk: Client, ada: Contact) -> None:
    page = read(desk, f"/contacts/{ada.pk}/timeline/")
    assert "Whatever is done with this contact's invoices, payments and cards" in page.replace("&#x27;", "'")


def test_a_long_timeline_has_pages(desk: Client, ada: Contact) -> None:
    invoice = InvoiceFactory.create(contact=ada)
    for _ in range(30):
        invoice.request_payment(None, recipient="ada@example.com", message="")
    total = Event.objects.filter(contact=ada).count()
    first, last = (read(desk, f"/contacts/{ada.pk}/timeline/?page={number}") for number in (1, 99))
    assert first.count('class="event"') == 25
    assert last.count('class="event"') == total - 25
    assert f"26–{total} of {total}" in " ".join(last.split())


def test_the_timeline_of_an_invoice_is_its_own(desk: Client, ada: Contact) -> None:
    invoice, other = InvoiceFactory.create(contact=ada), InvoiceFactory.create(contact=ada)
    other.void(None, reason="Never meant")
    timeline = part(read(desk, f"/invoices/{invoice.pk}/"), "timeline")
    assert timeline.count('class="event"') == Event.objects.filter(invoice=invoice).count()
    assert "Never meant" not in timeline


# -- the page of an invoice


def test_the_page_of_an_invoice_shows_everything_about_it(desk: Client, ada: Contact) -> None:
    lines = [
        LineInput("Brass lantern", Decimal("1.5"), Decimal(40), discount=Decimal(10), sku="LANTERN-1"),
        LineInput("Wick", Decimal(1), Decimal(50)),
    ]
    invoice = InvoiceFactory.create(contact=ada, lines=lines)
    PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=ada, number=DECLINES))
    PaymentFactory.create(invoice=invoice, method="cheque", reference="17", amount=Decimal(40))
    invoice.request_payment(None, recipient="ada@example.com", message="")
    page = read(desk, f"/invoices/{invoice.pk}/")
    for words in (
        *(str(invoice), "Ada Lovelace", "Brass lantern", "LANTERN-1", "$50.00", "$100.00", "$60.00"),
        *("Cheque 17", "Visa •• 0341", "Unpaid invoice", "2 Mar 2026", "16 Mar 2026"),
    ):
        assert words in page, words
    assert part(page, "attempts").count("<tr>") == 2  # its heading and the charge that was declined
    assert "Queued" in part(page, "mails")


@pytest.mark.parametrize("status", InvoiceStatus)
def test_the_page_of_an_invoice_opens_in_every_status(desk: Client, status: InvoiceStatus) -> None:
    invoice = InvoiceFactory.create(status=status)
    page = read(desk, f"/invoices/{invoice.pk}/")
    assert f'badge-{status}">{status.label}<' in page


def test_a_draft_without_lines_says_what_to_do(desk: Client) -> None:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT, lines=[])
    assert "No lines yet: edit the draft" in read(desk, f"/invoices/{draft.pk}/")


def test_money_that_was_not_owed_is_put_in_front_of_a_person(desk: Client, ada: Contact) -> None:
    invoice, card = InvoiceFactory.create(contact=ada), CardFactory.create(contact=ada, number=CHARGED_LOST)
    attempt = invoice.pay(None, source=card, amount=Decimal(100)).attempt
    assert attempt is not None
    Invoice.objects.filter(pk=invoice.pk).update(awaiting_gateway=False)
    PaymentFactory.create(invoice=Invoice.objects.get(), amount=Decimal(100))
    attempt.ask(at=timezone.now())
    page = read(desk, f"/invoices/{invoice.pk}/")
    assert "Overpaid by $100.00" in page
    assert f"/payments/{Payment.objects.latest('id').pk}/refund/" in page


def test_many_lines_are_read_a_page_at_a_time(desk: Client) -> None:
    lines = [LineInput(f"Line {n}", Decimal(1), Decimal(1)) for n in range(60)]
    invoice = InvoiceFactory.create(lines=lines)
    page = part(read(desk, f"/invoices/{invoice.pk}/?lines=3"), "lines")
    assert page.count("<bdi>Line ") == 10
    assert "51–60 of 60" in " ".join(page.split())


# -- the page of an attempt


def waiting(contact: Contact, number: str) -> Attempt:
    invoice = InvoiceFactory.create(contact=contact)
    attempt = invoice.pay(
        None, source=CardFactory.create(contact=contact, number=number), amount=Decimal(100)
    ).attempt
    assert attempt is not None
    return attempt


def test_a_charge_without_an_answer_is_unknown_and_can_be_asked_about(desk: Client, ada: Contact) -> None:
    attempt = waiting(ada, LOST)
    page = read(desk, f"/attempts/{attempt.pk}/")
    assert "Ask the gateway" in page
    assert "Cancel this charge" not in page
    assert "Try again" not in page
    settled = desk.post(f"/attempts/{attempt.pk}/ask/", follow=True).content.decode()
    assert "not charged" in settled
    assert f'href="/invoices/{attempt.invoice_id}/pay/' in settled


def test_a_charge_that_waits_for_the_customer_can_be_called_off_once(desk: Client, ada: Contact) -> None:
    attempt = waiting(ada, AUTHENTICATES)
    assert "Cancel this charge" in read(desk, f"/attempts/{attempt.pk}/")
    first = desk.post(f"/attempts/{attempt.pk}/cancel/", follow=True)
    second = desk.post(f"/attempts/{attempt.pk}/cancel/")
    assert first.status_code == 200
    assert second.status_code == 409
    assert "only one that waits for the customer can be cancelled" in second.content.decode()
    assert not Payment.objects.filter(status="applied").exists()


def test_after_three_days_the_page_asks_for_a_person(desk: Client, ada: Contact) -> None:
    attempt = waiting(ada, LOST)
    assert "for three days" not in read(desk, f"/attempts/{attempt.pk}/")
    Attempt.objects.update(started_at=timezone.now() - timedelta(days=3, seconds=1))
    assert "The gateway has not answered for three days." in read(desk, f"/attempts/{attempt.pk}/")


def test_a_viewer_reads_of_an_attempt_and_asks_nobody(client: Client, ada: Contact) -> None:
    client.force_login(UserFactory.create(role="Viewer"))
    attempt = waiting(ada, LOST)
    page = read(client, f"/attempts/{attempt.pk}/")
    assert '<form method="post" action="/attempts/' not in page
    assert client.post(f"/attempts/{attempt.pk}/ask/").status_code == 403


# -- the page of an e-mail


def written(ada: Contact, message: str = "") -> Mail:
    InvoiceFactory.create(contact=ada).request_payment(None, recipient="ada@example.com", message=message)
    return Mail.objects.get()


def test_a_mail_is_shown_as_words_with_its_links(desk: Client, ada: Contact) -> None:
    mail = written(ada, message='<script>alert(1)</script> & "quotes" https://example.com/?a=1&b=2')
    page = read(desk, f"/mail/{mail.pk}/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot;" in page
    assert "<script>alert" not in page
    assert f'href="{ada.invoices.get().pay_link}"' in page
    assert "ada@example.com" in page
    assert "&lt;script&gt;alert(1)" in mail.html


def test_a_mail_that_failed_shows_the_servers_words_and_is_sent_again(desk: Client, ada: Contact) -> None:
    mail = written(ada)
    mail.mark_refused("550 <no> such user")
    assert "550 &lt;no&gt; such user" in read(desk, f"/mail/{mail.pk}/")
    assert "550 &lt;no&gt; such user" in read(desk, f"/invoices/{mail.invoice_id}/")
    assert desk.post(f"/mail/{mail.pk}/again/").headers["Location"] == f"/mail/{mail.pk}/"
    mail.refresh_from_db()
    assert (mail.state, mail.tries) == (MailState.QUEUED, 0)
    assert Mail.objects.count() == 1


def test_a_mail_that_was_sent_is_sent_once_more_as_a_copy_however_often_one_clicks(
    desk: Client, ada: Contact
) -> None:
    mail = written(ada)
    mail.mark_sent(timezone.now())
    for _ in range(2):
        desk.post(f"/mail/{mail.pk}/again/")
    mail.refresh_from_db()
    copy = Mail.objects.exclude(pk=mail.pk).get()
    assert (mail.state, copy.state, copy.text) == (MailState.SENT, MailState.QUEUED, mail.text)


def test_only_who_may_ask_for_payment_sends_a_mail_again(client: Client, ada: Contact) -> None:
    client.force_login(UserFactory.create(role="Viewer"))
    mail = written(ada)
    assert "Send again" not in read(client, f"/mail/{mail.pk}/")
    assert client.post(f"/mail/{mail.pk}/again/").status_code == 403
