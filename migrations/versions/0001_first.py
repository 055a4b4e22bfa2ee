"""The first version: all tables, insert-only triggers, grants, row-level security.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

SQL = Path(__file__).parent.parent / "sql"


def _run(name: str) -> None:
    # Without parameters the driver leaves "%" alone, and one call may hold many statements.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute((SQL / name).read_text("utf-8"))


def upgrade() -> None:
    _run("0001_tables.sql")
    _run("0001_guards.sql")


def downgrade() -> None:
    _run("0001_down.sql")
