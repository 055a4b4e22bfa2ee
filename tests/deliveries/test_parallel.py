"""The parallel run: what goes out today beside the referral; compared, and nothing sent or counted."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from broker.core import today
from broker.core.today import Row
from broker.demo.house import House
from broker.desk import carry, parallel
from broker.errors import Refused
from broker.jobs import settle
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import canaries, full_case

ZONE = ZoneInfo("Europe/Brussels")
A = Row("https://a.example/1", "csam_dissemination", "192.0.2.1", "2026-03-01T10:00:00Z", "")


def counts(house: House) -> Mapping[str, int]:
    """Rows of every table."""
    with house.desk.db.connect("app") as conn:
        names = conn.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
            " and has_table_privilege(oid, 'select')"
        ).fetchall()
        found = {}
        for (name,) in names:
            row = conn.execute(f'select count(*) from "{name}"'.encode()).fetchone()
            found[name] = row[0] if row else 0
    return found


def ran(house: House, *cases: UUID, **options: Any) -> parallel.Run:
    return parallel.run(house.desk, house.people["analyst-1"], cases, **options)


def test_nothing_is_sent_released_registered_or_logged_in_the_tree(house: House) -> None:
    case_id = build.confirmed(house, full_case())
    settle(house.desk)
    before = counts(house)
    assert len(before) > 30
    done = ran(house, case_id)
    after = counts(house)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {"event": 1}
    assert settle(house.desk) == 0
    assert carry.due(house.desk) == []
    assert done.pairs[0].source == "preview"


def test_after_a_release_it_is_compared_with_what_really_went(house: House) -> None:
    document = full_case()
    release = build.released(house, "police", document)
    before = counts(house)
    with unit_of_work(house.desk.db) as session:
        cases = parallel.since(session, house.desk.now() - timedelta(hours=1))
        assert parallel.since(session, house.desk.now() + timedelta(hours=1)) == []
    done = ran(house, *cases)
    assert [pair.source for pair in done.pairs] == ["released"]
    assert release.reference.encode() in done.pairs[0].mail
    changed = {name for name, number in counts(house).items() if number != before[name]}
    assert changed == {"event"}


def test_it_says_what_is_in_one_and_not_in_the_other(house: House) -> None:
    """A place that nobody confirmed anything about goes out today, and not in the referral."""
    document = full_case()
    document["locations"]["loc99"] = {"url": "https://nobody.example/confirmed"}
    case_id = build.confirmed(house, document)
    done = ran(house, case_id)
    urls = {place["url"] for place in document["locations"].values() if "url" in place}
    rows = list(csv.DictReader(io.StringIO(done.pairs[0].sheet.decode()), delimiter=";"))
    assert {row["url"] for row in rows} == urls
    found = {line.url: line.verdict for line in done.comparison.lines if line.what == "url"}
    assert found["https://nobody.example/confirmed"] == "only-today"
    assert set(found.values()) == {"both", "only-today"}
    assert "F17" in done.more
    assert "://" not in done.pairs[0].mail.decode().replace("hxxps://", "").replace("hxxp://", "")
    told = json.dumps(done.summary())
    assert [v for v in canaries(document).values() if isinstance(v, str) and v in told] == []


def test_a_file_of_the_hotline_s_own_tool_is_compared_as_it_is(house: House) -> None:
    case_id = build.confirmed(house, full_case())
    sheet = ran(house, case_id).pairs[0].sheet
    same = ran(house, case_id, sent=sheet).comparison.counts()
    assert same == ran(house, case_id).comparison.counts()
    more = sheet + b"https://extra.example/1;;192.0.2.9;2026-03-01 10:00:00;\r\n"
    found = ran(house, case_id, sent=more).comparison
    assert [line.url for line in found.lines if line.verdict == "only-today" and line.what == "url"] == [
        "https://extra.example/1"
    ]
    assert ran(house, UUID(int=1)).refused == {"not-found": 1}


@pytest.mark.parametrize(
    ("old", "new", "verdicts"),
    [
        (A, A, {"url": "both", "reason": "both", "IP": "both", "firstseen": "both"}),
        (A, A._replace(ip=""), {"IP": "only-today"}),
        (A._replace(ip=""), A, {"IP": "only-referral"}),
        (A, A._replace(first="2026-03-01"), {"firstseen": "differs"}),
        (A._replace(reason="dissemination of child sexual abuse material"), A, {"reason": "both"}),
        (A._replace(reason="other words"), A, {"reason": "differs"}),
    ],
)
def test_verdicts(old: Row, new: Row, verdicts: dict[str, str]) -> None:
    found = {line.what: line.verdict for line in today.compare([old], [new], "en").lines}
    assert found | verdicts == found


def test_local_times_are_read_back_across_the_change_of_the_clock() -> None:
    rows = [A._replace(first="2026-03-29T00:30:00Z", last="2026-03-29T01:30:00Z")]
    assert b"2026-03-29 01:30:00;2026-03-29 03:30:00" in today.sheet(rows, "en", ZONE)
    (back,) = today.read(today.sheet(rows, "en", ZONE), ZONE)
    assert (back.first, back.last) == (rows[0].first, rows[0].last)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"\xff", "csv"),
        (b"a;b\r\n", "header"),
        (b"", "header"),
        (b"url;reason;IP;firstseen;lastseen\r\nhttps://canary.example;x\r\n", "columns"),
        (b"url;reason;IP;firstseen;lastseen\r\nhttps://canary.example;x;;soon;\r\n", "instant"),
        (b'url;reason;IP;firstseen;lastseen\r\n"https://canary.example;x', "csv"),
    ],
)
def test_a_file_that_is_none_is_refused_without_a_value(content: bytes, rule: str) -> None:
    with pytest.raises(Refused) as refused:
        today.read(content, ZONE)
    assert [issue.rule for issue in refused.value.issues] == [rule]
    assert "canary" not in f"{refused.value} {refused.value.issues}"


def test_files_are_their_owner_s_alone(house: House, tmp_path: Path) -> None:
    from broker.cli.parallel import _write

    case_id = build.confirmed(house, full_case())
    old = os.umask(0)
    try:
        _write(tmp_path / "run", ran(house, case_id))
    finally:
        os.umask(old)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["comparison.csv", "mail.txt", "summary.json", "today.csv"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError):
        _write(tmp_path / "run", ran(house, case_id))
