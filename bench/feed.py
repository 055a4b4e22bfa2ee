"""`feed-growth`, `feed-gap`, `pull-audit`: what a partner's page and collection cost, and that nothing is lost."""

from __future__ import annotations

import asyncio
import random
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import orjson
import psycopg

from bench.measure import Result, at_most, exactly
from bench.options import Options
from bench.server import Server, running
from broker.store import feed, ledger
from broker.store.engine import Database, unit_of_work
from broker.store.ledger_append import APPEND, parameters
from tests.store.world import NOW, PARTNERS, entry, integrate, item, populate, publish, release_id, sign

BIG, SMALL = PARTNERS
LIMIT = 100
_OFFSET = b"""
select f.position, f.row from feed f where f.partner_id = %(partner)s
order by f.position offset %(offset)s limit %(limit)s
"""
_COUNT = b"select count(*) from feed f where f.partner_id = %(partner)s"
_FILL = """
insert into feed (partner_id, position, seq, event, release_id, row, urgency, at)
select case when n %% 100 = 0 then %(small)s else %(big)s end, n,
       case when n %% 100 = 0 then n / 100 else n - n / 100 end,
       'published', %(release)s, %(row)s, 'U2', now()
from generate_series(1, %(rows)s) n
"""
Call = Callable[[], Awaitable[object]]


def feed_growth(options: Options) -> Result:
    """A page at the start, in the middle and at the end of a big and a small feed, in logs of two sizes."""
    found = Result()
    sizes = (10_000, 100_000, *((1_000_000,) if options.full else ()))
    ours: dict[str, float] = {}
    with running() as server:
        for rows in sizes:
            with server.database() as (db, name):
                fill(server, name, rows)
                times = asyncio.run(_growth(db, rows, 40 if options.quick else 200))
            found.record(f"feed-growth {rows:,}", times)
            ours |= {f"{rows} {place}": t for place, t in times.items() if place.startswith("page")}
            page = statistics.median(t for place, t in times.items() if place.startswith("page big"))
            found.line(
                "feed-growth", f"{rows:,} rows: OFFSET at the end / a page", times["offset end"] / page
            )
            found.line("feed-growth", f"{rows:,} rows: COUNT / a page", times["count"] / page)
    spread = max(ours.values()) / min(ours.values())
    found.line("feed-growth", "worst / best over sizes, places and partners", spread, at_most(1.5))
    return found


def fill(server: Server, name: str, rows: int) -> None:
    """Feed rows of about 500 octets: every hundredth is the small partner's."""
    octets = orjson.dumps({**item("a" * 26), "position": 1, "seq": 1, "publishedAt": "2026-03-02T10:00:00Z"})
    values = {
        "small": SMALL,
        "big": BIG,
        "release": "a" * 26,
        "rows": rows,
        "row": octets + b" " * (500 - len(octets)),
    }
    with server.loader(name) as loader:
        loader.execute(_FILL, values)
        loader.execute("vacuum analyze feed")


