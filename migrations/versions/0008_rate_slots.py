"""Requests of a minute are counted by each connection in a row of its own.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    _keyed("partner_id, minute, slot", "add column slot integer not null")


def downgrade() -> None:
    _keyed("partner_id, minute", "drop column slot")


def _keyed(key: str, change: str) -> None:
    # What it counts is over in a minute: nothing is lost with it.
    op.execute("truncate rate_window")
    op.execute("alter table rate_window drop constraint pk_rate_window")
    op.execute(f"alter table rate_window {change}")
    op.execute(f"alter table rate_window add constraint pk_rate_window primary key ({key})")
