"""The adapter's own check of what it rendered, in milliseconds (ruling 30)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import StreamObject

from adapters.police_dossier import plan, sheet
from adapters.police_dossier.dossier import Dossier, compose
from adapters.police_dossier.locators import escapes
from broker.spi import Document, Finding, MinimisedReferral

_LIVE = re.compile(r"\b(https?|ftps?)://|\bwww\.|\b(magnet|ipfs|mailto|javascript):(?!\])", re.IGNORECASE)


def lint(referral: MinimisedReferral, documents: Sequence[Document]) -> list[Finding]:
    """Blocks what must not leave; warns of what an officer would miss; notes what was lost."""
    found = {document.name: document for document in documents}
    findings = [
        Finding("dossier-document-missing", "block", params={"name": name})
        for name in ("referral.pdf", "referral.csv")
        if name not in found
    ]
    dossier = compose(referral)
    if "referral.pdf" in found:
        findings += _pdf(found["referral.pdf"].content, referral)
    if "referral.csv" in found:
        findings += _csv(found["referral.csv"].content, referral)
    findings += _live(dossier)
    findings += _missing(dossier)
    findings += _lost(referral, dossier)
    return findings


def _pdf(content: bytes, referral: MinimisedReferral) -> Iterator[Finding]:
    try:
        reader = PdfReader(io.BytesIO(content))
        attached = reader.attachments.get("referral.json", [])
        annotated = any("/Annots" in page for page in reader.pages)
        tagged = bool(reader.root_object.get("/MarkInfo", {}).get("/Marked"))
        stream = reader.root_object["/Metadata"].get_object()
        metadata = stream.get_data() if isinstance(stream, StreamObject) else b""
    except (PyPdfError, KeyError, ValueError, AttributeError, IndexError):
        yield Finding("dossier-pdf-unreadable", "block")
        return
    if attached != [referral.payload]:
        yield Finding("dossier-attachment-differs", "block")
    if annotated:
        yield Finding("dossier-pdf-annotation", "block")
    if not tagged:
        yield Finding("dossier-pdf-untagged", "block")
    if b"<pdfaid:part>3</pdfaid:part>" not in metadata:
        yield Finding("dossier-pdf-not-pdfa", "block")


def _csv(content: bytes, referral: MinimisedReferral) -> Iterator[Finding]:
    try:
        rows = list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=";", strict=True))
    except (UnicodeDecodeError, csv.Error):
        yield Finding("dossier-csv-unreadable", "block")
        return
    if not rows or tuple(rows[0]) != sheet.HEADER or any(len(row) != len(sheet.HEADER) for row in rows):
        yield Finding("dossier-csv-shape", "block")
        return
    if any(sheet.safe(cell) != cell and not cell.startswith("'") for row in rows[1:] for cell in row):
        yield Finding("dossier-csv-formula", "block")
    locations = referral.entities.get("locations", {})
    held = {u for location in locations.values() if isinstance(u := location.get("url"), str)}
    if {sheet.unsafe(row[0]) for row in rows[1:] if row[5] == "url"} != held:
        yield Finding("dossier-csv-url", "block")


def _live(dossier: Dossier) -> Iterator[Finding]:
    """No locator stands live on a page, wherever it came from."""
    for _, _, leaf in dossier.leaves():
        if _LIVE.search(leaf.shown):
            yield Finding("dossier-live-locator", "block", leaf.pointer)


def _missing(dossier: Dossier) -> Iterator[Finding]:
    desk = [leaf.pointer for line in dossier.front.get("F72", []) for leaf in line]
    if not any(pointer.endswith("/phone") for pointer in desk):
        yield Finding("dossier-no-desk-telephone", "warn", "/facts/operator/desk")
    if "F67" not in dossier.front:
        yield Finding("dossier-no-handling", "warn", "/facts/handling/codes")
    if "summary" not in dossier.front:
        yield Finding("dossier-no-summary", "note", "/facts/summary/text")


def _lost(referral: MinimisedReferral, dossier: Dossier) -> Iterator[Finding]:
    """What this referral holds and the dossier does not show, or shows by number only."""
    for pointer, field in sorted(referral.fields.items()):
        if field and field not in plan.NEEDS:
            yield Finding("dossier-not-shown", "note", pointer, {"field": field})
    for _, _, leaf in dossier.leaves():
        if escapes(leaf.text):
            yield Finding("dossier-character-escaped", "note", leaf.pointer)
