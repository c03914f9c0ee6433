"""A gateway that is installed no longer: rows that were made with it stay readable and block nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from billing import gateways
from billing.gateways import CardDetails
from billing.models import Attempt, Card, Invoice, Payment
from billing.statuses import AttemptState, InvoiceStatus, RefundRoute
from billing.tasks import resolve_attempts
from tests.attempts.desk import CHARGED_LOST, attempt_of, fresh, give_back, owing, paid_by_card, pay
from tests.factories import CardFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db
URL = "https://desk.example.com/"


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "_makers", {})


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager"))
    return client


@pytest.mark.usefixtures("gone")
def test_a_charge_that_nobody_can_send_is_not_made_and_blocks_nothing() -> None:
    invoice, card = owing_at_a_gateway_that_is_gone()
    assert pay(invoice, card).state == AttemptState.NOT_CHARGED
    assert not fresh(invoice).awaiting_gateway


def owing_at_a_gateway_that_is_gone() -> tuple[Invoice, Card]:
    invoice = InvoiceFactory.create()
    details = CardDetails("tok", "Visa", "4242", 12, 2040)
    with transaction.atomic():
        return invoice, Card.keep(invoice.contact, details, gateway="gone")


def test_a_refund_that_nobody_can_send_is_not_made_and_can_be_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment = paid_by_card()
    monkeypatch.setattr(gateways, "_makers", {})
    attempt = attempt_of(give_back(payment, 100))
    assert attempt.state == AttemptState.NOT_CHARGED
    assert "is not installed" in attempt.message
    give_back(Payment.objects.get(), 100, RefundRoute.RECORDED)
    assert fresh(payment.invoice).status == InvoiceStatus.REFUNDED


def test_the_resolver_goes_on_past_an_attempt_that_nobody_can_be_asked_about() -> None:
    first = pay(*owing(CHARGED_LOST))
    second = pay(*owing(CHARGED_LOST))
    Attempt.objects.filter(pk=first.pk).update(gateway="gone")
    asked = resolve_attempts(second.due_at + timedelta(seconds=1))
    assert [each.attempt.state for each in asked] == [AttemptState.UNKNOWN, AttemptState.APPROVED]


def test_every_page_of_an_invoice_opens_without_its_gateway(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = paid_by_card()
    invoice, card = owing(CHARGED_LOST, contact=payment.contact)
    attempt = pay(invoice, card)
    monkeypatch.setattr(gateways, "_makers", {})
    for url in (
        f"/contacts/{payment.contact_id}/purchases/",
        f"/invoices/{invoice.pk}/",
        f"/payments/{payment.pk}/refund/",
        f"/attempts/{attempt.pk}/",
        f"/i/{invoice.token}/",
        f"/pay/{invoice.token}/",
    ):
        assert desk.get(url).status_code == 200, url
    assert desk.post(f"/attempts/{attempt.pk}/ask/", follow=True).status_code == 200
    assert desk.post(f"/pay/{invoice.token}/").status_code == 409


@pytest.mark.parametrize("error", [KeyError("gone"), ValueError("no such token"), OSError("no route")])
def test_a_card_that_its_gateway_cannot_forget_stays_on_file_and_says_so(
    desk: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    card = CardFactory.create()

    def fails(name: str) -> gateways.Gateway:
        raise error

    monkeypatch.setattr(gateways, "get", fails)
    response = desk.post(f"/cards/{card.pk}/remove/")
    assert response.status_code == 409
    assert "is still on file" in response.content.decode()
    card.refresh_from_db()
    assert card.removed_at is None


@pytest.mark.parametrize("error", [KeyError("gone"), ValueError("no such page"), OSError("no route")])
def test_no_card_is_added_while_the_gateway_fails_and_the_page_says_so(
    desk: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    contact = InvoiceFactory.create().contact
    page = desk.post(f"/contacts/{contact.pk}/cards/new/")
    assert page.status_code == 302
    (key,) = desk.session["card_pages"]

    def fails(name: str) -> gateways.Gateway:
        raise error

    monkeypatch.setattr(gateways, "get", fails)
    assert desk.post(f"/contacts/{contact.pk}/cards/new/").status_code == 409
    assert desk.get(f"/contacts/{contact.pk}/cards/{key}/").status_code == 409
    assert not Card.objects.exists()
