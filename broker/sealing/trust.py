"""The trust folder: what a verifier must have from outside the package (docs/spec/trust.md).

`jwks.json` (the broker's signing keys with the time each was in use), `ledger.vkey`,
`pades-root.pem`. Pinned at onboarding, compared by thumbprint, never taken from what is verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from broker.core.canonical import decode
from broker.errors import Misconfigured, Refused
from broker.sealing.jose import (
    ALG,
    KeySet,
    PinnedKey,
    jwk_from_public_key,
    public_key_from_jwk,
    thumbprint,
)
from broker.sealing.notes import Verifier
from broker.spi import Json

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
JWKS_FILE, VKEY_FILE, ROOT_FILE = "jwks.json", "ledger.vkey", "pades-root.pem"
REFERRAL_TYPS = frozenset({"referral+jws", "referral-seal+jws", "referral-apart+jws"})


@dataclass(frozen=True, slots=True)
class Trust:
    """Everything that is believed without proof."""

    keys: KeySet
    ledger: tuple[Verifier, ...]
    """The log's keys, the present one and those before it."""
    pades_roots: tuple[x509.Certificate, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Trust:
        """Read a trust folder; any file that is missing or of another form stops everything."""
        try:
            keys = parse_jwks(decode(_read(folder / JWKS_FILE), max_bytes=1 << 20))
            lines = _read(folder / VKEY_FILE).decode("ascii").splitlines()
            ledger = tuple(Verifier.parse(line) for line in lines)
            roots = folder / ROOT_FILE
            pades = x509.load_pem_x509_certificates(_read(roots)) if roots.exists() else []
        except (Refused, ValueError) as error:
            why = error.message if isinstance(error, Refused) else "a file is not of its format"
            raise Misconfigured(
                "trust-form",
                f"the trust folder cannot be used: {why}",
                "Take the folder that was handed over at onboarding.",
            ) from None
        if not ledger or len({key.name for key in ledger}) != 1:
            raise Misconfigured("trust-form", "the ledger's key lines do not name one log")
        return cls(keys, ledger, tuple(pades))

    def thumbprints(self) -> dict[str, str]:
        """kid → RFC 7638 thumbprint, the ledger's key lines, and SHA-256 of the roots: all that is
        pinned, for two people to compare."""
        shown = {key.kid: thumbprint(jwk_from_public_key(key.public)) for key in self.keys}
        ledger = {key.key_id.hex(): key.text() for key in self.ledger}
        roots = {f"root {n}": cert.fingerprint(SHA256()).hex() for n, cert in enumerate(self.pades_roots, 1)}
        return {**shown, **ledger, **roots}


def jwks_of(keys: Iterable[PinnedKey]) -> dict[str, Json]:
    """The JWKS with our members `typs`, `not_before`, `not_after`; public halves only."""
    return {"keys": [_jwk(key) for key in keys]}


def parse_jwks(jwks: Json) -> KeySet:
    """The pinned keys of a `jwks.json`; `Refused` unless every key is whole and public."""
    if type(jwks) is not dict or type(jwks.get("keys")) is not list:
        raise Refused("jwks-form", "the key list is not a JWKS")
    return KeySet([_pinned(jwk) for jwk in jwks["keys"]])


def time_text(at: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as all times in our JSON."""
    return at.astimezone(UTC).strftime(TIME_FORMAT)


def parse_time(text: Json) -> datetime:
    """The inverse of `time_text`; one text for one time."""
    try:
        at = datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        at = None
    if at is None or time_text(at) != text:
        raise Refused("time-form", "a time is not of the form 2026-01-31T12:00:00Z")
    return at


def _jwk(key: PinnedKey) -> dict[str, Json]:
    jwk: dict[str, Json] = {
        **jwk_from_public_key(key.public),
        "alg": key.alg,
        "kid": key.kid,
        "use": "sig",
        "typs": sorted(key.typs),
    }
    for name in ("not_before", "not_after"):
        at = getattr(key, name)
        if at is not None:
            jwk[name] = time_text(at)
    return jwk


def _pinned(jwk: Json) -> PinnedKey:
    if not isinstance(jwk, Mapping) or type(jwk.get("kid")) is not str or jwk.get("alg") != ALG:
        raise Refused("jwks-form", "a key of the key list has no kid, or is not for ES256")
    typs = jwk.get("typs")
    if type(typs) is not list or not all(type(typ) is str for typ in typs):
        raise Refused("jwks-form", "a key of the key list does not say what it signs")
    start, end = (parse_time(jwk[n]) if n in jwk else None for n in ("not_before", "not_after"))
    return PinnedKey(jwk["kid"], ALG, frozenset(typs), public_key_from_jwk(jwk), start, end)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Misconfigured(
            "trust-missing",
            f"the trust folder has no {path.name}",
            "Verification needs trust from outside the package: give the folder from onboarding.",
        ) from None
