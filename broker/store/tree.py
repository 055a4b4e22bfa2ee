"""RFC 6962 over C2SP tiles: pure functions that say which tiles a proof needs, and make it of them.

A tile holds up to 256 hashes, concatenated. Tile `(level, idx)` holds nodes of height `8 * level`,
from index `256 * idx` on; level 0 are the leaf hashes. Any perfect subtree is computed inside one
tile, so a proof over a million leaves reads at most two tiles a level.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

WIDTH = 256
HASH = 32
FULL = WIDTH * HASH

Span = tuple[int, int]
"""A range of leaves, upper end exclusive."""
TileId = tuple[int, int]
"""Level and index."""

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """RFC 6962 §2.1, leaf."""
    return sha256(b"\0" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1, inner node."""
    return sha256(b"\1" + left + right).digest()


def subtree(hashes: bytes) -> bytes:
    """The hash over a power of two of concatenated hashes."""
    while len(hashes) > HASH:
        hashes = b"".join(
            sha256(b"\1" + hashes[at : at + 2 * HASH]).digest() for at in range(0, len(hashes), 2 * HASH)
        )
    return hashes


def perfect(span: Span) -> list[Span]:
    """The perfect subtrees that a span falls into, left to right.

    RFC 6962 splits at the largest power of two, so only spans that start at a multiple of it occur.
    """
    low, high = span
    parts = []
    while low < high:
        size = 1 << ((high - low).bit_length() - 1)
        parts.append((low, low + size))
        low += size
    return parts


def inclusion_spans(position: int, size: int) -> list[Span]:
    """The siblings on the way from a leaf to the root (RFC 6962 §2.1.1), leaf end first."""
    if not 0 <= position < size:
        raise ValueError("no such leaf in a tree of that size")
    low, high, spans = 0, size, []
    while high - low > 1:
        split = low + _split(high - low)
        if position < split:
            spans.append((split, high))
            high = split
        else:
            spans.append((low, split))
            low = split
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """The nodes that show a tree of `old` leaves to be the start of one of `new` (§2.1.2)."""
    if not 0 < old <= new:
        raise ValueError("the older tree is empty or larger than the newer")
    low, high, whole, spans = 0, new, True, []
    while old != high:
        split = low + _split(high - low)
        if old <= split:
            spans.append((split, high))
            high = split
        else:
            spans.append((low, split))
            low, whole = split, False
    if not whole:
        spans.append((low, high))
    return spans[::-1]


def tiles_for(spans: Iterable[Span]) -> set[TileId]:
    """Which tiles `span_hash` will look into."""
    return {_place(part)[0] for span in spans for part in perfect(span)}


def span_hash(tiles: Mapping[TileId, bytes], span: Span) -> bytes:
    """The Merkle tree hash of a span of leaves; raises when the tiles do not hold it."""
    result: bytes | None = None
    for part in reversed(perfect(span)):
        tile, start, length = _place(part)
        hashes = tiles[tile][start : start + length]
        if len(hashes) != length:
            raise ValueError("a tile is shorter than the tree it belongs to")
        node = subtree(hashes)
        result = node if result is None else node_hash(node, result)
    return EMPTY_ROOT if result is None else result


def path(tiles: Mapping[TileId, bytes], spans: Iterable[Span]) -> list[bytes]:
    """The hashes of a proof, in its order."""
    return [span_hash(tiles, span) for span in spans]


def width(tile: TileId, size: int) -> int:
    """How many hashes a tile has in a tree of that size; 0 when it does not exist yet."""
    level, idx = tile
    return max(0, min(WIDTH, (size >> (8 * level)) - WIDTH * idx))


def edge_tiles(size: int) -> list[TileId]:
    """The partial tiles at the right edge, one a level, lowest first."""
    tiles, level = [], 0
    while size >> (8 * level):
        if (size >> (8 * level)) % WIDTH:
            tiles.append((level, size >> (8 * level + 8)))
        level += 1
    return tiles


class Tile(NamedTuple):
    """A full tile and the hash over it."""

    level: int
    idx: int
    hashes: bytes
    root: bytes


@dataclass
class Edge:
    """The right edge of the tree: what is needed to append, and nothing else."""

    size: int = 0
    levels: dict[int, bytes] = field(default_factory=dict)
    """level → hashes of its partial tile."""

    @classmethod
    def of(cls, size: int, tiles: Mapping[TileId, bytes]) -> Edge:
        """The edge of a stored tree; ValueError when a tile is missing or too short."""
        edge = cls(size)
        for tile in edge_tiles(size):
            length = width(tile, size) * HASH
            hashes = tiles.get(tile, b"")[:length]
            if len(hashes) != length:
                raise ValueError("a tile at the edge is missing or too short")
            edge.levels[tile[0]] = hashes
        return edge

    def extend(self, leaves: bytes) -> list[Tile]:
        """Append concatenated leaf hashes; gives the tiles that became full, lowest level first."""
        made: list[Tile] = []
        level, size, hashes = 0, self.size, leaves
        while hashes:
            idx = size >> (8 * level + 8)
            waiting = self.levels.get(level, b"") + hashes
            cut = len(waiting) // FULL * FULL
            full = [waiting[at : at + FULL] for at in range(0, cut, FULL)]
            tiles = [Tile(level, idx + n, tile, subtree(tile)) for n, tile in enumerate(full)]
            self.levels[level] = waiting[cut:]
            made += tiles
            hashes = b"".join(tile.root for tile in tiles)
            level += 1
        self.size += len(leaves) // HASH
        return made

    def root(self) -> bytes:
        """The root over everything so far."""
        result: bytes | None = None
        for level in sorted(self.levels):
            hashes = self.levels[level]
            for low, high in reversed(perfect((0, len(hashes) // HASH))):
                node = subtree(hashes[low * HASH : high * HASH])
                result = node if result is None else node_hash(node, result)
        return EMPTY_ROOT if result is None else result


@dataclass
class Frontier:
    """The same root from log2(n) hashes, for who reads all leaves and asks for many roots."""

    size: int = 0
    nodes: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        size = self.size
        while size & 1:
            leaf = node_hash(self.nodes.pop(), leaf)
            size >>= 1
        self.nodes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over everything so far."""
        if not self.nodes:
            return EMPTY_ROOT
        result = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            result = node_hash(node, result)
        return result


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _place(part: Span) -> tuple[TileId, int, int]:
    """Tile, offset and length in octets of the hashes below a perfect subtree."""
    low, high = part
    height = (high - low).bit_length() - 1
    level, rest = divmod(height, 8)
    idx, offset = divmod(low >> (8 * level), WIDTH)
    return (level, idx), offset * HASH, HASH << rest
