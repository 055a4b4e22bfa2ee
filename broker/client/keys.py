"""The partner's own keys: made here, kept here; only their public halves are handed over.

Five uses, five keys: `auth` (who calls), `dpop` (binds tokens), `enc` (opens referrals), `apart`
(opens what is sealed apart) and `receipt` (signs receipts). `enc-next` may lie beside `enc` while
the partner changes over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.core.canonical import encode
from broker.errors import Misconfigured
from broker.sealing.jose import SigningKey, jwk_from_public_key, thumbprint
from broker.sealing.keyfiles import (
    key_from_pem,
    key_to_pem,
    private_directory,
    read_private,
    write_private,
)
from broker.sealing.trust import time_text
from broker.spi import Json

USES = ("auth", "dpop", "enc", "apart", "receipt")
REGISTRATION = "registration.json"


def new_partner_keys(
    directory: Path,
    partner: str,
    now: datetime,
    *,
    passphrase: bytes | None = None,
    unencrypted: bool = False,
) -> dict[str, Json]:
    """Make the five keys in a new private folder; returns what `registration.json` says.

    Without a pass-phrase the keys lie in clear, and only if `unencrypted` says that this is meant
    (a machine whose disk is encrypted and that has to start alone).
    """
    if (passphrase is None) != unencrypted:
        raise Misconfigured(
            "partner-keys-passphrase",
            "either a pass-phrase or the explicit choice of unencrypted keys is needed",
            "Give a pass-phrase file, or say that the keys are to lie in clear.",
        )
    private_directory(directory, create=True)
    if any(directory.iterdir()):
        raise Misconfigured(
            "partner-keys-present",
            "the key folder is not empty; keys are never overwritten",
            "Choose a new folder; move the old one away only when the broker knows the new keys.",
        )
    registered = []
    for use in USES:
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(directory / f"{use}.pem", _pem(key, passphrase))
        jwk = jwk_from_public_key(key.public_key())
        registered.append({"use": use, "kid": _kid(use, jwk), "jwk": jwk, "thumbprint": thumbprint(jwk)})
    registration = {
        "schema": "broker-registration/1",
        "partner": partner,
        "created": time_text(now),
        "keys": registered,
    }
    write_private(directory / REGISTRATION, encode(registration) + b"\n")
    return registration


@dataclass(frozen=True, slots=True)
class PartnerKey:
    """A loaded private key. `kid` follows from use and public half, so it is never stored."""

    use: str
    kid: str
    private: ec.EllipticCurvePrivateKey

    @property
    def jwk(self) -> dict[str, str]:
        """The public half."""
        return jwk_from_public_key(self.private.public_key())

    def signer(self, *typs: str) -> SigningKey:
        """The key as a signer for these token types."""
        return SigningKey.load(self.kid, typs, self.private)


class PartnerKeys:
    """The keys that lie in a folder; a machine needs only those of its task."""

    def __init__(self, keys: Mapping[str, PartnerKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def load(cls, directory: Path, passphrase: bytes | None = None) -> PartnerKeys:
        """Load every `<use>.pem`; a file open to others or with a weak pass-phrase is refused."""
        private_directory(directory)
        found = {}
        for use in (*USES, "enc-next"):
            path = directory / f"{use}.pem"
            if path.exists():
                private = _private(read_private(path), passphrase, path.name)
                jwk = jwk_from_public_key(private.public_key())
                found[use] = PartnerKey(use, _kid(use.removesuffix("-next"), jwk), private)
        if not found:
            raise Misconfigured(
                "partner-keys-missing",
                "the key folder holds no key",
                "Make keys first, and hand over registration.json.",
            )
        return cls(found)

    def get(self, use: str) -> PartnerKey:
        """The key for this use; `Misconfigured` when it does not lie in the folder."""
        key = self._keys.get(use)
        if key is None:
            raise Misconfigured("partner-keys-missing", f"the key folder has no {use}.pem")
        return key

    def opener(self, kid: str, *uses: str) -> PartnerKey | None:
        """The key of one of these uses to which something with this `kid` was encrypted."""
        held = (self._keys[use] for use in uses if use in self._keys)
        return next((key for key in held if key.kid == kid), None)

    def __contains__(self, use: object) -> bool:
        return use in self._keys


def read_passphrase(path: Path) -> bytes:
    """The first line of a private file; arguments and environment are no place for it."""
    line = read_private(path).split(b"\n", 1)[0].strip()
    if not line:
        raise Misconfigured("partner-keys-passphrase", "the pass-phrase file is empty")
    return line


def _kid(use: str, jwk: Mapping[str, Json]) -> str:
    return f"{use}-{thumbprint(jwk)[:16]}"


def _pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None) -> bytes:
    if passphrase is not None:
        return key_to_pem(key, passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _private(data: bytes, passphrase: bytes | None, name: str) -> ec.EllipticCurvePrivateKey:
    if b"ENCRYPTED" in data.split(b"\n", 1)[0]:
        if passphrase is None:
            raise Misconfigured("partner-keys-passphrase", f"{name} needs the pass-phrase")
        key = key_from_pem(data, passphrase, name)
    else:
        try:
            loaded = serialization.load_pem_private_key(data, None)
        except (ValueError, TypeError):
            raise Misconfigured("partner-keys-form", f"{name} is not a private key") from None
        key = loaded  # type: ignore[assignment]
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Misconfigured("partner-keys-form", f"{name} is not a P-256 key")
    return key
