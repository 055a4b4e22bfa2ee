"""No suspect in the documents: checked on what was rendered, against what the referral holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from adapters.interpol import icse, plan
from broker.spi import Document, Finding, Json, MinimisedReferral

PACKAGE = "interpol.json"
HASHES = "icse.csv"

SUSPECT = ("persons", "events", "links", "contacts")
"""Collections of which no element, and so no element id, may stand in the documents."""

_LOCATOR = re.compile(r"://|\bwww\.|\bmagnet:", re.IGNORECASE)


def lint(referral: MinimisedReferral, documents: Sequence[Document]) -> list[Finding]:
    """Blocks a suspect's element, a member beyond the plan, or a wrong sheet; notes what is not taken."""
    found = {document.name: document.content for document in documents}
    missing = [name for name in (PACKAGE, HASHES) if name not in found]
    if missing:
        return [Finding("interpol-document-missing", "block", params={"name": name}) for name in missing]
    try:
        made = json.loads(found[PACKAGE])
        rows = [line.split(";") for line in found[HASHES].decode("ascii").split("\r\n")]
        findings = [*_members(made), *_suspects(referral, made), *_sheet(rows), *_hashless(made)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Finding("interpol-unreadable", "block")]
    for pointer, field in sorted(referral.fields.items()):
        if field and field not in plan.NEEDS:
            findings.append(Finding("interpol-not-taken", "note", pointer, {"field": field}))
    return findings


def _members(made: Mapping[str, Json]) -> Iterator[Finding]:
    if set(made) != plan.MEMBERS:
        yield Finding("interpol-members", "block")
    allowed = {
        "items": {*plan.ELEMENTS["items"], "id", "ref"},
        "victims": {*plan.ELEMENTS["victims"], "id"},
        "locations": {*plan.ELEMENTS["locations"], "id", "site_type"},
    }
    for collection, names in allowed.items():
        for entry in made[collection]:
            if not set(entry) <= names:
                pointer = f"/entities/{collection}/{entry['id']}"
                yield Finding("interpol-member-beyond-plan", "block", pointer)


def _suspects(referral: MinimisedReferral, made: Mapping[str, Json]) -> Iterator[Finding]:
    """No id of an account, event, link or contact, and no locator in what is said of elements."""
    ids = {e for c in SUSPECT for e in referral.entities.get(c, {})}
    ids -= {e for c in plan.ELEMENTS for e in referral.entities.get(c, {})}
    for part in ("items", "victims", "locations", "confirmations", "countries", "country_estimates"):
        texts = list(_texts(made[part]))
        if ids.intersection(texts):
            yield Finding("interpol-suspect-element", "block", params={"part": part})
        if any(_LOCATOR.search(text) for text in texts):
            yield Finding("interpol-locator", "warn", params={"part": part})


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
    elif isinstance(value, str):
        yield value


def _sheet(rows: Sequence[Sequence[str]]) -> Iterator[Finding]:
    offender = icse.HEADER.index("Offender identified")
    if tuple(rows[0]) != icse.HEADER or list(rows[-1]) != [""]:
        yield Finding("interpol-icse-header", "block")
    elif any(len(row) != len(icse.HEADER) or row[offender] for row in rows[1:-1]):
        yield Finding("interpol-icse-row", "block")


def _hashless(made: Mapping[str, Json]) -> Iterator[Finding]:
    """An item that the sheet has no column for is only in the package."""
    for item in made["items"]:
        if icse.write([item]).count(b"\n") == 1:
            yield Finding("interpol-no-icse-hash", "note", f"/entities/items/{item['id']}")
