"""ICCAM reports assigned to this hotline to canonical case drafts, one a report.

ICCAM gives reports and content items in separate calls; the envelope of docs/adapters/iccam_in.md
brings both together. Setting the hotline's reference in ICCAM is the receipt: a finding names each
content item that still waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.iccam_in.codes import VERSIONS, Codes
from adapters.iccam_in.content import Content, content
from adapters.iccam_in.reading import MAX_CONTENTS, Members, read, refuse
from adapters.iccam_in.report import case_of
from adapters.iccam_in.returns import read_returns
from broker.spi import AdapterInfo, CaseDraft, Finding, Returned

LISTS = ("unassigned-to-hotline", "orphaned", "offline", "unassessed", "unactioned", "no-reference")
MAX_REPORTS = 500


class IccamIn:
    """Implements `spi.Ingests` and `spi.ReadsReturns`."""

    sent_by = "iccam"
    info = AdapterInfo(
        name="iccam_in",
        title="ICCAM reports assigned to the hotline",
        speaks="ICCAM API v3 objects in the envelope of docs/adapters/iccam_in.md",
        version="v3",
        tried_live=False,
        media_types=("application/json",),
        options=("country",),
    )

    def ingest(self, content: bytes, *, options: Mapping[str, str]) -> Sequence[CaseDraft]:
        """One draft for each report. Option: `country` (ours, two letters). Raises `Refused`."""
        for name in options:
            if name != "country":
                refuse("", "option", "the option is country")
        country = options.get("country")
        if country is not None and not (len(country) == 2 and country.isascii() and country.isupper()):
            refuse("/country", "option", "is a two-letter country code")
        envelope = Members(read(content), "")
        version = envelope.code("iccam", VERSIONS)
        if version is None:
            refuse("/iccam", "required", "is required: the version of the API, such as v3")
        listed = envelope.code("list", LISTS)
        reports = envelope.entries("reports", MAX_REPORTS)
        if not reports:
            refuse("/reports", "required", "is required: at least one report")
        contents = _contents(envelope, VERSIONS[version], version, country)
        extra = [
            *envelope.ignored(),
            *([Finding("iccam-orphaned-list", "note")] if listed == "orphaned" else []),
        ]
        drafts = [case_of(report, contents, VERSIONS[version]) for report in reports]
        if contents:
            refuse("/contents", "reference", "has an item that no report names")
        first, *others = drafts
        return [CaseDraft(first.case, first.source, (*first.findings, *extra)), *others]

    def read_returns(self, content: bytes, *, options: Mapping[str, str]) -> Sequence[Returned]:
        """What became of reports that we sent. Option: `before`, the envelope read before, for moves."""
        for name in options:
            if name != "before":
                refuse("", "option", "the option is before")
        before = options.get("before")
        return read_returns(content, None if before is None else before.encode())


def _contents(envelope: Members, codes: Codes, version: str, country: str | None) -> dict[int, Content]:
    found: dict[int, Content] = {}
    for entry in envelope.entries("contents", MAX_CONTENTS):
        one = content(entry, codes, version, country)
        if one.content_id in found:
            refuse(entry.at("contentId"), "duplicate", "stands twice")
        found[one.content_id] = one
    return found


adapter = IccamIn()
