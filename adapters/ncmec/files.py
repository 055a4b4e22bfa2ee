"""What goes over the line: the report, and text sheets with their details. Never anything but text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.ncmec.errors import failed
from adapters.ncmec.tree import Node, NotXml, read, write
from broker.spi import Document

MAX_SHEET = 256 * 1024
LETTER = "withdrawal.txt"

_SHEET = re.compile(r"item-(\d{1,6})\.txt")
_OWN = re.compile(r"report\.xml|item-\d{1,6}\.txt|filedetails-\d{1,6}\.xml")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class SheetFile:
    """A text file and the details that describe it, still without ids."""

    name: str
    content: bytes
    details: Node


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery. `digest` is over everything that would be sent."""

    report: bytes
    sheets: tuple[SheetFile, ...]
    digest: str


def parcel(documents: Sequence[Document], *, with_sheets: bool) -> Parcel:
    """Of all documents of a release those of this adapter. Raises `Undelivered` where they are not whole, or
    not text; a withdrawal is a letter to the staff and does not go this way."""
    own = [document for document in documents if _OWN.fullmatch(document.name)]
    held = {document.name: document for document in own}
    if not own and any(document.name == LETTER for document in documents):
        raise failed("withdrawal-by-letter")
    if len(held) != len(own) or "report.xml" not in held:
        raise failed("no-report")
    for document in own:
        _only_text(document)
    report = held["report.xml"].content
    if _tree(report).name != "report":
        raise failed("no-report")
    sheets = tuple(_sheet(n, held) for n in _numbers(held)) if with_sheets else ()
    digest = hashlib.sha256(hashlib.sha256(report).digest())
    for sheet in sheets:
        digest.update(hashlib.sha256(sheet.content).digest())
        digest.update(hashlib.sha256(write(sheet.details)).digest())
    return Parcel(report, sheets, digest.hexdigest())


def details(sheet: SheetFile, report_id: str, file_id: str) -> bytes:
    """`fileDetails` with the ids the server gave."""
    ids = {"reportId": report_id, "fileId": file_id}
    children = tuple(
        replace(child, text=ids[child.name]) if child.name in ids else child
        for child in sheet.details.children
    )
    return write(replace(sheet.details, children=children))


def _numbers(held: dict[str, Document]) -> list[int]:
    return sorted(int(found[1]) for name in held if (found := _SHEET.fullmatch(name)))


def _sheet(number: int, held: dict[str, Document]) -> SheetFile:
    about = held.get(f"filedetails-{number}.xml")
    if about is None:
        raise failed("no-details")
    tree = _tree(about.content)
    if tree.name != "fileDetails":
        raise failed("no-details")
    name = f"item-{number}.txt"
    return SheetFile(name, held[name].content, tree)


def _only_text(document: Document) -> None:
    """Whatever its name says: text that reads as text, and not much of it."""
    content = document.content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    small = document.media_type == "text/xml" or len(content) <= MAX_SHEET
    if document.media_type not in {"text/xml", "text/plain"} or _CONTROL.search(text) or not small:
        raise failed("text-only")


def _tree(content: bytes) -> Node:
    try:
        return read(content)
    except NotXml:
        raise failed("not-xml") from None
