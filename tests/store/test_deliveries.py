"""What the database refuses about deliveries: states out of order, done without proof, a hold by nobody."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from broker.store import tables as t
from broker.store.engine import Database, unit_of_work
from tests.store.world import ANN, NOW, PARTNERS, hexed, populate, publish

DELIVERY = uuid.UUID(int=77)
PROOF = hexed("answer")
WHAT_PROVES = {"awaiting": "submission", "delivered": "delivery", "retracted": "retraction"}


@pytest.fixture
def db(database: Database) -> Database:
    populate(database)
    with unit_of_work(database) as session:
        release = publish(session, PARTNERS[0], 1)
        session.add(
            t.Delivery(
                id=DELIVERY, release_id=release, partner_id=PARTNERS[0], channel="mail",
                adapter="secure_mail", not_before=NOW, created_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        event(session, "queued")
    return database


def event(session: Session, state: str, **changes: Any) -> None:
    values: dict[str, Any] = {
        "delivery_id": DELIVERY,
        "state": state,
        "at": NOW,
        "attempt": 1,
        "code": "test",
        "due": NOW,
        "by": "broker",
        "evidence_sha256": PROOF if state in WHAT_PROVES else None,
    }
    session.add(t.DeliveryEvent(**(values | changes)))
    session.flush()


def evidence(session: Session, proves: str) -> None:
    session.add(
        t.DeliveryEvidence(
            delivery_id=DELIVERY, proves=proves, sha256=PROOF, media_type="text/plain",
            remote_reference="", body=b"x", key_id=uuid.UUID(int=1), at=NOW,
        )
    )  # fmt: skip
    session.flush()


@pytest.mark.parametrize(
    ("before", "state"),
    [(["sending"], "awaiting"), (["sending"], "delivered"), (["sending", "awaiting"], "retracted")],
)
def test_done_needs_the_evidence_that_proves_it(db: Database, before: list[str], state: str) -> None:
    with unit_of_work(db) as session:
        evidence(session, "submission")
        for each in before:
            event(session, each)
    needed = WHAT_PROVES[state]
    wrong = "failure" if needed == "submission" else "submission"
    if needed != "submission":
        with pytest.raises(IntegrityError, match="without stored evidence"), unit_of_work(db) as session:
            event(session, state)
        with pytest.raises(IntegrityError), unit_of_work(db) as session:
            event(session, state, evidence_sha256=None)
        with unit_of_work(db) as session:
            evidence(session, needed)
    with pytest.raises(IntegrityError, match="without stored evidence"), unit_of_work(db) as session:
        event(session, state, evidence_sha256=hexed(wrong))
    with unit_of_work(db) as session:
        event(session, state)


@pytest.mark.parametrize(
    "path", [["delivered"], ["queued"], ["awaiting"], ["sending", "sending"], ["failed", "sending"],
             ["sending", "delivered", "queued"], ["sending", "delivered", "sending"]]
)  # fmt: skip
def test_states_follow_in_order_only(db: Database, path: list[str]) -> None:
    with unit_of_work(db) as session:
        for proof in ("submission", "delivery", "retraction"):
            evidence(session, proof)
        for state in path[:-1]:
            event(session, state)
    with pytest.raises(IntegrityError, match="does not become"), unit_of_work(db) as session:
        event(session, path[-1])


def test_one_delivery_for_a_release_and_an_adapter(db: Database) -> None:
    with unit_of_work(db) as session:
        first = session.get_one(t.Delivery, DELIVERY).model_dump()
    with pytest.raises(IntegrityError, match="uq_delivery"), unit_of_work(db) as session:
        session.add(t.Delivery(**(first | {"id": uuid.UUID(int=78)})))


def test_only_the_domestic_police_holds(db: Database) -> None:
    hold = uuid.UUID(int=5)
    with unit_of_work(db) as session:
        session.add(t.PoliceHold(id=hold, url_hmac=b"h" * 32, created_by=ANN, starts_at=NOW))
    term: dict[str, Any] = {
        "hold_id": hold, "kind": "set", "entered_by": ANN, "at": NOW, "until": NOW,
    }  # fmt: skip
    for partner, claimed in ((PARTNERS[1], "FLE"), (PARTNERS[1], "BEP")):
        with pytest.raises(IntegrityError), unit_of_work(db) as session:
            session.add(t.PoliceHoldTerm(**term, by_partner=partner, by_class=claimed))
    with unit_of_work(db) as session:
        session.add(t.PoliceHoldTerm(**term, by_partner=PARTNERS[0], by_class="BEP"))


def test_no_partner_and_no_owner_reads_them(db: Database) -> None:
    for table in ("delivery", "delivery_event", "delivery_evidence", "delivery_progress", "police_hold"):
        with db.connect("feed") as conn, pytest.raises(Exception, match="permission denied"):
            conn.execute(f"select * from {table}")
        with db.connect("owner") as conn:
            assert conn.execute(f"select count(*) from {table}").fetchone() == (0,)
    with db.connect("app") as conn:
        assert conn.execute("select count(*) from delivery").fetchone() == (1,)
