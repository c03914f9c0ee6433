from __future__ import annotations

import logging
import re
import zlib
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from billing import documents
from billing.models import Invoice, LineInput
from tests.factories import ContactFactory, InvoiceFactory

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 4)
ODD = "محمد שלום 日本 😀 #panic() $x$ *b* _i_ \\ ` = [ ] @ref <label> // /* \u202e \x07"


def pages(pdf: bytes) -> int:
    """How many pages a PDF says it has."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    texts = [pdf]
    for stream in streams:
        try:
            texts.append(zlib.decompress(stream))
        except zlib.error:
            continue  # a font or a picture
    return max(
        int(n) for text in texts for n in re.findall(rb"/Type\s*/Pages\b.*?/Count (\d+)", text, re.DOTALL)
    )


def test_the_pdf_downloads_under_the_invoices_number(client: Client) -> None:
    invoice = InvoiceFactory.create()
    answer = client.get(f"/i/{invoice.token}/pdf/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Content-Disposition"] == f'attachment; filename="{invoice.number}.pdf"'
    assert answer.content.startswith(b"%PDF-")
    assert pages(answer.content) == 1


@pytest.mark.parametrize(
    ("number", "name"), [("A/17", "A-17.pdf"), ('x"; y\r\n', "x_y.pdf"), ("536365", "536365.pdf")]
)
def test_an_imported_number_makes_a_harmless_file_name(number: str, name: str) -> None:
    assert documents.file_name(Invoice(number=number)) == name


def test_1114_lines_fit_on_their_pages() -> None:
    lines = [
        LineInput(f"WHITE METAL LANTERN {n}", Decimal(6), Decimal("3.39"), sku=f"8{n}") for n in range(1114)
    ]
    pdf = documents.pdf(documents.document(InvoiceFactory.create(lines=lines), today=TODAY))
    assert 20 <= pages(pdf) <= 40


def test_no_words_of_any_script_break_it_or_act_as_markup() -> None:
    contact = ContactFactory.create(name=ODD.replace("\x07", ""), company="W" * 200)
    lines = [
        LineInput(ODD, Decimal(1), Decimal(1), sku="#panic()"),
        LineInput("X" * 200, Decimal(1), Decimal(1)),
    ]
    invoice = InvoiceFactory.create(contact=contact, lines=lines, currency="KWD")
    Invoice.objects.filter(pk=invoice.pk).update(note=f"{ODD}\n\n{ODD}")
    pdf = documents.pdf(documents.document(Invoice.objects.get(pk=invoice.pk), today=TODAY))
    assert pages(pdf) == 1


@pytest.mark.parametrize(
    "status", ["open", "collections", "closed", "declined", "refunded", "voided", "written_off"]
)
def test_every_status_has_a_pdf(status: str) -> None:
    assert documents.pdf(documents.document(InvoiceFactory.create(status=status), today=TODAY))


def test_a_typesetter_that_fails_is_a_sentence_and_a_line_in_the_log(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("billing.documents.sys.executable", "/nowhere/python")
    monkeypatch.setattr(logging.getLogger("billing"), "propagate", True)
    answer = client.get(f"/i/{InvoiceFactory.create().token}/pdf/")
    assert (answer.status_code, "print the invoice page instead" in answer.content.decode()) == (503, True)
    assert "could not be made into a PDF" in caplog.text
