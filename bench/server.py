"""One embedded PostgreSQL for a run, durable as in production; a fresh migrated database for a workload."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from broker.store.embedded import EmbeddedServer
from broker.store.engine import Database, upgrade
from broker.store.roles import create_database, create_roles

TEMPLATE = "template_bench"


@dataclass
class Server:
    """The running server."""

    embedded: EmbeddedServer
    numbers: Iterator[int] = field(default_factory=count)

    @contextmanager
    def database(self) -> Iterator[tuple[Database, str]]:
        """A database of its own and its name; gone afterwards."""
        name = f"bench_{next(self.numbers)}"
        with self.embedded.superuser() as admin:
            create_database(admin, name, TEMPLATE)
        db = Database.from_url(self.embedded.url(name), embedded=True)
        try:
            yield db, name
        finally:
            db.dispose()
            with self.embedded.superuser() as admin:
                admin.autocommit = True
                admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def loader(self, name: str) -> psycopg.Connection:
        """A connection that fills tables quickly: no foreign keys, no triggers, no policies."""
        connection = self.embedded.superuser(name)
        connection.autocommit = True
        connection.execute("set session_replication_role = replica")
        connection.execute("set synchronous_commit = off")
        return connection


@contextmanager
def running() -> Iterator[Server]:
    """Start the server in a new folder; stop it and remove the folder afterwards."""
    state = Path(tempfile.mkdtemp(prefix="rb-bench-"))
    embedded = EmbeddedServer(state)
    embedded.start()
    try:
        made = Server(embedded)
        with embedded.superuser() as admin:
            create_roles(admin)
            create_database(admin, TEMPLATE)
        template = Database.from_url(embedded.url(TEMPLATE), embedded=True)
        upgrade(template)
        template.dispose()
        yield made
    finally:
        embedded.stop()
        shutil.rmtree(state)
