"""Legal references follow the date of the offence, and the last border is a setting."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from broker.core.legal import refs, refs_seen
from broker.core.pack import load_pack
from broker.errors import Misconfigured
from tests.cases import accepted, full_case

PACK = load_pack("be")


def articles(start: date, end: date | None = None, offence: str = "csam_dissemination") -> list[str]:
    return [ref.article for ref in refs(PACK, offence, start, end)]


def test_the_switch_date_is_the_first_day_of_the_new_code() -> None:
    assert articles(date(2026, 4, 7)) == ["417/43", "417/44", "417/48"]
    assert articles(date(2026, 4, 8)) == ["170", "171", "175"]


def test_the_switch_moves_with_the_setting() -> None:
    moved = PACK.with_switch(date(2026, 9, 1))
    on_old_date = refs(moved, "csam_dissemination", date(2026, 4, 8))
    assert [ref.article for ref in on_old_date] == ["417/43", "417/44", "417/48"]
    new = refs(moved, "csam_dissemination", date(2026, 9, 1))
    assert [ref.article for ref in new] == ["170", "171", "175"]
    assert {ref.version_date for ref in new} == {date(2026, 9, 1)}
    with pytest.raises(Misconfigured):
        PACK.with_switch(date(2020, 1, 1))


def test_before_2022_and_before_everything() -> None:
    assert articles(date(2018, 1, 1)) == ["383bis", "383bis/1"]
    assert articles(date(1980, 1, 1)) == []


def test_a_period_over_the_border_gets_both_laws() -> None:
    assert articles(date(2026, 4, 1), date(2026, 4, 8)) == ["417/43", "417/44", "417/48", "170", "171", "175"]
    assert articles(date(2026, 4, 1), date(2026, 4, 7)) == ["417/43", "417/44", "417/48"]


def test_a_subject_the_law_did_not_know_gives_no_reference() -> None:
    assert articles(date(2025, 1, 1), offence="abuse_manual") == []
    assert articles(date(2026, 5, 1), offence="abuse_manual") == ["177-179", "180"]


BEFORE, AFTER = ["417/43", "417/44", "417/48"], ["170", "171", "175"]


def seen(drafted: date = date(2026, 4, 7), **facts: Any) -> list[str]:
    return [r.article for r in refs_seen(PACK, facts, drafted)]


def test_a_case_resolves_by_offence_date_else_by_the_day_it_was_opened() -> None:
    case = accepted(full_case()).data["case"]
    assert seen(**{**case, "offence_at": {"start": "2026-04-08", "basis": "stated"}}) == AFTER
    bare = {n: v for n, v in case.items() if n != "offence_at"}
    bare["dates"] = {"opened_at": "2026-04-07T22:30:00Z"}  # already the 8th in Belgium
    assert seen(**bare) == AFTER


def test_what_the_recipient_does_not_see_decides_nothing() -> None:
    """Only what it gets of F03, F08 and F82, in the form in which it gets it."""
    assert seen(offence_type="csam_production") == BEFORE  # no date at all: the day of the draft
    assert seen(date(2026, 4, 8), offence_type="csam_production") == AFTER
    assert seen(offence_type="child_sexual_abuse_material", dates={"opened_at": "2026-04-08"}) == AFTER
    assert seen(offence_type="csam_dissemination", offence_at={"start": "2026-03"}) == BEFORE
    assert seen(dates={"opened_at": "2026-04-08T10:00:00Z"}) == []


def test_the_reference_on_the_wire() -> None:
    (first, *_) = refs(PACK, "csam_dissemination", date(2026, 4, 8))
    assert first.as_json() == {
        "statute": "Belgian Criminal Code (2024)",
        "article": "170",
        "version_date": "2026-04-08",
    }


def test_another_country() -> None:
    pack = load_pack(Path(__file__).parents[1] / "packs" / "xx")
    assert [r.article for r in refs(pack, "grooming", date(2021, 1, 1))] == ["10"]
