"""The container of an XLSX file: what may be in it, and how much, before anything is unpacked.

Only the parts needed for cell values are ever opened. Macros, embedded objects, pictures, external
links and encrypted or oversized containers are refused by name; document types in XML are refused,
so there is nothing an entity could expand to or fetch.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from posixpath import normpath
from typing import NoReturn
from xml.parsers import expat

from broker.spi_in.grid import MAX_BYTES
from broker.spi_in.refusal import Refuse

MAX_PARTS = 300
MAX_UNPACKED = 16 * 1024 * 1024
MAX_DEPTH = 20
MAX_ELEMENTS = 400_000
"""XML elements in one part: some three for each cell that is taken."""

_ENTRY = b"PK\x01\x02"
_OLD = b"\xd0\xcf\x11\xe0"
_RULES = (
    (re.compile(r"vbaproject|\bmacro|activex|ctrlprops|customui", re.I), "macro", "holds a macro or control"),
    (
        re.compile(r"(^|/)(media|embeddings|oleobjects?|thumbnail)([/.]|$)", re.I),
        "media",
        "holds a picture or an embedded object; the broker never takes media",
    ),
    (
        re.compile(r"\.(jpe?g|png|gif|bmp|tiff?|webp|svg|emf|wmf|mp4|mov|avi|wav|mp3|zip|docx?|pdf)$", re.I),
        "media",
        "holds a picture or an embedded object; the broker never takes media",
    ),
    (
        re.compile(r"externallinks?|connections\.xml|querytables?|webextensions?", re.I),
        "external",
        "takes data from elsewhere; save it with values only",
    ),
)
_NOT_READ = "cannot be read as a workbook"


@dataclass(frozen=True, slots=True)
class Container:
    """An XLSX file that passed the checks; parts are read one at a time."""

    archive: zipfile.ZipFile
    names: frozenset[str]
    refuse: Refuse

    def parse(
        self, name: str, start: Callable[..., None], end: Callable[..., None], text: Callable[..., None]
    ) -> None:
        """Feeds one part's elements by local name; absent parts feed nothing."""
        if name not in self.names:
            return
        try:
            content = self.archive.read(name)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError):
            self.refuse("", "workbook", _NOT_READ)
        _parse(content, self.refuse, start, end, text)

    def relations(self, name: str) -> Mapping[str, tuple[str, str]]:
        """Relationship id → (type's last word, part name) of one .rels part."""
        found: dict[str, tuple[str, str]] = {}
        base = name.partition("_rels/")[0]

        def start(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "Relationship" and attributes.get("TargetMode") != "External":
                target = attributes.get("Target", "")
                path = target[1:] if target.startswith("/") else normpath(base + target)
                found[attributes.get("Id", "")] = (attributes.get("Type", "").rpartition("/")[2], path)

        self.parse(name, start, _ignore, _ignore)
        return found


def open_container(content: bytes, refuse: Refuse) -> Container:
    """Checks names, number and size of all parts. Raises `Refused`."""
    if len(content) > MAX_BYTES:
        refuse("", "oversize", f"a table is at most {MAX_BYTES // 1024} KiB")
    if content.startswith(_OLD):
        refuse("", "workbook", "is encrypted or in the old binary format; save it as plain XLSX")
    if content.count(_ENTRY) > MAX_PARTS:  # before the directory is built in memory
        refuse("", "oversize", f"has more than {MAX_PARTS} parts")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        refuse("", "workbook", _NOT_READ)
    infos = archive.infolist()
    if sum(info.file_size for info in infos) > MAX_UNPACKED:
        refuse("", "oversize", f"unpacks to more than {MAX_UNPACKED // 1024 // 1024} MiB")
    for info in infos:
        _check_part(info, refuse)
    names = [info.filename for info in infos]
    if len({name.casefold() for name in names}) != len(names):
        refuse("", "duplicate", "has two parts of the same name")
    return Container(archive, frozenset(names), refuse)


def _check_part(info: zipfile.ZipInfo, refuse: Refuse) -> None:
    name = info.filename
    if ".." in name.split("/") or name.startswith("/") or "\\" in name or ":" in name:
        refuse("", "path-name", "has a part whose name leads out of the file")
    if len(name) > 200 or name.count("/") > 6:
        refuse("", "path-name", "has a part whose name is too long or too deep")
    if info.flag_bits & 0x1:
        refuse("", "workbook", "is encrypted")
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        refuse("", "workbook", "is compressed in a way that XLSX does not use")
    for pattern, rule, detail in _RULES:
        if pattern.search(name):
            refuse("", rule, detail)


def _parse(
    content: bytes,
    refuse: Refuse,
    start: Callable[..., None],
    end: Callable[..., None],
    text: Callable[..., None],
) -> None:
    depth = count = 0

    def opened(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal depth, count
        depth += 1
        count += 1
        if count > MAX_ELEMENTS:
            refuse("", "oversize", f"has a part of more than {MAX_ELEMENTS} XML elements")
        if depth > MAX_DEPTH:
            refuse("", "depth", f"has XML nested more than {MAX_DEPTH} deep")
        start(name.rpartition(" ")[2], attributes)

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name.rpartition(" ")[2])

    def doctype(*_: object) -> NoReturn:
        refuse("", "xml-doctype", "has an XML part with a document type; entities are never expanded")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError):
        refuse("", "workbook", _NOT_READ)


def _ignore(*_: object) -> None:
    """For handlers that need not hear of it."""
