"""The register as a file: CSV, JSON Lines or PDF/A. Each export is an event and a leaf of the ledger.

The leaf commits to what was asked, in which form, how many rows came out and the SHA-256 of the file, so
that a copy can be shown to be the one that left. The signed JSON in the PDF is a JWS of a type of its own,
`register-export+jws`, by the *token* key: the process that faces people holds that key and never the
release key (ruling 29), and an export is no referral. What makes it last is the leaf, not the key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import IO, Any, Final, Literal, cast

from sqlmodel import Session

from broker.auth import Actor
from broker.core import canonical
from broker.desk import events, register
from broker.desk.context import Desk
from broker.desk.register import COLUMNS, RegisterFilter
from broker.errors import Refused
from broker.sealing import jose
from broker.spi import Json

Format = Literal["csv", "jsonl", "pdf"]
MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "pdf": "application/pdf",
}
EXPORT_TYP = "register-export+jws"
MAX_PDF_ROWS = 500
"""A PDF is for reading and for a file at court; the whole register goes as CSV or JSON Lines."""
_IN_MEMORY = 8 * 1024 * 1024
_STANDARDS: Final[list[Literal["a-3a", "ua-1"]]] = ["a-3a", "ua-1"]
_LOCK = Lock()


@dataclass(frozen=True, slots=True)
class Export:
    """A finished export. `file` stands at its beginning; the caller closes it."""

    name: str
    media_type: str
    file: IO[bytes]
    size: int
    sha256: str
    rows: int


def export(
    desk: Desk,
    session: Session,
    actor: Actor,
    chosen: RegisterFilter | None = None,
    fmt: Format = "csv",
    *,
    bom: bool = False,
    semicolon: bool = False,
) -> Export:
    """Write the rows and record that they were exported, in the caller's transaction.

    `bom` and `semicolon` are for spreadsheets that need them (CSV only). Raises `Refused` for a PDF of
    more than `MAX_PDF_ROWS` rows.
    """
    actor.needs("dpo", "releaser")
    if fmt not in MEDIA_TYPES:
        raise Refused("export-format", "an export is csv, jsonl or pdf")
    chosen = chosen or RegisterFilter()
    counted = _Counted(register.rows(session, chosen))
    file = cast("IO[bytes]", SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115 - handed out open
    digest, size = sha256(), 0
    for piece in _pieces(desk, actor, chosen, fmt, counted, bom=bom, semicolon=semicolon):
        file.write(piece)
        digest.update(piece)
        size += len(piece)
    file.seek(0)
    record: dict[str, Json] = {
        "at": events.stamp(desk.now()),
        "by": actor.id,
        "filter": chosen.as_json(),
        "format": fmt,
        "rows": counted.rows,
        "sha256": digest.hexdigest(),
    }
    events.leaf(
        desk, session, "export", "register:exported", actor.id, record,
        case_id=chosen.case_id, release_id=chosen.release, partner_id=chosen.partner,
    )  # fmt: skip
    name = f"register-{desk.now():%Y%m%dT%H%M%SZ}.{fmt}"
    return Export(name, MEDIA_TYPES[fmt], file, size, digest.hexdigest(), counted.rows)


class _Counted:
    """Rows that pass by, counted."""

    def __init__(self, rows: Iterator[Mapping[str, Any]]) -> None:
        self._rows = rows
        self.rows = 0

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for row in self._rows:
            self.rows += 1
            yield row


def _pieces(
    desk: Desk, actor: Actor, chosen: RegisterFilter, fmt: str, rows: _Counted, *, bom: bool, semicolon: bool
) -> Iterator[bytes]:
    if fmt == "csv":
        yield from (line.encode() for line in register.csv_lines(rows, bom=bom, semicolon=semicolon))
    elif fmt == "jsonl":
        yield from (canonical.encode_trusted(_plain(row)) + b"\n" for row in rows)
    else:
        yield _pdf(desk, actor, chosen, rows)


def _plain(row: Mapping[str, Any]) -> dict[str, Json]:
    """A row as JSON: times as text, the rest as it is."""
    return {
        name: events.stamp(row[name]) if hasattr(row[name], "strftime") else row[name] for name in COLUMNS
    }


def _pdf(desk: Desk, actor: Actor, chosen: RegisterFilter, rows: _Counted) -> bytes:
    """PDF/A-3 with the rows as a signed JSON beside the page."""
    found: list[dict[str, Json]] = []
    for row in rows:
        if len(found) == MAX_PDF_ROWS:
            raise Refused(
                "export-too-long",
                f"a PDF holds at most {MAX_PDF_ROWS} rows",
                hint="narrow the period, or export CSV or JSON Lines",
            )
        found.append(_plain(row))
    at = desk.now()
    body: dict[str, Json] = {
        "schema": "broker-register-export/1",
        "issuer": desk.settings.issuer,
        "at": events.stamp(at),
        "by": actor.id,
        "filter": chosen.as_json(),
        "columns": list(COLUMNS),
        "rows": cast("Json", found),
    }
    token = jose.sign(canonical.encode_trusted(body), desk.keys().signer("token"), EXPORT_TYP)
    import typst  # only a PDF pays for the compiler

    data = {
        "at": events.stamp(at),
        "date": [at.year, at.month, at.day, at.hour, at.minute, at.second],
        "by": actor.id,
        "issuer": desk.settings.issuer,
        "synthetic": desk.settings.synthetic,
        "filter": [[name, str(value)] for name, value in chosen.as_json().items()],
        "rows": [
            [[name, register.cell(row[name])] for name in COLUMNS if register.cell(row[name])]
            for row in found
        ],
    }
    inputs = {"data": json.dumps(data), "signed": token}
    template = resources.files(__package__).joinpath("register.typ").read_bytes()
    with _LOCK:
        compiler = typst.Compiler(ignore_system_fonts=True, font_paths=[])
        made = compiler.compile(input=template, format="pdf", sys_inputs=inputs, pdf_standards=[*_STANDARDS])
    if not isinstance(made, bytes):
        raise TypeError("the compiler gave no single document")
    return made
