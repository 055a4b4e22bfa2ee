"""Documents on a page: a CSV as a table, a text as text, a PDF for the reader."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from broker.errors import NotFound
from broker.spi import Document
from broker.web.page import File

MAX_ROWS = 500


def opening(made: Sequence[Document], opened: str) -> File:
    """A PDF for the reader. Raises `NotFound`, also for JSON and text: browsers make links of what is in
    those, and no address of a case is ever a live link (ruling 12)."""
    if not opened.isdigit() or int(opened) >= len(made):
        raise NotFound("document")
    document = made[int(opened)]
    if document.media_type != "application/pdf":
        raise NotFound("document")
    return File(document.name, document.media_type, document.content, inline=True)


@dataclass(frozen=True, slots=True)
class Shown:
    """A document on a page: a table, a text, or something for a reader of its own."""

    name: str
    media_type: str
    size: int
    rows: Sequence[Sequence[str]] = ()
    more: int = 0
    text: str = ""


def shape(document: Document) -> Shown:
    """CSV as a table, text as text, PDF by name."""
    size = len(document.content)
    if document.media_type == "text/csv":
        rows = list(csv.reader(io.StringIO(document.content.decode("utf-8-sig"))))
        return Shown(
            document.name, document.media_type, size, rows[: MAX_ROWS + 1], max(0, len(rows) - MAX_ROWS - 1)
        )
    if document.media_type == "application/pdf":
        return Shown(document.name, document.media_type, size)
    return Shown(
        document.name, document.media_type, size, text=document.content.decode("utf-8", errors="replace")
    )
