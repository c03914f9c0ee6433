"""Eight tabs that advance one run in the same moment, and eight clicks on one dialog."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from billing.models import Bulk, Event, Invoice
from billing.statuses import InvoiceStatus
from tests.bulk.test_dialog import answers, ask
from tests.bulk.test_runs import begin
from tests.factories import InvoiceFactory, UserFactory
from tests.gateways.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("action", "status", "asked"),
    [("delete", InvoiceStatus.DRAFT, {}), ("write_off", InvoiceStatus.OPEN, {"reason": "Gone"})],
)
def test_eight_tabs_do_each_invoice_once_and_count_it_once(
    action: str, status: InvoiceStatus, asked: dict[str, Any]
) -> None:
    manager = UserFactory.create(role="Billing manager")
    run = begin(manager, action, *[InvoiceFactory.create(status=status) for _ in range(3)], **asked)

    at_once(lambda: Bulk.objects.get(pk=run.pk).advance(manager, most=3))

    run.refresh_from_db()
    assert (run.position, run.done, run.refused) == (3, 3, [])
    assert Event.objects.filter(action=action).count() == 3


def test_eight_clicks_on_one_dialog_are_one_run() -> None:
    manager = UserFactory.create(role="Billing manager")
    clients = [Client() for _ in range(8)]
    for client in clients:
        client.force_login(manager)
    dialog = answers(ask(clients[0], "void", *[InvoiceFactory.create() for _ in range(3)]))

    codes = at_once(lambda: clients.pop().post("/invoices/void/", {**dialog, "reason": ""}).status_code)

    assert codes == [302] * 8
    assert (Bulk.objects.count(), Event.objects.filter(action="void").count()) == (1, 3)
    assert Invoice.objects.filter(status="voided").count() == 3
