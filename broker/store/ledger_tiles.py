"""The ledger's reading side: checkpoint, tiles and proofs, in at most four queries each.

The queries are values (`queries`, `gather`), so the synchronous pages and the pipelined hot path
run the same ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg

from broker.errors import NotFound
from broker.store import tree
from broker.store.tree import TileId

Conn = psycopg.Connection[Any]
Query = tuple[LiteralString, list[Any]]


class Checkpoint(NamedTuple):
    """A tree head with its signed note."""

    size: int
    root: bytes
    note: str


LATEST: LiteralString = "select size, root, note from ledger_checkpoint order by size desc limit 1"
_FULL: LiteralString = (
    "select t.level, t.idx, t.hashes from ledger_tile t"
    " join unnest(%s::int[], %s::bigint[]) w (level, idx) using (level, idx)"
)
_LEAVES: LiteralString = (
    "select 0, position, leaf_hash from ledger_leaf where position >= %s and position < %s order by position"
)
_ROOTS: LiteralString = (
    "select t.level + 1, t.idx, t.root from unnest(%s::int[], %s::bigint[], %s::bigint[])"
    " w (level, low, high)"
    " join ledger_tile t on t.level = w.level - 1 and t.idx >= w.low and t.idx < w.high"
    " order by t.level, t.idx"
)


def queries(wanted: Collection[TileId], size: int) -> tuple[Query, Query, Query]:
    """What to ask for tiles of a tree of that size: full ones, edge leaves, edge nodes above."""
    full = [tile for tile in wanted if tree.width(tile, size) == tree.WIDTH]
    partial = {tile for tile in wanted if 0 < tree.width(tile, size) < tree.WIDTH}
    low = high = 0
    above: list[tuple[int, int, int]] = []
    for tile in partial:
        level, first = tile[0], tile[1] * tree.WIDTH
        if level == 0:
            low, high = first, first + tree.width(tile, size)
        else:
            above.append((level, first, first + tree.width(tile, size)))
    return (
        (_FULL, [[t[0] for t in full], [t[1] for t in full]]),
        (_LEAVES, [low, high]),
        (_ROOTS, [[a[0] for a in above], [a[1] for a in above], [a[2] for a in above]]),
    )


def gather(full: Iterable[Sequence[Any]], single: Iterable[Sequence[Any]]) -> dict[TileId, bytes]:
    """Tiles from the answers: whole ones, and hashes one by one in their order."""
    tiles: dict[TileId, bytes] = {(level, idx): bytes(hashes) for level, idx, hashes in full}
    parts: dict[TileId, list[bytes]] = {}
    for level, position, value in single:
        parts.setdefault((level, position // tree.WIDTH), []).append(bytes(value))
    tiles.update((tile, b"".join(values)) for tile, values in parts.items())
    return tiles


def load(conn: Conn, wanted: Collection[TileId], size: int) -> dict[TileId, bytes]:
    """Tiles of a tree of that size."""
    full, leaves, roots = (
        conn.execute(query, values, binary=True).fetchall() for query, values in queries(wanted, size)
    )
    return gather(full, [*leaves, *roots])


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
    _check_size(conn, size)
    if not 0 <= position < size:
        raise NotFound("leaf")
    spans = tree.inclusion_spans(position, size)
    return tree.path(load(conn, tree.tiles_for(spans), size), spans)


def consistency(conn: Conn, old: int, new: int) -> list[bytes]:
    """That the tree of `old` leaves is the start of the tree of `new`; empty for equal sizes."""
    _check_size(conn, new)
    if not 0 <= old <= new:
        raise NotFound("checkpoint")
    if old == 0:
        return []
    spans = tree.consistency_spans(old, new)
    return tree.path(load(conn, tree.tiles_for(spans), new), spans)


def root(conn: Conn, size: int) -> bytes:
    """The root of the tree of that size, from tiles."""
    _check_size(conn, size)
    spans = [(0, size)]
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


def _check_size(conn: Conn, size: int) -> None:
    head = latest(conn)
    if head is None or not 0 < size <= head.size:
        raise NotFound("checkpoint")
