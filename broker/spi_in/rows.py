"""A table under a mapping: each row's values, or what is wrong with it, by its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from broker.errors import Issue
from broker.spi_in.convert import Json, Target, convert
from broker.spi_in.csv_reading import decode, split
from broker.spi_in.grid import GridRow
from broker.spi_in.mapping import TableMapping
from broker.spi_in.refusal import Fault, Refuse
from broker.spi_in.screen import is_formula, screen_text
from broker.spi_in.xlsx import read_xlsx

_ZIP = b"PK\x03\x04"
_OLD = b"\xd0\xcf\x11\xe0"


@dataclass(slots=True)
class TableRow:
    """One row: `values` by target; `issues` say why it is refused. `key` tells which case it is of."""

    number: int
    key: str
    values: dict[str, Json] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)

    def refuse(self, target: str, fault: Fault) -> None:
        """Notes a broken rule of this row."""
        self.issues.append(Issue(f"/rows/{self.number}/{target}", fault.rule, fault.detail))


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of a file, and how many of its columns the mapping says nothing about."""

    rows: tuple[TableRow, ...]
    unmapped: int


def read_table(
    content: bytes,
    mapping: TableMapping,
    targets: Mapping[str, Target],
    refuse: Refuse,
    *,
    encoding: str | None = None,
    enough: int | None = None,
) -> Table:
    """Reads CSV or XLSX (told by its first bytes). Raises `Refused` for what concerns the whole file.

    After `enough` broken rules the rest is not read: whoever refuses the file anyway need not know all.
    """
    workbook = content.startswith((_ZIP, _OLD))
    if workbook:
        grid = read_xlsx(content, mapping.sheet, refuse)
    else:
        text = decode(content, encoding or mapping.encoding, refuse)
        grid = split(
            text, mapping.delimiter, partial(_fits, mapping=mapping), refuse, backslash=mapping.backslash
        )
    grid = [row for row in grid if row.number >= mapping.header_row]
    if len(grid) < 2:
        refuse("", "empty", "holds a header and no rows, or nothing")
    header, body = grid[0], [row for row in grid[1:] if not row.blank]
    places = _places(header, mapping, refuse)
    unmapped = sum(
        bool(cell.strip()) and i not in places.values() and cell.strip() not in mapping.ignored
        for i, cell in enumerate(header.cells)
    )
    most = len(header.cells)  # a workbook does not write the empty cells at the end of a row
    least = 0 if workbook or mapping.ragged else most
    rows: list[TableRow] = []
    broken = 0
    for row in body:
        rows.append(_row(row, (least, most), places, mapping, targets))
        broken += len(rows[-1].issues)
        if enough is not None and broken >= enough:
            break
    if not rows:
        refuse("", "empty", "holds no rows")
    return Table(tuple(rows), unmapped)


def _fits(first: Sequence[str], mapping: TableMapping) -> bool:
    """Whether a first row is the header asked for; where it stands lower, the delimiter must be given."""
    wanted = {column.header for column in mapping.columns if not column.optional}
    return mapping.header_row == 1 and wanted <= {cell.strip() for cell in first}


def _places(header: GridRow, mapping: TableMapping, refuse: Refuse) -> dict[str, int]:
    """Header → index; the column that tells the cases apart is among them."""
    names = [cell.strip() for cell in header.cells]
    where = f"/rows/{header.number}"
    if header.faults:
        refuse(where, "header", "the header has a cell that cannot be read as text")
    wanted = [(column.header, column.optional) for column in mapping.columns]
    if mapping.case_by is not None:
        wanted.append((mapping.case_by, False))
    places: dict[str, int] = {}
    for i, (name, optional) in enumerate(wanted):
        found = names.count(name)
        if found > 1:
            refuse(f"/columns/{i}", "duplicate", "stands twice in the header")
        if found == 0 and not optional:
            refuse(f"/columns/{i}", "columns", "the table has no such column")
        if found:
            places[name] = names.index(name)
    return places


def _row(
    row: GridRow,
    widths: tuple[int, int],
    places: Mapping[str, int],
    mapping: TableMapping,
    targets: Mapping[str, Target],
) -> TableRow:
    key = _cell(row, places.get(mapping.case_by)).strip() if mapping.case_by is not None else ""
    result = TableRow(row.number, key or f"\0{row.number}", dict(mapping.constants))
    if len(row.cells) < widths[0]:
        result.refuse("columns", Fault("columns", "the row has fewer cells than the header"))
    for where, fault in _faults(row, widths[1], places, mapping):
        result.refuse(where, fault)
    for column in mapping.columns:
        text = _cell(row, places.get(column.header))
        if places.get(column.header) in row.faults:
            continue  # said above
        if not text.strip():
            if column.required:
                result.refuse(column.target, Fault("required", "is required"))
            continue
        try:
            result.values[column.target] = convert(text, targets[column.target], column)
        except Fault as fault:
            result.refuse(column.target, fault)
    if mapping.case_by is not None and not key:
        result.refuse("case_by", Fault("required", "does not say which case it is of"))
    return result


def _cell(row: GridRow, index: int | None) -> str:
    return row.cells[index] if index is not None and index < len(row.cells) else ""


def _faults(
    row: GridRow, width: int, places: Mapping[str, int], mapping: TableMapping
) -> Iterator[tuple[str, Fault]]:
    """What is wrong with any cell, also of columns that nobody asked for."""
    by_place = {places[c.header]: c.target for c in mapping.columns if c.header in places}
    for i, (rule, detail) in sorted(row.faults.items()):
        yield by_place.get(i, f"columns/{i + 1}"), Fault(rule, detail)
    for i, cell in enumerate(row.cells):
        if i in by_place or i in row.faults or not cell:
            continue
        if i >= width and cell.strip():
            yield f"columns/{i + 1}", Fault("columns", "the row has more cells than the header")
        elif is_formula(cell):
            yield (
                f"columns/{i + 1}",
                Fault("formula", "starts like a formula"),
            )
        elif (broken := screen_text(cell)) is not None:
            yield f"columns/{i + 1}", Fault(*broken)
