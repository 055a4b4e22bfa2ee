"""The exports that lie in files, folders and files of lines, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from broker.errors import Issue, Refused

LINES = frozenset({".jsonl", ".ndjson"})
MAX_EXPORT = 8 * 1024 * 1024
"""Octets of one export, or of one line of a file of lines; the adapter's own bounds are narrower."""


def exports(paths: Sequence[Path]) -> Iterator[bytes]:
    """Each export of these files, folders (files in order of their names) and files of lines."""
    for path in paths:
        if path.is_dir():
            yield from exports(sorted(entry for entry in path.iterdir() if entry.is_file()))
        elif path.suffix in LINES:
            yield from _lines(path)
        else:
            if path.stat().st_size > MAX_EXPORT:
                raise _oversize()
            yield path.read_bytes()


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        while line := lines.readline(MAX_EXPORT + 1):
            if len(line) > MAX_EXPORT:
                raise _oversize()
            if line.strip():
                yield line.strip()


def _oversize() -> Refused:
    return Refused(
        "export-refused",
        "an export is larger than allowed; nothing of it was taken in",
        (Issue("", "oversize", f"has more than {MAX_EXPORT} octets"),),
    )
