"""Fixtures for tests that need PostgreSQL: `cluster`, one server a session, and `database`, fresh.

Use them by `from tests.dbfixtures import cluster, database` in a conftest. Nothing here hands the
superuser to a test: a `Database` logs in as the broker's own roles only.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from psycopg import sql

from broker.store.embedded import EmbeddedServer
from broker.store.engine import Database, upgrade
from broker.store.roles import create_database, create_roles

TEMPLATE = "template_broker"


@dataclass
class Cluster:
    """A server with a migrated template to clone."""

    server: EmbeddedServer
    numbers: Iterator[int] = field(default_factory=count)

    def create(self, *, template: str = TEMPLATE) -> str:
        """Make a database and give its name; `template0` gives an empty one."""
        name = f"test_{next(self.numbers)}"
        with self.server.superuser() as admin:
            create_database(admin, name, template)
        return name

    def open(self, name: str) -> Database:
        """The database under the broker's roles."""
        return Database.from_url(self.server.url(name), embedded=True)

    def drop(self, name: str) -> None:
        """Take a database away, whoever is still connected."""
        with self.server.superuser() as admin:
            admin.autocommit = True
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One server for each test process, gone when the process ends."""
    # Not under pytest's own folder: that is closed, and as root the server has its own account.
    state = Path(tempfile.mkdtemp(prefix="rb-"))
    server = EmbeddedServer(state, durable=False)
    server.start()
    try:
        made = Cluster(server)
        with server.superuser() as admin:
            create_roles(admin)
            create_database(admin, TEMPLATE)
        template = made.open(TEMPLATE)
        upgrade(template)
        template.dispose()
        yield made
    finally:
        server.stop()
        shutil.rmtree(state)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A fresh, migrated database of this test's own."""
    name = cluster.create()
    db = cluster.open(name)
    yield db
    db.dispose()
    cluster.drop(name)


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[Database]:
    """A database without a table, for what tests migrations."""
    name = cluster.create(template="template0")
    db = cluster.open(name)
    yield db
    db.dispose()
    cluster.drop(name)
