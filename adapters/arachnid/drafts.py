"""One answer or envelope to one canonical case draft."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.arachnid.reading import Members, refuse
from adapters.arachnid.report import Report, report
from adapters.arachnid.shield import Scan, scan
from broker.spi import CaseDraft, Finding, Json

MAX_ITEMS = 500


def draft(value: Json, pointer: str, options: Mapping[str, str]) -> CaseDraft:
    """Raises `Refused` where a member is wrong."""
    envelope = Members(value, pointer)
    findings: list[Finding] = []
    given = {name: text for name, text in options.items() if name != "lookup_at"}
    if "shield" in envelope or "report" in envelope:
        scans = _scans(envelope.raw("shield"), envelope.at("shield"))
        about = report(_with_options(envelope.raw("report"), given), envelope.at("report"))
        looked_up = envelope.instant("lookup_at")
        findings += envelope.ignored()
    else:
        scans = [scan(value, pointer)]
        about = report(given, pointer)
        looked_up = None
    looked_up = looked_up or Members(dict(options), "").instant("lookup_at")
    case = _case(scans, about, looked_up, pointer, findings)
    for one in scans:
        findings += one.findings
    return CaseDraft(case, "arachnid", tuple(findings + about.findings))


def _with_options(value: Json, options: Mapping[str, str]) -> Json:
    """The report's own members win over the options."""
    return {**options, **value} if isinstance(value, dict) else options if value is None else value


def _scans(value: Json, pointer: str) -> list[Scan]:
    entries = value if isinstance(value, list) else [value]
    if not entries or value is None:
        refuse(pointer, "required", "is required: one answer or a list of them")
    if len(entries) > MAX_ITEMS:
        refuse(pointer, "oversize", f"holds more than {MAX_ITEMS} answers")
    single = not isinstance(value, list)
    return [scan(entry, pointer if single else f"{pointer}/{i}") for i, entry in enumerate(entries)]


def _case(
    scans: list[Scan], about: Report, looked_up: str | None, pointer: str, findings: list[Finding]
) -> dict[str, Json]:
    """Items share the report's location unless the answer names a URL of its own."""
    items: dict[str, Json] = {}
    locations: dict[str, Json] = {}
    for n, one in enumerate(scans, 1):
        where = dict(about.location) if one.url is None else _own_location(one.url, about)
        known = next((name for name, held in locations.items() if held == where), None)
        if where and known is None:
            known = f"location{len(locations) + 1}"
            locations[known] = where
        items[f"item{n}"] = _item(one, about, known, pointer, findings)
    if not locations:
        findings.append(Finding("arachnid-no-locator", "warn", pointer))
    case: dict[str, Json] = {"schema": "broker-case/1", **about.sections, "items": items}
    if locations:
        case["locations"] = locations
    confirmations = _confirmations(scans, looked_up, pointer, findings)
    if confirmations:
        case["assessment"] = {"confirmations": confirmations}
    return case


def _own_location(url: str, about: Report) -> dict[str, Json]:
    """Host and check facts are of the report's URL; they hold for another URL only if it is the same."""
    return dict(about.location) if about.location.get("url") == url else {"url": url}


def _item(
    one: Scan, about: Report, location: str | None, pointer: str, findings: list[Finding]
) -> dict[str, Json]:
    item = {**about.item, **one.item}
    size = item.pop("size", None)
    if about.media_type is not None:
        item["media"] = {"type": about.media_type} | ({"size": size} if size is not None else {})
    elif size is not None:
        findings.append(Finding("arachnid-size-not-kept", "note", pointer))
    if location is not None:
        item["found_at"] = [location]
    return item


def _confirmations(
    scans: list[Scan], looked_up: str | None, pointer: str, findings: list[Finding]
) -> list[Json]:
    """Exact matches only. `organisations` stays 1 unless the answer says more: one never suffices."""
    exact = [(f"item{n}", one) for n, one in enumerate(scans, 1) if one.exact]
    if exact and looked_up is None:
        findings.append(Finding("arachnid-no-lookup-time", "warn", pointer))
        return []
    return [
        {
            "claim": "content_illegal",
            "organisation": "Project Arachnid",
            "at": looked_up,
            "basis": "orb_consensus",
            "match": "exact",
            "organisations": one.organisations,
            "about": [item],
        }
        for item, one in exact
    ]
