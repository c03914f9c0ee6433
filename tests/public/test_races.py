from __future__ import annotations

import pytest
from django.utils import timezone

from billing.gateways.sandbox.models import HostedPage
from billing.models import Invoice
from tests.factories import InvoiceFactory
from tests.gateways.races import at_once
from tests.public.customer import Customer

pytestmark = pytest.mark.django_db(transaction=True)


def test_eight_clicks_at_once_lead_to_one_page() -> None:
    invoice = InvoiceFactory.create()
    pages = set(at_once(lambda: Customer().presses_pay(invoice)))
    assert pages == {f"/sandbox/pages/{HostedPage.objects.get().ref}/"}
    assert invoice.attempts.count() == 1


def test_eight_openings_at_once_are_noted_once() -> None:
    pk, now = InvoiceFactory.create().pk, timezone.now()
    at_once(lambda: Invoice.objects.get(pk=pk).note_opened("invoice_opened", at=now))
    assert Invoice.objects.get(pk=pk).events.filter(action="invoice_opened").count() == 1
