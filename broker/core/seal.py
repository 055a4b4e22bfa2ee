"""The seal: one salted leaf for each disclosure unit in a padded RFC 6962 tree (docs/spec/seal.md).

A partner that holds the opening can check that what it got is exactly what was sealed, and can pass
on less than it got. What was withheld stands behind a single leaf and can be opened later, unit by
unit. All randomness comes out of one 32-byte seed, in streams by label, so that a seed kept in the
release record rebuilds the tree, and so that a disclosed unit has the same position and salt
whatever is withheld (non-interference).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256, shake_256

from broker.core import merkle
from broker.core.canonical import b64u, encode_trusted
from broker.core.opening import (
    MAX_DEPTH,
    MIN_DEPTH,
    REDACTED_SCHEMA,
    SALT_SIZE,
    WITHHELD_SCHEMA,
    assemble,
    leaf_at,
    make_opening,
    recompute,
    redact,
    unit_leaf,
    units_of,
    verify_withheld,
)
from broker.errors import Refused
from broker.spi import Json, Unit

SEAL_ALG = "rfc6962-sha256"
SEED_SIZE = 32


@dataclass(frozen=True, slots=True)
class SealTree:
    """A built seal. Everything in it but `root` and `depth` is secret until it is opened."""

    depth: int
    root: bytes
    leaves: list[bytes]
    disclosed: list[tuple[int, str, bytes]]
    """(position, pointer, salt) of each disclosed unit, by pointer."""
    apart: list[tuple[int, str, bytes, Json]]
    withheld: list[tuple[str, bytes, Json]]
    """(pointer, salt, value) in the order of the subtree."""
    withheld_position: int
    withheld_salt: bytes

    def opening(self, release: str) -> dict[str, Json]:
        """What the partner needs to recompute the root; travels inside the JWE only."""
        return make_opening(release, self.depth, self.disclosed, self.leaves)

    def apart_units(self) -> list[list[Json]]:
        """`units` of the object that is sealed apart: [position, pointer, salt, value]."""
        return [[position, pointer, b64u(salt), value] for position, pointer, salt, value in self.apart]

    def withheld_proof(self, pointer: str) -> dict[str, Json]:
        """Opens one withheld unit towards the signed root, and no other (docs/spec/seal.md)."""
        index = next((i for i, unit in enumerate(self.withheld) if unit[0] == pointer), None)
        if index is None:
            raise Refused("seal-no-such-unit", "no withheld unit stands at this pointer")
        _, salt, value = self.withheld[index]
        inner = [unit_leaf(*unit) for unit in self.withheld]
        outer_path = merkle.inclusion_path(self.leaves, self.withheld_position)
        return {
            "schema": WITHHELD_SCHEMA,
            "unit": [pointer, b64u(salt), value],
            "index": index,
            "size": len(inner),
            "path": [b64u(step) for step in merkle.inclusion_path(inner, index)],
            "position": self.withheld_position,
            "salt": b64u(self.withheld_salt),
            "tree_path": [b64u(step) for step in outer_path],
        }


def build(units: Sequence[Unit], apart: Sequence[Unit], withheld: Sequence[Unit], seed: bytes) -> SealTree:
    """Seal `units` and `apart` for opening, `withheld` for later. `seed`: 32 random bytes, secret.

    Values must be of the canonical profile already (the case was checked at intake).
    """
    if len(seed) != SEED_SIZE:
        raise Refused("seal-seed", f"the seed has {SEED_SIZE} bytes")
    shown = sorted([(unit.pointer, unit.value) for unit in units], key=_pointer)
    hidden = sorted([(unit.pointer, unit.value) for unit in apart], key=_pointer)
    if len({pointer for pointer, _ in shown} | {pointer for pointer, _ in hidden}) != len(shown) + len(
        hidden
    ):
        raise Refused("seal-duplicate", "two units stand at the same pointer")
    count = len(shown) + len(hidden)
    depth = depth_for(count)
    # Disclosed units draw first: nothing that is apart or withheld can move them.
    positions = _positions(seed, depth, count + 1)
    decoys = _stream(seed, b"decoys", merkle.HASH_SIZE << depth)
    leaves = [decoys[at : at + merkle.HASH_SIZE] for at in range(0, len(decoys), merkle.HASH_SIZE)]
    disclosed, sealed_apart = [], []
    # Here and below written out instead of `unit_leaf`: hundreds of times for each recipient.
    for position, salt, unit in zip(positions, _salts(seed, b"units", len(shown)), shown, strict=False):
        leaves[position] = sha256(b"\x00" + salt + encode_trusted(unit)).digest()
        disclosed.append((position, unit[0], salt))
    for position, salt, (pointer, value) in zip(
        positions[len(shown) :], _salts(seed, b"apart", len(hidden)), hidden, strict=False
    ):
        leaves[position] = unit_leaf(pointer, salt, value)
        sealed_apart.append((position, pointer, salt, value))
    closed = [
        (unit.pointer, salt, unit.value)
        for unit, salt in zip(withheld, _salts(seed, b"withheld", len(withheld)), strict=True)
    ]
    cover = _stream(seed, b"withheld-leaf", SALT_SIZE + merkle.HASH_SIZE)
    inner_leaves = [
        sha256(b"\x00" + salt + encode_trusted([at, value])).digest() for at, salt, value in closed
    ]
    inner = merkle.root(inner_leaves) if closed else cover[SALT_SIZE:]
    leaves[positions[count]] = sha256(b"\x00" + cover[:SALT_SIZE] + inner).digest()
    return SealTree(
        depth=depth,
        root=merkle.root(leaves),
        leaves=leaves,
        disclosed=disclosed,
        apart=sealed_apart,
        withheld=closed,
        withheld_position=positions[count],
        withheld_salt=cover[:SALT_SIZE],
    )


def depth_for(count: int) -> int:
    """Depth for `count` disclosed and apart units: room for the withheld leaf and one decoy."""
    depth = max(MIN_DEPTH, (count + 1).bit_length())
    if depth > MAX_DEPTH:
        raise Refused("seal-too-large", "more units than the largest seal holds")
    return depth


def _stream(seed: bytes, label: bytes, size: int) -> bytes:
    return shake_256(seed + label).digest(size)


def _salts(seed: bytes, label: bytes, count: int) -> list[bytes]:
    block = _stream(seed, label, SALT_SIZE * count)
    return [block[at : at + SALT_SIZE] for at in range(0, len(block), SALT_SIZE)]


def _positions(seed: bytes, depth: int, count: int) -> list[int]:
    # A power of two takes the low bits of each word without bias; repeated draws fall out.
    mask = (1 << depth) - 1
    draws = 2 << depth
    while True:
        words = struct.unpack(f"<{draws}I", _stream(seed, b"positions", 4 * draws))
        found = list(dict.fromkeys([word & mask for word in words]))
        if len(found) >= count:
            return found[:count]
        draws *= 2


def _pointer(unit: tuple[str, Json]) -> str:
    return unit[0]


__all__ = [
    "REDACTED_SCHEMA",
    "SEAL_ALG",
    "SealTree",
    "assemble",
    "build",
    "depth_for",
    "leaf_at",
    "recompute",
    "redact",
    "unit_leaf",
    "units_of",
    "verify_withheld",
]
