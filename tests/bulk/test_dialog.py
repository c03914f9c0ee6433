"""One action on many invoices: the dialog says who takes part, who does not, and why."""

from __future__ import annotations

import re
import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from billing.actions import ACTIONS
from billing.models import Bulk, Event, Invoice, InvoiceLine, LineInput, Mail
from billing.models.bulk import Plan
from billing.statuses import InvoiceStatus
from contacts.models import Contact
from tests.factories import ContactFactory, InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "dialog"}


@pytest.fixture
def manager() -> User:
    return UserFactory.create(role="Billing manager")


@pytest.fixture
def desk(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


def open_invoices(count: int, contact: Contact) -> list[Invoice]:
    """Many at once, as an import writes them: numbered, with one line of 10.00 each."""
    line = LineInput("Lantern", Decimal(1), Decimal(10))
    ten = Decimal(10)
    rows = Invoice.objects.bulk_create(
        Invoice(
            contact=contact,
            number=f"OLD-{number:06d}",
            status=InvoiceStatus.OPEN,
            currency="USD",
            invoice_date=date(2026, 3, 2),
            due_on=date(2026, 3, 16),
            subtotal=ten,
            total=ten,
            balance=ten,
            line_count=1,
            summary="Lantern",
        )
        for number in range(count)
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine.made_from(line, invoice_id=row.pk, position=1, currency="USD") for row in rows
    )
    return rows


def ask(desk: Client, action: str, *invoices: Invoice, **more: Any) -> Any:
    return desk.post(f"/invoices/{action}/", {"ids": [each.pk for each in invoices], **more}, headers=HTMX)


def answers(page: Any) -> dict[str, str]:
    """The hidden fields of the dialog, as a browser sends them back."""
    found = re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', page.content.decode())
    return dict(found)


def confirm(desk: Client, action: str, dialog: Any, **typed: str) -> Any:
    return desk.post(f"/invoices/{action}/", {**answers(dialog), **typed}, headers=HTMX)


def test_the_dialog_counts_who_takes_part_and_gives_the_others_their_reason(desk: Client) -> None:
    opened, draft = InvoiceFactory.create(), InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    voided = InvoiceFactory.create(status=InvoiceStatus.VOIDED)

    page = ask(desk, "void", opened, draft, voided).content.decode()

    assert "Void 1 invoice, of 3 chosen." in page
    assert "2 are left out" in page
    assert f"{voided.number} is Voided: only" in page
    assert "$100.00" in page
    assert "Voided is the end" in page
    assert not Bulk.objects.exists()


def test_paid_invoices_are_voided_with_a_warning(desk: Client) -> None:
    page = ask(desk, "void", InvoiceFactory.create(paid=Decimal(30))).content.decode()
    assert "Voiding returns no money: $30.00 stays paid" in page


def test_mails_go_to_each_contact_and_those_without_address_are_left_out(desk: Client) -> None:
    reachable, silent = (
        InvoiceFactory.create(),
        InvoiceFactory.create(contact=ContactFactory.create(email="", name="Tom Mute")),
    )

    dialog = ask(desk, "request_payment", reachable, silent)

    assert "One e-mail to the contact of each invoice: 1 in all." in dialog.content.decode()
    assert "Tom Mute has no e-mail address." in dialog.content.decode()
    confirm(desk, "request_payment", dialog, message="Dear customer")
    mail = Mail.objects.get()
    assert (mail.to, mail.invoice) == (reachable.contact.email, reachable)
    assert "Dear customer" in mail.text


def test_when_nobody_takes_part_there_is_no_button(desk: Client) -> None:
    page = ask(desk, "write_off", InvoiceFactory.create(status=InvoiceStatus.CLOSED)).content.decode()
    assert "None of the chosen invoices takes part." in page
    assert "danger" not in page


def test_nothing_selected_is_said_in_a_sentence(desk: Client) -> None:
    response = ask(desk, "void")
    assert response.status_code == 422
    assert "Nothing is selected" in response.content.decode()


@pytest.mark.parametrize(
    "given",
    [
        {"ids": "abc"},
        {"ids": "9" * 40},
        {"all": "1", "filter": "status=x"},
        {"all": "1", "filter": "date_from=zzz&amount_min=NaN"},
        {"ids": "\x00"},
    ],
)
def test_a_selection_that_cannot_be_read_is_refused(desk: Client, given: dict[str, str]) -> None:
    assert desk.post("/invoices/void/", given).status_code == 422


def test_ids_of_nothing_mean_nobody(desk: Client) -> None:
    page = desk.post("/invoices/void/", {"ids": "999999"}, headers=HTMX).content.decode()
    assert "None of the chosen invoices takes part." in page


@pytest.mark.parametrize("action", ["pay", "edit", "refund", "copy_invoice_link"])
def test_an_action_that_needs_an_answer_for_each_invoice_has_no_address_for_many(
    desk: Client, action: str
) -> None:
    assert desk.post(f"/invoices/{action}/", {"ids": "1"}).status_code == 404


def test_looking_is_not_doing(desk: Client) -> None:
    assert desk.get("/invoices/void/").status_code == 405


@pytest.mark.parametrize("action", ["void", "write_off"])
def test_a_role_without_the_permission_is_refused_in_words(client: Client, action: str) -> None:
    client.force_login(UserFactory.create(role="Support"))
    invoice = InvoiceFactory.create()
    response = ask(client, action, invoice, key=str(uuid.uuid4()))
    assert response.status_code == 403
    assert "Your role does not include" in response.content.decode()
    invoice.refresh_from_db()
    assert invoice.status == InvoiceStatus.OPEN


def test_everything_that_matches_is_the_filter_and_not_the_ticks(desk: Client) -> None:
    contact = ContactFactory.create()
    mine, other = [InvoiceFactory.create(contact=contact) for _ in range(3)], InvoiceFactory.create()
    dialog = ask(desk, "void", other, all="1", filter=f"contact={contact.pk}")
    confirm(desk, "void", dialog, reason="Sent twice")
    assert set(Invoice.objects.filter(status="voided")) == set(mine)


def test_five_thousand_are_planned_in_one_query(
    manager: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    open_invoices(5000, ContactFactory.create())
    Invoice.objects.filter(number__endswith="7").update(status=InvoiceStatus.DRAFT, number=None)
    manager.has_perm("billing.void_invoice")
    with django_assert_num_queries(1):
        plan = Plan.of(ACTIONS["void"], Invoice.objects.for_list(), manager)
    assert (len(plan.ids), len(plan.refused), plan.total) == (4500, 500, 5000)
    assert plan.balances == {"USD": Decimal(45_000)}


def test_the_dialog_names_fifty_of_those_left_out_and_counts_the_rest(desk: Client) -> None:
    contact = ContactFactory.create()
    open_invoices(60, contact)
    page = ask(desk, "delete", all="1", filter=f"contact={contact.pk}").content.decode()
    assert "60 are left out" in page
    assert page.count("<dt>") == 50
    assert "And 10 more." in page


def test_more_than_a_run_holds_is_refused_before_it_is_read(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.views.bulk.MOST_AT_ONCE", 2)
    for _ in range(3):
        InvoiceFactory.create()
    response = ask(desk, "void", all="1")
    assert response.status_code == 422
    assert "More than 2 invoices match" in response.content.decode()


def test_what_changed_after_the_dialog_was_shown_is_shown_again(desk: Client) -> None:
    first, second = InvoiceFactory.create(), InvoiceFactory.create()
    dialog = ask(desk, "void", first, second)
    Invoice.objects.get(pk=second.pk).void(None, reason="By somebody else")

    again = confirm(desk, "void", dialog, reason="Sent twice")

    assert again.status_code == 409
    assert "The invoices have changed since you opened this" in again.content.decode()
    assert "Void 1 invoice, of 2 chosen." in again.content.decode()
    assert 'value="Sent twice"' in again.content.decode()
    first.refresh_from_db()
    assert first.status == InvoiceStatus.OPEN
    confirm(desk, "void", again, reason="Sent twice")
    first.refresh_from_db()
    assert first.status == InvoiceStatus.VOIDED


def test_a_reason_with_control_characters_is_refused_at_its_field(desk: Client) -> None:
    dialog = ask(desk, "void", InvoiceFactory.create())
    response = confirm(desk, "void", dialog, reason="a\x07b")
    assert response.status_code == 422
    assert "Reason holds the control character U+0007" in response.content.decode()
    assert not Event.objects.filter(action="void").exists()


@pytest.mark.parametrize("key", ["", "x", "123"])
def test_a_dialog_without_a_key_of_its_own_starts_nothing(desk: Client, key: str) -> None:
    dialog = ask(desk, "void", InvoiceFactory.create())
    assert confirm(desk, "void", dialog, key=key).status_code == 422
    assert not Bulk.objects.exists()
