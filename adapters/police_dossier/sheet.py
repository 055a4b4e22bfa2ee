"""`referral.csv`: the five columns that police already receive, then every fact of the referral.

First one row for each URL and item (`url;reason;IP;firstseen;lastseen`), then one row for each leaf
with its pointer, exact value and words. Separator `;`, UTF-8 without a byte order mark, CRLF.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from adapters.police_dossier import moments
from adapters.police_dossier.dossier import Dossier
from broker.spi import Json, MinimisedReferral

HEADER = (
    "url",
    "reason",
    "IP",
    "firstseen",
    "lastseen",
    "record",
    "element",
    "item",
    "pointer",
    "field",
    "name",
    "value",
    "text",
)

_FORMULA = tuple("=+-@\t\r\n'＝＋－＠")


def write(referral: MinimisedReferral, dossier: Dossier) -> bytes:
    """The whole sheet; row order follows the dossier, so the same referral gives the same bytes."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerow(HEADER)
    rows = csv.writer(out, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    for row in (*_url_rows(referral, dossier), *_fact_rows(dossier)):
        rows.writerow([safe(cell) for cell in row])
    return out.getvalue().encode()


def safe(cell: str) -> str:
    """Keeps a spreadsheet from running a cell: one leading apostrophe, to be stripped by a reader.

    A URL begins with its scheme and is never touched. A cell that begins with an apostrophe gets
    another one, so that stripping one is always right.
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def unsafe(cell: str) -> str:
    """The inverse of `safe`."""
    return cell[1:] if cell.startswith("'") else cell


def _url_rows(referral: MinimisedReferral, dossier: Dossier) -> Iterator[list[str]]:
    locations = referral.entities.get("locations", {})
    items = referral.entities.get("items", {})
    at = {e: _found_at(items[e].get("ref")) for e in items}
    reason = _reason(dossier)
    for location in sorted(locations, key=lambda e: _key(dossier, e)):
        url = locations[location].get("url")
        if not isinstance(url, str):
            continue
        ip = _member(locations[location].get("host"), "ip")
        check = locations[location].get("last_check")
        here = sorted((e for e in items if location in at[e]), key=lambda e: _key(dossier, e))
        for item in here or [""]:
            seen = items[item].get("seen") if item else None
            first, last = _seen(seen, check)
            yield [url, reason, ip, first, last, "url", location, item, "", "", "", "", ""]


def _fact_rows(dossier: Dossier) -> Iterator[list[str]]:
    blank = [""] * 5
    for record, element, leaf in dossier.leaves():
        name = ": ".join(
            part for part in (dossier.words.field(leaf.field) if leaf.field else "", leaf.label) if part
        )
        yield [*blank, record, element, "", leaf.pointer, leaf.field, name, leaf.value, leaf.text]
    for key, sentence in dossier.withheld.items():
        yield [*blank, "withheld", "", "", f"/withheld#{key}", "", "", "", sentence]
    digest = dossier.payload_sha256
    name = dossier.words.say("env.payload")
    yield [*blank, "proof", "", "", "", "", name, digest, digest]


def _reason(dossier: Dossier) -> str:
    """The assessed type of offence in words; empty where the recipient does not get it."""
    return next((leaf.text for _, _, leaf in dossier.leaves() if leaf.field == "F03"), "")


def _seen(seen: Json, check: Json) -> tuple[str, str]:
    """First and last seen in UTC; an online check that found it counts as last seen."""
    first = _when(_member_of(seen, "first"))
    last = _when(_member_of(seen, "last"))
    if not last and isinstance(check, Mapping) and check.get("online") is True:
        last = _when(check)
    return first, last


def _when(moment: Json) -> str:
    text = moment.get("at") if isinstance(moment, Mapping) else moment
    return moments.utc(text) if isinstance(text, str) else ""


def _found_at(ref: Json) -> tuple[str, ...]:
    found = ref.get("found_at") if isinstance(ref, Mapping) else None
    return tuple(e for e in found if isinstance(e, str)) if isinstance(found, list) else ()


def _member(value: Json, name: str) -> str:
    found = _member_of(value, name)
    return found if isinstance(found, str) else ""


def _member_of(value: Json, name: str) -> Json:
    return value.get(name) if isinstance(value, Mapping) else None


def _key(dossier: Dossier, element: str) -> tuple[int, str]:
    return int(dossier.names[element].rsplit(" ", 1)[1]), element
