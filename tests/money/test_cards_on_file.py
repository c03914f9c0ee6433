"""Whose card it is, and who may put it on file."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from billing.gateways import CardDetails
from billing.gateways.sandbox import pages
from billing.gateways.sandbox.numbers import read_card, read_number
from billing.models import Card
from billing.models.guard import NotAllowed, NotOffered
from contacts.models import Contact
from tests.factories import APPROVES, CardFactory, ContactFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_a_card_that_was_typed_for_one_contact_is_put_on_no_others_file(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    ada, eve = ContactFactory.create(), ContactFactory.create()
    key = typed_a_card_for(client, ada)
    client.get(f"/contacts/{eve.pk}/cards/{key}/")
    assert not Card.objects.exists()
    client.get(f"/contacts/{ada.pk}/cards/{key}/")
    assert Card.objects.get().contact == ada


def typed_a_card_for(client: Client, contact: Contact) -> str:
    """Open the gateway's page for the contact and type a card there; the key of the way back."""
    ref = client.post(f"/contacts/{contact.pk}/cards/new/").headers["Location"].rstrip("/").rsplit("/", 1)[1]
    now = timezone.now()
    typed = read_card(read_number(APPROVES), exp_month=12, exp_year=2040, today=now.date())
    pages.take_card(ref, typed, now=now)
    (key,) = client.session["card_pages"]
    return str(key)


def test_the_verb_itself_asks_for_the_permission_to_add_a_card() -> None:
    details = CardDetails("tok", "Visa", "4242", 12, 2040)
    viewer = UserFactory.create(role="Viewer")
    with pytest.raises(NotAllowed):
        Card.add(viewer, contact=ContactFactory.create(), details=details, gateway="sandbox", key=None)
    assert not Card.objects.exists()


def test_a_card_of_another_contact_is_added_to_nobody_else() -> None:
    card = CardFactory.create()
    details = CardDetails(card.token, "Visa", "4242", 12, 2040)
    with pytest.raises(NotOffered, match="another contact"):
        Card.add(None, contact=ContactFactory.create(), details=details, gateway="sandbox", key=None)
    assert Card.objects.get() == card
