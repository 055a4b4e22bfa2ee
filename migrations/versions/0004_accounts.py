"""Signing in: inbox people, sessions, passkeys, one-time codes, step-up evidence.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    # Without parameters the driver leaves "%" alone, and one call may hold many statements.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute((SQL / "0004_accounts.sql").read_text("utf-8"))


def downgrade() -> None:
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute((SQL / "0004_down.sql").read_text("utf-8"))
