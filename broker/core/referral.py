"""The referral document: what a minimised case and the header of a release become (docs/spec/referral.md).

The payload is bytes from here on: what is approved, signed and verified are these bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from broker.core import seal
from broker.core.canonical import b64u, encode
from broker.core.minimise import Minimised
from broker.errors import Refused
from broker.spi import Json, Language, MinimisedReferral, Party

SCHEMA = "broker-referral/1"
KINDS = frozenset({"new", "supplement", "correct", "restrict", "erase", "withdraw"})


@dataclass(frozen=True, slots=True)
class Header:
    """What a release fixes at draft (ruling 19); nothing of it comes from the case."""

    release: str
    issuer: str
    addressee: Party
    carrier: Party
    reference: str
    version: int
    kind: str
    supersedes: str | None
    drafted_at: datetime
    language: Language
    purposes: tuple[str, ...]
    unconfirmed: bool = False


def seal_tree(minimised: Minimised, seed: bytes) -> seal.SealTree:
    """The seal over exactly this result. `seed`: 32 random bytes, kept in the release record."""
    return seal.build(minimised.units, minimised.apart, minimised.withheld, seed)


def build_payload(
    minimised: Minimised, header: Header, root: bytes, depth: int
) -> tuple[bytes, MinimisedReferral]:
    """(canonical payload, what adapters see). Raises `Refused` for a header that is not one."""
    _check(minimised, header)
    addressee, carrier = header.addressee, header.carrier
    payload: dict[str, Json] = {
        "schema": SCHEMA,
        "release": header.release,
        "issuer": header.issuer,
        "addressee": {
            "partner": addressee.partner,
            "class": addressee.recipient_class,
            "country": addressee.country,
            "name": addressee.name,
        },
        "carrier": {"partner": carrier.partner},
        "reference": header.reference,
        "version": header.version,
        "kind": header.kind,
        "supersedes": header.supersedes,
        "drafted_at": instant(header.drafted_at),
        "language": header.language,
        "purposes": sorted(header.purposes),
        "unconfirmed": header.unconfirmed,
        "doc": {"facts": minimised.facts, "entities": minimised.entities},
        "withheld": minimised.manifest,
        "seal": {"alg": seal.SEAL_ALG, "root": b64u(root), "depth": depth},
    }
    encoded = encode(payload)
    return encoded, _referral(minimised, header, encoded)


def _referral(minimised: Minimised, header: Header, encoded: bytes) -> MinimisedReferral:
    return MinimisedReferral(
        release=header.release,
        reference=header.reference,
        version=header.version,
        kind=header.kind,
        supersedes=header.supersedes,
        issuer=header.issuer,
        addressee=header.addressee,
        carrier=header.carrier,
        language=header.language,
        drafted_at=header.drafted_at,
        purposes=tuple(sorted(header.purposes)),
        unconfirmed=header.unconfirmed,
        facts=minimised.facts,
        entities=minimised.entities,
        withheld=minimised.manifest,
        fields={unit.pointer: unit.field for unit in minimised.units},
        payload=encoded,
    )


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z` and whole seconds."""
    if moment.tzinfo is None:
        raise Refused("naive-timestamp", "a time without an offset cannot go into a referral")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check(minimised: Minimised, header: Header) -> None:
    scope = minimised.view.scope
    if (header.addressee.recipient_class, header.addressee.country) != (scope.recipient_class, scope.country):
        raise Refused("header-mismatch", "the case was minimised for another recipient")
    if tuple(sorted(set(header.purposes))) != scope.purposes or header.unconfirmed != scope.urgent:
        raise Refused("header-mismatch", "the case was minimised for other purposes or another state")
    if header.kind not in KINDS or header.version < 1:
        raise Refused("header-mismatch", "an unknown kind or version")
