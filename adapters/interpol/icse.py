"""`icse.csv`: hashes of the items under the column names of an ICSE hash export.

The header is the one fact that is public (IPED's importer reads it). Columns that only ICSE can fill
stay empty: its image id, whether distributed, identified or known to it. `Offender identified` is
never filled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from broker.spi import Json

HEADER = (
    "MD5",
    "SHA1",
    "PhotoDNA",
    "Image ID",
    "Is distributed",
    "Victim identified",
    "Offender identified",
    "Series name",
    "Number of submissions",
    "File Available",
    "Media Type",
    "Baseline",
)
FORMS = {
    "md5": re.compile(r"[0-9A-Fa-f]{32}"),
    "sha1": re.compile(r"[0-9A-Fa-f]{40}"),
    "photodna": re.compile(r"[A-Za-z0-9+/]{192}|[0-9A-Fa-f]{288}"),
}
"""How each hash must look; anything else stays in the package and out of the sheet."""

_MEDIA = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_BASELINE = {"baseline": "Yes", "national": "No"}


def write(items: Sequence[Mapping[str, Json]]) -> bytes:
    """The sheet: `;`, CRLF, no quotes. No cell needs any: all are hashes or words of fixed form.

    A PhotoDNA value may begin with `+`; it can hold neither a call nor a reference, and an apostrophe
    before it would make it another hash.
    """
    lines = [HEADER, *(row for item in items if (row := _row(item)))]
    return "".join(";".join(line) + "\r\n" for line in lines).encode("ascii")


def _row(item: Mapping[str, Json]) -> tuple[str, ...]:
    """One item, or nothing where it has no hash that the sheet has a column for."""
    found = dict(_hashes(item))
    if not found:
        return ()
    media = item.get("media")
    kind = media.get("type") if isinstance(media, Mapping) else None
    cells = {
        "MD5": found.get("md5", ""),
        "SHA1": found.get("sha1", ""),
        "PhotoDNA": found.get("photodna", ""),
        "Media Type": kind if isinstance(kind, str) and _MEDIA.fullmatch(kind) else "",
        "Baseline": _BASELINE.get(str(item.get("baseline")), ""),
    }
    return tuple(cells.get(name, "") for name in HEADER)


def _hashes(item: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for name in ("crypto_hash", "perceptual_hash"):
        entries = item.get(name)
        for entry in entries if isinstance(entries, list) else []:
            algorithm, value = str(entry.get("alg")), str(entry.get("value"))
            if algorithm in FORMS and FORMS[algorithm].fullmatch(value):
                yield algorithm, value
