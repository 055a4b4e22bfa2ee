"""Tiles give the same roots and proofs as the RFC's recursion."""

from __future__ import annotations

import pytest

from broker.store import tree
from tests.store import rfc6962

LEAVES = [rfc6962.leaf(str(n).encode()) for n in range(70_000)]


def stored(size: int, steps: tuple[int, ...]) -> tuple[tree.Edge, dict[tuple[int, int], bytes]]:
    """A tree grown in batches, reloading the edge from tiles after each as a new process would."""
    tiles: dict[tuple[int, int], bytes] = {}
    edge, at, turn = tree.Edge(), 0, 0
    while at < size:
        step = min(steps[turn % len(steps)], size - at)
        for tile in edge.extend(b"".join(LEAVES[at : at + step])):
            assert (tile.level, tile.idx) not in tiles
            tiles[tile.level, tile.idx] = tile.hashes
        at, turn = at + step, turn + 1
        everything = tiles | {
            (level, tree.edge_tiles(at)[0][1] if level == 0 else at >> (8 * level + 8)): hashes
            for level, hashes in edge.levels.items()
            if hashes
        }
        edge = tree.Edge.of(at, everything)
    return edge, everything


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 66_001])
def test_roots_and_proofs_are_those_of_the_rfc(size: int) -> None:
    edge, tiles = stored(size, (1, 7, 300, 5000))
    leaves = LEAVES[:size]
    expected = rfc6962.mth(leaves)
    assert edge.root() == expected
    assert tree.span_hash(tiles, (0, size)) == expected
    picks = {0, size - 1, size // 2, size // 3, size * 7 // 11, size * 10 // 11}
    for position in picks:
        spans = tree.inclusion_spans(position, size)
        assert tree.tiles_for(spans) <= set(tiles)
        proof = tree.path(tiles, spans)
        assert proof == rfc6962.path(position, leaves)
        assert rfc6962.root_from_path(LEAVES[position], position, size, proof) == expected
    for old in {1, size, size // 2 or 1, size // 3 + 1, size * 10 // 11 + 1}:
        spans = tree.consistency_spans(old, size)
        assert tree.path(tiles, spans) == rfc6962.subproof(old, leaves)


def test_the_frontier_agrees_at_every_size() -> None:
    frontier = tree.Frontier()
    assert frontier.root() == tree.EMPTY_ROOT == rfc6962.mth([])
    for size in range(1, 600):
        frontier.append(LEAVES[size - 1])
        assert frontier.root() == rfc6962.mth(LEAVES[:size])


def test_a_short_tile_is_refused() -> None:
    _, tiles = stored(300, (300,))
    short = tiles | {(0, 1): tiles[0, 1][:-32]}
    with pytest.raises(ValueError, match="too short"):
        tree.Edge.of(300, short)
    with pytest.raises(ValueError, match="shorter"):
        tree.span_hash(short, (0, 300))


@pytest.mark.parametrize(("position", "size"), [(-1, 5), (5, 5), (0, 0)])
def test_no_proof_for_what_is_not_there(position: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        tree.inclusion_spans(position, size)


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5)])
def test_no_consistency_backwards(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="older"):
        tree.consistency_spans(old, new)
