"""Reads the dossier's two documents back, the way a recipient's software would."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from pypdf import PdfReader

from broker.spi import Document

COLUMNS = 13


def open_pdf(document: Document) -> PdfReader:
    return PdfReader(io.BytesIO(document.content))


def pages(document: Document) -> list[str]:
    return [page.extract_text() for page in open_pdf(document).pages]


def squeeze(text: str) -> str:
    """Without white space: lines break where the page wants."""
    return "".join(text.split())


def rows(document: Document) -> list[Mapping[str, str]]:
    """The CSV as a spreadsheet or script reads it, with the leading apostrophe taken off."""
    text = document.content.decode("utf-8")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True)
    header, *body = list(reader)
    assert len(header) == COLUMNS
    assert all(len(row) == COLUMNS for row in body)
    return [{n: c.removeprefix("'") for n, c in zip(header, row, strict=True)} for row in body]
