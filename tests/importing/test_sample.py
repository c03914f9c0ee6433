"""The retailer's lines, imported: what is in the books afterwards."""

import csv
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from billing import books
from billing.models import Event, Invoice, Payment, Product
from billing.statuses import InvoiceStatus, PaymentMethod, PaymentType
from contacts.models import Contact
from tests.importing.runs import SAMPLE, Run, everything, run_import

pytestmark = pytest.mark.django_db


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return Path(shutil.copy(SAMPLE, tmp_path / "sample.csv"))


@pytest.fixture
def run(sample: Path) -> Run:
    return run_import(sample)


def test_a_document_becomes_a_closed_invoice_with_its_own_number_and_date(run: Run) -> None:
    invoice = Invoice.objects.get(number="536365")
    assert invoice.status == InvoiceStatus.CLOSED
    assert (invoice.invoice_date, invoice.due_on) == (date(2010, 12, 1), date(2010, 12, 1))
    assert invoice.issued_at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert invoice.total == invoice.paid == Decimal("139.12")
    assert invoice.balance == invoice.refunded == 0
    assert (invoice.line_count, invoice.summary) == (7, "WHITE HANGING HEART T-LIGHT HOLDER and 6 more")
    assert [line.sku for line in invoice.lines.all()][:3] == ["85123A", "71053", "84406B"]


def test_its_payment_is_recorded_only_on_the_day_of_the_document(run: Run) -> None:
    payment = Payment.objects.get(invoice__number="536365")
    assert (payment.type, payment.method) == (PaymentType.PAYMENT, PaymentMethod.OTHER)
    assert (payment.gateway, payment.recorded_only) == ("offline", True)
    assert (payment.amount, payment.currency) == (Decimal("139.12"), "GBP")
    assert payment.received_on == date(2010, 12, 1)
    assert payment.contact == payment.invoice.contact


def test_a_document_that_comes_to_nothing_is_closed_without_a_payment(run: Run) -> None:
    invoice = Invoice.objects.get(number="543599")
    assert (invoice.status, invoice.total) == (InvoiceStatus.CLOSED, Decimal(0))
    assert not invoice.payments.exists()


def test_a_customer_becomes_a_contact_with_its_country(run: Run) -> None:
    contact = Contact.objects.get(external_ref="17850")
    assert (contact.name, contact.country, contact.notes) == ("Customer 17850", "GB", "")


def test_a_country_that_is_none_is_kept_in_the_notes(run: Run) -> None:
    contact = Contact.objects.get(external_ref="14935")
    assert (contact.country, contact.notes) == ("", "Country: Channel Islands")


def test_a_product_has_the_latest_price_that_was_asked_for_it(run: Run) -> None:
    product = Product.objects.get(sku="84406B")
    assert (product.name, product.price, product.currency) == (
        "CREAM CUPID HEARTS COAT HANGER",
        Decimal("4.15"),
        "GBP",
    )
    assert Invoice.objects.get(number="536365").lines.get(sku="84406B").product == product


def test_a_cancellation_becomes_a_refund_of_the_latest_earlier_invoice_with_the_goods(run: Run) -> None:
    earlier = Payment.objects.get(reference="C536826")
    assert (earlier.invoice.number, earlier.amount) == ("536397", Decimal("-23.25"))
    later = Payment.objects.get(reference="C543972")
    assert (later.invoice.number, later.amount) == ("543691", Decimal("-13.95"))
    assert (later.type, later.gateway, later.recorded_only) == (PaymentType.REFUND, "offline", True)
    assert later.received_on == date(2011, 2, 14)
    assert later.refund_of == later.invoice.payments.get(type=PaymentType.PAYMENT)
    assert later.refund_of.refunded_amount == Decimal("13.95")
    assert later.invoice.status == InvoiceStatus.CLOSED
    assert (later.invoice.paid, later.invoice.refunded) == (Decimal("209.25"), Decimal("13.95"))


