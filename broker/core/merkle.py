"""RFC 6962 Merkle trees: root, audit path and consistency path over leaf hashes.

Everything takes and gives leaf *hashes* (32 bytes); `leaf_hash` makes one from a body. The
verification algorithms are those of RFC 9162 §2.1.3.2 and §2.1.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """SHA-256(0x00 ‖ body)."""
    return sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The tree hash; an odd node is carried up unchanged, which is RFC 6962's split at 2^k."""
    if not leaves:
        return EMPTY_ROOT
    level: Sequence[bytes] = leaves
    hashed = sha256
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [hashed(b"\x01" + left + right).digest() for left, right in pairs]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of leaf `index`, bottom up (RFC 6962 §2.1.1)."""
    if not 0 <= index < len(leaves):
        raise IndexError("leaf index outside the tree")
    path: list[bytes] = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _above(level)
        index >>= 1
    return path


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` leads from `leaf` at `index` of `size` to `root` (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size or any(len(step) != HASH_SIZE for step in path):
        return False
    position, last, computed = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node_hash(step, computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, step)
        position, last = position >> 1, last >> 1
    return last == 0 and computed == root


def consistency_path(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Proof that the tree over the first `size` leaves is a prefix (RFC 6962 §2.1.2)."""
    if not 0 < size <= len(leaves):
        raise IndexError("no such earlier tree")
    return _subproof(size, leaves, whole=True)


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether `path` shows that the new tree extends the old one (RFC 9162 §2.1.4.2)."""
    if not 0 < old_size <= new_size or any(len(step) != HASH_SIZE for step in path):
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    steps = list(path) if old_size & (old_size - 1) else [old_root, *path]
    if not steps:
        return False
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _above(level: Sequence[bytes]) -> list[bytes]:
    above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def _subproof(size: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    total = len(leaves)
    if size == total:
        return [] if whole else [root(leaves)]
    split = 1 << ((total - 1).bit_length() - 1)
    if size <= split:
        return [*_subproof(size, leaves[:split], whole=whole), root(leaves[split:])]
    return [*_subproof(size - split, leaves[split:], whole=False), root(leaves[:split])]
