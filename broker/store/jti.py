"""Token and proof ids that were used once; remembered until they could no longer be accepted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from broker.store.feed import Pool

# Without a conflict target INSERT is privilege enough: the hot path cannot read what others used.
_REMEMBER = "insert into jti (space, hash, expires_at) values (%s, %s, %s) on conflict do nothing"


async def remember(pool: Pool, space: str, jti_hash: bytes, expires_at: datetime) -> bool:
    """True the first time, False for a replay. Durable before it answers."""
    async with pool.connection() as conn:  # commits by itself
        cursor = await conn.execute(_REMEMBER, [space, jti_hash, expires_at])
    return cursor.rowcount == 1


def remember_now(conn: psycopg.Connection[Any], space: str, jti_hash: bytes, expires_at: datetime) -> bool:
    """The same on a synchronous connection; the caller commits."""
    return conn.execute(_REMEMBER, [space, jti_hash, expires_at]).rowcount == 1


def sweep(conn: psycopg.Connection[Any], now: datetime) -> int:
    """Forget what expired, as broker_sweeper; gives how many. Commits."""
    gone = conn.execute("delete from jti where expires_at < %s", [now]).rowcount
    conn.commit()
    return gone
