"""A token id counts once, even when asked for at the same moment, until it is swept."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest

from broker.store import jti
from broker.store.engine import Database
from tests.store.world import NOW


def test_a_replay_is_noticed_in_its_space(database: Database) -> None:
    async def main() -> list[bool]:
        pool = await database.feed_pool(max_size=4)
        try:
            same = await asyncio.gather(*(jti.remember(pool, "dpop", b"1", NOW) for _ in range(8)))
            return [*sorted(same), await jti.remember(pool, "assertion", b"1", NOW)]
        finally:
            await pool.close()

    assert asyncio.run(main()) == [False] * 7 + [True, True]
    with database.connect("app") as conn:
        assert not jti.remember_now(conn, "dpop", b"1", NOW)


def test_only_what_expired_is_swept_and_only_by_the_sweeper(database: Database) -> None:
    with database.connect("app") as conn:
        assert jti.remember_now(conn, "dpop", b"old", NOW)
        assert jti.remember_now(conn, "dpop", b"new", NOW + timedelta(minutes=5))
        conn.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            jti.sweep(conn, NOW)
    with database.connect("sweeper") as conn:
        assert jti.sweep(conn, NOW + timedelta(seconds=1)) == 1
        assert conn.execute("select hash from jti").fetchall() == [(b"new",)]
