"""The content of a draft or release for the person who has to approve it, in words and as files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broker.cli.console import unlinked
from broker.core import canonical
from broker.desk.record import MAX_BYTES, Record


def as_document(record: Record) -> dict[str, Any]:
    """What would leave, or left, as a document; personal data."""
    return {
        "payload": canonical.decode(record.payload, max_bytes=MAX_BYTES),
        "apart": {unit.pointer: unit.value for unit in record.apart},
        "conditions": [condition["text"] for condition in record.conditions],
        "grounds": dict(record.grounds),
        "cleared": list(record.cleared),
        "implied": list(record.implied),
        "documents": [
            {"name": d.name, "media_type": d.media_type, "sha256": d.sha256} for d in record.digests()
        ],
    }


def in_words(record: Record) -> Iterator[str]:
    """The same for a terminal; addresses are broken."""
    yield "What is in it:"
    for unit in record.units:
        mark = "~" if unit.pointer in record.cleared else " "
        yield f" {mark} {unit.pointer}  {_value(unit.value)}"
    if record.cleared:
        yield "(~ free text that was masked and then cleared by the person who drafted it)"
    for unit in record.apart:
        yield f"Sealed apart: {unit.pointer}  {_value(unit.value)}"
    for field, ground in sorted(record.grounds.items()):
        yield f"Needed: {field}, because {ground.replace('-', ' ')}"
    for pointer in record.implied:
        yield f"Implies something that is withheld: {pointer}"
    for condition in record.conditions:
        yield f"Condition: {condition['text']}"
    yield f"Documents: {', '.join(d.name for d in record.documents) or 'none'}"


def write_documents(record: Record, folder: Path) -> None:
    """The documents, as signed where they were, into a closed folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for document in record.signed_documents or record.documents:
        path = folder / document.name
        path.touch(mode=0o600)
        path.write_bytes(document.content)


def _value(value: Any) -> str:
    return unlinked(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    )
