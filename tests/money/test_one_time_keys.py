"""A one-time key belongs to one deed of one person: it never answers for another."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.models import Event, Header, Invoice, Payment
from billing.models.guard import AlreadyDone, NotOffered
from billing.statuses import InvoiceStatus, PaymentMethod
from tests.editor.typing_in import edit_url, lantern, new_url, typed
from tests.factories import CardFactory, ContactFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db
KEY = UUID("0a6a2b6e-0000-4000-8000-0000000000aa")
OTHERS = "belongs to something else that was done before"


@pytest.fixture
def agent() -> User:
    return UserFactory.create(role="Billing manager")


@pytest.fixture
def desk(client: Client, agent: User) -> Client:
    client.force_login(agent)
    return client


@pytest.fixture
def used(agent: User) -> Invoice:
    """An invoice on which the key recorded a payment."""
    invoice = InvoiceFactory.create()
    pay_in_cash(invoice, agent)
    return invoice


def pay_in_cash(invoice: Invoice, by: User) -> Event:
    return invoice.pay(by, source=PaymentMethod.CASH, amount=Decimal(10), key=KEY)


def test_the_same_deed_again_is_answered_with_its_first_result(used: Invoice, agent: User) -> None:
    with pytest.raises(AlreadyDone):
        pay_in_cash(used, agent)
    assert Payment.objects.count() == 1


def test_another_invoice_is_not_answered_with_the_first_ones_result(used: Invoice, agent: User) -> None:
    other = InvoiceFactory.create()
    with pytest.raises(NotOffered, match=OTHERS):
        pay_in_cash(other, agent)
    assert Payment.objects.count() == 1


def test_another_action_is_not_answered_with_the_payment(used: Invoice, agent: User) -> None:
    with pytest.raises(NotOffered, match=OTHERS):
        used.void(agent, reason="", key=KEY)
    assert Invoice.objects.get().status == InvoiceStatus.OPEN


def test_another_persons_result_is_nobody_elses_answer(used: Invoice) -> None:
    with pytest.raises(NotOffered, match=OTHERS):
        pay_in_cash(used, UserFactory.create(role="Support"))


def test_a_draft_of_another_contact_is_not_answered_with_the_first_one(agent: User) -> None:
    first = InvoiceFactory.create()
    header = Header.of(first)
    Invoice.draft(agent, contact=first.contact, header=header, lines=[], key=KEY)
    with pytest.raises(AlreadyDone):
        Invoice.draft(agent, contact=first.contact, header=header, lines=[], key=KEY)
    with pytest.raises(NotOffered, match=OTHERS):
        Invoice.draft(agent, contact=ContactFactory.create(), header=header, lines=[], key=KEY)


def test_another_card_is_not_answered_with_the_first_ones_result(agent: User) -> None:
    first, second = CardFactory.create(), CardFactory.create()
    first.make_default(agent, key=KEY)
    with pytest.raises(NotOffered, match=OTHERS):
        second.make_default(agent, key=KEY)
    with pytest.raises(NotOffered, match=OTHERS):
        first.remove(agent, at=first.created_at, key=KEY)


def test_a_dialog_says_that_its_key_is_used_up_instead_of_showing_another_deed(
    desk: Client, used: Invoice
) -> None:
    other = InvoiceFactory.create()
    response = desk.post(f"/invoices/{other.pk}/void/", {"reason": "", "key": str(KEY)})
    assert response.status_code == 409
    assert OTHERS in response.content.decode()
    other.refresh_from_db()
    assert other.status == InvoiceStatus.OPEN


def test_a_deleted_draft_does_not_answer_for_another_deed(desk: Client, used: Invoice) -> None:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    draft_id = draft.pk
    draft.discard(None)
    response = desk.post(f"/invoices/{draft_id}/delete/", {"key": str(KEY)})
    assert response.status_code == 404


def test_the_editor_keeps_what_was_typed_when_its_key_is_used_up(desk: Client, used: Invoice) -> None:
    for url, seen, status in ((new_url(used.contact), "", 422), (edit_url(used), used.version, 409)):
        response = desk.post(url, typed(lantern(description="Lamp post"), key=KEY, seen=seen))
        page = response.content.decode()
        assert response.status_code == status
        assert OTHERS in page
        assert "Lamp post" in page
        assert str(KEY) not in page
    assert Invoice.objects.count() == 1


def test_a_card_of_another_contact_is_not_answered_on_its_page(desk: Client, agent: User) -> None:
    first, second = CardFactory.create(), CardFactory.create()
    first.make_default(agent, key=KEY)
    response = desk.post(f"/cards/{second.pk}/remove/", {"key": str(KEY)})
    assert response.status_code == 409
    second.refresh_from_db()
    assert second.removed_at is None
