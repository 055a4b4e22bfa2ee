"""Keyed pseudonyms of one partner, keyed hashes, and the element ids of one referral.

A pseudonym is equal for equal values within one partner and tells nothing without that partner's
random key: an address or number cannot be found by trying all of them. Keys of two partners are
independent, so nothing links what they hold (domain.md §5.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from hmac import digest

from broker.core.canonical import encode_trusted
from broker.errors import Misconfigured
from broker.spi import Json

MIN_KEY = 32
PSEUDONYM_LENGTH = 26
ELEMENT_LENGTH = 10


def pseudonym(key: bytes, domain: str, value: Json) -> str:
    """26 characters `a-z2-7` (130 bits). `domain` is a field id or `F60.analyst`: equal values of two
    fields have different pseudonyms."""
    return _base32(_mac(key, b"pseudonym", domain, value), PSEUDONYM_LENGTH)


def keyed_hash(key: bytes, domain: str, value: Json) -> str:
    """64 hex characters: equality within one recipient, nothing else (action H)."""
    return _mac(key, b"hash", domain, value).hex()


def element_ids(key: bytes, local_ids: Iterable[str]) -> dict[str, str]:
    """local id → element id, `[a-z2-7]{10}`.

    Part of the wire format. One key for each (partner, referral): stable over its versions, unrelated
    between partners, and independent of which other entities the case has.
    """
    _check(key)
    return {
        local_id: _base32(digest(key, b"v1|element|" + local_id.encode(), sha256), ELEMENT_LENGTH)
        for local_id in local_ids
    }


def _mac(key: bytes, use: bytes, domain: str, value: Json) -> bytes:
    _check(key)
    return digest(key, b"v1|" + use + b"|" + domain.encode() + b"|" + encode_trusted(value), sha256)


_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)


def _base32(data: bytes, length: int) -> str:
    """The first `length` (even) characters of RFC 4648 base32 in lower case, ten bits at a time: the
    standard library's is ten times slower, and every row of a case needs an id."""
    bits = 5 * length
    number = int.from_bytes(data[: (bits + 7) // 8], "big") >> (-bits % 8)
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(bits - 10, -1, -10)])


def _check(key: bytes) -> None:
    if len(key) < MIN_KEY:
        raise Misconfigured("weak-key", f"a pseudonym or element key has at least {MIN_KEY} random bytes")
