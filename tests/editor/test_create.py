"""A new invoice, and the four things that an agent would like to happen with it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from billing.models import Attempt, Event, Invoice, Mail, Payment
from billing.statuses import AttemptState, InvoiceStatus, MailKind, PaymentStatus
from contacts.models import Contact
from tests.editor.typing_in import KEY, Typed, lantern, new_url, typed
from tests.factories import DECLINES, CardFactory, ContactFactory, UserFactory

pytestmark = pytest.mark.django_db

LOSES_ITS_ANSWER = "4000000000000119"


def test_a_draft_keeps_everything_that_was_typed(desk: Client, ada: Contact) -> None:
    given = typed(
        lantern(quantity="2.5", discount="2.50"),
        currency="EUR",
        shipping="4.90",
        note="Thank you 🙂",
        internal_note="=HYPERLINK(1)",
        external_ref="PO <7>",
    )

    response = desk.post(new_url(ada), given)

    invoice = Invoice.objects.get()
    assert (response.status_code, response.headers["Location"]) == (302, f"/invoices/{invoice.pk}/")
    assert (invoice.status, invoice.number, invoice.contact) == (InvoiceStatus.DRAFT, None, ada)
    assert (invoice.currency, invoice.total) == ("EUR", Decimal("124.90"))
    assert (invoice.invoice_date, invoice.due_on) == (date(2026, 3, 2), date(2026, 3, 16))
    assert (invoice.note, invoice.internal_note) == ("Thank you 🙂", "=HYPERLINK(1)")
    assert (invoice.external_ref, invoice.shipping) == ("PO <7>", Decimal("4.90"))


def test_a_draft_may_have_no_line_at_all(desk: Client, ada: Contact) -> None:
    assert desk.post(new_url(ada), typed()).status_code == 302
    assert Invoice.objects.get().line_count == 0


@pytest.mark.parametrize("mode", ["charge", "record", "request"])
def test_issuing_needs_a_line(desk: Client, ada: Contact, mode: str) -> None:
    card = CardFactory.create(contact=ada)
    asked: Typed = {
        "charge__card": card.pk,
        "record__method": "cash",
        "request__recipient": "ada@example.com",
    }

    response = desk.post(new_url(ada), typed({}, mode=mode, **asked))

    assert response.status_code == 422
    assert "an invoice needs at least one before it is issued" in response.content.decode()
    assert not Invoice.objects.exists()


def test_a_card_is_charged_and_the_receipt_is_sent(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada)

    response = desk.post(
        new_url(ada), typed(lantern(), mode="charge", charge__card=card.pk, charge__send_receipt="on")
    )

    invoice = Invoice.objects.get()
    assert response.headers["Location"] == f"/invoices/{invoice.pk}/"
    assert (invoice.number, invoice.status) == ("INV-000001", InvoiceStatus.CLOSED)
    assert Payment.objects.get().amount == Decimal("49.00")
    assert Mail.objects.get().kind == MailKind.RECEIPT


def test_a_smaller_amount_is_a_partial_payment(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada)

    desk.post(new_url(ada), typed(lantern(), mode="charge", charge__card=card.pk, charge__amount="20"))

    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.balance) == (InvoiceStatus.OPEN, Decimal("29.00"))


@pytest.mark.parametrize("amount", ["49.01", "0", "-1", "1.005", "abc", "١٢", "1e3"])
@pytest.mark.parametrize("mode", ["charge", "record"])
def test_an_impossible_amount_is_refused_before_anything_is_saved(
    desk: Client, ada: Contact, mode: str, amount: str
) -> None:
    card = CardFactory.create(contact=ada)
    asked: Typed = {"charge__card": card.pk, "record__method": "cash", f"{mode}__amount": amount}

    response = desk.post(new_url(ada), typed(lantern(), mode=mode, **asked))

    page = response.content.decode()
    assert response.status_code == 422
    assert "Amount is " in page
    assert f'value="{amount}"' in page
    assert not Invoice.objects.exists()


def test_a_declined_charge_leaves_the_invoice_open_and_shows_the_attempt(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada, number=DECLINES)

    response = desk.post(new_url(ada), typed(lantern(), mode="charge", charge__card=card.pk))

    attempt = Attempt.objects.get()
    assert response.headers["Location"] == f"/attempts/{attempt.pk}/"
    assert attempt.invoice.status == InvoiceStatus.OPEN
    assert Payment.objects.get().status == PaymentStatus.DECLINED


def test_a_lost_answer_shows_the_attempt_whose_outcome_is_unknown(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada, number=LOSES_ITS_ANSWER)

    response = desk.post(new_url(ada), typed(lantern(), mode="charge", charge__card=card.pk))

    attempt = Attempt.objects.get()
    assert attempt.state == AttemptState.UNKNOWN
    assert response.headers["Location"] == f"/attempts/{attempt.pk}/"
    assert Invoice.objects.get().awaiting_gateway


def test_another_contacts_card_cannot_be_charged(desk: Client, ada: Contact) -> None:
    CardFactory.create(contact=ada)
    card = CardFactory.create(contact=ContactFactory.create(), number=DECLINES)

    response = desk.post(new_url(ada), typed(lantern(), mode="charge", charge__card=card.pk))

    assert response.status_code == 422
    assert f"Card is “{card.pk}”: it is not on file for this contact." in response.content.decode()
    assert not Invoice.objects.exists()


def test_without_a_card_on_file_charging_says_so(desk: Client, ada: Contact) -> None:
    assert "Ada Lovelace has no card on file." in desk.get(new_url(ada)).content.decode()

    response = desk.post(new_url(ada), typed(lantern(), mode="charge"))

    assert response.status_code == 422
    assert not Invoice.objects.exists()


def test_money_that_came_another_way_is_recorded(desk: Client, ada: Contact) -> None:
    asked: Typed = {
        "record__method": "cheque",
        "record__reference": "17",
        "record__received_on": "2026-03-01",
    }

    desk.post(new_url(ada), typed(lantern(), mode="record", **asked))

    payment = Payment.objects.get()
    assert payment.invoice.status == InvoiceStatus.CLOSED
    assert (payment.method, payment.reference, payment.recorded_only) == ("cheque", "17", True)
    assert payment.received_on == date(2026, 3, 1)


def test_money_that_will_come_tomorrow_is_refused(desk: Client, ada: Contact) -> None:
    tomorrow = date.fromordinal(timezone.localdate().toordinal() + 1)

    response = desk.post(
        new_url(ada),
        typed(lantern(), mode="record", record__method="cash", record__received_on=tomorrow.isoformat()),
    )

    assert response.status_code == 422
    assert f"Date received is {tomorrow}: it is in the future." in response.content.decode()


def test_payment_is_requested_from_the_address_that_was_typed(desk: Client, ada: Contact) -> None:
    asked: Typed = {"request__recipient": "accounts@example.com", "request__message": "As discussed."}

    desk.post(new_url(ada), typed(lantern(), mode="request", **asked))

    mail = Mail.objects.get()
    assert (mail.kind, mail.to) == (MailKind.UNPAID_INVOICE, "accounts@example.com")
    assert Invoice.objects.get().status == InvoiceStatus.OPEN


@pytest.mark.parametrize(
    ("address", "sentence"),
    [("", "To is missing"), ("ada at example", "To is “ada at example”: write an address")],
)
def test_a_request_needs_an_address(desk: Client, ada: Contact, address: str, sentence: str) -> None:
    response = desk.post(new_url(ada), typed(lantern(), mode="request", request__recipient=address))

    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Invoice.objects.exists()


def test_what_asks_for_nothing_is_closed_at_once(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada)

    desk.post(new_url(ada), typed(lantern(discount="49"), mode="charge", charge__card=card.pk))

    assert Invoice.objects.get().status == InvoiceStatus.CLOSED
    assert not Attempt.objects.exists()


def test_sent_twice_it_is_created_once_and_charged_once(desk: Client, ada: Contact) -> None:
    given = typed(lantern(), mode="charge", charge__card=CardFactory.create(contact=ada).pk)

    first, second = desk.post(new_url(ada), given), desk.post(new_url(ada), given)

    assert first.headers["Location"] == second.headers["Location"]
    assert (Invoice.objects.count(), Attempt.objects.count(), Payment.objects.count()) == (1, 1, 1)


def test_sent_twice_a_declined_charge_leads_to_the_same_attempt(desk: Client, ada: Contact) -> None:
    given = typed(lantern(), mode="charge", charge__card=CardFactory.create(contact=ada, number=DECLINES).pk)

    first, second = desk.post(new_url(ada), given), desk.post(new_url(ada), given)

    assert second.headers["Location"] == first.headers["Location"]
    assert Attempt.objects.count() == 1


def test_a_used_key_does_nothing_with_other_values(desk: Client, ada: Contact) -> None:
    desk.post(new_url(ada), typed(lantern()))

    desk.post(new_url(ada), typed(lantern(), mode="record", record__method="cash"))

    assert Invoice.objects.get().status == InvoiceStatus.DRAFT
    assert Event.objects.get().key == KEY


def test_a_page_without_its_key_is_not_saved(desk: Client, ada: Contact) -> None:
    response = desk.post(new_url(ada), typed(lantern(), key="no-key"))

    assert response.status_code == 422
    assert "The page came back incomplete: load it again." in response.content.decode()


def test_an_amount_that_the_button_did_not_say_is_not_charged(desk: Client, ada: Contact) -> None:
    asked: Typed = {"charge__card": CardFactory.create(contact=ada).pk, "shown": "USD 49.00"}

    response = desk.post(new_url(ada), typed(lantern(quantity="2"), mode="charge", **asked))

    assert response.status_code == 422
    assert "The total has become $98.00 since the button was shown" in response.content.decode()
    assert not Invoice.objects.exists()


def test_a_wish_that_nobody_knows_is_refused(desk: Client, ada: Contact) -> None:
    response = desk.post(new_url(ada), typed(lantern(), mode="give away"))

    assert response.status_code == 422
    assert "What you would like to do is “give away”: choose one." in response.content.decode()


def test_a_viewer_gets_no_editor(client: Client, ada: Contact) -> None:
    client.force_login(UserFactory.create(role="Viewer"))

    for response in (client.get(new_url(ada)), client.post(new_url(ada), typed(lantern()))):
        assert response.status_code == 403
        assert "Your role does not include creating invoices." in response.content.decode()
    assert not Invoice.objects.exists()


def test_a_stranger_is_led_to_the_sign_in(client: Client, ada: Contact) -> None:
    assert client.get(new_url(ada)).headers["Location"].startswith("/login/")


def test_an_agent_who_may_not_pay_is_offered_only_what_they_may_do(client: Client, ada: Contact) -> None:
    clerk: User = UserFactory.create()
    may = ["view_invoice", "add_invoice", "edit_invoice", "request_payment_invoice"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=may))
    client.force_login(clerk)
    card = CardFactory.create(contact=ada)

    page = client.get(new_url(ada)).content.decode()
    refused = client.post(new_url(ada), typed(lantern(), mode="charge", charge__card=card.pk))

    assert "Charge a card now" not in page
    assert "Log an offline payment" not in page
    assert "Request payment (send now)" in page
    assert refused.status_code == 403
    assert "Your role does not include “Pay”" in refused.content.decode()
    assert not Invoice.objects.exists()


def test_what_cannot_be_done_after_saving_is_said(
    desk: Client, ada: Contact, agent: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = CardFactory.create(contact=ada)
    issue = Invoice.issue

    def issue_and_lose_the_card(invoice: Invoice, by: User, **given: object) -> Event:
        event: Event = issue(invoice, by, **given)
        card.remove(agent, at=timezone.now())
        return event

    monkeypatch.setattr(Invoice, "issue", issue_and_lose_the_card)
    given = typed(lantern(), mode="charge", charge__card=card.pk)

    response = desk.post(new_url(ada), given, follow=True)

    invoice = Invoice.objects.get()
    assert response.redirect_chain == [(f"/invoices/{invoice.pk}/", 302)]
    assert invoice.status == InvoiceStatus.OPEN
    assert f"{invoice} is saved, but the rest was not done: Card is" in response.content.decode()


def test_a_contact_that_does_not_exist_is_not_found(desk: Client) -> None:
    assert desk.get("/contacts/999999/invoices/new/").status_code == 404
    assert desk.get("/contacts/99999999999999999999/invoices/new/").status_code == 404


def test_two_pages_make_two_invoices(desk: Client, ada: Contact) -> None:
    for _ in range(2):
        desk.post(new_url(ada), typed(lantern(), key=uuid4()))
    assert Invoice.objects.count() == 2


def test_a_refused_line_is_told_above_and_at_the_line_and_not_once_more(desk: Client, ada: Contact) -> None:
    page = desk.post(new_url(ada), typed(lantern(unit_price="abc"), mode="draft")).content.decode()
    assert page.count("Unit price is “abc”") == 2
    assert "is not counted" not in page
