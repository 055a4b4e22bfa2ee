"""The ledger's reading side: checkpoint, tiles and proofs; all the tiles of a proof are one query.

The query is a value (`query`, `gather`), so the synchronous pages and the pipelined hot path run the
same one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg

from broker.errors import NotFound
from broker.store import tree
from broker.store.tree import TileId

Conn = psycopg.Connection[Any]


class Checkpoint(NamedTuple):
    """A tree head with its signed note."""

    size: int
    root: bytes
    note: str


_HEAD = -1
"""The level under which a query gives the size of the newest checkpoint."""

LATEST: LiteralString = "select size, root, note from ledger_checkpoint order by size desc limit 1"
# Full tiles as stored; at the right edge, leaves and roots of the level below put together. The head
# comes along, so that nothing is asked of a tree that is not there.
_TILES: LiteralString = """
select t.level, t.idx, t.hashes from ledger_tile t
join unnest(%(levels)s::int[], %(idxs)s::bigint[]) w (level, idx) using (level, idx)
union all
select w.level, w.low / 256, string_agg(h.hash, null order by h.idx)
from unnest(%(edge)s::int[], %(low)s::bigint[], %(high)s::bigint[]) w (level, low, high)
cross join lateral (
    select l.position as idx, l.leaf_hash as hash from ledger_leaf l
    where w.level = 0 and l.position >= w.low and l.position < w.high
    union all
    select t.idx, t.root from ledger_tile t
    where w.level > 0 and t.level = w.level - 1 and t.idx >= w.low and t.idx < w.high
) h group by w.level, w.low
union all
select -1, (select max(size) from ledger_checkpoint), null
"""


def query(wanted: Collection[TileId], size: int) -> tuple[bytes, dict[str, Any]]:
    """What to ask for tiles of a tree of that size."""
    full = [tile for tile in wanted if tree.width(tile, size) == tree.WIDTH]
    edge = [(tile, tree.width(tile, size)) for tile in wanted if 0 < tree.width(tile, size) < tree.WIDTH]
    return _TILES.encode(), {
        "levels": [level for level, _ in full],
        "idxs": [idx for _, idx in full],
        "edge": [level for (level, _), _ in edge],
        "low": [idx * tree.WIDTH for (_, idx), _ in edge],
        "high": [idx * tree.WIDTH + width for (_, idx), width in edge],
    }


def gather(rows: Iterable[Sequence[Any]], size: int) -> dict[TileId, bytes]:
    """Tiles from the answer. Raises `NotFound` when no checkpoint covers a tree of that size."""
    tiles = {(level, idx): hashes for level, idx, hashes in rows}
    head = next(idx for level, idx in tiles if level == _HEAD)
    if not 0 < size <= (head or 0):
        raise NotFound("checkpoint")
    return tiles


def load(conn: Conn, wanted: Collection[TileId], size: int) -> dict[TileId, bytes]:
    """Tiles of a tree of that size."""
    text, values = query(wanted, size)
    return gather(conn.execute(text, values, binary=True), size)


def latest(conn: Conn) -> Checkpoint | None:
    """The current checkpoint; None before the first leaf."""
    row = conn.execute(LATEST, binary=True).fetchone()
    return Checkpoint(*row) if row else None


def checkpoint_at(conn: Conn, size: int) -> Checkpoint:
    """The checkpoint signed for exactly that size."""
    row = conn.execute(
        "select size, root, note from ledger_checkpoint where size = %s", [size], binary=True
    ).fetchone()
    if row is None:
        raise NotFound("checkpoint")
    return Checkpoint(*row)


def proof(conn: Conn, position: int, size: int) -> list[bytes]:
    """The RFC 6962 audit path of a leaf in the tree of that size."""
    if not 0 <= position < size:
        raise NotFound("leaf")
    spans = tree.inclusion_spans(position, size)
    return tree.path(load(conn, tree.tiles_for(spans), size), spans)


def consistency(conn: Conn, old: int, new: int) -> list[bytes]:
    """That the tree of `old` leaves is the start of the tree of `new`; empty for equal sizes."""
    if not 0 <= old <= new:
        raise NotFound("checkpoint")
    spans = tree.consistency_spans(old, new) if old else []
    return tree.path(load(conn, tree.tiles_for(spans), new), spans)


def root(conn: Conn, size: int) -> bytes:
    """The root of the tree of that size, from tiles."""
    spans = [(0, max(0, size))]
    return tree.span_hash(load(conn, tree.tiles_for(spans), size), spans[0])


def tile(conn: Conn, level: int, idx: int, width: int = tree.WIDTH) -> bytes:
    """`tile/<level>/<idx>[.p/<width>]` of C2SP tlog-tiles; only what a checkpoint covers."""
    head = latest(conn)
    there = tree.width((level, idx), head.size) if head and 0 <= level < 8 and idx >= 0 else 0
    if head is None or not 0 < width <= there:
        raise NotFound("tile")
    return load(conn, [(level, idx)], head.size)[level, idx][: width * tree.HASH]


def entries(conn: Conn, idx: int, width: int = tree.WIDTH) -> bytes:
    """`tile/entries/<idx>[.p/<width>]`: leaf bodies, each after its length as two octets."""
    head = latest(conn)
    there = tree.width((0, idx), head.size) if head and idx >= 0 else 0
    if not 0 < width <= there:
        raise NotFound("tile")
    first = idx * tree.WIDTH
    rows = conn.execute(
        "select body from ledger_leaf where position >= %s and position < %s order by position",
        [first, first + width],
        binary=True,
    ).fetchall()
    return b"".join(len(body).to_bytes(2, "big") + body for (body,) in rows)
