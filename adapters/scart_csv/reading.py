"""SCART's bytes to rows of values, whichever of its layouts they have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapters.scart_csv.layouts import EXPORTS, POLICE, PROVIDER, TARGETS
from broker.spi_in import Column, Fault, Refuse, TableMapping, TableRow, convert, decode, read_table

MAX_LINES = 20_000
MAX_LINE = 8_192


@dataclass(frozen=True, slots=True)
class Reading:
    """All rows, which layout they had, and how many columns nobody reads."""

    rows: Sequence[TableRow]
    layout: str
    unmapped: int = 0


def read(content: bytes, encoding: str | None, zone: str | None, refuse: Refuse) -> Reading:
    """Raises `Refused` for what concerns the whole file."""
    if content.startswith(b"PK"):
        refuse("", "format", "SCART writes CSV; for a workbook use the adapter tabular")
    text = decode(content, encoding, refuse)
    header = text[:4096].partition("\n")[0].strip()
    columns = {t: Column("", t, zone=zone) for t in TARGETS}
    if header in {POLICE, PROVIDER}:
        cut = _police if header == POLICE else _provider
        return Reading(_lines(text, cut, columns, refuse), "notice")
    export = tuple(
        replace(columns[target], header=label, optional=label != "url", required=label == "url")
        for label, target in EXPORTS.items()
        if label != "NTD filenumber" or f'"{label}"' in header
        if label != "filenumber" or '"NTD filenumber"' not in header
    )
    mapping = TableMapping(columns=export, delimiter=";", backslash=True, ragged=True)
    table = read_table(content, mapping, TARGETS, refuse, encoding=encoding)
    return Reading(table.rows, "export", table.unmapped)


def _lines(
    text: str, cut: Callable[[str], dict[str, str]], columns: dict[str, Column], refuse: Refuse
) -> list[TableRow]:
    """The notice lists have no quoting: a line is a row, and a stray separator makes it unreadable."""
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        refuse("", "oversize", f"has more than {MAX_LINES} lines")
    rows: list[TableRow] = []
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            row = TableRow(number, f"\0{number}")
            _fill(row, line.strip("\r"), cut, columns)
            rows.append(row)
    if not rows:
        refuse("", "empty", "holds no rows")
    return rows


def _fill(row: TableRow, line: str, cut: Callable[[str], dict[str, str]], columns: dict[str, Column]) -> None:
    if len(line) > MAX_LINE:
        row.refuse("columns", Fault("oversize", f"is longer than {MAX_LINE} characters"))
        return
    try:
        cells = cut(line)
    except Fault as fault:
        row.refuse("columns", fault)
        return
    if not cells["url"].strip():
        row.refuse("url", Fault("required", "is required"))
    for target, text in cells.items():
        if text.strip():
            try:
                row.values[target] = convert(text, TARGETS[target], columns[target])
            except Fault as fault:
                row.refuse(target, fault)


def _police(line: str) -> dict[str, str]:
    head, *facts = line.rsplit(";", 3)
    if len(facts) != 3 or head.count(";") != 1:
        raise Fault("ambiguous-columns", "does not have five columns; SCART quotes nothing in this list")
    url, reason = head.split(";")
    return dict(zip(("url", "reason", "ip", "first_seen", "last_seen"), (url, reason, *facts), strict=True))


def _provider(line: str) -> dict[str, str]:
    cells = line.split(";")
    if len(cells) != 5:
        raise Fault("ambiguous-columns", "does not have five columns; SCART quotes nothing in this list")
    return dict(zip(("url", "ip", "first_seen", "last_seen", "reason"), cells, strict=True))
