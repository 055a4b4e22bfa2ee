"""Agreement proposals, request counters.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    # Without parameters the driver leaves "%" alone, and one call may hold many statements.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute((SQL / "0002_proposals.sql").read_text("utf-8"))


def downgrade() -> None:
    op.drop_index("ix_collection_partner_id_at", "collection")
    op.drop_table("rate_window")
    op.drop_table("agreement_proposal")
