"""Questions to the register, and figures: what the rules say, never what a case holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.core.fields import FIELD_IDS
from broker.core.pack import load_pack
from broker.demo.house import House
from broker.desk import figures, publish, questions
from broker.errors import NotFound, Refused
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.desk.counting import statements


def test_the_rule_of_every_field_is_that_of_the_release(house: House) -> None:
    made = build.released(house)
    desk, officer = house.desk, house.people["officer"]
    with unit_of_work(desk.db) as session, statements(desk.db) as seen:
        rules = {r.field: r for r in questions.rules(desk, session, officer, made.release)}
    assert len(seen) <= 3
    with unit_of_work(desk.db) as session:
        record = publish.open_record(desk, session, session.get_one(tables.Release, made.release))
        not_sent = questions.withheld(desk, session, officer, made.release)
    assert set(rules) == set(FIELD_IDS)
    # what the referral itself told its recipient is what the officer is told
    told = json.loads(record.payload)["withheld"]["fields"]
    for field, entry in told.items():
        assert (rules[field].action == "") == (entry["state"] == "withheld"), field
        if entry["state"] == "withheld":
            assert rules[field].clause == entry["clause"], field
    assert {r.field for r in not_sent} == {f for f, e in told.items() if e["state"] == "withheld"}
    assert rules["F13"].clause == "matrix:-"
    assert rules["F29"].column == load_pack("be").action("F29", "BEP")
    with unit_of_work(desk.db) as session, pytest.raises(NotFound):
        questions.rule_of(desk, session, officer, made.release, "F99")


def test_a_ground_shows_as_one_and_a_changed_matrix_is_not_guessed(house: House) -> None:
    from dataclasses import replace

    made = build.released(house, grounds={"F12": "protect-child"}, purposes=("P1",))
    officer = house.people["officer"]
    with unit_of_work(house.desk.db) as session:
        rule = questions.rule_of(house.desk, session, officer, made.release, "F12")
        assert (rule.action, rule.column, rule.ground) == ("apart", "C", True)
        other = replace(house.desk, pack=replace(house.desk.pack, matrix_digest="0" * 64))
        rule = questions.rule_of(other, session, officer, made.release, "F13")
        assert (rule.known, rule.clause, rule.column) == (False, None, None)


def test_reads_and_open_ends(house: House, tmp_path: Path) -> None:
    one = build.released(house)
    two = build.released(house)
    with build.serving(house, worker=False) as (url, live):
        with build.partner_api(live, url, "police") as api:
            api.collect(one.release)
        with unit_of_work(house.desk.db) as session:
            session.add(
                tables.ReadAct(
                    id=house.desk.uuid(), release_id=one.release, partner_id=house.partners["police"],
                    ground="own_case", user_reference="canary-user", at=house.desk.now(),
                )
            )  # fmt: skip
    officer = house.people["officer"]
    later = house.desk.now() + timedelta(hours=1)
    with unit_of_work(house.desk.db) as session:
        (read,) = questions.reads(session, officer, ground="own_case").rows
        assert (read.release, read.partner) == (one.release, house.partners["police"])
        assert "canary" not in str(read)
        assert questions.reads(session, officer, ground="audit").rows == ()
        found = {
            gap: [e.release for e in questions.open_ends(house.desk, session, officer, gap, until=later).rows]
            for gap in questions.GAPS
        }
        at = session.get_one(tables.Release, two.release).released_at.astimezone(UTC)
        quarter = f"{at:%Y}-Q{(at.month + 2) // 3}"
        rows = questions.of_quarter(session, officer, house.partners["police"], quarter).rows
        assert {row.disclosure_id for row in rows} == {one.release, two.release}
        assert len(questions.received(session, officer, read.case_id).rows) == 1
    assert found == {
        "not-collected": [two.release], "no-receipt": [one.release], "not-read": [],
        "not-answered": [one.release], "no-second-approval": [],
    }  # fmt: skip


def test_quarters_are_whole_and_meet() -> None:
    assert questions.quarter_of("2026-Q4") == (
        datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    )  # fmt: skip
    for wrong in ("2026", "2026-Q5", "26-Q1", "2026-q1"):
        with pytest.raises(Refused):
            questions.quarter_of(wrong)


def test_figures_are_real_inside_and_hidden_outside(house: House) -> None:
    build.released(house)
    desk, officer = house.desk, house.people["officer"]
    now = desk.now()
    since, until = now - timedelta(days=40), now + timedelta(hours=1)
    with unit_of_work(desk.db) as session, statements(desk.db) as seen:
        inside = figures.figures(desk, session, officer, since, until)
    assert len(seen) <= 12
    assert inside.months[-1] == f"{until:%Y-%m}"  # another month than now, in the last hour of one
    assert sum(t.count for t in inside.to_release) == 1
    withheld = inside.withheld.cells
    assert sum(n or 0 for row in withheld.values() for n in row.values()) >= 5
    outside = figures.for_outside(inside)
    assert {t.median_hours for t in outside.to_release} == {None}
    shown = [n for row in outside.withheld.cells.values() for n in row.values()]
    assert all(n is None or n == 0 or n >= 5 for n in shown)
    with unit_of_work(desk.db) as session, pytest.raises(Refused):
        figures.figures(desk, session, officer, since - timedelta(days=900), until)


def test_months_are_counted_whole() -> None:
    at = datetime(2026, 11, 3, tzinfo=UTC)
    assert figures.months_of(at, datetime(2027, 2, 1, tzinfo=UTC)) == ("2026-11", "2026-12", "2027-01")
