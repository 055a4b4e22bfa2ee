"""Deliveries with evidence, notices of new referrals, police holds.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    # Without parameters the driver leaves "%" alone, and one call may hold many statements.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute((SQL / "0003_deliveries.sql").read_text("utf-8"))


def downgrade() -> None:
    for table in (
        "police_hold_term",
        "police_hold",
        "notice_attempt",
        "delivery_reply",
        "delivery_evidence",
        "delivery_event",
        "delivery",
        "delivery_endpoint",
    ):
        op.drop_table(table)
    op.execute("drop function delivery_order()")
