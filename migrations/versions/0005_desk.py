"""What the desk's pages read and keep: open work, sampled review, unsent forms, saved views.

Revision ID: 0005
Revises: 0003
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

SQL = Path(__file__).parent.parent / "sql"


def _run(name: str) -> None:
    # Without parameters the driver leaves "%" alone, and one call may hold many statements.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute((SQL / name).read_text("utf-8"))


def upgrade() -> None:
    _run("0005_desk.sql")


def downgrade() -> None:
    _run("0005_down.sql")
