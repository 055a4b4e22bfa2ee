"""The integrator: positions, tiles, feed rows and the signed checkpoint, in one commit.

What a partner can see therefore already has an inclusion proof. There is one at a time: a lock on
the writing connection keeps the others out, and UNIQUE(position) is the fence behind the lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.json import set_json_loads

from broker.errors import NotAuthentic
from broker.store import tree
from broker.store.ledger_append import leaf_body
from broker.store.ledger_tiles import latest, load

Conn = psycopg.Connection[Any]
Sign = Callable[[int, bytes], str]
"""(size, root) → the signed note."""

# Any constants do; they must only never change, or two versions could both integrate.
INTEGRATING = 0x6C65_6467_6572_0001
LEADING = 0x6C65_6467_6572_0002


def lead(conn: Conn) -> bool:
    """Become the integrating process for as long as this connection lives; False: another is."""
    row = conn.execute("select pg_try_advisory_lock(%s)", [LEADING]).fetchone()
    conn.commit()
    return bool(row and row[0])


def has_leader(conn: Conn) -> bool:
    """Does any process integrate? Readiness depends on it."""
    row = conn.execute(
        "select exists (select 1 from pg_locks where locktype = 'advisory' and granted"
        " and database = (select oid from pg_database where datname = current_database())"
        " and classid = %s and objid = %s and objsubid = 1)",
        [LEADING >> 32, LEADING & 0xFFFF_FFFF],
    ).fetchone()
    return bool(row and row[0])


_TAKE = """
with due as materialized (
    select id from pending where due_at <= %s order by id limit %s for update skip locked
)
delete from pending p using due where p.id = due.id
returning p.id, p.leaf_type, p.commit, p.event_id, p.release_id, p.partner_id, p.feed
"""


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: int
    leaf_type: str
    commit: bytes
    event_id: UUID
    release_id: str | None
    partner_id: str | None
    feed: dict[str, Any] | None


def integrate_once(conn: Conn, sign: Sign, now: datetime, *, limit: int = 5_000) -> int:
    """Give due leaves their positions and commit; gives how many. 0 also when another one is at it.

    `conn` is a broker_integrator connection with no transaction open. The signed checkpoint is
    stored in the same commit and leaves the process by being read from there, never before.
    Raises NotAuthentic when the stored edge does not lead to the stored root.
    """
    if conn.autocommit or conn.info.transaction_status != TransactionStatus.IDLE:
        raise ValueError("integrate on an idle connection without autocommit: it commits")
    set_json_loads(orjson.loads, conn)
    with conn.transaction():
        locked = conn.execute("select pg_try_advisory_xact_lock(%s)", [INTEGRATING]).fetchone()
        if not (locked and locked[0]):
            return 0
        # Only now: whoever held the lock before has committed, so this sees the newest edge.
        rows = _take(conn, now, limit)
        if not rows:
            return 0
        edge = _edge(conn)
        first = edge.size
        bodies = [leaf_body(row.leaf_type, row.commit) for row in rows]
        hashes = [tree.leaf_hash(body) for body in bodies]
        tiles = edge.extend(b"".join(hashes))
        _store_leaves(conn, first, rows, bodies, hashes)
        _store_tiles(conn, tiles)
        _publish(conn, first, rows, now)
        root = edge.root()
        conn.execute(
            "insert into ledger_checkpoint (size, root, note, at) values (%s, %s, %s, %s)",
            [edge.size, root, sign(edge.size, root), now],
        )
    return len(rows)


def _take(conn: Conn, now: datetime, limit: int) -> list[_Waiting]:
    rows = [_Waiting(*row) for row in conn.execute(_TAKE, [now, limit], binary=True)]
    releases = [row.release_id for row in rows if row.leaf_type == "published"]
    # A statement of its own, after the rows are locked: it sees every cancellation that held one.
    found = conn.execute("select release_id from cancellation where release_id = any(%s)", [releases])
    cancelled = {row[0] for row in found}
    rows.sort(key=lambda row: row.id)
    return [r for r in rows if r.leaf_type != "published" or r.release_id not in cancelled]


def _edge(conn: Conn) -> tree.Edge:
    head = latest(conn)
    if head is None:
        return tree.Edge()
    try:
        edge = tree.Edge.of(head.size, load(conn, tree.edge_tiles(head.size), head.size))
    except ValueError:
        edge = tree.Edge()
    if edge.root() != head.root:
        raise NotAuthentic(
            "ledger-altered",
            "the stored tiles do not lead to the last signed root",
            "stop, keep a copy of the database, run `broker ledger verify`",
        )
    return edge


def _store_leaves(
    conn: Conn, first: int, rows: list[_Waiting], bodies: list[bytes], hashes: list[bytes]
) -> None:
    conn.execute(
        "insert into ledger_leaf (position, body, leaf_hash, event_id, release_id)"
        " select * from unnest(%b::bigint[], %b::bytea[], %b::bytea[], %b::uuid[], %b::text[])",
        [
            list(range(first, first + len(rows))),
            bodies,
            hashes,
            [row.event_id for row in rows],
            [row.release_id for row in rows],
        ],
    )


def _store_tiles(conn: Conn, tiles: list[tree.Tile]) -> None:
    if tiles:
        conn.execute(
            "insert into ledger_tile (level, idx, hashes, root)"
            " select * from unnest(%b::int[], %b::bigint[], %b::bytea[], %b::bytea[])",
            [list(column) for column in zip(*tiles, strict=True)],
        )


def _publish(conn: Conn, first: int, rows: list[_Waiting], now: datetime) -> None:
    """Feed rows as they will be served, numbered without a gap for each partner."""
    fresh = [(first + n, row) for n, row in enumerate(rows) if row.feed is not None]
    if not fresh:
        return
    sequences: dict[str, int] = dict(
        conn.execute(
            "select p, coalesce((select seq from feed where partner_id = p"
            " order by seq desc limit 1), 0) from unnest(%s::text[]) p",
            [list({row.partner_id for _, row in fresh})],
        ).fetchall()
    )
    published = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made: list[tuple[Any, ...]] = []
    for position, row in fresh:
        item, partner = row.feed or {}, row.partner_id or ""
        sequences[partner] = seq = sequences[partner] + 1
        served = {**item, "position": position, "seq": seq, "publishedAt": published}
        octets = orjson.dumps(served, option=orjson.OPT_SORT_KEYS)
        made.append((partner, position, seq, item["event"], item["release"], octets, item["urgency"], now))
    conn.execute(
        "insert into feed (partner_id, position, seq, event, release_id, row, urgency, at)"
        " select * from unnest(%b::text[], %b::bigint[], %b::bigint[], %b::text[], %b::text[],"
        " %b::bytea[], %b::text[], %b::timestamptz[])",
        [list(column) for column in zip(*made, strict=True)],
    )
