"""An import that is stopped, or meets somebody else's work, leaves whole documents and can be run again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import OperationalError, connection, transaction

from billing import books
from billing.importing import writing
from billing.models import Event, Invoice, Payment, Product
from billing.statuses import RefundRoute
from contacts.models import Contact
from tests.importing.runs import SAMPLE, line, run_import, written

pytestmark = pytest.mark.django_db

CANCELLED = (line("7001"), line("C7002", quantity="-1", date="2011-03-02"))


def kept() -> list[tuple[Any, ...]]:
    """What the import came to, without the keys and the moment of the run."""
    return [
        *Invoice.objects.order_by("number").values_list("number", "contact__external_ref", "status", "paid"),
        *Payment.objects.order_by("made_at", "reference", "amount").values_list(
            "reference", "amount", "made_at"
        ),
        *Event.objects.order_by("subject", "text").values_list("subject", "action", "text"),
        *Product.objects.order_by("sku").values_list("sku", "name", "price"),
    ]


@pytest.fixture
def small_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LINES_AT_ONCE", 1)
    monkeypatch.setattr(writing, "CANCELLATIONS_AT_ONCE", 1)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    path.write_bytes(SAMPLE.read_bytes())
    return path


def stop_at(monkeypatch: pytest.MonkeyPatch, table: type[Any], count: int, error: BaseException) -> None:
    """Fail when rows are written to the table for the ``count``-th time."""
    bulk_create = table.objects.bulk_create
    calls = iter(range(1, 1000))

    def failing(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == count:
            raise error
        return bulk_create(*args, **kwargs)

    monkeypatch.setattr(table.objects, "bulk_create", failing)


@pytest.mark.parametrize("payments", [0, 3, 8, 10])
def test_the_next_run_completes_what_was_interrupted(
    payments: int, small_lots: None, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = transaction.savepoint()
    run_import(sample)
    whole = kept()
    transaction.savepoint_rollback(begin)

    with monkeypatch.context() as patch:
        stop_at(patch, Payment, payments + 1, KeyboardInterrupt())
        with pytest.raises(CommandError, match="run the same command again") as stop:
            run_import(sample)
    assert stop.value.returncode == 130
    assert list(books.problems()) == []
    assert Payment.objects.count() <= payments

    run_import(sample)
    assert list(books.problems()) == []
    assert kept() == whole


def test_an_invoice_that_is_refunded_meanwhile_is_not_refunded_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = writing._by_document

    def after_an_agent(*args: Any) -> Any:
        sale = Invoice.objects.get()
        sale.refund(None, amount=sale.paid, route=RefundRoute.RECORDED, reason="Broken", send_receipt=False)
        return plain(*args)

    monkeypatch.setattr(writing, "_by_document", after_an_agent)
    with pytest.raises(CommandError, match="7001 was changed while the import ran"):
        run_import(written(tmp_path, *CANCELLED))
    assert sum(payment.amount for payment in Payment.objects.all()) == 0


def test_purchases_that_somebody_records_meanwhile_are_not_recorded_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = writing._write_sales

    def after_another(*args: Any) -> None:
        Contact.objects.create(name="Ada", external_ref="17850")
        plain(*args)

    monkeypatch.setattr(writing, "_write_sales", after_another)
    with pytest.raises(CommandError, match="recorded the same purchases meanwhile"):
        run_import(written(tmp_path, *CANCELLED))
    assert not Invoice.objects.exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_nobody_changes_an_invoice_while_its_refund_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = writing._write_refund, []

    def while_another_asks(*args: Any) -> None:
        with ThreadPoolExecutor(1) as other:
            seen.append(other.submit(is_locked).result())
        plain(*args)

    def is_locked() -> bool:
        try:
            with transaction.atomic():
                Invoice.objects.select_for_update(nowait=True).get()
        except OperationalError:
            return True
        finally:
            connection.close()
        return False

    monkeypatch.setattr(writing, "_write_refund", while_another_asks)
    run_import(written(tmp_path, *CANCELLED))
    assert seen == [True]
