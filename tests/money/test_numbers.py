"""Numbers are gap-free and never stand in the way of the next invoice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from billing.models import Invoice, Series
from billing.models.guard import Invalid, NotOffered
from billing.models.series import check_format
from billing.statuses import InvoiceStatus
from tests.attempts.desk import assert_books_agree
from tests.factories import NOON, InvoiceFactory


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value", ["{number[0]}", "{number.real.real[1]}", "{number:099d}", "INV-{number:040d}", "{number!x}"]
)
def test_a_format_that_gives_no_number_or_one_too_long_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="it must hold"):
        check_format(value)


@pytest.mark.django_db
def test_a_number_that_an_imported_invoice_holds_is_passed_over() -> None:
    imported = InvoiceFactory.create()
    Invoice.objects.filter(pk=imported.pk).update(number="INV-000003", sequence=None)
    Series.objects.update(last=0)
    numbers = [InvoiceFactory.create().number for _ in range(3)]
    assert numbers == ["INV-000001", "INV-000002", "INV-000004"]
    assert_books_agree()


@pytest.mark.django_db
def test_a_format_that_leads_to_a_number_that_exists_is_said_in_words() -> None:
    InvoiceFactory.create()
    Series.objects.update(format="INV-00000{number}", last=11)
    Invoice.objects.update(number="INV-0000012")
    with pytest.raises(NotOffered, match="INV-0000012, which exists"):
        InvoiceFactory.create()


@pytest.mark.django_db(transaction=True)
def test_issuing_that_fails_at_random_leaves_no_gap() -> None:
    drafts = [InvoiceFactory.create(status=InvoiceStatus.DRAFT) for _ in range(6)]
    empty = [InvoiceFactory.create(status=InvoiceStatus.DRAFT, lines=[]) for _ in range(6)]

    def issue(draft: Invoice) -> None:
        try:
            draft.issue(None, at=NOON)
        except Invalid:
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(issue, [one for pair in zip(drafts, empty, strict=True) for one in pair]))
    issued = Invoice.objects.exclude(number=None).order_by("number")
    assert list(issued.values_list("number", flat=True)) == [f"INV-{n:06d}" for n in range(1, 7)]
    assert_books_agree()
