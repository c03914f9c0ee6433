"""A draft that somebody deletes while another person works on it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.models import Event, Header, Invoice
from billing.models.guard import AlreadyDone, Refused
from billing.statuses import InvoiceStatus
from tests.editor.typing_in import edit_url, lantern, typed
from tests.factories import NOON, InvoiceFactory, UserFactory
from tests.gateways.races import at_once

KEY = UUID("0a6a2b6e-0000-4000-8000-0000000000ab")
VERBS: dict[str, Callable[[Invoice], Event]] = {
    "edited": lambda draft: draft.edit(None, header=Header.of(draft), lines=[]),
    "issued": lambda draft: draft.issue(None, at=NOON),
    "deleted": lambda draft: draft.discard(None),
}


def draft_deleted_meanwhile() -> Invoice:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    Invoice.objects.get().discard(None)
    return draft


@pytest.mark.django_db
@pytest.mark.parametrize("verb", VERBS)
def test_a_draft_that_was_deleted_meanwhile_is_refused_in_words(verb: str) -> None:
    draft = draft_deleted_meanwhile()
    with pytest.raises(Refused, match=f"Draft {draft.pk} does not exist any more"):
        VERBS[verb](draft)
    assert not Invoice.objects.exists()


@pytest.mark.django_db
def test_the_second_of_two_deletions_with_one_key_gets_the_first_result() -> None:
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    Invoice.objects.get().discard(None, key=KEY)
    with pytest.raises(AlreadyDone):
        draft.discard(None, key=KEY)


@pytest.mark.django_db
def test_saving_a_draft_that_is_deleted_at_that_moment_is_answered_with_the_reason(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(UserFactory.create(role="Support"))
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    lock = Invoice.lock

    def too_late(self: Invoice) -> None:
        Invoice.objects.filter(pk=draft.pk).delete()
        lock(self)

    monkeypatch.setattr(Invoice, "lock", too_late)
    response = client.post(edit_url(draft), typed(lantern(), seen=draft.version))
    assert response.status_code == 409
    assert "does not exist any more" in response.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", [KEY, ""])
def test_of_eight_clicks_on_delete_each_gets_an_answer(key: UUID | str) -> None:
    agent: User = UserFactory.create(role="Support")
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    clients = [Client() for _ in range(8)]
    for each in clients:
        each.force_login(agent)

    codes = at_once(
        lambda: clients.pop().post(f"/invoices/{draft.pk}/delete/", {"key": str(key)}).status_code
    )

    assert codes.count(302) == (8 if key else 1)
    assert set(codes) <= {302, 404, 409}
    assert Event.objects.filter(action="delete").count() == 1
