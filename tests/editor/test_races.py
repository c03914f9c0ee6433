"""Two clicks in the same moment are one invoice and one charge; of two agents, one is told."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.models import Attempt, Event, Invoice, Payment
from tests.editor.typing_in import edit_url, lantern, new_url, typed
from tests.factories import CardFactory, ContactFactory, InvoiceFactory, UserFactory
from tests.gateways.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def signed_in(agent: User) -> Client:
    client = Client()
    client.force_login(agent)
    return client


def test_eight_clicks_create_one_invoice_and_charge_once() -> None:
    contact, agent = ContactFactory.create(), UserFactory.create(role="Support")
    given = typed(lantern(), mode="charge", charge__card=CardFactory.create(contact=contact).pk)
    clients = [signed_in(agent) for _ in range(8)]

    answers = at_once(lambda: clients.pop().post(new_url(contact), given).status_code)

    assert answers == [302] * 8
    assert (Invoice.objects.count(), Attempt.objects.count()) == (1, 1)
    assert Payment.objects.get().amount == Decimal("49.00")


def test_of_eight_agents_who_save_at_once_one_is_stored_and_seven_are_told() -> None:
    invoice, agent = InvoiceFactory.create(), UserFactory.create(role="Support")
    clients = [signed_in(agent) for _ in range(8)]

    def save() -> int:
        given = typed(lantern(), key=uuid4(), seen=invoice.version)
        return clients.pop().post(edit_url(invoice), given).status_code

    assert sorted(at_once(save)) == [302] + [409] * 7
    assert Event.objects.filter(action="edit").count() == 1
