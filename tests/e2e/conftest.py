"""One synthetic hotline for each test: a clone of one that is founded once for the test process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.demo.house import House
from tests import house as build
from tests.dbfixtures import Cluster, cluster

__all__ = ["cluster", "founded", "house"]


@pytest.fixture(scope="session")
def founded(cluster: Cluster) -> Iterator[tuple[House, str]]:
    """A house in a database that nobody uses but to clone it."""
    folder = Path(tempfile.mkdtemp(prefix="rb-house-"))
    name = cluster.create()
    database = cluster.open(name)
    made = build.found(build.open_desk(database, folder), folder)
    database.dispose()
    try:
        yield made, name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def house(cluster: Cluster, founded: tuple[House, str], tmp_path: Path) -> Iterator[House]:
    """People, partners, agreements, keys; the database is this test's own."""
    template, name = founded
    own = cluster.create(template=name)
    database = cluster.open(own)
    settings = template.desk.settings.model_copy(update={"state": tmp_path})
    try:
        yield replace(template, desk=replace(template.desk, db=database, settings=settings))
    finally:
        database.dispose()
        cluster.drop(own)
