"""The release record: everything needed to sign, seal again, review or open a release later.

Written once at draft, completed at release with what was signed, then never changed (ruling 18).
Nothing is rendered or derived twice from the case: documents, salts and element ids are in here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from broker.core import canonical, seal
from broker.core.package import DocumentDigest
from broker.core.seal import SealTree
from broker.spi import Document, Json, Unit

MAX_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One draft or release. `referral_jws` and `seal_jws` are empty until it is signed."""

    release: str
    payload: bytes
    seed: bytes
    units: tuple[Unit, ...]
    apart: tuple[Unit, ...]
    withheld: tuple[Unit, ...]
    documents: tuple[Document, ...]
    handling: Mapping[str, Json]
    conditions: Sequence[Mapping[str, str]]
    case_version: str
    """Salted digest of the case version, as the seal has it."""
    fields: Mapping[str, str]
    """Field id → action applied, for the register; payload-free."""
    grounds: Mapping[str, str]
    cleared: tuple[str, ...]
    """Pointers of masked texts that a person cleared."""
    implied: tuple[str, ...]
    """Pointers of locators that imply a withheld value; shown to the releaser and registered."""
    gaps: tuple[str, ...]
    score: int
    priority: int
    case_kind: str
    urgency: str
    signed_documents: tuple[Document, ...] = ()
    referral_jws: str = ""
    seal_jws: str = ""
    extra: Mapping[str, Json] = field(default_factory=dict)

    def tree(self) -> SealTree:
        """The seal tree, rebuilt from the stored seed: the same positions and salts as at draft."""
        return seal.build(self.units, self.apart, self.withheld, self.seed)

    def digests(self) -> tuple[DocumentDigest, ...]:
        """Digests of the documents before signing: what was approved."""
        return tuple(DocumentDigest.of(d) for d in self.documents)

    def payload_sha256(self) -> str:
        """Digest of the referral document's payload, hex."""
        return canonical.sha256_hex(self.payload)

    def apart_sha256(self) -> str | None:
        """Digest of what is sealed apart, or None."""
        if not self.apart:
            return None
        return canonical.sha256_hex(canonical.encode([[u.pointer, u.value] for u in self.apart]))

    def signed(self, documents: tuple[Document, ...], referral_jws: str, seal_jws: str) -> Record:
        """The record completed by release."""
        return replace(self, signed_documents=documents, referral_jws=referral_jws, seal_jws=seal_jws)

    def encode(self) -> bytes:
        """Canonical JSON; binary members in base64url."""
        return canonical.encode_trusted(
            {
                "schema": "broker-release-record/1",
                "release": self.release,
                "payload": canonical.b64u(self.payload),
                "seed": canonical.b64u(self.seed),
                "units": _units(self.units),
                "apart": _units(self.apart),
                "withheld": _units(self.withheld),
                "documents": [_document(d) for d in self.documents],
                "signed_documents": [_document(d) for d in self.signed_documents],
                "handling": dict(self.handling),
                "conditions": [dict(c) for c in self.conditions],
                "case_version": self.case_version,
                "fields": dict(self.fields),
                "grounds": dict(self.grounds),
                "cleared": list(self.cleared),
                "implied": list(self.implied),
                "gaps": list(self.gaps),
                "score": self.score,
                "priority": self.priority,
                "case_kind": self.case_kind,
                "urgency": self.urgency,
                "referral_jws": self.referral_jws,
                "seal_jws": self.seal_jws,
                "extra": dict(self.extra),
            }
        )

    @classmethod
    def decode(cls, encoded: bytes) -> Record:
        """The inverse of `encode`."""
        d = canonical.decode(encoded, max_bytes=MAX_BYTES)
        return cls(
            release=d["release"],
            payload=canonical.unb64u(d["payload"]),
            seed=canonical.unb64u(d["seed"]),
            units=_read_units(d["units"]),
            apart=_read_units(d["apart"]),
            withheld=_read_units(d["withheld"]),
            documents=tuple(_read_document(x) for x in d["documents"]),
            signed_documents=tuple(_read_document(x) for x in d["signed_documents"]),
            handling=d["handling"],
            conditions=d["conditions"],
            case_version=d["case_version"],
            fields=d["fields"],
            grounds=d["grounds"],
            cleared=tuple(d["cleared"]),
            implied=tuple(d["implied"]),
            gaps=tuple(d["gaps"]),
            score=d["score"],
            priority=d["priority"],
            case_kind=d["case_kind"],
            urgency=d["urgency"],
            referral_jws=d["referral_jws"],
            seal_jws=d["seal_jws"],
            extra=d["extra"],
        )


def _units(units: Sequence[Unit]) -> list[Json]:
    return [[u.field, u.pointer, u.value] for u in units]


def _read_units(rows: Sequence[Json]) -> tuple[Unit, ...]:
    return tuple(Unit(*row) for row in rows)


def _document(d: Document) -> Json:
    return [d.name, d.media_type, canonical.b64u(d.content), d.sign]


def _read_document(row: Json) -> Document:
    name, media_type, content, sign = row
    return Document(name, media_type, canonical.unb64u(content), sign)
