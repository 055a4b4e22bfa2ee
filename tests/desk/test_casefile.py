"""A case at rest: what is read is of one version, whatever is stored meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from broker.core import canonical
from broker.demo.house import House
from broker.desk import casefile, intake
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case


def amended(house: House, case_id: Any) -> None:
    with unit_of_work(house.desk.db) as session:
        case, _ = casefile.read_version(house.desk, session, case_id)
        raw = canonical.encode({**case.data, "synthetic": True})
        intake.amend(house.desk, session, house.people["analyst-2"], case_id, raw)


def test_a_version_stored_between_two_statements_tears_nothing(house: House) -> None:
    case_id = build.take_in(house, full_case("person_lead"))
    engine, once = house.desk.db.engine("app"), [True]

    def amend_first(*_: Any) -> None:
        if once and once.pop():
            amended(house, case_id)

    with unit_of_work(house.desk.db) as session:
        session.connection()
        event.listen(engine, "after_cursor_execute", amend_first)
        try:
            case, version = casefile.read_version(house.desk, session, case_id)
        finally:
            event.remove(engine, "after_cursor_execute", amend_first)
    assert not once
    assert (version, "persons" in case.data) == (1, True)


@pytest.mark.parametrize("version", [None, 2])
def test_a_file_that_the_session_remembers_is_read_as_it_is_now(house: House, version: int | None) -> None:
    case_id = build.take_in(house, full_case("person_lead"))
    with unit_of_work(house.desk.db) as session:
        remembered = session.get_one(tables.CaseFile, case_id)
        amended(house, case_id)
        assert remembered.current_version == 1
        assert casefile.read_version(house.desk, session, case_id, version)[1] == 2