def test_an_invoice_of_which_all_money_went_back_is_refunded(run: Run) -> None:
    invoice = Invoice.objects.get(number="541431")
    assert (invoice.status, invoice.paid) == (InvoiceStatus.REFUNDED, Decimal(0))
    assert invoice.refunded == invoice.total == Decimal("77183.60")


def test_what_finds_no_sale_or_was_returned_before_is_rejected_line_by_line(run: Run) -> None:
    reasons = {(row["number"], row["sku"]): row["reason"] for row in run.rejected if row["contact"]}
    assert reasons == {
        ("C539577", "22941"): "no_sale",
        ("C540634", "85232B"): "no_sale",
        ("C540634", "21655"): "no_sale",
        ("C540634", "79323P"): "no_sale",
        ("C543745", "79323B"): "no_sale",
        ("C543745", "85232B"): "nothing_left",
        ("C543745", "21655"): "nothing_left",
        ("C543749", "M"): "no_sale",
        ("C548350", "POST"): "no_sale",
    }
    assert Payment.objects.get(reference="C548350").amount == Decimal("-51.00")


def test_lines_without_a_customer_are_rejected(run: Run) -> None:
    assert {row["number"]: row["reason"] for row in run.rejected if not row["contact"]} == {
        "536414": "no_customer",
        "536555": "no_customer",
        "536589": "quantity",
        "C537572": "no_customer",
    }


def test_lines_without_a_customer_go_to_the_contact_that_is_named_for_them(sample: Path) -> None:
    run = run_import(sample, "--unknown-contact", "Over the counter")
    contact = Contact.objects.get(name="Over the counter")
    numbers = contact.invoices.order_by("number").values_list("number", flat=True)
    assert list(numbers) == ["536414", "536555"]
    assert contact.invoices.get(number="536414").lines.get().description == "22139"
    assert {row["number"]: row["reason"] for row in run.rejected if not row["contact"]} == {
        "536589": "quantity",
        "C537572": "no_sale",
    }


def test_sales_refunds_and_rejected_lines_add_up_to_the_file(run: Run) -> None:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    in_file = sum(Decimal(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in rows)
    in_books = sum(payment.amount for payment in Payment.objects.all())
    in_report = sum(
        Decimal(row["quantity"].removeprefix("'")) * Decimal(row["price"]) for row in run.rejected
    )
    assert in_books + in_report == in_file
    kept = sum(invoice.line_count for invoice in Invoice.objects.all())
    assert run.figures("Sales") == ("9", str(kept), "80,112.87")
    assert kept + int(run.figures("Refunds")[1]) + len(run.rejected) == len(rows)


def test_the_books_add_up(run: Run) -> None:
    assert list(books.problems()) == []


def test_the_timeline_says_where_an_invoice_and_a_refund_come_from(run: Run) -> None:
    events = Event.objects.filter(invoice__number="543691").order_by("pk")
    assert [event.text for event in events] == [
        "Imported from sample.csv: £223.20.",
        "Refund of £13.95 (C543972: SET OF 3 BLACK FLYING DUCKS) imported from sample.csv.",
    ]


def test_a_second_run_changes_nothing_and_rejects_the_same_lines(run: Run, sample: Path) -> None:
    before = everything()
    again = run_import(sample)
    assert everything() == before
    assert again.reasons == run.reasons
    assert again.figures("Sales") == again.figures("Refunds") == ("0", "0.00")
    assert again.figures("Imported before")[1] == str(62 - len(run.rejected))


def test_a_dry_run_shows_the_same_figures_and_report_and_writes_nothing(sample: Path) -> None:
    dry = run_import(sample, "--dry-run")
    assert not any(everything().values())
    run = run_import(sample)
    assert dry.rejected == run.rejected
    assert dry.summary == run.summary + "This was a dry run: nothing was imported.\n"
