"""What became of reports that we sent, out of the same envelope: actions of other hotlines, and moves.

ICCAM acts on content items; a referral is one report. So an end (removed, gone, not illegal) is told
only when every item of the report has one. A move is no action in API v3: it shows as a country that
differs from the list read before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from adapters.iccam_in.codes import FINAL, VERSIONS, Codes
from adapters.iccam_in.reading import MAX_CONTENTS, Members, read, refuse
from broker.spi import Returned

MAX_REPORTS = 500
MAX_HISTORY = 200
OUTCOMES: Mapping[str, str] = {
    "reported-to-lea": "O12",
    "removed": "O60",
    "unavailable": "O74",
    "not-illegal": "O70",
}
"""ICCAM's action → outcome code. "Reported to provider" is a step of theirs, not an outcome."""
MOVED = "O64"


@dataclass(slots=True)
class _Report:
    number: int
    items: list[int] = field(default_factory=list)


def read_returns(content: bytes, before: bytes | None) -> list[Returned]:
    """News of every report in the envelope, whosever report it is. Raises `Refused`."""
    codes, reports, contents = _envelope(content)
    earlier = {} if before is None else _envelope(before)[2]
    return [
        news
        for report in reports
        for news in (*_acted(report, contents, codes), *_moved(report, contents, earlier))
    ]


def _envelope(content: bytes) -> tuple[Codes, list[_Report], dict[int, Members]]:
    envelope = Members(read(content), "")
    version = envelope.code("iccam", VERSIONS)
    if version is None:
        refuse("/iccam", "required", "is required: the version of the API, such as v3")
    reports = [_report(entry) for entry in envelope.entries("reports", MAX_REPORTS)]
    if not reports:
        refuse("/reports", "required", "is required: at least one report")
    contents: dict[int, Members] = {}
    for entry in envelope.entries("contents", MAX_CONTENTS):
        number = entry.whole("contentId", 1, 2**53 - 1)
        if number is None:
            refuse(entry.at("contentId"), "required", "is required")
        if number in contents:
            refuse(entry.at("contentId"), "duplicate", "stands twice")
        contents[number] = entry
    return VERSIONS[version], reports, contents


def _report(entry: Members) -> _Report:
    number = entry.whole("reportId", 1, 2**53 - 1)
    if number is None:
        refuse(entry.at("reportId"), "required", "is required")
    items = [one.whole("contentId", 1, 2**53 - 1) for one in entry.entries("reportContents", MAX_CONTENTS)]
    return _Report(number, [item for item in items if item is not None])


def _acted(report: _Report, contents: Mapping[int, Members], codes: Codes) -> Iterator[Returned]:
    done = {item: _actions(contents[item], codes) for item in report.items if item in contents}
    reference = str(report.number)
    if any("reported-to-lea" in words for words in done.values()):
        yield Returned(reference, OUTCOMES["reported-to-lea"], "reported-to-lea")
    ends = [words & FINAL for words in done.values()]
    if report.items and len(done) == len(report.items) and all(ends):
        for word in sorted(frozenset().union(*ends)):
            yield Returned(reference, OUTCOMES[word], word)


def _actions(entry: Members, codes: Codes) -> frozenset[str]:
    found = (action.whole("actionType", 0, 2**31) for action in entry.entries("actions", MAX_HISTORY))
    return frozenset(
        codes.actions[number] for number in found if number is not None and number in codes.actions
    )


def _moved(
    report: _Report, contents: Mapping[int, Members], earlier: Mapping[int, Members]
) -> Iterator[Returned]:
    for item in report.items:
        if item in contents and item in earlier:
            now = contents[item].filled("assignedCountryCode", 2)
            then = earlier[item].filled("assignedCountryCode", 2)
            if now is not None and then is not None and now != then:
                yield Returned(str(report.number), MOVED, f"moved-{item}-{now}")
