"""SCART's police CSV and exports to canonical case drafts, one a URL.

SCART's times have no zone and its police list no date of receipt: both come as options. See
docs/adapters/scart_csv.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.scart_csv.reading import Reading, read
from broker.spi import AdapterInfo, CaseDraft, Finding, Issue, Json
from broker.spi_in import ENCODINGS, Column, Fault, Refuse, TableRow, Target, convert, zone_or_none

OPTIONS = ("zone", "received_at", "rows", "encoding")
MAX_ISSUES = 50

_refuse = Refuse("scart_csv")


class ScartCsv:
    """Implements `spi.Ingests`."""

    info = AdapterInfo(
        name="scart_csv",
        title="SCART police CSV and exports",
        speaks="SCART notice lists (url;reason;IP;firstseen;lastseen) and its CSV exports with a URL",
        version="scart-2024-05",
        tried_live=False,
        media_types=("text/csv",),
        options=OPTIONS,
    )

    def ingest(self, content: bytes, *, options: Mapping[str, str]) -> Sequence[CaseDraft]:
        """One draft for each URL classified illegal.

        Options: `zone` (of SCART's server; without it times without an offset are refused),
        `received_at` (RFC 3339, required where the file has no date of receipt), `rows`, `encoding`.
        Raises `Refused` with the number of each row refused.
        """
        received = _check(options)
        reading = read(content, options.get("encoding"), options.get("zone"), _refuse)
        told: list[Finding] = []
        drafts: list[CaseDraft] = []
        refused: list[Issue] = []
        for row in reading.rows:
            opened = row.values.get("received", received)
            if opened is None and not row.issues:
                row.refuse("received_at", Fault("required", "is required, as an option"))
            if row.issues:
                refused += row.issues
            elif row.values.get("classification", "illegal") != "illegal":
                told.append(Finding("scart-not-illegal-left-out", "note", f"/rows/{row.number}"))
            else:
                drafts.append(CaseDraft(_case(row, str(opened)), "scart_csv", tuple(_findings(row))))
        if refused and (options.get("rows") != "accepted" or not drafts):
            _refuse.all(tuple(refused[:MAX_ISSUES]))
        if not drafts:
            _refuse("", "empty", "holds no URL that was classified illegal")
        told += [Finding("scart-row-refused", "warn", i.field, {"rule": i.rule}) for i in refused]
        return _told(drafts, told, reading)


def _check(options: Mapping[str, str]) -> str | None:
    for name in options:
        if name not in OPTIONS:
            _refuse("", "option", "the options are zone, received_at, rows and encoding")
    if options.get("rows", "all") not in {"all", "accepted"}:
        _refuse("/rows", "option", "is all or accepted")
    if options.get("encoding", "utf-8") not in ENCODINGS:
        _refuse("/encoding", "option", "is utf-8, utf-16 or windows-1252")
    if "zone" in options and zone_or_none(options["zone"]) is None:
        _refuse("/zone", "option", "is no time zone known here, such as Europe/Amsterdam")
    if "received_at" not in options:
        return None
    try:
        return str(convert(options["received_at"], Target("instant"), Column("", "received_at")))
    except Fault as fault:
        _refuse("/received_at", fault.rule, fault.detail)


def _case(row: TableRow, opened: str) -> dict[str, Json]:
    values = row.values
    case: dict[str, Json] = {
        "kind": "content_report",
        "origin_channel": "partner",
        "offence_type": "csam_dissemination",
        "dates": {"opened_at": opened},
    }
    if "reference" in values:
        case["related_refs"] = [{"system": "SCART", "ref": values["reference"]}]
    draft: dict[str, Json] = {
        "schema": "broker-case/1",
        "case": case,
        "items": {"item1": _item(values)},
        "locations": {"location1": _location(values)},
    }
    if "reason" in values:
        draft["assessment"] = {
            "narrative": [{"text": values["reason"], "type": "assessment", "source": "hotline"}]
        }
    if {"notice_at", "notice_to"} <= values.keys():
        removal = {"to": values["notice_to"], "at": values["notice_at"], "status": "requested"}
        draft["actions"] = {"removal": [{**removal, "about": ["location1"]}]}
    return draft


def _item(values: Mapping[str, Json]) -> dict[str, Json]:
    item: dict[str, Json] = {"found_at": ["location1"]}
    first, last = values.get("first_seen"), values.get("last_seen")
    if first or last:
        item["seen"] = {"first": _observed(str(first or last))}
        if first and last:
            item["seen"]["last"] = _observed(str(last))
    return item


def _observed(at: str) -> dict[str, Json]:
    """SCART's own checks, by the clock of its server."""
    return {"at": at, "meaning": "observed", "clock": "hotline"}


def _location(values: Mapping[str, Json]) -> dict[str, Json]:
    location: dict[str, Json] = {"url": values["url"]}
    host = {name: values[name] for name in ("ip", "provider") if name in values}
    if host:
        location["host"] = host
    if "country" in values:
        location["country"] = values["country"]
    return location


def _findings(row: TableRow) -> list[Finding]:
    where = f"/rows/{row.number}"
    found = [Finding("scart-no-hash", "warn", where)]
    if "classification" in row.values:
        found.append(Finding("scart-verdict-without-time", "note", where))
    if not {"first_seen", "last_seen"} & row.values.keys():
        found.append(Finding("scart-never-seen", "warn", where))
    return found


def _told(drafts: list[CaseDraft], told: list[Finding], reading: Reading) -> list[CaseDraft]:
    """What concerns the whole file stands with its first draft."""
    if reading.unmapped:
        told.append(Finding("scart-columns-ignored", "note", "/rows/1", {"count": reading.unmapped}))
    first, *others = drafts
    return [CaseDraft(first.case, first.source, (*first.findings, *told)), *others]


adapter = ScartCsv()
