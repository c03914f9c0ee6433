"""The rows of a foreign CSV file: UTF-8, comma-separated, perhaps packed with xz or gzip.

A line that cannot be read spoils nothing but itself: every physical line is parsed on its own, and joined
with the next ones only when that closes a quote and gives a row of the header's width.
"""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

from django.utils.translation import gettext as _now

from billing.importing.refusing import ImportRefused, Reason, Rejected

LONGEST_LINE = 100_000
"""Characters. A longer line is passed over, so that no file can fill the memory with one."""
MOST_JOINED = 20
"""Physical lines that one row with line breaks in its cells may take."""
MOST_SHOWN = 500
"""Characters of a line that the report shows when it could not be taken apart."""
REQUIRED = ("number", "quantity", "date", "price", "sku", "contact")
OPTIONAL = ("description", "country")
FIELDS = (*REQUIRED, *OPTIONAL)
UNREADABLE = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)


class Row(NamedTuple):
    """One row as it stands in the file. ``line`` is where it starts, the header being line 1."""

    line: int
    number: str = ""
    sku: str = ""
    description: str = ""
    quantity: str = ""
    date: str = ""
    price: str = ""
    contact: str = ""
    country: str = ""
    unread: str = ""
    """What stands on a line that could not be taken apart."""


class Columns:
    """Which column of the file holds which field.

    ``given`` maps fields to headings; a field that is not in it is looked for under its own name. Raises
    ImportRefused for a field that does not exist.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        unknown = sorted(given.keys() - set(FIELDS))
        if unknown:
            raise ImportRefused(
                _now("--columns names “%(field)s”, which is no field; the fields are: %(fields)s.")
                % {"field": unknown[0], "fields": ", ".join(FIELDS)}
            )
        self.given = given

    def places(self, header: list[str]) -> dict[str, int]:
        """Where each field stands. Raises ImportRefused when a column is missing or stands there twice."""
        places = {}
        for field in FIELDS:
            heading = self.given.get(field, field)
            count = header.count(heading)
            if count == 1:
                places[field] = header.index(heading)
            elif count or field in REQUIRED or field in self.given:
                raise ImportRefused(self._why_not(field, heading, count, header))
        return places

    def _why_not(self, field: str, heading: str, count: int, header: list[str]) -> str:
        words = {"heading": heading, "field": field, "header": ", ".join(header)[:400]}
        if count:
            return _now("The file has more than one column “%(heading)s” (for the field %(field)s).") % words
        return (
            _now(
                "The file has no column “%(heading)s” (for the field %(field)s); its columns are: %(header)s."
                " Name the right one as --columns %(field)s=…"
            )
            % words
        )


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The file as text, in which bytes that are no UTF-8 become lone surrogates.

    Raises ImportRefused when it cannot be opened or unpacked.
    """
    try:
        with (
            path.open("rb") as raw,
            io.TextIOWrapper(_unpacked(raw), encoding="utf-8-sig", errors="surrogateescape") as text,
        ):
            yield text
    except OSError as error:
        if not isinstance(error, gzip.BadGzipFile):
            raise ImportRefused(
                _now("“%(file)s” cannot be read: %(why)s.")
                % {"file": path, "why": error.strerror or str(error)}
            ) from error
        raise ImportRefused(_cut_off(path)) from error
    except UNREADABLE as error:
        raise ImportRefused(_cut_off(path)) from error


def _cut_off(path: Path) -> str:
    return _now("“%(file)s” cannot be unpacked: it is damaged or cut off.") % {"file": path}


def _unpacked(raw: BinaryIO) -> BinaryIO:
    start = raw.read(6)
    raw.seek(0)
    if start == b"\xfd7zXZ\x00":
        return cast("BinaryIO", lzma.LZMAFile(raw))
    if start[:2] == b"\x1f\x8b":
        return cast("BinaryIO", gzip.GzipFile(fileobj=raw))
    return raw


