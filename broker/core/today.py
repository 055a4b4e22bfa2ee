"""What a hotline sends the police today, a mail and five columns, and how it compares with a referral.

For the time in which a hotline tries the broker beside its old way. Pure: rows in, texts and verdicts out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal, NamedTuple

from broker.core.summary import texts
from broker.errors import Issue, Refused
from broker.spi import Json, Language

HEADER = ("url", "reason", "IP", "firstseen", "lastseen")
MAX_ROWS = 100_000
Verdict = Literal["both", "differs", "only-today", "only-referral"]
_FORMAT = "%Y-%m-%d %H:%M:%S"


class Row(NamedTuple):
    """One address. `reason` is the code of the offence, or words out of a file; times are in UTC or empty."""

    url: str
    reason: str
    ip: str
    first: str
    last: str


class Line(NamedTuple):
    """One verdict: of an address as a whole, or of one of its four other columns."""

    url: str
    what: str
    today: str
    referral: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every verdict, and how often each was given: what → verdict → number."""

    lines: tuple[Line, ...]

    def counts(self) -> dict[str, dict[str, int]]:
        """For a screen: no value."""
        found: dict[str, dict[str, int]] = {what: {} for what in ("url", *HEADER[1:])}
        for line in self.lines:
            found[line.what][line.verdict] = found[line.what].get(line.verdict, 0) + 1
        return found


def rows_of(facts: Mapping[str, Json], entities: Mapping[str, Mapping[str, Json]]) -> list[Row]:
    """The addresses of a case, or of what a recipient gets of it, in the shape of a referral."""
    reason = facts.get("case", {}).get("offence_type") or ""
    items, found = entities.get("items", {}), []
    for name, place in sorted(entities.get("locations", {}).items()):
        if not isinstance(place.get("url"), str):
            continue
        here = [item for item in items.values() if name in _found_at(item)]
        seen = [item["seen"] for item in here if isinstance(item.get("seen"), Mapping)]
        first = min(filter(None, (_utc(s.get("first")) for s in seen)), default="")
        last = max(filter(None, (_utc(s.get("last")) for s in seen)), default="")
        check = place.get("last_check")
        if not last and isinstance(check, Mapping) and check.get("online") is True:
            last = _utc(check)
        host = place.get("host")
        ip = host.get("ip", "") if isinstance(host, Mapping) else ""
        found.append(Row(place["url"], str(reason), str(ip or ""), first, last))
    return found


def sheet(rows: Sequence[Row], language: Language, zone: tzinfo) -> bytes:
    """The CSV of today: five columns, `;`, local times without a zone; quoted only where it must be."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADER)
    for row in rows:
        times = (_local(row.first, zone), _local(row.last, zone))
        writer.writerow([row.url, in_words(row.reason, language), row.ip, *times])
    return out.getvalue().encode()


def mail(rows: Sequence[Row], reference: str, desk: str, language: Language) -> str:
    """The body of today: a reference, the broken addresses, the desk."""
    addresses = [f"{n}. {_broken(row.url)}" for n, row in enumerate(rows, 1)]
    reasons = sorted({in_words(row.reason, language) for row in rows if row.reason})
    return "\n".join([reference, *reasons, "", *addresses, "", desk, ""])


def read(content: bytes, zone: tzinfo) -> list[Row]:
    """A CSV that the hotline's own tool wrote today. Raises `Refused` by row and rule, without a value."""
    try:
        lines = list(
            csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";", strict=True)
        )
    except (UnicodeDecodeError, csv.Error):
        raise _refused("", "csv", "is no UTF-8 table with ; between its cells") from None
    if not lines or tuple(cell.strip() for cell in lines[0][:5]) != HEADER:
        raise _refused("/rows/1", "header", "does not begin with url;reason;IP;firstseen;lastseen")
    if len(lines) > MAX_ROWS:
        raise _refused("", "oversize", f"has more than {MAX_ROWS} rows")
    rows = []
    for number, cells in enumerate(lines[1:], 2):
        if not any(cells):
            continue
        if len(cells) < len(HEADER):
            raise _refused(f"/rows/{number}", "columns", "has fewer than five cells")
        url, reason, ip, first, last = (cell.strip() for cell in cells[:5])
        where = f"/rows/{number}"
        rows.append(Row(url, reason, ip, _read_time(first, zone, where), _read_time(last, zone, where)))
    return rows


