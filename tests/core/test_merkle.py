"""The trees are those of RFC 6962, checked against a naive reading of its definitions."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core import merkle


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def naive_path(leaves: list[bytes], index: int) -> list[bytes]:
    """RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*naive_path(leaves[:split], index), naive_root(leaves[split:])]
    return [*naive_path(leaves[split:], index - split), naive_root(leaves[:split])]


def leaves_of(count: int) -> list[bytes]:
    return [merkle.leaf_hash(str(number).encode()) for number in range(count)]


@pytest.mark.parametrize("count", [*range(70), 127, 128, 129, 255, 256, 257])
def test_root_is_that_of_the_rfc(count: int) -> None:
    assert merkle.root(leaves_of(count)) == naive_root(leaves_of(count))


def test_known_answers() -> None:
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@pytest.mark.parametrize("count", [*range(1, 20), 64, 65, 100])
def test_every_leaf_is_proven_and_no_other_place_is(count: int) -> None:
    leaves = leaves_of(count)
    root = merkle.root(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle.inclusion_path(leaves, index)
        assert path == naive_path(leaves, index)
        assert merkle.verify_inclusion(leaf, index, count, path, root)
        assert not merkle.verify_inclusion(leaf, index, count, [*path, leaf], root)
        assert not merkle.verify_inclusion(merkle.leaf_hash(b"x"), index, count, path, root)
        assert not merkle.verify_inclusion(leaf, count, count, path, root)
        if path:
            assert not merkle.verify_inclusion(leaf, index, count, path[:-1], root)
            assert not merkle.verify_inclusion(leaf, index, count, [*path[:-1], leaf], root)
            assert not merkle.verify_inclusion(leaf, index, count, [*path[:-1], b"short"], root)
        for other in range(count):
            if other != index:
                assert not merkle.verify_inclusion(leaf, other, count, path, root)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 130), st.data())
def test_consistency(count: int, data: st.DataObject) -> None:
    earlier = data.draw(st.integers(1, count))
    leaves = leaves_of(count)
    old, new = merkle.root(leaves[:earlier]), merkle.root(leaves)
    path = merkle.consistency_path(leaves, earlier)
    assert merkle.verify_consistency(earlier, count, old, new, path)
    rewritten = merkle.root([merkle.leaf_hash(b"rewritten"), *leaves[1:]])
    assert not merkle.verify_consistency(earlier, count, old, rewritten, path)
    assert not merkle.verify_consistency(earlier, count, merkle.leaf_hash(b"x"), new, path)
    assert not merkle.verify_consistency(earlier, count, old, new, [*path, old])
    if path:
        assert not merkle.verify_consistency(earlier, count, old, new, path[:-1])


@pytest.mark.parametrize(
    "call", [lambda: merkle.inclusion_path([], 0), lambda: merkle.consistency_path([], 1)]
)
def test_places_outside_the_tree(call: object) -> None:
    with pytest.raises(IndexError):
        call()  # type: ignore[operator]


def test_sizes_that_do_not_exist() -> None:
    leaf = merkle.leaf_hash(b"")
    assert not merkle.verify_consistency(0, 1, leaf, leaf, [])
    assert not merkle.verify_consistency(2, 1, leaf, leaf, [])
    assert not merkle.verify_consistency(1, 1, leaf, leaf, [leaf])
    assert not merkle.verify_consistency(3, 4, leaf, leaf, [])
    assert not merkle.verify_inclusion(leaf, 0, 0, [], leaf)
