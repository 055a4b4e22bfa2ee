"""The migrations and the table classes say the same, and the way up is also a way down."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from broker.store.engine import Database, downgrade, upgrade
from broker.store.tables import metadata
from tests.dbfixtures import Cluster

CONSTRAINTS = """
select c.relname, k.conname, k.contype, pg_get_constraintdef(k.oid)
from pg_constraint k join pg_class c on c.oid = k.conrelid
where c.relnamespace = 'public'::regnamespace and c.relname <> 'alembic_version'
order by 1, 2
"""
COLUMNS = """
select table_name, column_name, data_type, is_nullable, column_default, is_identity
from information_schema.columns
where table_schema = 'public' and table_name <> 'alembic_version'
order by 1, 2
"""
INDEXES = "select indexdef from pg_indexes where schemaname = 'public' order by 1"
LEFT_OVER = """
select relname from pg_class where relnamespace = 'public'::regnamespace
  and relname not like 'alembic_version%'
union all select proname from pg_proc where pronamespace = 'public'::regnamespace
"""


def _rows(db: Database, query: str) -> list[tuple[object, ...]]:
    with db.connect("owner") as conn:
        return conn.execute(query).fetchall()


def test_autogenerate_finds_nothing_to_do(database: Database) -> None:
    engine = create_engine(database.urls["owner"], poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("query", [CONSTRAINTS, COLUMNS, INDEXES], ids=["checks", "columns", "ix"])
def test_what_autogenerate_does_not_compare_is_equal_too(
    cluster: Cluster, database: Database, empty_database: Database, query: str
) -> None:
    engine = create_engine(empty_database.urls["owner"], poolclass=NullPool)
    metadata.create_all(engine)
    declared = _rows(empty_database, query)
    migrated = [row for row in _rows(database, query) if "alembic_version" not in str(row)]
    assert len(migrated) > 30
    assert migrated == declared


def test_up_down_up(empty_database: Database) -> None:
    upgrade(empty_database)
    first = _rows(empty_database, CONSTRAINTS)
    downgrade(empty_database, "base")
    assert _rows(empty_database, LEFT_OVER) == []
    upgrade(empty_database)
    assert _rows(empty_database, CONSTRAINTS) == first


def test_migrating_gives_up_on_a_lock(empty_database: Database) -> None:
    """A migration that queues for a lock would stop everybody behind it."""
    upgrade(empty_database)
    with empty_database.connect("app") as holder:
        holder.execute("select count(*) from staff")
        with pytest.raises(Exception, match="lock timeout"):
            downgrade(empty_database, "base")
