"""Hostile input to every ingest adapter, as one matrix: refused by field and rule, without a value, in
under a second of processor time and within 128 MiB beside the input, in a process that has no more.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import resource
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from broker.errors import Refused
from broker.spi import Ingests
from tests.adapters import tables, test_iccam_in, test_orb, test_scart_csv
from tests.adapters.test_workbooks import BOMB, CELLS, EXTERNAL, HEAD
from tests.adapters.workbooks import BOOK_RELS, packed, sheet, text_cell

CANARY = "canary7f3a9b"
ROOM = 128 * 1024 * 1024
SECONDS = 1.0
HUGE = 50_000_000
STYLES = (
    '<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    'styles" Target="styles.xml"/>'
)
IMAGE = "data:image/png;base64," + CANARY + "iVBORw0KGgo" * 20

INGEST = {
    entry.name: entry.load()
    for entry in entry_points(group="broker.adapters")
    if isinstance(entry.load(), Ingests)
}
# The same adapter reads two kinds of input: Shield answers, and tables of Orb by a mapping.
OPTIONS: dict[str, Mapping[str, str]] = {
    "arachnid": {},
    "arachnid, Orb": test_orb.options(),
    "iccam_in": {},
    "scart_csv": test_scart_csv.OPTIONS,
    "tabular": tables.mapped(),
}


def _book(part: str, content: bytes | str = CANARY) -> bytes:
    return packed(sheet(HEAD, "".join(CELLS)), more={part: content})


def _zip_bomb() -> bytes:
    return packed(sheet(HEAD), more={"xl/styles.xml": b" " * 250_000_000})


def _json(adapter: str, text: str) -> bytes:
    """An otherwise good document with one text put in."""
    if adapter == "iccam_in":
        content = {**test_iccam_in.CONTENT, "memo": text}
        report = {**test_iccam_in.REPORT, "reportContents": [{"contentId": 71}]}
        made: Any = {"iccam": "v3", "reports": [report], "contents": [content]}
    else:
        made = {
            "shield": {"classification": "csam", "match_type": "exact", "sha256_hex": "ab" * 32},
            "lookup_at": "2026-03-01T09:05:00Z",
            "report": {"received_at": "2026-03-01T09:00:00Z", "access_note": text},
        }
    return json.dumps(made).encode()


def _csv(adapter: str, cell: str) -> bytes:
    """An otherwise good table with one cell put in."""
    if adapter == "scart_csv":
        return test_scart_csv.police(f"https://a.example/1;{cell};192.0.2.1;;")
    if adapter == "tabular":
        return tables.table(tables.row(Report=cell))
    return tables.table(test_orb.row(Class=cell), header=test_orb.HEADER)


def _with(adapter: str, text: str) -> bytes:
    json_read = adapter in ("arachnid", "iccam_in")
    return _json(adapter, text) if json_read else _csv(adapter, text)


ATTACKS: Mapping[str, Callable[[str], bytes]] = {
    "XML bomb in a workbook": lambda _: packed(BOMB.replace("canary", CANARY) + sheet(text_cell("&i;"))),
    "XML bomb in the book part": lambda _: packed(sheet(HEAD), doctype=BOMB),
    "external entity": lambda _: packed(EXTERNAL + sheet(text_cell("&e;"))),
    "zip bomb": lambda _: _zip_bomb(),
    "bomb of parts": lambda _: b"PK\x03\x04" + b"PK\x01\x02" * 1_000_000,
    "path name upwards": lambda _: _book(f"../{CANARY}.xml"),
    "path name from the root": lambda _: _book(f"/etc/{CANARY}"),
    "path name of a drive": lambda _: _book(f"c:{CANARY}"),
    "embedded picture": lambda _: _book("xl/media/image1.png"),
    "embedded object": lambda _: _book("xl/embeddings/oleObject1.bin"),
    "macro": lambda _: _book("xl/vbaProject.bin"),
    "cell of 50 MB in a workbook": lambda _: packed(sheet(HEAD, text_cell(CANARY * (HUGE // 12)))),
    "deep XML": lambda _: packed("<a>" * 100_000 + CANARY),
    "deep JSON": lambda _: b'{"a":' * 200_000 + b'"' + CANARY.encode() + b'"',
    "deep JSON list": lambda _: b"[" * 1_000_000,
    "wide JSON": lambda _: b"[" + b"0," * 2_000_000 + b"0]",
    "number format without end": lambda _: packed(
        sheet(HEAD),
        more={
            "xl/_rels/workbook.xml.rels": BOOK_RELS.replace("</R", STYLES + "</R"),
            "xl/styles.xml": f'<a><numFmt numFmtId="9" formatCode="{"[" * 4_000_000}"/></a>',
        },
    ),
    "JSON text without end": lambda _: b'{"shield":"' + CANARY.encode() + b"x" * 1_000_000,
    "JSON text of quotes without end": lambda _: b'{"shield":"' + b'\\"' * 250_000,
    "JSON text of 1 MB": lambda _: b'{"shield":"' + b"x" * 1_000_000 + b'"}',
    "number of 500,000 digits": lambda _: b'{"shield":' + b"9" * 500_000 + b"}",
    "cell of 50 MB": lambda a: _with(a, CANARY + "x" * HUGE),
    "picture in a text": lambda a: _with(a, IMAGE),
    "formula": lambda a: _with(a, f'=HYPERLINK("http://{CANARY}.example";"x")'),
    "formula by another sign": lambda a: _with(a, f"@SUM({CANARY})"),
    "control character": lambda a: _with(a, f"{CANARY}\x00"),
}
BY_ADAPTER = {
    "cell of 50 MB", "picture in a text", "formula", "formula by another sign", "control character",
}  # fmt: skip
RULES: Mapping[str, str] = {
    "XML bomb in a workbook": "xml-doctype",
    "XML bomb in the book part": "xml-doctype",
    "external entity": "xml-doctype",
    "zip bomb": "oversize",
    "bomb of parts": "oversize",
    "path name upwards": "path-name",
    "path name from the root": "path-name",
    "path name of a drive": "path-name",
    "embedded picture": "media",
    "embedded object": "media",
    "macro": "macro",
    "cell of 50 MB in a workbook": "oversize",
    "deep XML": "depth",
    "number format without end": "oversize",
    "formula": "formula",
}
"""The rule by which the readers of workbooks refuse: for the right reason, not by luck."""
HARMLESS = {
    # JSON becomes no spreadsheet as it is; what makes one of it escapes (police_dossier, redacted.csv).
    (adapter, attack)
    for adapter in ("arachnid", "iccam_in")
    for attack in ("formula", "formula by another sign")
}


@cache
def _same_for_all(attack: str) -> bytes:
    """What does not depend on the adapter is made once: compressing a bomb takes a second."""
    return ATTACKS[attack]("")


def content_of(attack: str, adapter: str) -> bytes:
    """The bytes of an attack on an adapter."""
    return ATTACKS[attack](adapter) if attack in BY_ADAPTER else _same_for_all(attack)


def _child(adapter: str, content: bytes, sender: Any) -> None:
    """Reads with no more address space than there is now, and a little."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    begin = time.process_time()
    try:
        drafts = INGEST[adapter.partition(",")[0]].ingest(content, options=OPTIONS[adapter])
        told = ("taken", repr(drafts))
    except Refused as refused:
        told = ("refused", f"{refused} {refused.hint} {refused.issues}")
        if not refused.issues or refused.__cause__ is not None:
            told = ("refused without a rule", "")
    except BaseException as broken:
        told = (type(broken).__name__, "")
    sender.send((*told, time.process_time() - begin))


