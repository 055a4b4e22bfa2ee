"""What every page costs on a house that is years old: no big table read from end to end, and few statements.

A clock gates nothing here (docs/benchmarks.md); the times of a hundred thousand cases stand in the commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from broker.demo.house import House
from broker.store.engine import unit_of_work
from tests.dbfixtures import Cluster
from tests.desk.counting import big_scans, statements
from tests.desk.grown import grow
from tests.desk.pages import pages

CASES = 20_000
PERIODS = {"figures of three months", "population of a month", "gap no-receipt", "gap not-read"}
"""These read a period: which rows is the question, so an index over the period is all they can have."""


@pytest.fixture(scope="module")
def old(cluster: Cluster, founded: tuple[House, str]) -> Iterator[House]:
    template, name = founded
    own = cluster.create(template=name)
    database = cluster.open(own)
    house = replace(
        template,
        desk=replace(template.desk, db=database, clock=lambda: datetime(2026, 1, 1, 12, tzinfo=UTC)),
    )
    grow(cluster, own, house, CASES)
    yield house
    database.dispose()
    cluster.drop(own)


def test_no_page_reads_a_big_table_from_end_to_end(old: House) -> None:
    with unit_of_work(old.desk.db) as session:
        asked = pages(old, session)
    assert len(asked) > 40
    found: dict[str, list[str]] = {}
    for page, ask in asked.items():
        with unit_of_work(old.desk.db) as session, statements(old.desk.db) as seen:
            ask(session)
        assert len(seen) <= 18, page
        with unit_of_work(old.desk.db) as session:
            found[page] = big_scans(session, seen)
    assert {page: scans for page, scans in found.items() if scans and page not in PERIODS} == {}


def test_the_reader_of_plans_sees_a_big_table_that_is_read_whole(old: House) -> None:
    from sqlalchemy import text

    with unit_of_work(old.desk.db) as session, statements(old.desk.db) as seen:
        session.connection().execute(text("select count(*) from release where score < 0"))
    with unit_of_work(old.desk.db) as session:
        assert big_scans(session, seen) != []
