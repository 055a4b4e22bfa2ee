"""Cases without an addressee: set aside by one person, looked at by another.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

SQL = Path(__file__).parent.parent / "sql"


def _run(name: str) -> None:
    # Without parameters the driver leaves "%" alone, and one call may hold many statements.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute((SQL / name).read_text("utf-8"))


def upgrade() -> None:
    _run("0007_set_aside.sql")


def downgrade() -> None:
    _run("0007_set_aside_down.sql")
