"""Check what a partner signs about what it got, before anything of it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broker.core import canonical
from broker.errors import Issue, Refused
from broker.sealing import jose
from broker.spi import Json
from broker.store.follow_up import HandedOut

TYP = "receipt+jws"
MEMBERS = frozenset(
    {"schema", "release", "partner", "object_sha256", "seal_sha256", "parts", "verified", "received_at"}
)


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """A receipt that holds: signed by the partner over digests of what it was handed."""

    jws: str
    sha256: str
    verified: bool


def check_receipt(
    token: str,
    keys: Sequence[tuple[str, dict[str, Any]]],
    handed: HandedOut,
    partner: str,
    release: str,
) -> ReceiptCheck:
    """Raises `NotAuthentic` for a signature that does not hold, `Refused` for digests that differ.

    A receipt without digests is refused: it would prove nothing (docs/spec/receipt.md).
    """
    pinned = jose.KeySet(
        jose.PinnedKey(kid, "ES256", frozenset({TYP}), jose.public_key_from_jwk(jwk)) for kid, jwk in keys
    )
    body = canonical.decode(jose.verify(token, pinned, TYP), max_bytes=65536, canonical=True)
    issues = _issues(body, handed, partner, release)
    if issues:
        raise Refused("receipt-refused", "the receipt was not accepted; nothing was stored", tuple(issues))
    return ReceiptCheck(token, canonical.sha256_hex(token.encode()), body["verified"])


def _issues(body: Json, handed: HandedOut, partner: str, release: str) -> list[Issue]:
    if not isinstance(body, dict) or set(body) != MEMBERS or body["schema"] != "broker-receipt/1":
        return [Issue("", "members", "has other members than a receipt")]
    if not isinstance(body["object_sha256"], str) or not isinstance(body["seal_sha256"], str | None):
        return [Issue("", "type", "has a digest that is not text")]
    issues = []
    if body["release"] != release:
        issues.append(Issue("/release", "release", "is for another release"))
    if body["partner"] != partner:
        issues.append(Issue("/partner", "partner", "is not the caller"))
    if body["object_sha256"] not in handed.parts.get("referral", frozenset()):
        issues.append(Issue("/object_sha256", "digest", "is not the digest of what was handed out"))
    if not isinstance(body["verified"], bool):
        issues.append(Issue("/verified", "type", "must be true or false"))
    elif body["verified"] != (body["seal_sha256"] is not None):
        issues.append(Issue("/seal_sha256", "required", "goes with `verified`, and only with it"))
    if body["seal_sha256"] is not None and body["seal_sha256"] != handed.seal_sha256:
        issues.append(Issue("/seal_sha256", "digest", "is not the digest of this referral's seal"))
    parts = body["parts"]
    if not isinstance(parts, list) or any(
        not isinstance(p, dict)
        or set(p) != {"name", "sha256"}
        or not isinstance(p["name"], str)
        or not isinstance(p["sha256"], str)
        or p["sha256"] not in handed.parts.get(p["name"], frozenset())
        for p in parts
    ):
        issues.append(Issue("/parts", "digest", "names something else than what was handed out"))
    return issues
