"""The same editor on a draft and on an open invoice, by one agent or by two."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.models import Event, Invoice, LineInput, Mail, Payment, TaxRate
from billing.models.editing import Header
from billing.statuses import InvoiceStatus
from tests.editor.typing_in import Typed, edit_url, lantern, typed
from tests.factories import CardFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db


def again(invoice: Invoice, *lines: dict[str, str], **fields: Any) -> Typed:
    """The editor of ``invoice`` as it stands now, with these lines."""
    return typed(*lines, **{"key": uuid4(), "seen": invoice.version, **fields})


def by_another(invoice: Invoice, *lines: LineInput) -> None:
    """Another agent opens, changes and saves the same invoice."""
    other: User = UserFactory.create(role="Support", first_name="Alan", last_name="Turing")
    theirs = Invoice.objects.get(pk=invoice.pk)
    theirs.edit(other, header=Header.of(theirs), lines=lines, seen=theirs.version)


def test_the_editor_shows_what_is_stored(desk: Client) -> None:
    invoice = InvoiceFactory.create(
        lines=[LineInput("Lantern", Decimal("2.5"), Decimal(10), Decimal("0.5"), sku="LA")]
    )

    page = desk.get(edit_url(invoice)).content.decode()

    for value in ("Lantern", "2.5", "10.00", "0.50", "LA", "2026-03-02", "14"):
        assert f'value="{value}"' in page
    assert "$24.50" in page


def test_a_draft_is_edited_and_charged(desk: Client) -> None:
    invoice = InvoiceFactory.create(status="draft")
    card = CardFactory.create(contact=invoice.contact)

    response = desk.post(
        edit_url(invoice), again(invoice, lantern(), mode="charge", charge__card=card.pk, shown="USD 49.00")
    )

    assert response.headers["Location"] == f"/invoices/{invoice.pk}/"
    invoice.refresh_from_db()
    assert (invoice.number, invoice.status, invoice.total) == (
        "INV-000001",
        InvoiceStatus.CLOSED,
        Decimal(49),
    )


def test_an_open_invoice_keeps_its_number(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    number = invoice.number

    desk.post(edit_url(invoice), again(invoice, lantern(), lantern()))

    invoice.refresh_from_db()
    assert (invoice.number, invoice.status, invoice.total) == (number, InvoiceStatus.OPEN, Decimal(98))
    assert not Mail.objects.exists()
    assert Event.objects.get(action="edit").text == "Edited: total $100.00 → $98.00."


def test_the_changed_invoice_is_sent_again_if_ticked(desk: Client) -> None:
    invoice = InvoiceFactory.create()

    desk.post(
        edit_url(invoice),
        again(invoice, lantern(), save__resend="on", save__recipient="accounts@example.com"),
    )

    assert Mail.objects.get().to == "accounts@example.com"


def test_sending_it_again_needs_an_address(desk: Client) -> None:
    invoice = InvoiceFactory.create()

    response = desk.post(edit_url(invoice), again(invoice, lantern(), save__resend="on"))

    assert response.status_code == 422
    assert "To is missing" in response.content.decode()
    invoice.refresh_from_db()
    assert invoice.total == 100


def test_an_open_invoice_keeps_at_least_one_line(desk: Client) -> None:
    invoice = InvoiceFactory.create()

    assert desk.post(edit_url(invoice), again(invoice)).status_code == 422
    assert invoice.lines.count() == 1


def test_the_total_may_not_fall_below_what_is_paid(desk: Client) -> None:
    invoice = InvoiceFactory.create(paid=Decimal(60))

    response = desk.post(edit_url(invoice), again(invoice, lantern(quantity="1")))

    page = response.content.decode()
    assert response.status_code == 422
    assert "Total is $49.00: it may not fall below the $60.00 that is paid." in page
    assert 'value="49.00"' in page
    invoice.refresh_from_db()
    assert (invoice.total, invoice.lines.get().description) == (Decimal(100), "Lantern")


def test_the_currency_of_a_partly_paid_invoice_stays(desk: Client) -> None:
    invoice = InvoiceFactory.create(paid=Decimal(10))

    response = desk.post(edit_url(invoice), again(invoice, lantern(), currency="EUR"))

    assert response.status_code == 422
    assert "money was asked for in USD already" in response.content.decode()


def test_a_total_equal_to_what_is_paid_closes_the_invoice(desk: Client) -> None:
    invoice = InvoiceFactory.create(paid=Decimal(49))

    desk.post(edit_url(invoice), again(invoice, lantern()))

    invoice.refresh_from_db()
    assert invoice.status == InvoiceStatus.CLOSED


def test_a_line_keeps_the_tax_that_it_was_made_with(desk: Client) -> None:
    rate = TaxRate.objects.create(name="VAT", percent=19)
    line = LineInput("Lantern", Decimal(1), Decimal(100), tax_rate_id=rate.pk, tax_percent=Decimal(19))
    invoice = InvoiceFactory.create(lines=[line])
    TaxRate.objects.filter(pk=rate.pk).update(percent=20, is_active=False)

    page = desk.get(edit_url(invoice)).content.decode()
    desk.post(edit_url(invoice), again(invoice, lantern(unit_price="100", tax=f"{rate.pk}@19")))

    assert "VAT (19 %), as it was" in page
    assert invoice.lines.get().tax_percent == 19


def test_a_tax_that_was_never_offered_is_refused(desk: Client) -> None:
    rate = TaxRate.objects.create(name="VAT", percent=19)
    invoice = InvoiceFactory.create()

    response = desk.post(edit_url(invoice), again(invoice, lantern(tax=f"{rate.pk}@1")))

    assert response.status_code == 422
    assert f"Line 1: Tax rate is “{rate.pk}@1”" in response.content.decode()


def test_the_second_save_is_refused_with_what_changed(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    opened = again(invoice, lantern(), lantern(description="Wick"), note="Mine")
    by_another(invoice, LineInput("Lantern", Decimal(3), Decimal(49)))

    response = desk.post(edit_url(invoice), opened)

    page = response.content.decode()
    assert response.status_code == 409
    assert "has changed since you opened it" in page
    assert "Alan Turing" in page
    assert "3 × Lantern at $49.00" in page
    assert "1 × Lantern at $49.00" in page
    assert "1 × Wick at $49.00" in page
    assert "Mine" in page
    assert invoice.lines.get().quantity == 3


def test_what_the_second_typed_is_still_there_and_can_be_saved_on_purpose(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    opened = again(invoice, lantern(description="Wick"))
    by_another(invoice, LineInput("Lantern", Decimal(3), Decimal(49)))
    refused = desk.post(edit_url(invoice), opened)
    invoice.refresh_from_db()

    assert f'name="seen" value="{invoice.version}"' in refused.content.decode()
    assert 'value="Wick"' in refused.content.decode()
    on_purpose = desk.post(edit_url(invoice), again(invoice, lantern(description="Wick")))

    assert on_purpose.status_code == 302
    assert invoice.lines.get().description == "Wick"


def test_an_error_on_the_page_does_not_hide_that_somebody_was_quicker(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    opened = again(invoice, lantern(unit_price="abc"))
    by_another(invoice, LineInput("Lantern", Decimal(3), Decimal(49)))

    page = desk.post(edit_url(invoice), opened).content.decode()

    assert f'name="seen" value="{opened["seen"]}"' in page


@pytest.mark.parametrize("status", [each for each in InvoiceStatus if each not in {"draft", "open"}])
def test_an_invoice_that_left_its_status_meanwhile_is_refused_with_what_was_typed(
    desk: Client, status: InvoiceStatus
) -> None:
    invoice = InvoiceFactory.create(status=status)

    response = desk.post(edit_url(invoice), again(invoice, lantern(description="Wick")))

    page = response.content.decode()
    assert response.status_code == 409
    assert f"{invoice} is {status.label}: only Draft and Open invoices can be edited." in page
    assert 'value="Wick"' in page
    assert 'value="save"' not in page
    assert invoice.lines.get().description == "Lantern"


def test_an_empty_request_on_a_closed_invoice_is_answered_with_the_reason(desk: Client) -> None:
    invoice = InvoiceFactory.create(status="closed")

    response = desk.post(edit_url(invoice))

    assert response.status_code == 409
    assert "only Draft and Open invoices can be edited" in response.content.decode()


def test_a_draft_that_another_agent_issued_is_not_issued_again(desk: Client) -> None:
    invoice = InvoiceFactory.create(status="draft")
    opened = again(invoice, lantern(), mode="record", record__method="cash")
    theirs = Invoice.objects.get(pk=invoice.pk)
    theirs.issue(None, at=theirs.created_at)

    response = desk.post(edit_url(invoice), opened)

    assert response.status_code == 409
    assert not Payment.objects.exists()
    invoice.refresh_from_db()
    assert (invoice.status, invoice.total) == (InvoiceStatus.OPEN, Decimal(100))


def test_saving_twice_with_one_key_edits_once(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    given = again(invoice, lantern())

    first, second = desk.post(edit_url(invoice), given), desk.post(edit_url(invoice), given)

    assert first.headers["Location"] == second.headers["Location"]
    assert Event.objects.filter(action="edit").count() == 1


def test_a_viewer_may_not_edit(client: Client) -> None:
    client.force_login(UserFactory.create(role="Viewer"))
    invoice = InvoiceFactory.create()

    response = client.post(edit_url(invoice), again(invoice, lantern()))

    assert response.status_code == 403
    assert "Your role does not include “Edit”" in response.content.decode()


def test_a_page_that_lost_what_it_saw_is_not_saved(desk: Client) -> None:
    invoice = InvoiceFactory.create()

    response = desk.post(edit_url(invoice), again(invoice, lantern(), seen=""))

    assert response.status_code == 422
    assert invoice.lines.get().description == "Lantern"
