"""XLSX bytes to rows: values as text, dates as ISO 8601 without a zone, formulas and errors as faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from broker.spi_in.grid import MAX_CELL, MAX_CELLS, MAX_COLUMNS, MAX_ROWS, GridRow
from broker.spi_in.refusal import Fault, Refuse
from broker.spi_in.workbook import Container, open_container

MAX_STRINGS = 200_000
MAX_FORMAT = 255
"""Characters of a number format; a spreadsheet program writes no more."""

_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(50, 59)))
_NOT_FORMAT = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_FORMULA = ("formula", "holds a formula; save the file with values only")


def read_xlsx(content: bytes, sheet: str | None, refuse: Refuse) -> list[GridRow]:
    """Rows of one sheet: the named one, or the only visible one. Raises `Refused`."""
    box = open_container(content, refuse)
    main = next((p for kind, p in box.relations("_rels/.rels").values() if kind == "officeDocument"), "")
    if main not in box.names:
        refuse("", "workbook", "is no workbook")
    book = _book(box, main)
    folder, _, name = main.rpartition("/")
    parts = box.relations(f"{folder}/_rels/{name}.rels")
    path = parts.get(book.sheet_id(sheet, refuse), ("", ""))[1]
    if path not in box.names:
        refuse("", "sheet", "the sheet is missing from the file")
    strings = _part(parts, "sharedStrings")
    reader = _Sheet(_strings(box, strings), _date_styles(box, _part(parts, "styles")), book.epoch, refuse)
    box.parse(path, reader.start, reader.end, reader.text)
    if not reader.rows:
        refuse("", "empty", "holds no rows")
    return reader.rows


@dataclass(slots=True)
class _Book:
    sheets: list[tuple[str, str]] = field(default_factory=list)
    epoch: datetime = datetime(1899, 12, 30)  # noqa: DTZ001 - a cell's date has no zone

    def sheet_id(self, name: str | None, refuse: Refuse) -> str:
        found = [rid for title, rid in self.sheets if name is None or title == name]
        if len(found) != 1:
            refuse("", "sheet", "name the sheet: there is no such one, or more than one visible")
        return found[0]


def _book(box: Container, main: str) -> _Book:
    book = _Book()

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "workbookPr" and attributes.get("date1904") in {"1", "true"}:
            book.epoch = datetime(1904, 1, 1)  # noqa: DTZ001
        elif tag == "sheet" and attributes.get("state", "visible") == "visible":
            rid = next((v for k, v in attributes.items() if k.endswith(" id")), "")
            book.sheets.append((attributes.get("name", ""), rid))

    box.parse(main, start, _ignore, _ignore)
    return book


def _part(parts: Mapping[str, tuple[str, str]], kind: str) -> str:
    return next((path for found, path in parts.values() if found == kind), "")


def _strings(box: Container, path: str) -> list[str]:
    """The shared strings; phonetic guides are left out."""
    strings: list[str] = []
    pieces: list[str] = []
    state = {"text": False, "guide": False}

    def start(tag: str, _: Mapping[str, str]) -> None:
        if tag == "si":
            pieces.clear()
            if len(strings) >= MAX_STRINGS:
                box.refuse("", "oversize", f"has more than {MAX_STRINGS} strings")
        elif tag == "rPh":
            state["guide"] = True
        state["text"] = tag == "t" and not state["guide"]

    def end(tag: str) -> None:
        state["text"] = False
        if tag == "rPh":
            state["guide"] = False
        elif tag == "si":
            strings.append("".join(pieces))

    def text(data: str) -> None:
        if state["text"]:
            pieces.append(data)

    box.parse(path, start, end, text)
    return strings


def _date_styles(box: Container, path: str) -> frozenset[int]:
    """Indices of the cell styles that show a number as a date."""
    formats: dict[str, bool] = {}
    styles: list[str] = []
    inside: list[str] = []

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        inside.append(tag)
        if tag == "numFmt":
            code = attributes.get("formatCode", "")
            if len(code) > MAX_FORMAT:
                box.refuse("", "oversize", f"has a number format of more than {MAX_FORMAT} characters")
            elapsed = re.search(r"\[[hms]+\]", code, re.IGNORECASE)
            shown = _NOT_FORMAT.sub("", code).casefold()
            formats[attributes.get("numFmtId", "")] = not elapsed and bool(re.search("[yd]", shown))
        elif tag == "xf" and inside[-2:] == ["cellXfs", "xf"]:
            styles.append(attributes.get("numFmtId", "0"))

    def end(_: str) -> None:
        inside.pop()

    box.parse(path, start, end, _ignore)
    builtin = {str(number) for number in _DATE_FORMATS}
    return frozenset(i for i, number in enumerate(styles) if formats.get(number, number in builtin))


class _Sheet:
    """Collects rows; the first broken bound ends it."""

    def __init__(self, strings: list[str], dates: frozenset[int], epoch: datetime, refuse: Refuse) -> None:
        self.rows: list[GridRow] = []
        self._strings, self._dates, self._epoch, self._refuse = strings, dates, epoch, refuse
        self._cells: dict[int, str] = {}
        self._faults: dict[int, tuple[str, str]] = {}
        self._number = self._column = self._count = 0
        self._kind, self._style, self._formula = "n", 0, False
        self._pieces: list[str] = []
        self._reading = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "row":
            self._row(attributes.get("r"))
        elif tag == "c":
            self._cell(attributes)
        elif tag == "f":
            self._formula = True
        self._reading = tag in {"v", "t"}

    def text(self, data: str) -> None:
        if self._reading:
            self._pieces.append(data)

    def end(self, tag: str) -> None:
        self._reading = False
        if tag == "c":
            self._finish()
        elif tag == "row":
            if len(self.rows) > MAX_ROWS:
                self._refuse("", "oversize", f"has more than {MAX_ROWS} rows")
            width = max((*self._cells, *self._faults), default=-1) + 1
            cells = [self._cells.get(i, "") for i in range(width)]
            self.rows.append(GridRow(self._number, cells, dict(self._faults)))
            self._cells.clear()
            self._faults.clear()

    def _row(self, given: str | None) -> None:
        number = self._number + 1 if given is None else int(given) if given.isdigit() else 0
        if not self._number < number <= 2**20:
            self._refuse("", "workbook", "its rows are not in order")
        self._number, self._column = number, -1

    def _cell(self, attributes: Mapping[str, str]) -> None:
        reference = _REFERENCE.fullmatch(attributes.get("r", ""))
        self._column = self._column + 1 if reference is None else _column(reference[1])
        self._count += 1
        if self._column >= MAX_COLUMNS or self._count > MAX_CELLS:
            self._refuse("", "oversize", f"has more than {MAX_COLUMNS} columns or {MAX_CELLS} cells")
        style = attributes.get("s", "0")
        self._kind, self._style = attributes.get("t", "n"), int(style) if style.isdigit() else 0
        self._formula = False
        self._pieces.clear()

    def _finish(self) -> None:
        raw = "".join(self._pieces)
        try:
            if self._formula:
                raise Fault(*_FORMULA)
            value = _READ.get(self._kind, _unknown)(self, raw)
            if len(value) > MAX_CELL:
                raise Fault("oversize", f"is longer than {MAX_CELL} characters")
            self._cells[self._column] = value
        except Fault as fault:
            self._faults[self._column] = (fault.rule, fault.detail)

    def number(self, raw: str) -> str:
        """A number as it would be typed, or the date it stands for."""
        if not raw:
            return ""
        try:
            value = Decimal(raw) if len(raw) <= 40 else Decimal("NaN")
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or not -300 < value.adjusted() < 300:
            raise Fault("number", "is no number")
        if self._style not in self._dates:
            whole = value == value.to_integral_value() and value.adjusted() < 16
            return str(int(value)) if whole else str(value)
        if not 61 <= value < 2_958_466:
            raise Fault("timestamp", "is a time without a date, or a date that cannot be")
        moment = self._epoch + timedelta(seconds=round(value * 86400))
        return moment.isoformat()

    def shared(self, raw: str) -> str:
        """A text that stands in the table of strings."""
        if not raw.isdigit() or len(raw) > 7 or int(raw) >= len(self._strings):
            raise Fault("workbook", "refers to a text that is not in the file")
        return _unescape(self._strings[int(raw)])


def _column(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _unknown(_sheet: _Sheet, _raw: str) -> str:
    raise Fault("cell-error", "holds an error or a type nobody knows")


_READ: Mapping[str, Callable[[_Sheet, str], str]] = {
    "n": _Sheet.number,
    "s": _Sheet.shared,
    "inlineStr": lambda _, raw: _unescape(raw),
    "str": lambda _, raw: _unescape(raw),
    "d": lambda _, raw: raw,
    "b": lambda _, raw: "true" if raw == "1" else "false",
}


def _ignore(*_: object) -> None:
    """For handlers that need not hear of it."""
