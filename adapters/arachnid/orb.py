"""Exports of Orb, the classification platform of Project Arachnid: operator-mapped tables.

Orb has no public format, so none is promised: the operator's mapping says which column is what, and
each row then goes the way of a Shield answer in its envelope. A classification there is the consensus
of analysts about this very file; how many organisations stand behind it travels with the verdict.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from adapters.arachnid.drafts import draft
from adapters.arachnid.reading import SOURCE
from broker.spi import CaseDraft, Finding, Issue, Json, Refused
from broker.spi_in import ENCODINGS, Refuse, TableRow, Target, read_mapping, read_table, zone_or_none

OPTIONS = ("mapping", "rows", "zone", "encoding", "received_at")
MAX_ISSUES = 50

TARGETS: Mapping[str, Target] = {
    "shield.classification": Target("text"),
    "shield.match_type": Target("code", ("exact", "near")),
    "shield.sha256": Target("hash", alg="sha256"),
    "shield.sha1": Target("hash", alg="sha1"),
    "shield.size_bytes": Target("whole"),
    "shield.organisations": Target("count_names", least=1, most=1000),
    "lookup_at": Target("instant"),
    "report.received_at": Target("instant"),
    "report.url": Target("url"),
    "report.page_url": Target("url"),
    "report.reference": Target("text"),
    "report.media_type": Target("media_type"),
    "report.filename": Target("file_name"),
    "report.first_seen": Target("instant"),
    "report.last_seen": Target("instant"),
    "report.access_note": Target("text", longest=500),
    "host.ip": Target("ip"),
    "host.asn": Target("asn"),
    "host.provider": Target("text"),
    "host.country": Target("country"),
}

_refuse = Refuse(SOURCE)


def ingest(content: bytes, options: Mapping[str, str]) -> Sequence[CaseDraft]:
    """One draft a row. Options: `mapping` (JSON text), `rows`, `zone`, `encoding`, `received_at`."""
    _check(options)
    mapping = read_mapping(options["mapping"], TARGETS, zone=options.get("zone"))
    for target in ("shield.classification", "lookup_at"):
        if target not in mapping.gives:
            _refuse(f"/constants/{target}", "required", "comes from no column and no constant")
    enough = None if options.get("rows") == "accepted" else MAX_ISSUES
    table = read_table(content, mapping, TARGETS, _refuse, encoding=options.get("encoding"), enough=enough)
    received = {k: v for k, v in options.items() if k == "received_at"}
    drafts = [found for row in table.rows if (found := _draft(row, received)) is not None]
    refused = [issue for row in table.rows for issue in row.issues]
    if refused and (options.get("rows") != "accepted" or not drafts):
        _refuse.all(tuple(refused[:MAX_ISSUES]))
    told = [Finding("arachnid-row-refused", "warn", i.field, {"rule": i.rule}) for i in refused]
    if table.unmapped:
        told.append(Finding("arachnid-columns-ignored", "note", "/rows/1", {"count": table.unmapped}))
    first, *others = drafts
    return [CaseDraft(first.case, first.source, (*first.findings, *told)), *others]


def _check(options: Mapping[str, str]) -> None:
    for name in options:
        if name not in OPTIONS:
            _refuse("", "option", "with a mapping the options are rows, zone, encoding and received_at")
    if options.get("rows", "all") not in {"all", "accepted"}:
        _refuse("/rows", "option", "is all or accepted")
    if options.get("encoding", "utf-8") not in ENCODINGS:
        _refuse("/encoding", "option", "is utf-8, utf-16 or windows-1252")
    if "zone" in options and zone_or_none(options["zone"]) is None:
        _refuse("/zone", "option", "is no time zone known here, such as Europe/Brussels")


def _draft(row: TableRow, received: Mapping[str, str]) -> CaseDraft | None:
    """The row as an envelope; what that refuses is refused with the row's number."""
    if row.issues:
        return None
    where = f"/rows/{row.number}"
    try:
        made = draft(_envelope(row.values), where, received)
    except Refused as refused:
        row.issues += [Issue(issue.field, issue.rule, issue.detail) for issue in refused.issues]
        return None
    alone = row.values.get("shield.organisations", 1) == 1
    findings = [Finding("arachnid-one-organisation", "note", where)] if alone else []
    return CaseDraft(made.case, made.source, (*made.findings, *findings))


def _envelope(values: Mapping[str, Json]) -> dict[str, Json]:
    shield: dict[str, Json] = {"match_type": "exact"} | _under(values, "shield.")
    if "sha256" in shield:
        shield["sha256_hex"] = shield.pop("sha256")["value"]
    if "sha1" in shield:
        shield["sha1_base32"] = base64.b32encode(bytes.fromhex(shield.pop("sha1")["value"])).decode()
    report = _under(values, "report.")
    host = _under(values, "host.")
    if host:
        report["host"] = host
    envelope: dict[str, Json] = {"shield": shield, "report": report}
    if "lookup_at" in values:
        envelope["lookup_at"] = values["lookup_at"]
    return envelope


def _under(values: Mapping[str, Json], prefix: str) -> dict[str, Json]:
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
