"""What is signed beside the referral document: the seal's payload and the digest that is approved.

The order of things is fixed (ruling 20): payload → render → PAdES → digests → seal. Both values here
are functions of what was fixed at draft, so that release only adds signatures and encryption.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.core import canonical
from broker.spi import Document, Json

HEADER = (
    "release",
    "issuer",
    "reference",
    "version",
    "kind",
    "supersedes",
    "drafted_at",
    "unconfirmed",
    "addressee",
    "carrier",
)
"""Members that referral and seal share; the verifier compares each (docs/spec/seal.md)."""


@dataclass(frozen=True, slots=True)
class DocumentDigest:
    """A document as the seal lists it: sizes in bytes, sha256 in hex."""

    name: str
    media_type: str
    sha256: str
    size: int

    @classmethod
    def of(cls, document: Document) -> DocumentDigest:
        """Digest of a rendered (or signed) document."""
        return cls(
            document.name,
            document.media_type,
            hashlib.sha256(document.content).hexdigest(),
            len(document.content),
        )

    def as_json(self) -> dict[str, Json]:
        """The entry in the seal's `documents`."""
        return {
            "name": self.name,
            "media_type": self.media_type,
            "sha256": self.sha256,
            "size": self.size,
        }


def seal_payload(
    payload: bytes,
    *,
    root: bytes,
    depth: int,
    case_version: str,
    documents: Sequence[DocumentDigest],
    handling: Mapping[str, Json],
    conditions: Sequence[Mapping[str, str]],
) -> bytes:
    """Canonical payload of the seal (`broker-seal/1`) over the referral document's `payload`.

    `case_version` is the salted digest, hex.
    """
    document = canonical.decode_trusted(payload)
    body: dict[str, Json] = {name: document[name] for name in HEADER}
    body |= {
        "schema": "broker-seal/1",
        "case_version": case_version,
        "root": canonical.b64u(root),
        "depth": depth,
        "payload_sha256": canonical.sha256_hex(payload),
        "documents": [d.as_json() for d in sorted(documents, key=lambda d: d.name)],
        "handling": dict(handling),
        "conditions": [dict(c) for c in conditions],
    }
    return canonical.encode(body)


def hidden_case_version(salt: bytes, case_digest: str) -> str:
    """The case version as partners see it: bound, but not comparable between two of them."""
    return hashlib.sha256(salt + case_digest.encode()).hexdigest()


def approval_digest(
    *,
    release: str,
    addressee: str,
    carrier: str,
    agreement_version: int | None,
    case_version: int,
    payload_sha256: str,
    documents: Sequence[DocumentDigest],
    apart_sha256: str | None,
    grounds: Mapping[str, str],
) -> str:
    """What a releaser approves (ruling 19), hex: everything the recipient will get, before signatures."""
    return canonical.sha256_hex(
        canonical.encode(
            {
                "release": release,
                "addressee": addressee,
                "carrier": carrier,
                "agreement_version": agreement_version,
                "case_version": case_version,
                "payload_sha256": payload_sha256,
                "documents": [d.as_json() for d in sorted(documents, key=lambda d: d.name)],
                "apart_sha256": apart_sha256,
                "grounds": dict(grounds),
            }
        )
    )


def batch_digest(digests: Sequence[str]) -> str:
    """What a batch approves: SHA-256 (hex) of the canonical sorted list of approval digests."""
    return canonical.sha256_hex(canonical.encode(sorted(digests)))
