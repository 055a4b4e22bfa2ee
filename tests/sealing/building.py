"""Builds one synthetic release the way the desk does, and lays it out as a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from pypdf import PdfWriter

from broker.core import merkle, seal
from broker.core.canonical import b64u, encode, sha256_hex
from broker.sealing import jose, notes, pdf
from broker.sealing.certificates import DocumentKey
from broker.sealing.jose import SigningKey
from broker.sealing.notes import NoteSigner
from broker.sealing.trust import time_text
from broker.spi import Unit

ORIGIN = "ledger.broker.example"
RELEASE = "abcdefghijklmnopqrstuvwxyz"
DRAFTED = datetime.fromisoformat("2026-03-02T10:00:00+00:00")
UNITS = {
    "/facts/report/received_at": "2026-03-01T08:00:00Z",
    "/facts/report/count": 2,
    "/facts/summary/text": "Synthetic summary: two locators on one host.",
    "/entities/items/abcdefghij/url": "https://host-a.example/p/1?q=é",
    "/entities/items/abcdefghij/sha256": "00" * 32,
    "/entities/items/bcdefghijk/url": "https://host-a.example/p/2",
    "/entities/hosts/cdefghijkl/address": {"family": "ipv4", "text": "192.0.2.7"},
    "/entities/hosts/cdefghijkl/items": ["abcdefghij", "bcdefghijk"],
}
APART = {"/facts/reporter/identity": {"name": "Synthetic Person A"}}
WITHHELD = {"/facts/report/note": "Synthetic note", "/facts/report/phone": "synthetic"}
DOCUMENTS = {"referral.csv": b"item,url\n1,hxxps://host-a[.]example/p/1\n"}


def as_units(values: dict[str, Any]) -> list[Unit]:
    return [Unit("", pointer, value) for pointer, value in values.items()]


def blank_pdf() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


@dataclass
class Release:
    """One built release; change a member and call `folder` for a tampered one."""

    referral: dict[str, Any]
    sealed: dict[str, Any]
    tree: seal.SealTree
    values: dict[str, Any]
    documents: dict[str, bytes]
    key: SigningKey
    signer: NoteSigner
    texts: dict[str, bytes] = field(default_factory=dict)

    def sign(self) -> Release:
        payload = encode(self.referral)
        self.sealed["payload_sha256"] = sha256_hex(payload)
        self.texts["referral.jws"] = jose.sign(payload, self.key, "referral+jws").encode()
        self.texts["referral.json"] = payload
        self.texts["withheld.json"] = encode(self.referral["withheld"])
        seal_jws = jose.sign(encode(self.sealed), self.key, "referral-seal+jws")
        self.texts["seal.jws"] = seal_jws.encode()
        opening = self.tree.opening(RELEASE)
        self.texts["opening.json"] = encode(opening)
        apart = {"schema": "broker-apart/1", "release": RELEASE, "units": self.tree.apart_units()}
        self.texts["apart.jws"] = jose.sign(encode(apart), self.key, "referral-apart+jws").encode()
        self.texts["proof.tlog"] = self.proof(seal_jws).encode()
        keep = self.values.keys() - {"/facts/summary/text"}
        redacted = seal.redact(seal_jws, seal.assemble(self.values), opening, keep=keep)
        self.texts["redacted.json"] = encode(redacted)
        return self

    def proof(self, seal_jws: str, at: datetime = DRAFTED + timedelta(minutes=5), **more: Any) -> str:
        record = {
            "at": time_text(at),
            "carrier": "pt_police",
            "kind": "new",
            "release": RELEASE,
            "seal_sha256": sha256(seal_jws.encode()).hexdigest(),
            **more,
        }
        nonce = bytes(range(16))
        leaves = [merkle.leaf_hash(bytes([number])) for number in range(11)]
        leaves[6] = merkle.leaf_hash(notes.leaf_body("published", nonce, record))
        note = notes.sign_checkpoint(ORIGIN, len(leaves), merkle.root(leaves), self.signer)
        extra = notes.proof_extra("published", nonce, record)
        return notes.proof_text(extra, 6, merkle.inclusion_path(leaves, 6), note)

    def folder(self, place: Path) -> Path:
        (place / "documents").mkdir(parents=True)
        for name, content in self.texts.items():
            (place / name).write_bytes(content)
        for name, content in self.documents.items():
            (place / "documents" / name).write_bytes(content)
        return place


def make(
    key: SigningKey,
    signer: NoteSigner,
    document_key: DocumentKey | None = None,
    *,
    units: dict[str, Any] | None = None,
    seed: bytes = bytes(range(32)),
    drafted: datetime = DRAFTED,
) -> Release:
    values = UNITS if units is None else units
    tree = seal.build(as_units(values), as_units(APART), as_units(WITHHELD), seed)
    documents = dict(DOCUMENTS)
    if document_key is not None:
        documents["referral.pdf"] = pdf.pades_sign(blank_pdf(), document_key, drafted)
    common: dict[str, Any] = {
        "release": RELEASE,
        "issuer": "https://broker.example",
        "addressee": {
            "partner": "pt_police",
            "class": "BEP",
            "country": "BE",
            "name": "Synthetic Police Unit",
        },
        "carrier": {"partner": "pt_police"},
        "reference": "CF-2026-000123-7",
        "version": 1,
        "kind": "new",
        "supersedes": None,
        "drafted_at": time_text(drafted),
        "unconfirmed": False,
    }
    referral = {
        **common,
        "schema": "broker-referral/1",
        "language": "nl",
        "purposes": ["investigation"],
        "doc": seal.assemble(values),
        "withheld": {
            "matrix": {"pack": "be", "version": "1", "digest": "00" * 32},
            "agreement": None,
            "fields": {"F13": {"state": "withheld", "clause": "matrix:-"}},
            "can_be_asked_for": [],
        },
        "seal": {"alg": seal.SEAL_ALG, "root": b64u(tree.root), "depth": tree.depth},
    }
    media = {"csv": "text/csv", "pdf": "application/pdf"}
    sealed = {
        **common,
        "schema": "broker-seal/1",
        "case_version": "11" * 32,
        "root": b64u(tree.root),
        "depth": tree.depth,
        "payload_sha256": "",
        "documents": [
            {
                "name": name,
                "media_type": media[name.rpartition(".")[2]],
                "sha256": sha256_hex(content),
                "size": len(content),
            }
            for name, content in sorted(documents.items())
        ],
        "handling": {},
        "conditions": [{"code": "be-1", "text": "For criminal investigation and prosecution."}],
    }
    return Release(referral, sealed, tree, values, documents, key, signer).sign()


def dumps(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
