"""Synthetic material for the benchmarks: cases of three sizes, six recipients, keys, one sealed release."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from broker.core import agreement, package
from broker.core.canonical import decode, encode_trusted
from broker.core.case import Case, trusted
from broker.core.confirmation import ConfirmedCase
from broker.core.minimise import MinimiseRequest, Recipient, minimise
from broker.core.pack import Pack, load_pack
from broker.core.pack_types import Purpose
from broker.core.referral import Header, build_payload, seal_tree
from broker.core.seal import SealTree
from broker.sealing import encrypt, jose
from broker.sealing.jose import SigningKey, jwk_from_public_key, thumbprint
from broker.spi import Party
from tests.cases import Builder, Everything, confirmed, full_case
from tests.core.minimising import body

DRAFTED = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
KINDS = frozenset({"referral+jws", "referral-seal+jws", "referral-apart+jws"})
RECIPIENTS = (
    ("BEP", "BE", ("P1", "P2", "P6")),
    ("BEM", "BE", ("P7",)),
    ("EUR", "NL", ("P2", "P3")),
    ("INH", "NL", ("P4", "P5")),
    ("NCM", "US", ("P2",)),
    ("FLE", "FR", ("P1", "P2")),
)
"""(class, country, purposes): police, prosecutor, Europol, hotline, clearing house, police abroad."""
CONDITIONS = [{"code": "H1", "text": "Synthetic condition: for criminal investigation and prosecution."}]
HANDLING = {"tlp": "AMBER+STRICT"}


class Few(Everything):
    """One entity of each kind: the small case."""

    def count(self, at_most: int) -> int:
        return min(1, at_most)


def small_case() -> dict[str, Any]:
    """About 5 KiB of canonical JSON."""
    return Builder(Few(), "person_lead", "a").document()


def middle_case() -> dict[str, Any]:
    """About 12 KiB: every field, three entities of each kind."""
    return full_case("person_lead")


def large_case() -> dict[str, Any]:
    """About 23 KiB: the entities of two full cases under one roof."""
    case, other = full_case("person_lead"), full_case("person_lead", "b")
    for collection in ("items", "locations", "persons", "events", "victims", "links", "contacts"):
        for local_id, entity in other[collection].items():
            case[collection][f"b{local_id}"] = _renamed(entity)
    return case


_REFERENCES = frozenset({"found_at", "account_of", "subject", "item", "event", "victims", "person", "about"})


def _renamed(entity: Mapping[str, Any]) -> dict[str, Any]:
    """The entity with its references to others under their new ids."""
    made = copy.deepcopy(dict(entity))
    for name in _REFERENCES & made.keys():
        value = made[name]
        if isinstance(value, str):
            made[name] = f"b{value}"
        elif isinstance(value, list):
            made[name] = [f"b{each}" for each in value]
    inner = made.get("event")
    if isinstance(inner, dict) and "account_of" in inner:
        inner["account_of"] = f"b{inner['account_of']}"
    return made


@cache
def pack() -> Pack:
    """The Belgian pack."""
    return load_pack("be")


def purpose(name: str) -> Purpose:
    """A purpose of the pack."""
    return pack().purposes[name]


@dataclass(frozen=True, slots=True)
class Partner:
    """One recipient with all that a release to it needs."""

    request: MinimiseRequest
    header: Header
    public: Mapping[str, str]
    private: ec.EllipticCurvePrivateKey


@cache
def partners() -> tuple[Partner, ...]:
    """The six recipients."""
    return tuple(_partner(n, *recipient) for n, recipient in enumerate(RECIPIENTS))


def _partner(number: int, recipient_class: str, country: str, purposes: tuple[str, ...]) -> Partner:
    party = Party(f"pt_{number}", recipient_class, country, f"Synthetic Partner {number}")
    private = ec.generate_private_key(ec.SECP256R1())
    jwk = jwk_from_public_key(private.public_key())
    request = MinimiseRequest(
        recipient=Recipient(party, "en"),
        terms=agreement.compile(body(recipient_class, purposes)),
        purposes=purposes,
        element_key=sha256(b"element%d" % number).digest(),
        pseudonym_key=sha256(b"pseudonym%d" % number).digest(),
        case_alias="a" * 26,
        reference="CF-2026-000123-7",
        desk={"organisation": "Synthetic Hotline", "phone": "+32 2 000 00 00"},
        day=date(2026, 3, 2),
        handling=HANDLING,
        legal_basis={"basis": "synthetic"},
    )
    header = Header(
        release="a" * 25 + "bcdefg"[number],
        issuer="https://broker.example",
        addressee=party,
        carrier=party,
        reference="CF-2026-000123-7",
        version=1,
        kind="new",
        supersedes=None,
        drafted_at=DRAFTED,
        language="en",
        purposes=purposes,
    )
    return Partner(request, header, {**jwk, "kid": thumbprint(jwk)}, private)


@cache
def _private() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def signing_key_public() -> ec.EllipticCurvePublicKey:
    """The public half of the release key."""
    return _private().public_key()


@cache
def signing_key() -> SigningKey:
    """A release key."""
    return SigningKey.load("release-1", KINDS, _private())


def stored(document: Mapping[str, Any]) -> tuple[bytes, ConfirmedCase]:
    """A case as it comes out of the vault, and as the desk holds it once its claims are confirmed."""
    case = confirmed(dict(document))
    return case.case.encoded, case


def opened(encoded: bytes, like: ConfirmedCase) -> ConfirmedCase:
    """The case parsed from what is stored; claims and rows as `like` has them."""
    data = decode(encoded, max_bytes=len(encoded), canonical=True)
    case: Case = trusted(data)
    return ConfirmedCase(case, like.claims, like.rows)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed release with what went into it."""

    payload: bytes
    tree: SealTree
    referral: str
    seal: str
    opening: bytes
    token: str


def seal_one(case: ConfirmedCase, partner: Partner, seed: bytes) -> Sealed:
    """What draft and release do for one recipient, without documents and database."""
    minimised = minimise(case, pack(), partner.request)
    tree = seal_tree(minimised, seed)
    payload, _ = build_payload(minimised, partner.header, tree.root, tree.depth)
    key = signing_key()
    referral = jose.sign(payload, key, "referral+jws")
    sealed = jose.sign(
        package.seal_payload(
            payload,
            root=tree.root,
            depth=tree.depth,
            case_version=package.hidden_case_version(seed, case.case.digest),
            documents=(),
            handling=HANDLING,
            conditions=CONDITIONS,
        ),
        key,
        "referral-seal+jws",
    )
    opening = tree.opening(partner.header.release)
    whole = encode_trusted({"referral": referral, "seal": sealed, "opening": opening})
    token = encrypt.encrypt(whole, partner.public, "referral-package+jwe", "application/json")
    return Sealed(payload, tree, referral, sealed, encode_trusted(opening), token)
