"""CSV bytes to rows: encoding, delimiter and quoting are given or told by the header, never guessed."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable

from broker.spi_in.grid import MAX_BYTES, MAX_CELL, MAX_CELLS, MAX_COLUMNS, MAX_ROWS, GridRow
from broker.spi_in.refusal import Refuse

ENCODINGS = ("utf-8", "utf-16", "windows-1252")
DELIMITERS = (";", ",", "\t", "|")

_SEP_LINE = re.compile(r"sep=(.)\r?\n")


def decode(content: bytes, encoding: str | None, refuse: Refuse) -> str:
    """Text of a CSV file. A byte order mark decides; without one it is UTF-8 unless said otherwise."""
    if len(content) > MAX_BYTES:
        refuse("", "oversize", f"a table is at most {MAX_BYTES // 1024} KiB")
    marked = _marked(content)
    if encoding is not None and marked is not None and marked != encoding:
        refuse("", "encoding", "its byte order mark says another encoding than the one given")
    if encoding == "utf-16" and marked is None:
        refuse("", "encoding", "UTF-16 needs a byte order mark")
    chosen = marked or encoding or "utf-8"
    try:
        text = content.decode("utf-8-sig" if chosen == "utf-8" else chosen)
    except UnicodeError:
        refuse("", "encoding", f"is not {chosen}; give the encoding it was written in")
    if "\x00" in text:
        refuse("", "control-character", "holds a null character: not a text file, or another encoding")
    return text


def _marked(content: bytes) -> str | None:
    if content.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return None


def split(
    text: str,
    delimiter: str | None,
    fits: Callable[[list[str]], bool],
    refuse: Refuse,
    *,
    backslash: bool = False,
) -> list[GridRow]:
    """Rows of a CSV text.

    Without a delimiter, the one is taken under which the first row `fits` (holds the columns asked
    for); a file where several or none fit is refused. `backslash` reads `\\"` as a quote character.
    """
    told = _SEP_LINE.match(text)
    skipped = 0
    if told:
        if delimiter is not None and told[1] != delimiter:
            refuse("", "delimiter", "its sep= line says another delimiter than the one given")
        delimiter, text, skipped = told[1], text[told.end() :], 1
    if not text.strip():
        refuse("", "empty", "holds no rows")
    if delimiter is None:
        found = [mark for mark in DELIMITERS if fits(_first(text, mark, backslash, refuse))]
        if len(found) != 1:
            refuse("/rows/1", "columns", "lacks columns of the mapping, or the delimiter must be given")
        delimiter = found[0]
    return _rows(_reader(text, delimiter, backslash), skipped, refuse)


def _reader(text: str, delimiter: str, backslash: bool) -> Iterable[list[str]]:
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        strict=True,
        doublequote=not backslash,
        escapechar="\\" if backslash else None,
    )


def _first(text: str, delimiter: str, backslash: bool, refuse: Refuse) -> list[str]:
    try:
        return next(iter(_reader(text, delimiter, backslash)), [])
    except csv.Error:
        return refuse("/rows/1", "quoting", "has a quote that does not close, or a cell without end")


def _rows(records: Iterable[list[str]], skipped: int, refuse: Refuse) -> list[GridRow]:
    rows: list[GridRow] = []
    cells = 0
    try:
        for number, record in enumerate(records, 1 + skipped):
            cells += len(record)
            if len(rows) > MAX_ROWS or len(record) > MAX_COLUMNS or cells > MAX_CELLS:
                refuse("", "oversize", f"has more than {MAX_ROWS} rows or {MAX_COLUMNS} columns")
            long = {
                i: ("oversize", f"is longer than {MAX_CELL} characters")
                for i, cell in enumerate(record)
                if len(cell) > MAX_CELL
            }
            rows.append(GridRow(number, record, long))
    except csv.Error:
        refuse(f"/rows/{len(rows) + 1 + skipped}", "quoting", "has a quote that does not close or end well")
    return rows