def rows(text: TextIO, columns: Columns) -> Iterator[Row | Rejected]:
    """Every row, or the reason why a line gave none, in the file's order.

    Raises ImportRefused when the header does not fit.
    """
    lines = _Lines(text)
    header = _header(lines)
    places = columns.places(header)
    order = [places.get(field) for field in Row._fields[1:-1]]
    known: dict[str, str] = {"": ""}
    for number, line in lines:
        if not line.strip():
            continue
        try:
            cells = _cells(number, line, len(header), lines)
        except Rejected as rejected:
            yield rejected
            continue
        yield Row(
            number,
            *("" if at is None else known.setdefault(cells[at], cells[at]) for at in order),
        )


class _Lines:
    """Physical lines with their numbers, a few of which may be looked at before their turn."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._ahead: deque[str] = deque()
        self._number = 0

    def __iter__(self) -> Iterator[tuple[int, str]]:
        while line := self._ahead.popleft() if self._ahead else self._read():
            self._number += 1
            yield self._number, line

    def peek(self, count: int) -> list[str]:
        while len(self._ahead) < count and (line := self._read()):
            self._ahead.append(line)
        return list(islice(self._ahead, count))

    def skip(self, count: int) -> None:
        for _ in range(count):
            self._ahead.popleft()
        self._number += count

    def _read(self) -> str:
        """The next line, or nothing at the end. Of an overlong one only so much as shows that it is."""
        line = self._text.readline(LONGEST_LINE)
        rest = line
        while len(rest) == LONGEST_LINE and not rest.endswith("\n"):
            rest = self._text.readline(LONGEST_LINE)
        return line


def _header(lines: _Lines) -> list[str]:
    _, first = next(iter(lines), (0, ""))
    if not first.strip():
        raise ImportRefused(_now("The file is empty: its first line must name the columns."))
    if not _is_utf8(first) or "\0" in first:
        raise ImportRefused(
            _now("The first line is not text in UTF-8: save the file as “CSV UTF-8” and try again.")
        )
    try:
        return [cell.strip() for cell in _parse(first)]
    except csv.Error as error:
        raise ImportRefused(
            _now("The first line, which must name the columns, is no line of a CSV file: %(why)s.")
            % {"why": error}
        ) from error


def _cells(number: int, line: str, width: int, lines: _Lines) -> list[str]:
    """The cells of the row that starts on this line. Raises Rejected."""
    raw = Row(number, unread=line.rstrip("\n")[:MOST_SHOWN])
    if len(line) >= LONGEST_LINE:
        why = _now("The line is longer than %(most)s characters.") % {"most": LONGEST_LINE}
        raise Rejected(Reason.UNREADABLE, why, raw)
    if not _is_utf8(line):
        raise Rejected(Reason.UNREADABLE, _now("The line is not text in UTF-8."), raw)
    try:
        cells = _parse(line)
    except csv.Error:
        cells = _joined(line, width, lines)
        if not cells:
            why = _now("A quotation mark in the line is not closed, or stands in the middle of a cell.")
            raise Rejected(Reason.UNREADABLE, why, raw) from None
    if len(cells) != width:
        why = _now("The line has %(count)s cells; the header has %(width)s.")
        raise Rejected(Reason.UNREADABLE, why % {"count": len(cells), "width": width}, raw)
    return cells


def _joined(line: str, width: int, lines: _Lines) -> list[str]:
    """The cells of a row that goes on in the next lines, or none when those do not complete it."""
    text = line
    for count, following in enumerate(lines.peek(MOST_JOINED), start=1):
        text += following
        try:
            cells = _parse(text)
        except csv.Error:
            continue
        if len(cells) != width or not _is_utf8(text):
            break
        lines.skip(count)
        return cells
    return []


def _parse(text: str) -> list[str]:
    return next(csv.reader(io.StringIO(text, newline=""), strict=True), [])


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
