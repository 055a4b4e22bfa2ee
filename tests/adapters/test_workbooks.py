"""Workbooks: values as a spreadsheet program shows them, and nothing that runs, links or unfolds."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import datetime

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.datavalidation import DataValidation

from adapters.tabular import adapter
from broker.conformance import hostile
from broker.spi_in import grid
from broker.spi_in import workbook as container
from broker.spi_in.refusal import Refuse
from broker.spi_in.xlsx import read_xlsx

from .tables import HEADER, MAPPING, ROW, SHA1, mapped, refusal, row
from .workbooks import packed, saved, sheet, text_cell, workbook

naive = datetime  # a cell has no zone: that is what is tested here
REFUSE = Refuse("test")
HEAD = "".join(text_cell(name) for name in HEADER)
CELLS = [text_cell(cell) for cell in ROW]


def cells(content, name=None):
    return [r.cells for r in read_xlsx(content, name, REFUSE)]


def rule(content):
    """The one rule by which a workbook is refused as a whole, in bounded memory."""
    tracemalloc.start()
    [(field, found)] = refusal(adapter, content, **mapped())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert field == ""
    assert peak < 64 * 1024 * 1024
    return found


def test_an_honest_workbook_gives_what_the_same_csv_gives():
    typed = row(Received=naive(2026, 3, 1, 10, 0), First_seen=naive(2026, 3, 1, 9, 30))
    [draft] = adapter.ingest(workbook(HEADER, typed), options=mapped())
    assert draft.case["case"]["dates"]["opened_at"] == "2026-03-01T10:00:00+01:00"
    item = draft.case["items"]["item1"]
    assert item["seen"]["first"]["at"] == "2026-03-01T09:30:00+01:00"
    assert item["crypto_hash"] == [{"alg": "sha1", "value": SHA1}]


def test_values_come_as_they_would_be_typed():
    content = workbook(
        ["text", 12, 12.5, True, False, None, 1e-7, 2**53, "", "a\nb"],
        [naive(2026, 10, 25, 2, 30, 15), naive(2026, 1, 2)],
        formats={"A2": "dd/mm/yyyy hh:mm", "B2": '"on" d mmm yyyy'},
    )
    assert cells(content) == [
        ["text", "12", "12.5", "true", "false", "", "1E-7", str(2**53), "", "a\nb"],
        ["2026-10-25T02:30:15", "2026-01-02T00:00:00"],
    ]


def test_a_number_is_a_date_only_by_its_format():
    book = Workbook()
    for value, form in (
        (46082.5, "General"),
        (46082.5, "yyyy-mm-dd"),
        (46082.5, '0.0 "days"'),
        (1.5, "[h]:mm"),
    ):
        book.active.append([value])
        book.active.cell(book.active.max_row, 1).number_format = form
    assert cells(saved(book)) == [["46082.5"], ["2026-03-01T12:00:00"], ["46082.5"], ["1.5"]]


def test_the_other_epoch_of_dates():
    book = Workbook()
    book.epoch = naive(1904, 1, 1)
    book.active.append([naive(2026, 3, 1, 12)])
    assert cells(saved(book)) == [["2026-03-01T12:00:00"]]


def test_gaps_and_blank_rows_keep_their_numbers():
    book = Workbook()
    for column, name in enumerate(HEADER, 1):
        book.active.cell(3, column, name)
        book.active.cell(6, column, ROW[column - 1])
    book.active.cell(6, 4, "canary")
    found = refusal(adapter, saved(book), **mapped(header_row=3))
    assert found == [("/rows/6/location.ip", "ip-address")]


def test_the_sheet_is_named_or_the_only_visible_one():
    book = Workbook()
    book.active.append(["a"])
    book.create_sheet("Other").append(["b"])
    content = saved(book)
    assert cells(content, "Other") == [["b"]]
    assert rule(content) == "sheet"
    book["Other"].sheet_state = "hidden"
    assert cells(saved(book)) == [["a"]]
    assert refusal(adapter, content, **mapped(sheet="canary")) == [("", "sheet")]


def test_harmless_furniture_is_no_reason_to_refuse():
    book = Workbook()
    book.active.append(HEADER)
    book.active.append(ROW)
    book.active["C2"].hyperlink = ROW[2]
    book.active.freeze_panes = "A2"
    book.active.auto_filter.ref = "A1:G2"
    book.active.add_data_validation(DataValidation(type="list", formula1='"a,b"'))
    book.active.merge_cells("I1:J1")
    [draft] = adapter.ingest(saved(book), options=mapped())
    assert draft.case["locations"]["location1"]["url"] == ROW[2]


def test_formula_cells_are_refused_by_row_even_with_a_stored_value():
    content = workbook(HEADER, row(URL='=HYPERLINK("https://canary.example")'))
    assert refusal(adapter, content, **mapped()) == [("/rows/2/location.url", "formula")]
    stored = '<c t="str"><f>1+1</f><v>https://canary.example/</v></c>'
    content = packed(sheet(HEAD, "".join([*CELLS[:2], stored, *CELLS[3:]])))
    assert refusal(adapter, content, **mapped()) == [("/rows/2/location.url", "formula")]
    shared = '<c t="n"><f t="shared" si="0"/><v>1</v></c>'
    content = packed(sheet(HEAD, "".join([*CELLS, shared])))
    assert refusal(adapter, content, **mapped()) == [("/rows/2/columns/8", "formula")]


def test_error_cells_and_broken_numbers_are_refused_by_row():
    for cell, word in (
        ('<c t="e"><v>#REF!</v></c>', "cell-error"),
        ('<c t="canary"><v>1</v></c>', "cell-error"),
        ("<c><v>canary</v></c>", "number"),
        ("<c><v>1e999999</v></c>", "number"),
        ('<c t="s"><v>99</v></c>', "workbook"),
    ):
        content = packed(sheet(HEAD, "".join([*CELLS[:3], cell, *CELLS[4:]])))
        assert refusal(adapter, content, **mapped()) == [("/rows/2/location.ip", word)]


BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "canary">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
EXTERNAL = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("doctype", [BOMB, EXTERNAL, "<!DOCTYPE x>"])
def test_a_document_type_is_refused_in_every_part(doctype):
    assert rule(packed(sheet(HEAD), doctype=doctype)) == "xml-doctype"
    assert rule(packed(doctype + sheet(text_cell("&i;")))) == "xml-doctype"


@pytest.mark.parametrize(
    ("part", "word"),
    [
        ("xl/media/image1.png", "media"),
        ("xl/embeddings/oleObject1.bin", "media"),
        ("docProps/thumbnail.jpeg", "media"),
        ("xl/canary.JPG", "media"),
        ("inner.zip", "media"),
        ("xl/vbaProject.bin", "macro"),
        ("xl/activeX/activeX1.xml", "macro"),
        ("xl/externalLinks/externalLink1.xml", "external"),
        ("xl/connections.xml", "external"),
        ("../canary.xml", "path-name"),
        ("/etc/canary", "path-name"),
        ("xl\\canary.xml", "path-name"),
        ("c:canary", "path-name"),
        ("a/" * 20 + "canary", "path-name"),
        ("XL/WORKBOOK.xml", "duplicate"),
    ],
)
def test_what_a_table_has_no_use_for_is_refused_by_its_name(part, word):
    assert rule(packed(sheet(HEAD, "".join(CELLS)), more={part: b"canary"})) == word


def test_zip_bombs_are_refused_before_anything_is_unpacked(monkeypatch):
    def never(*_args, **_kwargs):
        raise AssertionError("a part was unpacked")

    monkeypatch.setattr(zipfile.ZipFile, "read", never)
    assert (
        rule(packed(sheet(HEAD), more={"xl/styles.xml": b" " * (container.MAX_UNPACKED + 1)})) == "oversize"
    )
    many = {f"xl/p{i}.xml": b"" for i in range(container.MAX_PARTS)}
    assert rule(packed(sheet(HEAD), more=many)) == "oversize"
    monkeypatch.setattr(zipfile, "ZipFile", never)
    assert rule(b"PK\x03\x04" + b"PK\x01\x02" * 1_000_000) == "oversize"
    assert rule(b"PK\x03\x04" + b" " * grid.MAX_BYTES) == "oversize"


def test_a_size_that_lies_unpacks_no_more_than_it_says():
    content = bytearray(packed(sheet(HEAD, "".join(CELLS))))
    at = content.rindex(b"PK\x01\x02")
    while b"sheet1.xml" not in content[at : at + 80]:
        at = content.rindex(b"PK\x01\x02", 0, at)
    content[at + 24 : at + 28] = (10).to_bytes(4, "little")
    assert rule(bytes(content)) == "workbook"


def test_huge_and_deep_sheets_are_refused():
    assert rule(packed(sheet(HEAD, text_cell("canary " * 7_400_000)))) == "oversize"
    found = refusal(adapter, packed(sheet(HEAD, "".join([text_cell("x " * 20_000), *CELLS[1:]]))), **mapped())
    assert found == [("/rows/2/case.reference", "oversize")]
    assert rule(packed(sheet(*["<c/>"] * (grid.MAX_ROWS + 2)))) == "oversize"
    assert rule(packed(sheet("<c/>" * (grid.MAX_COLUMNS + 1)))) == "oversize"
    assert rule(packed(sheet('<c r="XFD1"><v>1</v></c>'))) == "oversize"
    assert rule(packed("<a>" * 100_000)) == "depth"
    assert rule(packed("<a>" + "<b/>" * container.MAX_ELEMENTS + "</a>")) == "oversize"
    assert (
        rule(packed('<worksheet><sheetData><row r="2"/><row r="2"/></sheetData></worksheet>')) == "workbook"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04canary",
        packed("canary"),
        packed(b"\xff\xfe\x00canary"),
        packed('<?xml version="1.0" encoding="canary"?><a/>'),
        packed(sheet(HEAD))[:-30],
        b"\xd0\xcf\x11\xe0canary",
    ],
)
def test_what_is_no_workbook_is_refused(content):
    assert rule(content) == "workbook"


def test_an_encrypted_part_is_refused():
    out = io.BytesIO(packed(sheet(HEAD)))
    content = bytearray(out.getvalue())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    assert rule(bytes(content)) == "workbook"


@pytest.mark.parametrize("name", sorted(hostile()))
def test_the_conformance_suite_s_inputs_are_refused_with_a_mapping_too(name):
    content = hostile()[name]
    tracemalloc.start()
    assert refusal(adapter, content, **mapped(delimiter=";", columns=MAPPING["columns"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_memory_stays_bounded_on_the_largest_table_taken():
    body = "".join(CELLS)
    content = packed(sheet(HEAD, *[body] * 3_000))
    tracemalloc.start()
    drafts = adapter.ingest(content, options=mapped())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(drafts) == 3_000
    assert peak < 128 * 1024 * 1024
