"""What a delivery remembers between attempts; the look-up of a host as evidence.

Revision ID: 0006
Revises: 0003
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    # Without parameters the driver leaves "%" alone, and one call may hold many statements.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute((SQL / "0006_progress.sql").read_text("utf-8"))


def downgrade() -> None:
    op.drop_table("delivery_progress")
    op.execute("alter table delivery_evidence drop constraint ck_delivery_evidence_proves")
    # Not valid: what was kept of a host stays where it is.
    op.execute(
        "alter table delivery_evidence add constraint ck_delivery_evidence_proves"
        " check (proves in ('submission', 'delivery', 'failure', 'retraction')) not valid"
    )
