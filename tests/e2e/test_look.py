"""What the second person looks at is the stored draft: its own values, checked against its digest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker.cli import looking
from broker.demo.house import House
from broker.desk.look import look
from broker.errors import Conflict, Forbidden, NotFound
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case


def test_the_releaser_sees_what_will_be_signed(house: House, tmp_path: Path) -> None:
    document = full_case("person_lead")
    document["reporter"]["consent_to_contact"] = True
    document["reporter"]["statement"] += f" {document['victims']['victim1']['identity']['name']}"
    made = build.drafted(
        house,
        build.confirmed(house, document),
        "police",
        purposes=("P1", "P2"),
        grounds={"F12": "protect-child"},
    )
    releaser = house.people["releaser"]
    with unit_of_work(house.desk.db) as session:
        record = look(house.desk, session, releaser, made.release)
    assert record.payload == made.composition.referral.payload
    shown = looking.as_document(record)
    assert shown["payload"]["release"] == made.release
    assert shown["apart"] == {"/facts/reporter/identity": document["reporter"]["identity"]}
    assert shown["grounds"] == {"F12": "protect-child"}
    assert "/facts/reporter/statement" in shown["cleared"]
    words = "\n".join(looking.in_words(record))
    assert "http://" not in words
    assert "https://" not in words
    assert document["persons"]["person1"]["handle"] in words
    assert " ~ /facts/reporter/statement" in words
    assert "Needed: F12, because protect child" in words
    looking.write_documents(record, tmp_path / "look")
    written = {path.name: path.read_bytes() for path in (tmp_path / "look").iterdir()}
    assert written == {d.name: d.content for d in record.documents}
    assert (tmp_path / "look").stat().st_mode & 0o077 == 0
    build.approve(house, made)
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        after = look(house.desk, session, releaser, made.release)
    assert after.payload == record.payload
    assert json.dumps(looking.as_document(after)["apart"]) == json.dumps(shown["apart"])


def test_who_may_look_and_at_what(house: House) -> None:
    made = build.drafted(house, build.confirmed(house, full_case()), "police")
    with unit_of_work(house.desk.db) as session:
        for login in ("administrator", "custodian"):
            with pytest.raises(Forbidden):
                look(house.desk, session, house.people[login], made.release)
        with pytest.raises(NotFound):
            look(house.desk, session, house.people["releaser"], "none")
    # A draft whose digest is not that of its content is not shown as if it were.
    with unit_of_work(house.desk.db) as session, session.no_autoflush:
        session.get_one(tables.Draft, made.release).approval_digest = "0" * 64
        with pytest.raises(Conflict, match="not what was approved"):
            look(house.desk, session, house.people["releaser"], made.release)
        session.rollback()
