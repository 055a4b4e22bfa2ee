"""The schema of the durable workflows: made by the owner, used by the application.

DBOS keeps its own tables in the schema `dbos` of the same database. The application's role may not
change that schema; it is migrated together with ours.
"""

from __future__ import annotations

from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

SCHEMA = "dbos"


def migrate(owner: URL) -> None:
    """Bring the schema of the workflows up and let the application in. Safe to repeat."""
    # Half a second to load: only a migration pays it.
    from dbos import _migration as dbos_schema

    engine = create_engine(owner, poolclass=NullPool, hide_parameters=True)
    # Listen/notify needs triggers that would fire in every one of our transactions: polled instead.
    dbos_schema.ensure_dbos_schema(engine, SCHEMA)
    dbos_schema.run_dbos_migrations(engine, SCHEMA, False)
    with engine.begin() as connection:
        for statement in dbos_schema.get_dbos_schema_permissions_sql(SCHEMA, "broker_app"):
            connection.execute(text(statement))
