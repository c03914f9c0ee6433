"""Which invoice a cancellation goes to."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from billing import books
from billing.models import Event, Invoice, Payment
from billing.statuses import InvoiceStatus, RefundRoute
from tests.factories import CardFactory, ContactFactory, InvoiceFactory, PaymentFactory
from tests.importing.runs import everything, line, run_import, written

pytestmark = pytest.mark.django_db


def refunds() -> dict[tuple[str, str], str]:
    """Amount by cancellation and invoice."""
    rows = Payment.objects.exclude(refund_of=None).values_list("reference", "invoice__number", "amount")
    return {(reference, str(number)): f"{amount:.2f}" for reference, number, amount in rows}


def test_all_of_it_goes_to_the_latest_invoice_that_holds_all_of_it(tmp_path: Path) -> None:
    run_import(
        written(
            tmp_path,
            line("7001", sku="A", price="2"),
            line("7001", sku="B", price="3"),
            line("7002", sku="A", price="2", date="2011-03-02"),
            line("C7003", sku="B", price="3", quantity="-1", date="2011-03-03"),
            line("C7003", sku="A", price="2", quantity="-1", date="2011-03-03"),
        )
    )
    assert refunds() == {("C7003", "7001"): "-5.00"}
    assert list(books.problems()) == []


def test_what_no_single_invoice_holds_is_split_by_line(tmp_path: Path) -> None:
    run = run_import(
        written(
            tmp_path,
            line("7001", sku="A", price="2"),
            line("7002", sku="B", price="3"),
            line("C7003", sku="a", price="2", quantity="-1", date="2011-03-03"),
            line("C7003", sku="B", price="3", quantity="-6", date="2011-03-03"),
            line("C7003", sku="X", price="4", quantity="-1", date="2011-03-03"),
        )
    )
    assert refunds() == {("C7003", "7001"): "-2.00", ("C7003", "7002"): "-18.00"}
    assert run.reasons == {6: "no_sale"}
    assert run.rejected[0]["rest_of_document"] == "is imported"
    assert Invoice.objects.get(number="7002").status == InvoiceStatus.REFUNDED
    assert list(books.problems()) == []


def test_goods_are_returned_once(tmp_path: Path) -> None:
    """The money of other goods on the invoice does not pay for those that are back already."""
    run = run_import(
        written(
            tmp_path,
            line("7001", sku="A", price="2"),
            line("7001", sku="B", price="9"),
            line("C7002", sku="A", price="2", quantity="-6", date="2011-03-02"),
            line("C7003", sku="A", price="2", quantity="-6", date="2011-03-03"),
        )
    )
    assert refunds() == {("C7002", "7001"): "-12.00"}
    assert run.reasons == {5: "nothing_left"}
    assert "7001, has 0 of it and £54.00" in run.rejected[0]["explanation"]


def test_no_more_goes_back_than_was_paid(tmp_path: Path) -> None:
    lines = (line("7001", price="2"), line("C7002", price="3", quantity="-6", date="2011-03-02"))
    run = run_import(written(tmp_path, *lines))
    assert run.reasons == {3: "nothing_left"}
    assert refunds() == {}


@pytest.mark.parametrize(
    "sale",
    [
        line("7001", contact="13047"),
        line("7001", sku="22086"),
        line("7001", date="2011-03-02 09:00:00"),
    ],
    ids=["somebody else's", "of other goods", "later"],
)
def test_other_sales_are_not_returned(sale: str, tmp_path: Path) -> None:
    cancellation = line("C7002", quantity="-1", date="2011-03-02 08:00:00")
    run = run_import(written(tmp_path, sale, cancellation))
    assert run.reasons == {3: "no_sale"}


def test_a_later_file_returns_what_an_earlier_one_sold(tmp_path: Path) -> None:
    run_import(
        written(tmp_path, line("7001"), line("C7002", quantity="-4", date="2011-03-02"), name="march.csv")
    )
    cancellations = [line(f"C700{n}", quantity="-1", date=f"2011-04-0{n}") for n in (3, 4, 5)]
    run = run_import(written(tmp_path, *cancellations, name="april.csv"))
    assert refunds() == {
        (f"C700{n}", "7001"): amount for n, amount in ((2, "-13.56"), (3, "-3.39"), (4, "-3.39"))
    }
    assert run.reasons == {4: "nothing_left"}
    assert Invoice.objects.get().status == InvoiceStatus.REFUNDED
    assert list(books.problems()) == []


def test_the_lines_of_a_cancellation_that_found_nothing_are_tried_again(tmp_path: Path) -> None:
    rest = (
        line("C7003", sku="A", quantity="-2", date="2011-03-03"),
        line("C7003", sku="A", quantity="-2", date="2011-03-03"),
        line("C7003", sku="B", quantity="-1", date="2011-03-03"),
    )
    path = written(tmp_path, line("7001", sku="A", quantity="2"), *rest)
    assert run_import(path).reasons == {4: "nothing_left", 5: "no_sale"}
    before = everything()
    assert run_import(path).reasons == {4: "nothing_left", 5: "no_sale"}
    assert everything() == before
    run = run_import(written(tmp_path, line("7002", sku="B", date="2011-02-01"), *rest))
    assert run.reasons == {4: "nothing_left"}
    assert refunds() == {("C7003", "7001"): "-6.78", ("C7003", "7002"): "-3.39"}
    assert list(books.problems()) == []


def test_money_that_an_agent_returned_is_not_returned_again(tmp_path: Path) -> None:
    run_import(written(tmp_path, line("7001")))
    sale = Invoice.objects.get()
    sale.refund(None, amount=Decimal(18), route=RefundRoute.RECORDED, reason="Broken", send_receipt=False)
    run = run_import(written(tmp_path, line("C7002", quantity="-1", date="2011-03-02")))
    assert run.reasons == {2: "nothing_left"}


def test_a_cancellation_that_an_agent_recorded_counts_as_imported(tmp_path: Path) -> None:
    run_import(written(tmp_path, line("7001")))
    sale = Invoice.objects.get()
    sale.refund(None, amount=Decimal("3.39"), route=RefundRoute.RECORDED, reason="C7002", send_receipt=False)
    run = run_import(written(tmp_path, line("C7002", quantity="-1", date="2011-03-02")))
    assert (run.rejected, run.figures("Imported before")[0]) == ([], "1")


@pytest.mark.parametrize("by_card", [True, False], ids=["by card", "otherwise"])
def test_what_a_card_paid_is_left_to_its_gateway(by_card: bool, tmp_path: Path) -> None:
    contact = ContactFactory.create(external_ref="17850")
    invoice = InvoiceFactory.create(contact=contact, currency="GBP")
    card = CardFactory.create(contact=contact) if by_card else None
    PaymentFactory.create(invoice=invoice, card=card, amount=invoice.total)
    Invoice.objects.update(issued_at=datetime(2011, 3, 1, tzinfo=UTC))
    lantern = line("C7002", sku="", description="Lantern", quantity="-1", price="1", date="2011-03-02")
    run = run_import(written(tmp_path, lantern))
    assert run.reasons == ({2: "no_sale"} if by_card else {})


def test_the_timeline_keeps_which_goods_came_back(tmp_path: Path) -> None:
    run_import(written(tmp_path, line("7001"), line("C7002", quantity="-2.0", date="2011-03-02")))
    event = Event.objects.get(action="import_refund")
    assert event.figures == {"amount": "6.78", "currency": "GBP", "returned": [["71053", "2.0", "6.78"]]}
