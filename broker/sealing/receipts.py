"""A receipt beside a referral: what it says must be exactly about the files it lies with.

docs/spec/receipt.md. Whose signature it bears is told by the partner's registration file, which is
not among what the broker pinned for the partner: without it the signature stays unchecked, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from broker.core.canonical import decode
from broker.errors import Misconfigured, NotAuthentic, Refused
from broker.sealing.jose import KeySet, PinnedKey, parse, public_key_from_jwk, verify
from broker.sealing.trust import parse_time
from broker.spi import Json

TYP = "receipt+jws"
SCHEMA = "broker-receipt/1"
MEMBERS = frozenset(
    {"schema", "release", "partner", "object_sha256", "seal_sha256", "parts", "verified", "received_at"}
)
MAX_RECEIPT = 64 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


def registered_keys(registration: bytes) -> KeySet:
    """The keys for receipts of a partner's `registration.json`; `Misconfigured` for another file."""
    try:
        said = decode(registration, max_bytes=MAX_RECEIPT)
        return KeySet(
            PinnedKey(key["kid"], "ES256", frozenset({TYP}), public_key_from_jwk(key["jwk"]))
            for key in said["keys"]
            if key["use"] == "receipt"
        )
    except (Refused, KeyError, TypeError):
        raise Misconfigured(
            "registration-form",
            "the registration file cannot be read",
            "Give the registration.json that was made with the partner's keys.",
        ) from None


def read_receipt(token: str, keys: KeySet | None) -> dict[str, Json]:
    """What a receipt says, of the exact form; with `keys` its signature is verified too."""
    try:
        payload = parse(token, require_typ=TYP).payload if keys is None else verify(token, keys, TYP)
    except NotAuthentic as error:
        raise NotAuthentic(error.code, f"the receipt does not verify: {error.message}", error.hint) from None
    try:
        said = decode(payload, max_bytes=MAX_RECEIPT, canonical=True)
    except Refused:
        _fail("the receipt is not canonical JSON")
    if type(said) is not dict or said.keys() != MEMBERS or said["schema"] != SCHEMA:
        _fail("the receipt does not have exactly the members it must have")
    try:
        parse_time(said["received_at"])
    except Refused:
        _fail("the receipt's time is not of the form 2026-01-31T12:00:00Z")
    if type(said["verified"]) is not bool or said["verified"] != (said["seal_sha256"] is not None):
        _fail("the receipt names a seal that it did not verify, or none that it did")
    _check_parts(said["parts"])
    return said


def part_digests(said: Mapping[str, Json]) -> dict[str, str]:
    """name → digest of the other objects that a receipt of the right form names."""
    return {part["name"]: part["sha256"] for part in said["parts"]}


def _check_parts(parts: Json) -> None:
    if type(parts) is not list or not all(type(p) is dict and p.keys() == {"name", "sha256"} for p in parts):
        _fail("the receipt's list of parts is not of its form")
    if not all(type(p["name"]) is str and type(p["sha256"]) is str for p in parts):
        _fail("the receipt's list of parts is not of its form")
    names = [p["name"] for p in parts]
    if names != sorted(set(names)) or not all(_SHA256.fullmatch(p["sha256"]) for p in parts):
        _fail("the receipt's list of parts is not sorted, or holds something that is no digest")


def _fail(message: str) -> NoReturn:
    raise NotAuthentic("receipt-form", message, "Ask the partner's own system for the receipt it sent.")
