"""Verify one referral package, or a redacted form of it, against pinned trust; offline.

The steps are those of docs/spec/seal.md, apart.md and proof.md. Each failure is a `NotAuthentic`
whose message is one sentence. `verify.py` puts the folder of files around it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NoReturn

from broker.core import merkle, seal
from broker.core.canonical import decode, encode_trusted, sha256_hex, unb64u
from broker.errors import NotAuthentic, Refused
from broker.sealing import notes
from broker.sealing.jose import PinnedKey, verify_with_key
from broker.sealing.trust import Trust, parse_time
from broker.spi import Json

MAX_JSON = 8 * 1024 * 1024
DRAFT_LIFE = timedelta(hours=48)
"""Between `drafted_at` and the signature lies a draft's life of 24 h at most; doubled."""
IN_BOTH = (
    "release",
    "issuer",
    "addressee",
    "carrier",
    "reference",
    "version",
    "kind",
    "supersedes",
    "drafted_at",
    "unconfirmed",
)
_SEAL = {
    *IN_BOTH,
    "schema",
    "case_version",
    "root",
    "depth",
    "payload_sha256",
    "documents",
    "handling",
    "conditions",
}
_REFERRAL = {*IN_BOTH, "schema", "language", "purposes", "doc", "withheld", "seal"}
_APART = {"schema", "release", "units"}
_RECORD = {"at", "carrier", "kind", "release", "seal_sha256"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a verification: what was looked at and how it came out."""

    name: str
    ok: bool
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class VerifiedReferral:
    """What may be relied on after `verify_package` returned."""

    payload: Mapping[str, Json]
    payload_bytes: bytes
    seal: Mapping[str, Json]
    apart: Mapping[str, Json]
    """pointer → value of what was sealed apart, when it was given."""
    position: int | None
    """Of the publication in the ledger, when a proof was given."""
    not_collected: tuple[str, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class VerifiedRedaction:
    """A redacted form: what is left of the document, and the seal that still binds the reader."""

    doc: Mapping[str, Json]
    seal: Mapping[str, Json]


@dataclass(slots=True)
class Trail:
    """The checks passed so far; readable also when a later one raises."""

    checks: list[Check] = field(default_factory=list)

    def passed(self, name: str, what: str) -> None:
        """Note a check that held."""
        self.checks.append(Check(name, True, what))


def verify_package(
    referral_jws: str,
    seal_jws: str,
    opening_bytes: bytes,
    trust: Trust,
    *,
    documents: Mapping[str, bytes] | None = None,
    not_collected: Collection[str] = (),
    apart_jws: str | None = None,
    proof_text: str | None = None,
    trail: Trail | None = None,
) -> VerifiedReferral:
    """Check everything that can be checked offline. `documents` None: none was collected."""
    trail = trail or Trail()
    payload_bytes, referral, document_key = _signed(referral_jws, trust, "referral+jws", "broker-referral/1")
    _whole(referral, _REFERRAL, "referral document")
    trail.passed("referral", "signed by a pinned key of the broker")
    sealed, key = _sealed(seal_jws, trust)
    _agree(referral, payload_bytes, sealed)
    _in_use(document_key, sealed)
    trail.passed("seal", "signed, and about exactly this referral document")
    opening = _opened(opening_bytes, sealed)
    _root(referral["doc"], opening, sealed)
    trail.passed("values", f"{len(opening['units'])} values, exactly those that were sealed")
    missing = _documents(sealed, documents, not_collected)
    trail.passed("documents", f"{len(sealed['documents']) - len(missing)} documents as sealed")
    apart = {} if apart_jws is None else _apart(apart_jws, trust, opening, sealed)
    if apart_jws is not None:
        trail.passed("apart", f"{len(apart)} values sealed apart, under the same seal")
    position = None
    if proof_text is not None:
        position = _published(proof_text, trust, seal_jws, sealed, key)
        trail.passed("ledger", f"published in the ledger at position {position}")
    return VerifiedReferral(referral, payload_bytes, sealed, apart, position, missing, tuple(trail.checks))


def verify_redacted(data: bytes, trust: Trust, proof_text: str | None = None) -> VerifiedRedaction:
    """Check a redacted form: what it still holds is part of what was sealed, unchanged."""
    form = _json(data, "redacted form")
    _whole(form, {"schema", "seal", "doc", "opening"}, "redacted form", exactly=True)
    if form["schema"] != seal.REDACTED_SCHEMA or type(form["seal"]) is not str:
        _fail("package-form", "the redacted form is not of this format")
    sealed, key = _sealed(form["seal"], trust)
    _belongs(form["opening"], sealed)
    _root(form["doc"], form["opening"], sealed)
    if proof_text is not None:
        _published(proof_text, trust, form["seal"], sealed, key)
    return VerifiedRedaction(form["doc"], sealed)


def _signed(token: str, trust: Trust, typ: str, schema: str) -> tuple[bytes, dict[str, Json], PinnedKey]:
    try:
        payload, key = verify_with_key(token, trust.keys, typ)
    except NotAuthentic as error:
        what = typ.removesuffix("+jws")
        raise NotAuthentic(
            error.code, f"the {what} object does not verify: {error.message}", error.hint
        ) from None
    value = _json(payload, f"{typ} payload")
    if type(value) is not dict or value.get("schema") != schema:
        _fail("package-form", f"the payload of {typ} is not of the format {schema}")
    return payload, value, key


def _sealed(token: str, trust: Trust) -> tuple[dict[str, Json], PinnedKey]:
    _, sealed, key = _signed(token, trust, "referral-seal+jws", "broker-seal/1")
    _whole(sealed, _SEAL, "seal")
    _in_use(key, sealed)
    return sealed, key


def _in_use(key: PinnedKey, sealed: Mapping[str, Json]) -> None:
    if not key.covers(_time(sealed["drafted_at"]), early=DRAFT_LIFE):
        _fail("package-key-time", "a key that signed it was not in use when it was drafted")


def _agree(referral: Mapping[str, Json], payload: bytes, sealed: Mapping[str, Json]) -> None:
    for name in IN_BOTH:
        if encode_trusted(referral[name]) != encode_trusted(sealed[name]):
            _fail("package-mixed", f"the referral document and the seal differ in {name}")
    if sha256_hex(payload) != sealed["payload_sha256"]:
        _fail("package-mixed", "the seal is about another referral document")
    expected = {"alg": seal.SEAL_ALG, "depth": sealed["depth"], "root": sealed["root"]}
    if encode_trusted(referral["seal"]) != encode_trusted(expected):
        _fail("package-mixed", "the referral document and the seal name different trees")


def _opened(data: bytes, sealed: Mapping[str, Json]) -> Json:
    opening = _json(data, "opening")
    _belongs(opening, sealed)
    return opening


def _belongs(opening: Json, sealed: Mapping[str, Json]) -> None:
    if type(opening) is not dict or opening.get("release") != sealed["release"]:
        _fail("package-mixed", "the opening belongs to another release")
    if type(opening.get("depth")) is not int or opening["depth"] != sealed["depth"]:
        _fail("package-mixed", "the opening and the seal differ in depth")


def _root(doc: Json, opening: Json, sealed: Mapping[str, Json]) -> None:
    if seal.recompute(doc, opening) != _digest(sealed["root"]):
        raise NotAuthentic(
            "seal-root",
            "a value in the document is not the one that was sealed",
            "Something was changed after sealing; do not use it, and ask for the original.",
        )


def _documents(
    sealed: Mapping[str, Json],
    documents: Mapping[str, bytes] | None,
    not_collected: Collection[str],
) -> tuple[str, ...]:
    listed = sealed["documents"]
    if type(listed) is not list:
        _fail("package-form", "the seal's list of documents is not a list")
    for entry in listed:
        _whole(entry, {"name", "media_type", "sha256", "size"}, "list of documents", exactly=True)
    names = [entry["name"] for entry in listed]
    if documents is None:
        return tuple(names)
    for name in documents:
        if name not in names:
            _fail("document-unlisted", "a document is not one of those that were sealed")
    missing = []
    for entry in listed:
        content = documents.get(entry["name"])
        if content is None:
            if entry["name"] not in not_collected:
                _fail("document-missing", f"the document {entry['name']} is missing")
            missing.append(entry["name"])
        elif len(content) != entry["size"] or sha256_hex(content) != entry["sha256"]:
            _fail("document-changed", f"the document {entry['name']} was changed after sealing")
    return tuple(missing)


def _apart(token: str, trust: Trust, opening: Json, sealed: Mapping[str, Json]) -> dict[str, Json]:
    _, payload, key = _signed(token, trust, "referral-apart+jws", "broker-apart/1")
    _in_use(key, sealed)
    _whole(payload, _APART, "object sealed apart", exactly=True)
    if payload["release"] != sealed["release"] or type(payload["units"]) is not list:
        _fail("package-mixed", "what is sealed apart belongs to another release")
    found: dict[str, Json] = {}
    last = ""
    for unit in payload["units"]:
        if type(unit) is not list or len(unit) != 4 or type(unit[1]) is not str or unit[1] <= last:
            _fail("package-form", "what is sealed apart is not a sorted list of values")
        position, last, salt, value = unit
        if seal.leaf_at(opening, position) != seal.unit_leaf(last, _digest(salt, 16), value):
            _fail("seal-apart", "a value sealed apart is not part of this seal")
        found[last] = value
    return found


def _published(text: str, trust: Trust, seal_jws: str, sealed: Mapping[str, Json], key: PinnedKey) -> int:
    proof = notes.parse_proof(text)
    extra = _json(proof.extra, "proof of publication")
    _whole(extra, {"nonce", "record", "type"}, "proof of publication", exactly=True)
    record = extra["record"]
    _whole(record, _RECORD, "record of the publication", exactly=True)
    if extra["type"] != "published" or record["release"] != sealed["release"]:
        _fail("proof-other", "the proof is about another release")
    if record["seal_sha256"] != sha256(seal_jws.encode("ascii")).hexdigest():
        _fail("proof-other", "the proof is about another seal")
    if record["kind"] != sealed["kind"] or record["carrier"] != _partner(sealed["carrier"]):
        _fail("proof-other", "the proof names another kind or carrier than the seal")
    leaf = merkle.leaf_hash(notes.leaf_body("published", _digest(extra["nonce"], 16), record))
    notes.verify_proof(proof, leaf, trust.ledger)
    # A key that leaked after its time can write an early date into the seal, not into the ledger.
    if key.not_after is not None and _time(record["at"]) > key.not_after + DRAFT_LIFE:
        _fail("package-key-time", "it was published long after the key that signed it was retired")
    return proof.index


def _partner(carrier: Json) -> Json:
    return carrier.get("partner") if type(carrier) is dict else None


def _json(data: bytes, what: str) -> Json:
    try:
        return decode(data, max_bytes=MAX_JSON, canonical=True)
    except Refused:
        _fail("package-form", f"the {what} is not canonical JSON")


def _whole(value: Json, members: set[str], what: str, *, exactly: bool = False) -> None:
    whole = type(value) is dict and (value.keys() == members if exactly else value.keys() >= members)
    if not whole:
        _fail("package-form", f"the {what} does not have the members it must have")


def _digest(text: Json, size: int = 32) -> bytes:
    try:
        data = unb64u(text)
    except Refused:
        data = b""
    if len(data) != size:
        _fail("package-form", f"a value of {size} bytes is not base64url of that length")
    return data


def _time(text: Json) -> datetime:
    try:
        return parse_time(text)
    except Refused:
        _fail("package-form", "a time is not of the form 2026-01-31T12:00:00Z")


def _fail(code: str, message: str) -> NoReturn:
    raise NotAuthentic(code, message, "Do not use it; ask the broker for the original.")
