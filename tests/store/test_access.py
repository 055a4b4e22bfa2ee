"""The door of the partner API: a proof counts once, requests are counted by all, suspension acts at once."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from broker.api.backing import PgDirectory
from broker.api.directory import Proof
from broker.api.problems import TooMany
from broker.store import access, sweeping
from broker.store.access import Admission, Question, Shown
from broker.store.embedded import EmbeddedServer, _wait_gone, embedded
from broker.store.engine import Database, unit_of_work
from tests.store.world import NOW, PARTNERS, populate, publish

ONE, TWO = PARTNERS
T = TypeVar("T")
EXPIRES = NOW + timedelta(minutes=1)


@asynccontextmanager
async def processes(db: Database, number: int = 2) -> AsyncIterator[list[access.Pool]]:
    """As many pools as there are processes."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(await db.async_pool("app", min_size=4, max_size=4))
            for _ in range(number)
        ]


def run(work: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await work()

    return asyncio.run(main())


def admit(
    pool: access.Pool, once: int, partner: str = ONE, release: str | None = None
) -> Awaitable[Admission]:
    asked = Question(release=release, at=NOW, since=NOW - timedelta(hours=1), limit=500)
    shown = Shown(kid="auth-1", jkt="none", once=once.to_bytes(32, "big"), expires=EXPIRES)
    return access.admit(pool, partner, shown, asked)


def test_a_proof_lets_one_request_in_whoever_asks_at_the_same_moment(database: Database) -> None:
    populate(database)

    async def work() -> list[Admission]:
        async with processes(database) as pools:
            return await asyncio.gather(*(admit(pools[n % 2], 1) for n in range(8)))

    found = run(work)
    assert [each.fresh for each in found].count(True) == 1
    assert {each.requests for each in found if not each.fresh} == {0}


def test_a_replay_does_not_count_and_every_process_sees_every_request(database: Database) -> None:
    populate(database)

    async def work() -> tuple[list[Admission], Admission, Admission]:
        async with processes(database) as pools:
            many = await asyncio.gather(*(admit(pools[n % 2], n) for n in range(20)))
            await admit(pools[0], 3)  # a replay
            return list(many), await admit(pools[1], 20), await admit(pools[1], 21, TWO)

    many, last, other = run(work)
    assert all(each.fresh and each.active for each in many)
    assert last.requests == 21
    assert other.requests == 1


def test_the_limit_of_a_minute_holds_over_processes(database: Database) -> None:
    populate(database)

    async def work() -> list[str]:
        async with processes(database) as pools:
            doors = [PgDirectory(pool, 5, 500, lambda: NOW) for pool in pools]
            said = []
            for number in range(7):
                try:
                    await doors[number % 2].admit(
                        ONE, "auth-1", Proof("none", bytes([number]), EXPIRES), None
                    )
                    said.append("in")
                except TooMany as error:
                    said.append(error.headers["Retry-After"])
            return said

    assert run(work) == ["in"] * 5 + ["55"] * 2


def test_who_is_suspended_or_unknown_is_not_let_in(database: Database) -> None:
    populate(database)
    with database.connect("app") as conn:
        conn.execute("update partner set status = 'suspended' where id = %s", [ONE])

    async def work() -> list[bool]:
        async with processes(database, 1) as (pool,):
            return [(await admit(pool, n, who)).active for n, who in enumerate((ONE, TWO, "pt_none"))]

    assert run(work) == [False, True, False]


def test_a_standing_is_told_only_for_a_release_that_was_asked_about(database: Database) -> None:
    populate(database)
    with unit_of_work(database) as session:
        release = publish(session, ONE, 1)

    async def work() -> list[access.Standing | None]:
        async with processes(database, 1) as (pool,):
            asked = ((ONE, release), (TWO, release), (ONE, None))
            return [(await admit(pool, n, who, what)).standing for n, (who, what) in enumerate(asked)]

    assert run(work) == [access.Standing(True, "BEP", 0), access.Standing(True, "", 0), None]


def test_counts_that_are_over_are_swept(database: Database) -> None:
    populate(database)

    async def work() -> None:
        async with processes(database, 1) as (pool,):
            await admit(pool, 1)

    run(work)
    with database.connect("sweeper") as conn:
        assert sweeping.sweep(conn, NOW + timedelta(minutes=5)) == 0
        assert sweeping.sweep(conn, NOW + timedelta(minutes=12)) == 1


@pytest.fixture
def crashing() -> Iterator[tuple[Database, EmbeddedServer]]:
    """A durable server of this test's own, to be killed."""
    state = Path(tempfile.mkdtemp(prefix="rb-"))
    db, server = embedded(state)
    populate(db)
    yield db, server
    db.dispose()
    server.stop()
    shutil.rmtree(state)


@pytest.mark.slow
def test_a_proof_that_let_a_request_in_is_used_up_after_a_crash(
    crashing: tuple[Database, EmbeddedServer],
) -> None:
    """Killed the moment the answer is there, before anything else could have written it to disk."""
    db, server = crashing
    pid = server.pid()
    assert pid is not None

    async def first() -> Admission:
        async with processes(db, 1) as (pool,):
            found = await admit(pool, 1)
            os.kill(pid, signal.SIGQUIT)  # "immediate": what is not on disk is lost
            return found

    assert run(first).fresh
    assert _wait_gone(pid, 10)
    server.start()

    async def second() -> Admission:
        async with processes(db, 1) as (pool,):
            return await admit(pool, 1)

    assert not run(second).fresh
