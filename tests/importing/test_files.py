"""Files of every make: read, or refused whole with a sentence."""

import gzip
import lzma
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from billing.models import Invoice
from tests.importing.runs import HEADER, line, run_import, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def plain(tmp_path: Path) -> bytes:
    return written(tmp_path, line("7001"), line("7002", description="LANTERNE D’ÉTÉ")).read_bytes()


def stored(folder: Path, content: bytes) -> Path:
    path = folder / "stored"
    path.write_bytes(content)
    return path


def test_a_byte_order_mark_changes_nothing(plain: bytes, tmp_path: Path) -> None:
    run_import(stored(tmp_path, b"\xef\xbb\xbf" + plain))
    assert Invoice.objects.count() == 2


@pytest.mark.parametrize("ends", [b"\r\n", b"\r"])
def test_line_ends_of_other_systems_are_understood(ends: bytes, plain: bytes, tmp_path: Path) -> None:
    run_import(stored(tmp_path, plain.replace(b"\n", ends)))
    assert Invoice.objects.count() == 2


def test_packed_files_are_unpacked_whatever_their_name(plain: bytes, tmp_path: Path) -> None:
    run_import(stored(tmp_path, lzma.compress(plain)))
    assert Invoice.objects.count() == 2
    run = run_import(stored(tmp_path, gzip.compress(plain)))
    assert run.figures("Imported before")[0] == "2"


def test_a_broken_last_line_costs_only_itself(plain: bytes, tmp_path: Path) -> None:
    run = run_import(stored(tmp_path, plain.rstrip(b"\n")[:-60]))
    assert run.reasons == {3: "unreadable"}
    assert Invoice.objects.get().number == "7001"


def test_blank_lines_are_passed_over(plain: bytes, tmp_path: Path) -> None:
    run_import(stored(tmp_path, plain.replace(b"\n", b"\n\n")))
    assert Invoice.objects.count() == 2


def test_a_row_may_take_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    row = line("7001") + ',"first\nsecond, ""quoted""\nthird"'
    path.write_text(f"{HEADER},Notes\n{row}\n{line('7002', price='x')},\n", encoding="utf-8")
    assert run_import(path).reasons == {5: "price"}
    assert Invoice.objects.get().number == "7001"


def test_columns_are_found_under_their_own_names_too(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("contact,number,sku,date,price,quantity\n7,7001,A,2011-03-01,2,3\n", encoding="utf-8")
    call_command("import_purchases", str(path), currency="EUR")
    assert Invoice.objects.get().total == 6


REFUSED = {
    "nothing": (b"", "empty"),
    "a blank line": (b"\n\n", "empty"),
    "another encoding": (HEADER.replace("Country", "Land\xe4").encode("latin-1"), "UTF-8"),
    "two bytes a character": (HEADER.encode("utf-16"), "UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "UTF-8"),
    "a missing column": (HEADER.replace("CustomerID", "Client").encode(), "no column “CustomerID”"),
    "a column twice": (HEADER.replace("Country", "StockCode").encode(), "more than one column “StockCode”"),
    "semicolons": (HEADER.replace(",", ";").encode(), "no column “InvoiceNo”"),
    "a broken header": (b'"InvoiceNo,StockCode', "name the columns"),
    "half of an xz file": (lzma.compress(HEADER.encode())[:-20], "damaged or cut off"),
    "a spoilt xz file": (b"\xfd7zXZ\x00 and no more", "damaged or cut off"),
    "half of a gz file": (gzip.compress(HEADER.encode())[:-9], "damaged or cut off"),
    "a spoilt gz file": (b"\x1f\x8b\x08 and no more than this", "damaged or cut off"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_is_none_is_refused_with_a_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=words):
        run_import(stored(tmp_path, content))


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run_import(tmp_path / "nowhere.csv")
    with pytest.raises(CommandError, match="Is a directory"):
        run_import(tmp_path)


def test_a_report_that_cannot_be_written_stops_the_import_before_it_begins(tmp_path: Path) -> None:
    path = written(tmp_path, line())
    with pytest.raises(CommandError, match=r"cannot be written: .* Nothing was imported"):
        run_import(path, "--report", str(tmp_path / "nowhere" / "report.csv"))
    with pytest.raises(CommandError, match="names the file that is to be read"):
        run_import(path, "--report", str(path))
    assert not Invoice.objects.exists()
    assert HEADER in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--currency", "XAU", "ISO 4217"),
        ("--currency", "gbp", "ISO 4217"),
        ("--timezone", "Mars/Olympus", "IANA"),
        ("--timezone", "../etc", "IANA"),
        ("--timezone", "", "IANA"),
        ("--unknown-contact", " ", "blank"),
        ("--unknown-contact", "a\nb", "line break"),
        ("--unknown-contact", "x" * 201, "200 characters"),
        ("--columns", "number", "FIELD=HEADING"),
        ("--columns", "colour=Red", "no field"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    option: str, value: str, words: str, tmp_path: Path
) -> None:
    path = written(tmp_path, line())
    with pytest.raises(CommandError, match=words):
        call_command("import_purchases", str(path), option, value)