async def _growth(db: Database, rows: int, rounds: int) -> dict[str, float]:
    pool = await db.feed_pool(max_size=1)
    try:
        ends = {"start": -1, "middle": rows // 2}
        calls: dict[str, Call] = {}
        for size, partner, spacing in (("big", BIG, 1), ("small", SMALL, 100)):
            places = {**ends, "end": rows - spacing * (LIMIT + 1)}
            for place, after in places.items():
                calls[f"page {size} {place}"] = _page(pool, partner, after)
        calls["offset end"] = _query(pool, _OFFSET, {"offset": int(rows * 0.99) - LIMIT, "limit": LIMIT})
        calls["count"] = _query(pool, _COUNT, {})
        return await race_async(calls, rounds)
    finally:
        await pool.close()


def _page(pool: feed.Pool, partner: str, after: int) -> Call:
    return lambda: feed.page(pool, partner, after=after, limit=LIMIT)


def _query(pool: feed.Pool, query: bytes, values: Mapping[str, Any]) -> Call:
    async def run() -> object:
        async with feed.as_partner(pool, BIG) as conn:
            cursor = await conn.execute(query, {"partner": BIG, **values}, binary=True)
        return await cursor.fetchall()

    return run


async def race_async(calls: Mapping[str, Call], rounds: int) -> dict[str, float]:
    """Median wall-clock seconds of one await of each, interleaved in random order."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    chance = random.Random(5)  # noqa: S311 - an order, not a secret
    for number in range(rounds + 5):
        chance.shuffle(order)
        for name in order:
            start = time.perf_counter()
            await calls[name]()
            if number >= 5:  # plans are prepared and pages are read
                samples[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in samples.items()}


def feed_gap(options: Options) -> Result:
    """Eight writers whose commits overtake each other, and a reader that follows: what does it miss?"""
    found = Result()
    seconds = 2.0 if options.quick else 8.0
    with running() as server:
        for name, run in (("ours", _tail_ours), ("bare sequence", _tail_sequence)):
            with server.database() as (db, database):
                written, seen = run(server, db, database, seconds)
            lost = len(written - seen)
            found.medians |= {f"feed-gap/{name}, rows": len(written), f"feed-gap/{name}, lost": lost}
            if name == "ours":
                found.line("feed-gap", f"lost of {len(written):,} rows", lost, exactly(0), "")
            else:
                share = 100 * lost / max(1, len(written))
                found.line("feed-gap", f"bare sequence as cursor: lost of {len(written):,}", share, None, "%")
    return found


def _writers(seconds: float, write: Callable[[int, int], str]) -> tuple[list[threading.Thread], set[str]]:
    written: set[str] = set()
    end = time.monotonic() + seconds

    def run(writer: int) -> None:
        number = 0
        while time.monotonic() < end:
            written.add(write(writer, number))
            number += 1

    return [threading.Thread(target=run, args=(n,)) for n in range(8)], written


def _pause(writer: int, number: int) -> None:
    time.sleep(0.001 * ((writer * 7 + number) % 5))


def _tail_ours(_server: Server, db: Database, _name: str, seconds: float) -> tuple[set[str], set[str]]:
    """Writers append publications; the integrator gives places; the reader takes pages by position."""
    populate(db)
    with unit_of_work(db) as session:
        release = publish(session, BIG, 1)
    integrate(db)
    connections = [db.connect("app") for _ in range(8)]

    def write(writer: int, number: int) -> str:
        mark = uuid4().hex
        made = entry(
            "published", release_id=release, partner_id=BIG, feed={**item(release), "reference": mark}
        )
        connections[writer].execute(APPEND, parameters(made))
        _pause(writer, number)
        connections[writer].commit()
        return mark

    threads, written = _writers(seconds, write)
    stop = threading.Event()

    def places() -> None:
        with db.connect("integrator") as conn:
            while True:
                last = stop.is_set()
                if not ledger.integrate_once(conn, sign, NOW) and last:
                    return
                time.sleep(0.02)

    worker = threading.Thread(target=places)
    worker.start()
    seen = asyncio.run(_follow(db, threads, stop, worker))
    for connection in connections:
        connection.close()
    return written, seen


async def _follow(
    db: Database, threads: list[threading.Thread], stop: threading.Event, worker: threading.Thread
) -> set[str]:
    pool = await db.feed_pool(max_size=1)
    seen: set[str] = set()
    after = -1
    for thread in threads:
        thread.start()
    try:
        while True:
            last = not worker.is_alive()
            if not stop.is_set() and not any(thread.is_alive() for thread in threads):
                stop.set()
            page = await feed.page(pool, BIG, after=after, limit=1000)
            seen |= {orjson.loads(row)["reference"] for row in page.items}
            after = page.last
            if last and not page.more:
                return seen
            await asyncio.sleep(0.002)
    finally:
        await pool.close()


def _tail_sequence(server: Server, db: Database, name: str, seconds: float) -> tuple[set[str], set[str]]:
    """The same with what one writes first: `id bigserial`, and a reader that asks for `id > last`."""
    del db
    with server.embedded.superuser(name) as admin:
        admin.execute("create table bench_feed (id bigserial primary key, mark text not null)")
    connections = [server.embedded.superuser(name) for _ in range(8)]

    def write(writer: int, number: int) -> str:
        mark = uuid4().hex
        connections[writer].execute("insert into bench_feed (mark) values (%s)", [mark])
        _pause(writer, number)
        connections[writer].commit()
        return mark

    threads, written = _writers(seconds, write)
    seen: set[str] = set()
    with server.embedded.superuser(name) as reader:
        reader.autocommit = True
        last = 0
        for thread in threads:
            thread.start()
        while True:
            alive = any(thread.is_alive() for thread in threads)
            rows = reader.execute(
                "select id, mark from bench_feed where id > %s order by id limit 1000", [last]
            ).fetchall()
            seen |= {row[1] for row in rows}
            last = rows[-1][0] if rows else last
            if not alive and not rows:
                break
            time.sleep(0.002)
    for connection in connections:
        connection.close()
    return written, seen


def pull_audit(options: Options) -> Result:
    """Collecting (looked at, recorded, appended to the ledger) beside only looking."""
    found = Result()
    with running() as server, server.database() as (db, name):
        populate(db)
        body = random.Random(6).randbytes(18 * 1024)  # noqa: S311 - filler
        with unit_of_work(db) as session:
            publish(session, BIG, 1, body=body)
        integrate(db)
        times, rows = asyncio.run(_audit(db, 60 if options.quick else 300))
        with server.embedded.superuser(name) as admin:
            counted = _rows(admin)
    found.record("pull-audit", times)
    found.line("pull-audit", "collect / look", times["collect"] / times["look"], at_most(1.5))
    found.line("pull-audit", "collection rows for each collect", counted / rows, exactly(1), "")
    return found


def _rows(conn: psycopg.Connection) -> int:
    row = conn.execute("select count(*) from collection").fetchone()
    return 0 if row is None else int(row[0])


async def _audit(db: Database, rounds: int) -> tuple[dict[str, float], int]:
    pool = await db.feed_pool(max_size=1)
    release, collected = release_id(BIG, 1), 0

    async def collect() -> object:
        nonlocal collected
        collected += 1
        return await feed.collect(pool, BIG, release, "referral", at=NOW, entry_of=_collected)

    def _collected(sealed: feed.Sealed) -> ledger.Entry:
        record = {"sha256": sealed.sha256, "generation": sealed.generation}
        return entry("collected", release_id=release, partner_id=BIG, record=record)

    try:
        calls = {"look": lambda: feed.sealed(pool, BIG, release, "referral"), "collect": collect}
        return await race_async(calls, rounds), collected
    finally:
        await pool.close()
