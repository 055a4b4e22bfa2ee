"""What the benchmarks gate on: exact counts, never a clock (docs/benchmarks.md).

Queries and round trips of a page, rows that PostgreSQL reads for it, records lost behind a moving
feed, and differences from the reference canonicaliser.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson
import psycopg
import pytest
import rfc8785
from psycopg import pq

from bench.sealing import _fuzzed
from broker.core import canonical
from broker.store import access, feed, ledger, publication
from broker.store.engine import Database, unit_of_work
from broker.store.ledger_append import APPEND, parameters
from broker.store.types import Role
from tests.dbfixtures import Cluster
from tests.store.world import NOW, PARTNERS, entry, integrate, item, populate, publish, release_id, sign

BIG, SMALL = PARTNERS
ROWS = 20_000
LIMIT = 100


@pytest.fixture(scope="module")
def grown(cluster: Cluster) -> Iterator[Database]:
    """A feed of twenty thousand rows, every hundredth the small partner's."""
    name = cluster.create()
    with cluster.server.superuser(name) as loader:
        loader.execute("set session_replication_role = replica")
        loader.execute(
            "insert into feed (partner_id, position, seq, event, release_id, row, urgency, at)"
            " select case when n %% 100 = 0 then %(small)s else %(big)s end, n, n, 'published', 'r', 'x',"
            " 'U2', now() from generate_series(1, %(rows)s) n",
            {"small": SMALL, "big": BIG, "rows": ROWS},
        )
        loader.execute("analyze feed")
    db = cluster.open(name)
    yield db
    db.dispose()
    cluster.drop(name)


