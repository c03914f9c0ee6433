"""What the database refuses at the last moment is a sentence for people, and nothing is left half done."""

from __future__ import annotations

import pytest
from django.test import Client

from billing.models import Event, Invoice
from contacts.models import Contact
from tests.editor.typing_in import lantern, new_url, typed
from tests.factories import ContactFactory, UserFactory


@pytest.mark.django_db(transaction=True)
def test_an_invoice_for_a_contact_who_is_deleted_at_that_moment_keeps_what_was_typed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(UserFactory.create(role="Support"))
    contact = ContactFactory.create()
    save = Invoice.save

    def too_late(self: Invoice, **given: object) -> None:
        Contact.objects.filter(pk=contact.pk).delete()
        save(self, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(Invoice, "save", too_late)
    response = client.post(new_url(contact), typed(lantern(description="Lamp post")))
    page = response.content.decode()
    assert response.status_code == 422
    assert "changed at this very moment" in page
    assert "Lamp post" in page
    assert not Invoice.objects.exists()
    assert not Event.objects.exists()
