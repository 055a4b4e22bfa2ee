"""What of signing in and calling is over, and forgotten: sessions, ceremonies, tries, links, counts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg

TRIES_KEPT = timedelta(days=1)
"""Longer than any window they are counted in."""
COUNTS_KEPT = timedelta(minutes=10)
"""A count is of one minute; the clocks of two processes may differ."""


def sweep(conn: psycopg.Connection[Any], now: datetime) -> int:
    """Delete what expired, as broker_sweeper; gives how many. Commits."""
    gone = sum(
        conn.execute(statement, [now]).rowcount
        for statement in (
            "delete from account_session where expires_at < %s",
            "delete from sign_in_flow where expires_at < %s",
            "delete from sign_in_link where expires_at < %s",
        )
    )
    gone += conn.execute("delete from sign_in_attempt where at < %s", [now - TRIES_KEPT]).rowcount
    gone += conn.execute("delete from rate_window where minute < %s", [now - COUNTS_KEPT]).rowcount
    conn.commit()
    return gone
