"""Check what a partner signs about what it got, before anything of it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.core import canonical
from broker.errors import Issue, NotAuthentic, Refused
from broker.sealing import jose, receipts
from broker.spi import Json
from broker.store.follow_up import HandedOut


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

    A receipt without digests is refused: it would prove nothing (docs/spec/receipt.md). Its form is judged
    by the verifier's own code: one that is taken here and fails there could not be given again.
    """
    pinned = jose.KeySet(
        jose.PinnedKey(kid, "ES256", frozenset({receipts.TYP}), jose.public_key_from_jwk(jwk))
        for kid, jwk in keys
    )
    try:
        body = receipts.read_receipt(token, pinned)
    except NotAuthentic as error:
        if error.code != "receipt-form":
            raise
        raise _refused([Issue("", "form", error.message)]) from None
    issues = _issues(body, handed, partner, release)
    if issues:
        raise _refused(issues)
    return ReceiptCheck(token, canonical.sha256_hex(token.encode()), body["verified"])


def _refused(issues: list[Issue]) -> Refused:
    return Refused("receipt-refused", "the receipt was not accepted; nothing was stored", tuple(issues))


def _issues(body: Mapping[str, Json], handed: HandedOut, partner: str, release: str) -> list[Issue]:
    """What a receipt of the right form says that is not so. A text that is not is none of the digests."""
    issues = []
    if body["release"] != release:
        issues.append(Issue("/release", "release", "is for another release"))
    if body["partner"] != partner:
        issues.append(Issue("/partner", "partner", "is not the caller"))
    if not _among(body["object_sha256"], handed.parts.get("referral", frozenset())):
        issues.append(Issue("/object_sha256", "digest", "is not the digest of what was handed out"))
    if body["seal_sha256"] is not None and body["seal_sha256"] != handed.seal_sha256:
        issues.append(Issue("/seal_sha256", "digest", "is not the digest of this referral's seal"))
    if not all(_among(part["sha256"], handed.parts.get(part["name"], frozenset())) for part in body["parts"]):
        issues.append(Issue("/parts", "digest", "names something else than what was handed out"))
    return issues


def _among(digest: Json, known: frozenset[str]) -> bool:
    return isinstance(digest, str) and digest in known
