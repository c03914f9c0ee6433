"""What the export asks, and how its answers become a file."""

from __future__ import annotations

import pytest
from django.test import Client

from billing.models import Event
from billing.statuses import InvoiceStatus
from tests.factories import ContactFactory, InvoiceFactory, PaymentFactory, UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "dialog"}
EVERYTHING = {"all": "1", "per": "invoices", "columns": "shown", "filter": ""}


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager"))
    return client


def rows(desk: Client, path: str = "/invoices/export/", **given: object) -> list[str]:
    """The lines of the downloaded file, without its headings."""
    data = {**EVERYTHING, **given}
    response = desk.post(path, data)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    return response.getvalue().decode().split("\r\n")[1:-1]


def test_the_bulk_bar_leads_to_a_dialog_that_offers_the_ticked_and_the_matching(desk: Client) -> None:
    ticked = [InvoiceFactory.create(), InvoiceFactory.create()]
    InvoiceFactory.create()
    response = desk.post(
        "/invoices/export/", {"ids": [one.pk for one in ticked], "filter": "status=open"}, headers=HTMX
    )
    page = response.content.decode()
    assert "<html" not in page
    assert "The 2 selected" in page
    assert "All 3 that match" in page
    assert f'name="ids" value="{ticked[0].pk},{ticked[1].pk}"' in page
    assert 'name="filter" value="status=open"' in page
    assert "data-stays" in page
    assert not Event.objects.filter(action="export").exists()


def test_the_list_leads_to_everything_that_it_shows(desk: Client) -> None:
    InvoiceFactory.create()
    InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    page = desk.get("/invoices/export/?status=draft").content.decode()
    assert "All 1 that match" in page
    assert 'name="filter" value="status=draft"' in page
    assert "<html" in page


def test_nothing_ticked_is_said_in_a_sentence(desk: Client) -> None:
    response = desk.post("/invoices/export/", {"filter": ""}, headers=HTMX)
    assert response.status_code == 422
    assert "Nothing is selected" in response.content.decode()


def test_the_ticked_rows_go_out_in_the_order_of_the_list(desk: Client) -> None:
    made = [InvoiceFactory.create() for _ in range(3)]
    ids = f"{made[0].pk},{made[2].pk}"
    assert [row[:10] for row in rows(desk, all="0", ids=ids)] == [made[2].number, made[0].number]


def test_all_that_match_go_out_whatever_is_ticked(desk: Client) -> None:
    contact = ContactFactory.create()
    mine, other = InvoiceFactory.create(contact=contact), InvoiceFactory.create()
    found = rows(desk, ids=str(other.pk), filter=f"contact={contact.pk}")
    assert [row[:10] for row in found] == [mine.number]


def test_picked_columns_go_out_in_the_order_of_their_numbers(desk: Client) -> None:
    InvoiceFactory.create(contact=ContactFactory.create(name="Ada"))
    data = {
        **EVERYTHING,
        "per": "products",
        "columns": "picked",
        "products-pick": ["number", "contact", "description", "status"],
        "products-status-ORDER": "1",
        "products-description-ORDER": "2",
        "products-number-ORDER": "2",
    }
    lines = desk.post("/invoices/export/", data).getvalue().decode().split("\r\n")
    assert lines[0] == "\ufeffstatus,number,description,contact"
    assert lines[1] == "open,INV-000001,Lantern,Ada"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"columns": "picked"}, "Columns: pick at least one"),
        (
            {"columns": "picked", "invoices-pick": "password"},
            "Columns hold “password”, which a file of invoices does not have.",
        ),
        (
            {"columns": "picked", "invoices-pick": "number", "invoices-number-ORDER": "first"},
            "Place of “number” is “first”: write a number from 1 to 999.",
        ),
        ({"columns": "picked", "invoices-pick": "number", "invoices-number-ORDER": "²"}, "Place of “number”"),
        ({"columns": "x"}, "Select a valid choice"),
        ({"per": "x"}, "Select a valid choice"),
        ({"all": "x"}, "Nothing is selected"),
    ],
)
def test_answers_that_make_no_file_are_refused_in_words(
    desk: Client, given: dict[str, str], sentence: str
) -> None:
    InvoiceFactory.create()
    data = {**EVERYTHING, **given}
    response = desk.post("/invoices/export/", data)
    assert response.status_code == 422
    assert sentence in response.content.decode()


def test_after_a_refusal_what_was_picked_is_still_there(desk: Client) -> None:
    InvoiceFactory.create()
    data = {**EVERYTHING, "columns": "picked", "invoices-pick": "note"}
    page = desk.post("/invoices/export/", {**data, "invoices-note-ORDER": "x"}).content.decode()
    assert 'value="note" id="invoices-note" checked' in page
    assert 'name="invoices-note-ORDER" value="x"' in page


@pytest.mark.parametrize(
    "query", ["?ids=abc", "?ids=9999999999999999999999", "?status=x", "?filter=date_from%3Dzzz", "?ids=%00"]
)
@pytest.mark.parametrize("path", ["/invoices/export/", "/payments/export/"])
def test_nonsense_in_the_address_is_refused_in_words(desk: Client, path: str, query: str) -> None:
    assert desk.get(path + query).status_code == 422


def test_one_invoice_from_its_own_menu(desk: Client) -> None:
    invoice = InvoiceFactory.create()
    InvoiceFactory.create()
    page = desk.get(f"/invoices/{invoice.pk}/export/?ids=77").content.decode()
    assert "The 1 selected" in page
    assert 'name="all"' in page
    found = rows(desk, f"/invoices/{invoice.pk}/export/", all="0", ids="")
    assert [row[:10] for row in found] == [invoice.number]
    assert Event.objects.get(action="export").invoice == invoice
    assert desk.get("/invoices/999999/export/").status_code == 404


def test_one_payment_from_its_own_menu(desk: Client) -> None:
    payment = PaymentFactory.create()
    PaymentFactory.create()
    page = desk.get(f"/payments/export/?ids={payment.pk}").content.decode()
    assert "The 1 selected" in page
    assert "One line per" not in page.replace("Columns of one line per", "")
    found = rows(desk, "/payments/export/", per="payments", all="0", ids=str(payment.pk))
    assert len(found) == 1
    assert str(payment.invoice) in found[0]


@pytest.mark.parametrize("role", ["Viewer", "Support"])
@pytest.mark.parametrize("path", ["/invoices/export/", "/payments/export/"])
def test_a_role_without_the_permission_is_refused_in_words(client: Client, path: str, role: str) -> None:
    client.force_login(UserFactory.create(role=role))
    PaymentFactory.create()
    for response in (client.get(path), client.post(path, {"all": "1", "columns": "all", "per": "invoices"})):
        assert response.status_code == 403
        assert "Your role does not include “Export”" in response.content.decode()
    assert not Event.objects.filter(action="export").exists()


def test_the_file_has_a_name_and_stays_out_of_caches(desk: Client) -> None:
    InvoiceFactory.create()
    response = desk.post("/invoices/export/", {**EVERYTHING, "per": "products"})
    assert response.headers["Content-Disposition"].startswith('attachment; filename="products-')
    assert response.headers["Cache-Control"].startswith("no-store")
    response.close()
