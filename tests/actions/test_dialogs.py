"""Dialogs say what will happen, do it once, and notice that somebody else was quicker."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Event, Invoice, Payment
from billing.statuses import InvoiceStatus
from tests.factories import (
    DECLINES,
    CardFactory,
    ContactFactory,
    InvoiceFactory,
    OrderFactory,
    PaymentFactory,
    UserFactory,
    refund_all,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "dialog"}


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager"))
    return client


@pytest.fixture
def customer() -> Client:
    return Client()


def test_pay_says_balance_and_status_before_and_after(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    card = CardFactory.create(contact=invoice.contact)

    page = desk.get(f"/invoices/{invoice.pk}/pay/", headers=HTMX).content.decode()

    assert "Charge $100.00 to Visa •• 4242" in page
    assert "Money moves" in page
    assert "$0.00" in page
    assert "Closed" in page
    assert f"card:{card.pk}" in page


def test_the_preview_follows_what_is_typed(desk: Client) -> None:
    invoice = InvoiceFactory.create()

    page = desk.get(
        f"/invoices/{invoice.pk}/pay/",
        {"source": "cash", "amount": "30"},
        headers={"HX-Request": "true", "HX-Target": "preview"},
    ).content.decode()

    assert "Record $30.00" in page
    assert "$70.00" in page
    assert "<form" not in page


@pytest.mark.parametrize("typed", ["", "abc", "-5", "1e3", "NaN", "٣", "0.001", "9" * 40, "\x00"])
def test_the_preview_survives_whatever_is_typed(desk: Client, typed: str) -> None:
    invoice = InvoiceFactory.create()

    response = desk.get(
        f"/invoices/{invoice.pk}/pay/",
        {"source": "card:99999", "amount": typed, "received_on": typed},
        headers={"HX-Request": "true", "HX-Target": "preview"},
    )

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ("0", "must be more than 0"),
        ("-5", "must be more than 0"),
        ("100.01", "at most $100.00 is possible"),
        ("0.001", "USD has 2 decimals"),
        ("1e2", "write a plain number"),
        ("١٠", "write a plain number"),
        ("1,00", "write a plain number"),
        ("Infinity", "write a plain number"),
        ("99999999999999999999", "write a plain number"),
        ("", "Amount is missing."),
    ],
)
def test_an_impossible_amount_is_refused_with_the_rule_and_keeps_what_was_typed(
    desk: Client, typed: str, rule: str
) -> None:
    invoice = InvoiceFactory.create()

    response = desk.post(
        f"/invoices/{invoice.pk}/pay/",
        {"source": "cheque", "amount": typed, "reference": "no. 17 <script>"},
    )

    page = response.content.decode()
    assert response.status_code == 422
    assert rule in page
    assert "no. 17 &lt;script&gt;" in page
    assert not Payment.objects.exists()


def test_the_same_key_a_second_time_shows_the_first_result_and_does_nothing(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    asked = {"source": "cash", "amount": "40", "key": str(uuid4())}

    first = desk.post(f"/invoices/{invoice.pk}/pay/", asked)
    second = desk.post(f"/invoices/{invoice.pk}/pay/", asked)

    assert (first.status_code, second.status_code) == (302, 302)
    assert Payment.objects.count() == 1


def test_deleting_twice_with_one_key_shows_the_first_result(desk: Client) -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    key = {"key": str(uuid4())}

    first = desk.post(f"/invoices/{invoice.pk}/delete/", key)
    second = desk.post(f"/invoices/{invoice.pk}/delete/", key)
    other = desk.post(f"/invoices/{invoice.pk}/delete/", {"key": str(uuid4())})

    assert (first.status_code, second.status_code, other.status_code) == (302, 302, 404)
    assert Event.objects.filter(action="delete").count() == 1


def test_a_dialog_opened_before_a_change_is_answered_with_the_new_state(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    seen = invoice.version
    PaymentFactory.create(invoice=invoice, amount=Decimal(30))

    response = desk.post(
        f"/invoices/{invoice.pk}/write_off/", {"reason": "Moved abroad", "seen": seen, "key": str(uuid4())}
    )

    page = response.content.decode()
    assert response.status_code == 409
    assert "has changed since you opened it" in page
    assert "$70.00" in page
    assert "Moved abroad" in page
    invoice.refresh_from_db()
    assert invoice.status == InvoiceStatus.OPEN


def test_the_dialog_that_was_answered_with_the_new_state_can_be_sent_again(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    seen = invoice.version
    PaymentFactory.create(invoice=invoice, amount=Decimal(30))
    url = f"/invoices/{invoice.pk}/write_off/"
    form = desk.post(url, {"reason": "", "seen": seen, "key": str(uuid4())}).context["form"]

    response = desk.post(url, {"reason": "", "seen": form["seen"].value(), "key": form["key"].value()})

    assert response.status_code == 302
    invoice.refresh_from_db()
    assert (invoice.status, str(invoice.written_off_amount)) == (InvoiceStatus.WRITTEN_OFF, "70.000")


def test_a_declined_card_offers_what_may_become_of_the_invoice(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    card = CardFactory.create(contact=invoice.contact, number=DECLINES)

    response = desk.post(
        f"/invoices/{invoice.pk}/pay/", {"source": f"card:{card.pk}", "amount": "100"}, headers=HTMX
    )

    page = response.content.decode()
    assert response.status_code == 200
    assert "The card was declined. No money was taken." in page
    assert [word in page for word in ("Mark unpaid", "Run collections", "Void")] == [True, True, True]
    assert "changed" in response.headers["HX-Trigger"]


def test_support_is_not_offered_to_void_after_a_decline(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    invoice = InvoiceFactory.create()
    card = CardFactory.create(contact=invoice.contact, number=DECLINES)

    response = client.post(
        f"/invoices/{invoice.pk}/pay/", {"source": f"card:{card.pk}", "amount": "100"}, follow=True
    )

    actions = [action.name for action, _form in response.context["choices"]]
    assert actions == ["mark_unpaid", "run_collections"]


def test_another_contacts_card_cannot_be_charged(desk: Client) -> None:
    invoice, stranger = InvoiceFactory.create(), CardFactory.create()

    response = desk.post(f"/invoices/{invoice.pk}/pay/", {"source": f"card:{stranger.pk}", "amount": "100"})

    assert response.status_code == 422
    assert not Payment.objects.exists()


def test_a_payment_is_refunded_once_and_then_not_offered_again(desk: Client) -> None:
    payment = PaymentFactory.create()
    asked = {"amount": "100", "route": "recorded"}

    first = desk.post(f"/payments/{payment.pk}/refund/", asked)
    second = desk.post(f"/payments/{payment.pk}/refund/", asked)

    assert (first.status_code, second.status_code) == (302, 409)
    assert "All of this payment has been refunded." in second.content.decode()
    assert Invoice.objects.get().status == InvoiceStatus.REFUNDED


def test_a_refund_cannot_be_refunded(desk: Client) -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)
    refund_all(invoice)
    refund = invoice.payments.get(type="refund")

    response = desk.post(f"/payments/{refund.pk}/refund/", {"amount": "1", "route": "recorded"})

    assert response.status_code == 409


def test_voiding_a_paid_invoice_warns_that_no_money_goes_back(desk: Client) -> None:
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)

    page = desk.get(f"/invoices/{invoice.pk}/void/").content.decode()

    assert "Voiding returns no money: $100.00 stays paid." in page


def test_the_way_back_never_leads_to_another_site(desk: Client) -> None:
    invoice = InvoiceFactory.create()

    response = desk.post(f"/invoices/{invoice.pk}/void/", {"next": "https://evil.example/"})

    assert response.headers["Location"] == f"/invoices/{invoice.pk}/"


# -- signs of money on another channel


def cautions(desk: Client, invoice: Invoice, **typed: str) -> list[str]:
    page = desk.get(f"/invoices/{invoice.pk}/pay/", typed, headers=HTMX).content.decode()
    return [
        unescape(words).replace("\xa0", " ")
        for words in re.findall(r'notice warn" dir="auto">(.+?)</p>', page)
    ]


def test_pay_says_that_the_customer_has_opened_the_pay_page(desk: Client, customer: Client) -> None:
    invoice = InvoiceFactory.create()
    customer.get(f"/pay/{invoice.token}/")
    assert cautions(desk, invoice) == ["The customer opened the pay page just now."]
    Event.objects.filter(action="pay_page_opened").update(at=timezone.now() - timedelta(minutes=2, seconds=5))
    assert cautions(desk, invoice) == ["The customer opened the pay page 2 minutes ago."]
    Event.objects.filter(action="pay_page_opened").update(at=timezone.now() - timedelta(minutes=61))
    assert cautions(desk, invoice) == []


def test_pay_says_that_the_same_amount_was_paid_yesterday(desk: Client) -> None:
    paid = PaymentFactory.create(method="cheque", reference="no. 17")
    invoice = InvoiceFactory.create(contact=paid.contact)
    Payment.objects.update(made_at=timezone.now() - timedelta(days=1, minutes=1))
    assert cautions(desk, invoice) == [
        f"The same amount, $100.00, was paid by Cheque no. 17 on {paid.invoice} 1 day ago."
    ]
    assert cautions(desk, invoice, source="cash", amount="99.99") == []
    Payment.objects.update(made_at=timezone.now() - timedelta(days=2, minutes=1))
    assert cautions(desk, invoice) == []


@pytest.mark.parametrize("other", ["another contact", "another currency", "refunded since", "declined"])
def test_what_is_no_sign_of_this_money_is_not_told(desk: Client, other: str) -> None:
    paid = PaymentFactory.create()
    invoice = InvoiceFactory.create(contact=paid.contact)
    match other:
        case "another contact":
            Payment.objects.update(contact=ContactFactory.create())
        case "another currency":
            Payment.objects.update(currency="EUR")
        case "refunded since":
            refund_all(paid.invoice)
        case "declined":
            Payment.objects.update(status="declined")
    assert cautions(desk, invoice) == []


@pytest.mark.parametrize(("minutes", "when"), [(20, "in 20 minutes"), (0, "now"), (-5, "now")])
def test_pay_says_when_the_desk_charges_by_itself(desk: Client, minutes: int, when: str) -> None:
    order = OrderFactory.create()
    invoice = InvoiceFactory.create(contact=order.contact)
    due = timezone.now() + timedelta(minutes=minutes, seconds=5 if minutes > 0 else 0)
    Invoice.objects.filter(pk=invoice.pk).update(order=order, period=99, charge_due_at=due)
    assert cautions(desk, invoice) == [f"The desk itself charges this to the card of its order {when}."]
