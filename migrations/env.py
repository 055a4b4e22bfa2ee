"""Alembic's entry: runs migrations as broker_owner, in one transaction, with short lock waits."""

from __future__ import annotations

import os
from typing import Any

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from broker.errors import Misconfigured
from broker.store.tables import metadata


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | bool:
    """Autogenerate would name SQLModel's string type, which a migration must not depend on."""
    if kind == "type" and type(item).__module__.startswith("sqlmodel"):
        autogen.imports.add("import sqlalchemy as sa")
        return "sa.Text()"
    return False


def _migrate(connection: Connection) -> None:
    # A migration that waits for a lock blocks everybody behind it: give up instead.
    connection.execute(text("set lock_timeout = '4s'"))
    connection.execute(text("set statement_timeout = '60s'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_item=render_item,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _from_environment() -> None:
    """`alembic` on the command line; the broker itself hands over a connection."""
    url = os.environ.get("BROKER_DATABASE_URL", "")
    if not url:
        raise Misconfigured("no-database", "BROKER_DATABASE_URL is not set")
    owner = make_url(url).set(drivername="postgresql+psycopg", username="broker_owner")
    engine = create_engine(owner, poolclass=NullPool)
    with engine.connect() as connection:
        _migrate(connection)


if context.is_offline_mode():
    raise Misconfigured("no-offline", "migrations run against a database only")
given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    _from_environment()