def attempt(adapter: str, content: bytes) -> tuple[str, str, float]:
    """(what happened, what was said, seconds of processor time) in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_child, args=(adapter, content, sender))
    child.start()
    sender.close()
    try:
        found: tuple[str, str, float] = receiver.recv()
    except EOFError:
        found = ("killed", "", 0.0)
    child.join(30)
    return found


@pytest.mark.parametrize("adapter", sorted(OPTIONS))
@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_input_is_refused_in_time_and_memory(adapter: str, attack: str) -> None:
    what, said, seconds = attempt(adapter, content_of(attack, adapter))
    if (adapter, attack) in HARMLESS:
        assert what == "taken"
        return
    assert what == "refused", (what, said[:300])
    assert CANARY not in said
    rules = re.findall(r"rule='([a-z0-9-]+)'", said)
    assert rules
    if attack in RULES and adapter in ("tabular", "arachnid, Orb"):
        assert rules == [RULES[attack]]
    assert seconds < SECONDS


def test_the_matrix_has_every_ingest_adapter_and_its_good_input_is_taken() -> None:
    """Otherwise a refusal would only show that nothing is ever taken."""
    assert {name.partition(",")[0] for name in OPTIONS} == set(INGEST)
    good = {name: "Illegal" if "Orb" in name else "plain words" for name in OPTIONS}
    found = {name: attempt(name, _with(name, text)) for name, text in good.items()}
    assert {name: what for name, (what, _, _) in found.items()} == dict.fromkeys(OPTIONS, "taken"), found


def test_the_limit_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes the memory it is asked for would be seen."""

    class Greedy:
        def ingest(self, content: bytes, *, options: Mapping[str, str]) -> list[Any]:
            return [bytes(2 * ROOM)]

    monkeypatch.setitem(INGEST, "greedy", Greedy())
    monkeypatch.setitem(OPTIONS, "greedy", {})
    assert attempt("greedy", b"")[0] == "MemoryError"