def plan(db: Database, partner: str, after: int, urgency: str | None = None) -> dict[str, Any]:
    query = feed._PAGE if urgency is None else feed._PAGE_BY_URGENCY
    values = {"partner": partner, "after": after, "limit": LIMIT + 1, "urgency": urgency}
    with db.connect("feed") as conn:
        conn.execute("select set_config('broker.partner', %s, true)", [partner])
        row = conn.execute(
            b"explain (analyze, buffers, format json) " + feed.scoped(query), values
        ).fetchone()
    assert row is not None
    return dict(row[0][0]["Plan"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("partner", [BIG, SMALL])
@pytest.mark.parametrize("after", [-1, ROWS // 2, ROWS - 200, ROWS])
@pytest.mark.parametrize("urgency", [None, "U2"])
def test_a_page_reads_its_own_rows_and_no_others(
    grown: Database, partner: str, after: int, urgency: str | None
) -> None:
    """Wherever it is and however large the feed: an index scan, no sort, nothing read and thrown away."""
    found = plan(grown, partner, after, urgency)
    every = list(nodes(found))
    assert {node["Node Type"] for node in every} <= {"Limit", "Index Scan", "Result"}
    assert found["Actual Rows"] <= LIMIT + 1
    assert sum(node.get("Rows Removed by Filter", 0) for node in every) == 0
    assert max(node["Actual Rows"] for node in every) == found["Actual Rows"]


def test_a_page_costs_the_same_blocks_wherever_it_is(grown: Database) -> None:
    blocks = [plan(grown, BIG, after)["Shared Hit Blocks"] for after in (-1, ROWS // 2, ROWS - 200)]
    assert max(blocks) <= 20


class Counted:
    """Counts the statements and the synchronisation points that a connection sends."""

    def __init__(self, conn: psycopg.AsyncConnection[Any]) -> None:
        self.texts: list[bytes] = []
        self._conn = conn

    def start(self, path: str) -> None:
        """libpq writes every message of the protocol to this file (PQtrace)."""
        self._file = open(path, "wb+")  # noqa: SIM115, PTH123 - handed to libpq by its descriptor
        self._conn.pgconn.trace(self._file.fileno())
        self._conn.pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)

    def stop(self) -> list[bytes]:
        """The messages that went to the server, by kind."""
        self._conn.pgconn.untrace()
        self._file.seek(0)
        lines = self._file.read().splitlines()
        self._file.close()
        return [line.split(b"\t")[2] for line in lines if line.startswith(b"F")]


def traced(
    db: Database, role: Role, work: Callable[[feed.Pool], Awaitable[object]], path: str
) -> list[bytes]:
    async def run() -> list[bytes]:
        pool = await db.async_pool(role, min_size=1, max_size=1)
        try:
            async with pool.connection() as conn:
                counted = Counted(conn)
            counted.start(path)
            await work(pool)
            return counted.stop()
        finally:
            await pool.close()

    return asyncio.run(run())


PULLS = {
    "page": 2,  # the partner's name, the query
    "look": 2,
    "proof": 4,  # the name; leaf and head; all the tiles
    "collect": 5,  # begin, the name, the look, everything recorded, commit
}


@pytest.mark.parametrize("what", PULLS)
def test_a_pull_is_one_pipelined_transaction(database: Database, tmp_path: Any, what: str) -> None:
    """Exactly so many statements; one transaction and one synchronisation, at its end."""
    populate(database)
    with unit_of_work(database) as session:
        publish(session, BIG, 1)
    integrate(database)
    release = release_id(BIG, 1)

    def collected(sealed: feed.Sealed) -> ledger.Entry:
        return entry("collected", release_id=release, partner_id=BIG, record={"sha256": sealed.sha256})

    works: dict[str, Callable[[feed.Pool], Awaitable[object]]] = {
        "page": lambda pool: feed.page(pool, BIG, limit=LIMIT),
        "look": lambda pool: feed.sealed(pool, BIG, release, "referral"),
        "proof": lambda pool: publication.publication(pool, BIG, release),
        "collect": lambda pool: feed.collect(pool, BIG, release, "referral", at=NOW, entry_of=collected),
    }
    messages = traced(database, "feed", works[what], str(tmp_path / "trace"))
    assert (messages.count(b"Execute"), messages.count(b"Sync")) == (PULLS[what], 1)
    assert messages.count(b"Query") == 0


@pytest.mark.parametrize("release", [None, "a" * 26], ids=["a page", "a document"])
def test_a_request_is_let_in_by_one_statement(database: Database, tmp_path: Any, release: str | None) -> None:
    """Replay, count, suspension, agreement and guard: one statement, one round trip."""
    populate(database)
    asked = access.Question(release=release, at=NOW, since=NOW, limit=500)
    shown = access.Shown(kid="auth-1", jkt="none", once=b"once", expires=NOW)
    work = lambda pool: access.admit(pool, BIG, shown, asked)  # noqa: E731
    messages = traced(database, "app", work, str(tmp_path / "trace"))
    assert (messages.count(b"Execute") + messages.count(b"Query"), messages.count(b"Sync")) == (1, 1)


@pytest.mark.slow
def test_a_following_reader_loses_nothing(database: Database) -> None:
    """Four writers whose commits overtake each other; the reader sees every row once, in order."""
    populate(database)
    with unit_of_work(database) as session:
        release = publish(session, BIG, 1)
    integrate(database)
    written: set[str] = set()

    def write(writer: int) -> None:
        pause = threading.Event()
        with database.connect("app") as conn:
            for number in range(40):
                mark = f"{writer}-{number}"
                row = {**item(release), "reference": mark}
                made = entry("published", release_id=release, partner_id=BIG, feed=row)
                conn.execute(APPEND, parameters(made))
                pause.wait(0.001 * ((writer * 7 + number) % 4))
                conn.commit()
                written.add(mark)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    done = threading.Event()

    def places() -> None:
        with database.connect("integrator") as conn:
            while True:
                last = done.is_set()
                if not ledger.integrate_once(conn, sign, NOW, limit=7) and last:
                    return

    worker = threading.Thread(target=places)
    for thread in (*threads, worker):
        thread.start()

    async def follow() -> list[str]:
        pool = await database.feed_pool(max_size=1)
        seen: list[str] = []
        after = 1  # the publication made above
        try:
            while True:
                if not any(thread.is_alive() for thread in threads):
                    done.set()
                last = not worker.is_alive()
                page = await feed.page(pool, BIG, after=after, limit=50)
                seen += [orjson.loads(row)["reference"] for row in page.items]
                after = page.last
                if last and not page.more:
                    return seen
        finally:
            await pool.close()

    seen = asyncio.run(follow())
    assert len(seen) == len(set(seen)) == len(written) == 160
    assert set(seen) == written


def test_no_difference_from_the_reference_canonicaliser() -> None:
    chance = random.Random(8785)  # noqa: S311 - documents, not secrets
    documents = [_fuzzed(chance, 4) for _ in range(3_000)]
    assert sum(canonical.encode(document) != rfc8785.dumps(document) for document in documents) == 0
