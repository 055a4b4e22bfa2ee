"""A case that nobody gets leaves the list by two people, and nothing of it is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from sqlmodel import col, select

from broker.demo.house import AGENCIES, House, add_agency
from broker.desk import bulk, draft, figures, intake, setaside, worklist
from broker.desk.draft import Request
from broker.errors import BrokerError, Conflict, Forbidden, Refused
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import Document, full_case, minimal_case

REASON = "no-partner-yet"


def for_nobody() -> Document:
    """Hosted where the competent hotline is no partner of the house."""
    document = minimal_case()
    document["locations"]["loc1"]["country"] = "FR"
    return document


def does(house: House, person: str, verb: str, case_id: UUID, *more: str) -> None:
    with unit_of_work(house.desk.db) as session:
        getattr(setaside, verb)(house.desk, session, house.people[person], case_id, *more)


def refused(house: House, person: str, verb: str, case_id: UUID, *more: str) -> str:
    with pytest.raises(BrokerError) as caught:
        does(house, person, verb, case_id, *more)
    return caught.value.code


def lists(house: House, person: str) -> dict[str, list[UUID]]:
    with unit_of_work(house.desk.db) as session:
        found = worklist.my_work(house.desk, session, house.people[person])
    return {s.name: [w.case_id for w in s.rows] for s in found if s.rows}


def state(house: House, case_id: UUID) -> str:
    with unit_of_work(house.desk.db) as session:
        return session.get_one(tables.CaseFile, case_id).state


def counted(house: House) -> dict[str, int | None]:
    now = house.desk.now()
    with unit_of_work(house.desk.db) as session:
        found = figures.figures(
            house.desk, session, house.people["officer"], now - timedelta(days=1), now + timedelta(days=1)
        )
    return dict(found.no_addressee.row_totals)


def actions(house: House, case_id: UUID) -> list[str]:
    with unit_of_work(house.desk.db) as session:
        found = session.exec(select(tables.Event).where(col(tables.Event.case_id) == case_id))
        return [event.action for event in found]


def with_french_hotline(house: House) -> None:
    with unit_of_work(house.desk.db) as session:
        add_agency(house.desk, session, house.people, house.keys, replace(AGENCIES["hotline"], country="FR"))


def test_two_people_end_it_and_anybody_reopens_it(house: House) -> None:
    case_id = build.confirmed(house, for_nobody())
    assert lists(house, "analyst-1") == lists(house, "analyst-2") == {"to-draft": [case_id]}
    does(house, "analyst-1", "set_aside", case_id, REASON)
    assert lists(house, "analyst-1") == {}
    assert lists(house, "analyst-2") == {"to-agree": [case_id]}
    assert refused(house, "analyst-1", "agree", case_id) == "own-set-aside"
    does(house, "analyst-2", "agree", case_id)
    assert lists(house, "analyst-2") == {}
    assert state(house, case_id) == "no_addressee"
    assert counted(house) == {REASON: 1}
    with unit_of_work(house.desk.db) as session:
        found = setaside.aside(session, case_id)
    assert found is not None
    assert (found.reason, found.by, found.looked_by) == (
        REASON, house.people["analyst-1"].id, house.people["analyst-2"].id,
    )  # fmt: skip
    assert found.refusals == ("INH:no-partner",)
    does(house, "analyst-1", "reopen", case_id)
    assert lists(house, "analyst-2") == {"to-draft": [case_id]}
    assert counted(house) == {}
    assert {"case:set-aside", "case:no-addressee", "case:reopened"} <= set(actions(house, case_id))
    with unit_of_work(house.desk.db) as session:
        assert len(session.exec(select(tables.SetAside)).all()) == 1  # what was said stays
    does(house, "analyst-2", "set_aside", case_id, "told-elsewhere")
    assert lists(house, "analyst-1") == {"to-agree": [case_id]}
    does(house, "analyst-1", "agree", case_id)
    assert counted(house) == {"told-elsewhere": 1}


def test_who_disagrees_sends_it_back(house: House) -> None:
    case_id = build.confirmed(house, for_nobody())
    does(house, "analyst-1", "set_aside", case_id, REASON)
    does(house, "analyst-2", "reopen", case_id)
    assert lists(house, "analyst-1") == {"to-draft": [case_id]}


def test_a_case_that_somebody_could_get_is_never_set_aside(house: House) -> None:
    case_id = build.confirmed(house, full_case())
    assert refused(house, "analyst-1", "set_aside", case_id, REASON) == "has-addressee"
    assert state(house, case_id) == "confirmed"
    other = build.confirmed(house, for_nobody())
    does(house, "analyst-1", "set_aside", other, REASON)
    with_french_hotline(house)
    assert refused(house, "analyst-2", "agree", other) == "has-addressee"
    does(house, "analyst-2", "reopen", other)
    assert lists(house, "analyst-1")["to-draft"] == [case_id, other]


def test_what_is_set_aside_is_not_drafted_before_it_is_reopened(house: House) -> None:
    case_id = build.confirmed(house, for_nobody())
    does(house, "analyst-1", "set_aside", case_id, REASON)
    does(house, "analyst-2", "agree", case_id)
    with_french_hotline(house)
    with unit_of_work(house.desk.db) as session:
        hotline = session.exec(
            select(tables.Partner.id).where(
                col(tables.Partner.recipient_class) == "INH", col(tables.Partner.country) == "FR"
            )
        ).one()
        with pytest.raises(Conflict) as caught:
            draft.draft(house.desk, session, house.people["analyst-1"], Request(case_id, hotline))
        assert caught.value.code == "set-aside"
    analyst = house.people["analyst-1"]
    assert bulk.draft_all(house.desk, analyst, hotline).made == 0
    does(house, "analyst-1", "reopen", case_id)
    assert bulk.draft_all(house.desk, analyst, hotline).made == 1


def test_a_new_version_begins_anew(house: House) -> None:
    case_id = build.confirmed(house, for_nobody())
    does(house, "analyst-1", "set_aside", case_id, REASON)
    with unit_of_work(house.desk.db) as session:
        intake.amend(
            house.desk, session, house.people["analyst-1"], case_id, json.dumps(for_nobody()).encode()
        )
    assert state(house, case_id) == "draft"
    assert refused(house, "analyst-2", "agree", case_id) == "case-state"
    assert lists(house, "analyst-2") == {"to-confirm": [case_id]}


def test_roles_reasons_and_states(house: House) -> None:
    case_id = build.confirmed(house, for_nobody())
    for person in ("releaser", "officer", "administrator"):
        with pytest.raises(Forbidden):
            does(house, person, "set_aside", case_id, REASON)
    with pytest.raises(Refused):
        does(house, "analyst-1", "set_aside", case_id, "because")
    assert refused(house, "analyst-1", "agree", case_id) == "case-state"
    assert refused(house, "analyst-1", "reopen", case_id) == "case-state"
    unconfirmed = build.take_in(house, for_nobody())
    assert refused(house, "analyst-1", "set_aside", unconfirmed, REASON) == "case-state"


def test_the_database_refuses_the_same_person_twice(house: House) -> None:
    case_id = build.confirmed(house, for_nobody())
    does(house, "analyst-1", "set_aside", case_id, REASON)
    one = house.people["analyst-1"].id
    with house.desk.db.connect("app") as conn:
        (row,) = conn.execute("select id from set_aside").fetchall()
        for set_by in (one, house.people["analyst-2"].id):  # said by oneself, or told it was another
            with pytest.raises(psycopg.errors.IntegrityError), conn.transaction():
                conn.execute("insert into set_aside_look values (%s, %s, %s, now())", [row[0], set_by, one])
