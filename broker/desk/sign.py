"""Sign and encrypt one release: PAdES, document JWS, seal JWS, JWE, in this order and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from broker.core import canonical, package
from broker.core.package import DocumentDigest
from broker.core.seal import SealTree
from broker.desk.context import Desk
from broker.desk.gates import CarrierKeys
from broker.desk.record import Record
from broker.sealing import encrypt, jose
from broker.spi import Document, Json
from broker.store import tables

MAIN = "referral"
APART = "apart"
JOSE = "application/jose"
PACKAGE_TYP = "referral-package+jwe"
APART_TYP = "referral-apart+jwe"
DOCUMENT_TYP = "referral-document+jwe"


@dataclass(frozen=True, slots=True)
class Part:
    """A sealed object: `name` is `referral`, `apart` or `documents/<name>`."""

    name: str
    body: bytes

    def row(self, release: str, partner: str, generation: int = 1) -> tables.SealedObject:
        """The row of this part for its carrier."""
        return tables.SealedObject(
            release_id=release,
            part=self.name,
            generation=generation,
            partner_id=partner,
            media_type=JOSE,
            body=self.body,
            sha256=canonical.sha256_hex(self.body),
            size=len(self.body),
        )


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed release, ready to be committed."""

    record: Record
    parts: tuple[Part, ...]
    documents: tuple[DocumentDigest, ...]
    root: bytes
    depth: int
    seal_sha256: str
    key_ids: list[str]

    def sizes(self) -> dict[str, Json]:
        """Sizes of the sealed objects in bytes, as the feed row has them."""
        by_name = {p.name: len(p.body) for p in self.parts}
        return {
            "referral": by_name.get(MAIN, 0),
            "apart": by_name.get(APART, 0),
            "documents": [
                {"name": d.name, "size": by_name.get(f"documents/{d.name}", 0)} for d in self.documents
            ],
        }


def sign(desk: Desk, record: Record, keys: CarrierKeys | None, when: datetime) -> Sealed:
    """Add signatures and encryption to what was approved. `when` is the signing time in the PDF.

    Without `keys` nothing is sealed for pulling: the release is delivered from its record (ruling 10).
    """
    keyring = desk.keys()
    documents = tuple(_sign_document(desk, d, when) for d in record.documents)
    digests = tuple(DocumentDigest.of(d) for d in documents)
    tree = record.tree()
    key = keyring.signer("release")
    referral_jws = jose.sign(record.payload, key, "referral+jws")
    seal_jws = jose.sign(
        package.seal_payload(
            record.payload,
            root=tree.root,
            depth=tree.depth,
            case_version=record.case_version,
            documents=digests,
            handling=record.handling,
            conditions=record.conditions,
        ),
        key,
        "referral-seal+jws",
    )
    done = record.signed(documents, referral_jws, seal_jws)
    apart_jws = None
    if record.apart and keys is not None:
        body = {"schema": "broker-apart/1", "release": record.release, "units": tree.apart_units()}
        apart_jws = jose.sign(canonical.encode(body), key, "referral-apart+jws")
    return Sealed(
        record=done,
        parts=() if keys is None else encrypt_parts(done, tree, keys, apart_jws),
        documents=digests,
        root=tree.root,
        depth=tree.depth,
        seal_sha256=canonical.sha256_hex(seal_jws.encode()),
        key_ids=sorted({key.kid} | _kids(keys)),
    )


def encrypt_parts(
    record: Record, tree: SealTree, keys: CarrierKeys, apart_jws: str | None
) -> tuple[Part, ...]:
    """The sealed objects for a carrier; used again by reseal, which signs nothing. `tree` is the record's."""
    enc = _jwk(keys.enc)
    package_bytes = canonical.encode_trusted(
        {
            "referral": record.referral_jws,
            "seal": record.seal_jws,
            "opening": tree.opening(record.release),
        }
    )
    parts = [Part(MAIN, encrypt.encrypt(package_bytes, enc, PACKAGE_TYP, "application/json").encode())]
    if apart_jws is not None and keys.apart is not None:
        token = encrypt.encrypt(apart_jws.encode(), _jwk(keys.apart), APART_TYP, "referral-apart+jws")
        parts.append(Part(APART, token.encode()))
    parts += [
        Part(f"documents/{d.name}", encrypt.encrypt(d.content, enc, DOCUMENT_TYP, d.media_type).encode())
        for d in record.signed_documents
    ]
    return tuple(parts)


def _sign_document(desk: Desk, document: Document, when: datetime) -> Document:
    if document.sign != "pades":
        return document
    from broker.sealing import pdf  # pyHanko costs most of a second: only the signer pays it

    signed = pdf.pades_sign(document.content, desk.keys().pades(), when)
    return Document(document.name, document.media_type, signed, document.sign)


def _kids(keys: CarrierKeys | None) -> set[str]:
    return set() if keys is None else {k.kid for k in (keys.enc, keys.apart) if k is not None}


def _jwk(key: tables.PartnerKey) -> Mapping[str, str]:
    return {**key.jwk, "kid": key.kid}