def compare(today: Sequence[Row], referral: Sequence[Row], language: Language) -> Comparison:
    """Address by address, then column by column for those that both have."""
    ours, theirs = _by_url(referral), _by_url(today)
    lines: list[Line] = []
    for url in sorted(ours.keys() | theirs.keys()):
        mine, old = ours.get(url), theirs.get(url)
        if mine is None or old is None:
            lines.append(Line(url, "url", "", "", "only-today" if mine is None else "only-referral"))
            continue
        lines.append(Line(url, "url", "", "", "both"))
        for what, before, now in zip(HEADER[1:], old[1:], mine[1:], strict=True):
            if what == "reason":
                before, now = in_words(before, language), in_words(now, language)  # noqa: PLW2901
            lines += [] if not before and not now else [Line(url, what, before, now, _verdict(before, now))]
    return Comparison(tuple(lines))


def report(comparison: Comparison) -> bytes:
    """Everything, with values: for a file that only its owner reads. No cell runs in a spreadsheet."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(Line._fields)
    writer.writerows([_safe(cell) for cell in line] for line in comparison.lines)
    return out.getvalue().encode()


def in_words(reason: str, language: Language) -> str:
    """An offence in words; what is no code of ours stays as it is."""
    return str(texts(language)["codes"]["offence"].get(reason, reason))


def _verdict(before: str, now: str) -> Verdict:
    if before == now:
        return "both"
    return "only-today" if not now else "only-referral" if not before else "differs"


def _by_url(rows: Sequence[Row]) -> dict[str, Row]:
    """One row for each address: the first reason and address, the widest span of times."""
    found: dict[str, Row] = {}
    for row in rows:
        seen = found.get(row.url)
        if seen is not None:
            first = min(filter(None, (seen.first, row.first)), default="")
            row = Row(row.url, seen.reason or row.reason, seen.ip or row.ip, first, max(seen.last, row.last))  # noqa: PLW2901
        found[row.url] = row
    return found


def _found_at(item: Mapping[str, Json]) -> Sequence[str]:
    ref = item.get("ref")
    found = item.get("found_at") or (ref.get("found_at") if isinstance(ref, Mapping) else None)
    return found if isinstance(found, list | tuple) else ()


def _utc(moment: Json) -> str:
    """To the second: the mail of today knows no finer times. A date alone stays one."""
    text = moment.get("at") if isinstance(moment, Mapping) else moment
    if not isinstance(text, str):
        return ""
    if "T" not in text:
        return text
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _local(moment: str, zone: tzinfo) -> str:
    return datetime.fromisoformat(moment).astimezone(zone).strftime(_FORMAT) if "T" in moment else moment


def _read_time(text: str, zone: tzinfo, where: str) -> str:
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _refused(where, "instant", "has a time that cannot be read") from None
    moment = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _broken(url: str) -> str:
    # Not `web.locators.broken`: the mail of today breaks every dot and no ftp, and stays byte for byte.
    scheme, colon, rest = url.partition("://")
    return f"{scheme.replace('tt', 'xx')}{colon}{rest.replace('.', '[.]')}"


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "'")) else cell


def _refused(field: str, rule: str, detail: str) -> Refused:
    return Refused("today-refused", "the file of today was not read", (Issue(field, rule, detail),))


def fields_beyond(fields: Collection[str]) -> Iterator[str]:
    """Field ids that a referral gives and the five columns never had."""
    known = {"F03", "F25", "F29", "F33", "F36"}
    yield from sorted({field for field in fields if field and field not in known})
