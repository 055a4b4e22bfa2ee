"""What a delivery remembers: encrypted, gone with the case, and forgotten only when a person says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from broker.demo.house import House
from broker.desk import carry, deliver, progress, retain
from broker.errors import Conflict
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.deliveries import office
from tests.deliveries.ways import Way, ncmec


@pytest.fixture
def out(house: House, tmp_path: Path) -> Iterator[Way]:
    with ncmec(house, tmp_path) as opened:
        made = build.drafted(opened.house, build.confirmed(opened.house, opened.document), opened.to)
        build.approve(opened.house, made)
        build.settle(opened.house.desk)
        yield opened


def again(out: Way) -> tuple[str, str]:
    clock: Any = out.house.desk.clock
    clock.ahead = (clock.ahead or timedelta()) + timedelta(hours=1)
    carry.carry_due(out.house.desk)
    return office.state(out.house, office.only(out.house))


def test_it_is_encrypted_and_goes_with_the_case(out: Way) -> None:
    assert again(out) == ("delivered", "accepted")
    desk = out.house.desk
    number = next(iter(out.fake.reports))
    with unit_of_work(desk.db) as session:
        delivery = session.get_one(tables.Delivery, office.only(out.house))
        case_id = session.get_one(tables.Release, delivery.release_id).case_id
        session.expunge(delivery)
        rows = session.exec(select(tables.DeliveryProgress)).all()
        assert [row.step for row in rows] == list(range(1, len(rows) + 1))
        assert all(number.encode() not in row.body for row in rows)
    kept = progress.Kept(desk, delivery)
    assert kept.load()["report_id"] == number
    assert "reportDoneResponse" in kept.load()["receipt"]
    retain.erase_case(desk, out.house.people["officer"], case_id)
    with unit_of_work(desk.db) as session:
        assert session.exec(select(tables.DeliveryProgress)).all() == []
    with pytest.raises(Conflict, match="erased"):
        kept.save({"report_id": number})


def test_a_row_opens_only_in_its_own_place(out: Way) -> None:
    """Yesterday's progress in today's row would finish a report twice."""
    again(out)
    with unit_of_work(out.house.desk.db) as session:
        delivery = session.get_one(tables.Delivery, office.only(out.house))
        newest = progress.last(session, delivery)
        assert newest is not None
        first = session.get_one(tables.DeliveryProgress, (delivery.id, 1))
        session.add(
            tables.DeliveryProgress(
                delivery_id=delivery.id, step=newest.step + 1, body=first.body, key_id=first.key_id,
                at=first.at,
            )
        )  # fmt: skip
        session.flush()
        session.expunge(delivery)
    with pytest.raises(Exception, match="does not open"):
        progress.Kept(out.house.desk, delivery).load()


def test_nobody_knows_whether_it_was_finished_until_a_person_asked(out: Way) -> None:
    """The answer to `finish` was lost, and the report is gone when we ask again."""
    out.fake.fault("/ispws/finish", "cut")
    assert again(out) == ("queued", "ncmec-no-answer")
    out.fake.reports.clear()
    unknown = ("failed", "ncmec-finish-unknown")
    assert again(out) == unknown
    desk, delivery = out.house.desk, office.only(out.house)
    for anew, end in ((False, unknown), (True, ("delivered", "accepted"))):
        with unit_of_work(desk.db) as session:
            deliver.retry(desk, session, out.house.people["releaser"], delivery, anew=anew)
        assert again(out) == end
        assert out.taken() == int(anew)
    with unit_of_work(desk.db) as session:
        row = session.exec(
            select(tables.DeliveryEvidence).where(tables.DeliveryEvidence.proves == "delivery")
        ).one()
        evidence = deliver.open_evidence(desk, session, row)
        failures = session.exec(
            select(tables.DeliveryEvidence).where(tables.DeliveryEvidence.proves == "failure")
        ).all()
    assert row.remote_reference in evidence.decode()
    assert failures
