"""A case told from intake to answer, with the places of its leaves; and the list of cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from broker.demo.house import House
from broker.desk import caselist, publish, timeline
from broker.desk.caselist import CaseFilter
from broker.errors import Refused
from broker.jobs import settle
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import minimal_case
from tests.desk.counting import statements


def test_the_whole_path_is_told_in_order(house: House, tmp_path: Path) -> None:
    made = build.released(house)
    with build.serving(house, worker=False) as (url, live):
        build.pull(live, url, "police", tmp_path / "out", build.trust(live, tmp_path / "trust"))
        with build.partner_api(live, url, "police") as api:
            api.read(made.release, "triage")
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        publish.withdraw(house.desk, session, house.people["releaser"], made.release, "incorrect")
    desk, officer = house.desk, house.people["officer"]
    with unit_of_work(desk.db) as session, statements(desk.db) as seen:
        told = timeline.of_release(session, officer, made.release)
    assert len(seen) == 5
    actions = [m.action for m in told.moments]
    wanted = ["referral:drafted", "referral:approved", "referral:released", "referral:published",
              "referral:collected", "referral:receipt", "referral:read", "referral:withdrawn"]  # fmt: skip
    assert [a for a in actions if a in wanted and a != "referral:collected"] == [
        a for a in wanted if a != "referral:collected"
    ]
    by_action = {m.action: m for m in told.moments}
    assert by_action["referral:read"].code == "triage"
    assert by_action["referral:withdrawn"].code == "incorrect"
    assert by_action["referral:withdrawn"].waiting
    assert by_action["referral:receipt"].code == "verified"
    assert (
        by_action["referral:published"].position == 1 or by_action["referral:published"].position is not None
    )
    assert by_action["referral:drafted"].who == "analyst-1"
    assert by_action["referral:drafted"].actor.startswith("st_")

    with unit_of_work(desk.db) as session:
        whole = timeline.of_case(session, officer, told.case_id)
    assert [m.action for m in whole.moments][:2] == ["case:taken-in", "case:verdict-given"]
    assert {m.release for m in whole.moments} == {None, made.release}
    assert whole.referrals[0].releases == (made.release,)


def test_the_case_list_filters_by_codes_and_pages(house: House) -> None:
    for kind in ("danger", "person_lead", "danger", "grooming_or_extortion", "danger"):
        build.take_in(house, minimal_case(kind))
    desk, analyst, other = house.desk, house.people["analyst-1"], house.people["analyst-2"]
    after, seen = None, []
    while True:
        with unit_of_work(desk.db) as session:
            page = caselist.cases(desk, session, analyst, CaseFilter(kind="danger"), after=after, limit=2)
        seen += page.rows
        after = page.next
        if after is None:
            break
    assert len({row.case_id for row in seen}) == len(seen) == 3
    assert {row.kind for row in seen} == {"danger"}
    with unit_of_work(desk.db) as session:
        assert len(caselist.cases(desk, session, analyst, CaseFilter(mine=True)).rows) == 5
        assert caselist.cases(desk, session, other, CaseFilter(mine=True)).rows == ()
        assert (
            caselist.cases(desk, session, other, CaseFilter(until=desk.now().replace(year=2020))).rows == ()
        )


@pytest.mark.parametrize("wrong", [{"kind": "x"}, {"state": "y"}, {"urgency": "U9"}])
def test_a_filter_is_a_code(wrong: dict[str, str]) -> None:
    with pytest.raises(Refused, match="filter"):
        CaseFilter(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["x", "a~b", "2026-01-01~1", "2026-01-01T00:00:00+00:00~'; drop"])
def test_a_place_that_no_page_gave_is_refused(house: House, place: str) -> None:
    with unit_of_work(house.desk.db) as session, pytest.raises(Refused, match="page"):
        caselist.cases(house.desk, session, house.people["analyst-1"], after=place)


def test_an_act_and_its_row_have_one_moment(house: House, tmp_path: Path) -> None:
    """Also where a second ends between two looks at the clock: here each look is nearly a second later."""
    made = build.released(house)
    looks = count()
    clock = lambda: datetime.now(UTC) + timedelta(seconds=0.9 * next(looks))  # noqa: E731
    ticking = replace(house, desk=replace(house.desk, clock=clock))
    with build.serving(ticking, worker=False, dated=False) as (url, live):
        build.pull(live, url, "police", tmp_path / "out", build.trust(live, tmp_path / "trust"))
        with build.partner_api(live, url, "police") as api:
            api.read(made.release, "triage")
    with unit_of_work(house.desk.db) as session:
        told = timeline.of_release(session, house.people["officer"], made.release)
    codes = {m.action: m.code for m in told.moments}
    assert codes["referral:receipt"] == "verified"
    assert codes["referral:read"] == "triage"
