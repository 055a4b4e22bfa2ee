"""The broker's own keys: one purpose each, states over time, files in one folder.

A process loads only the private keys of the purposes it serves. The public halves of everything
that ever signed stay in the folder, so that an old referral still verifies (`verify-only`);
`retired` is for a key that must not be believed any more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from broker.core.canonical import b64u, decode, encode, sha256_hex, unb64u
from broker.errors import Misconfigured, Refused
from broker.sealing import certificates, keyfiles
from broker.sealing.jose import (
    ALG,
    KeySet,
    PinnedKey,
    SigningKey,
    jwk_from_public_key,
    public_key_from_jwk,
)
from broker.sealing.notes import NoteSigner, Verifier
from broker.sealing.trust import (
    JWKS_FILE,
    REFERRAL_TYPS,
    ROOT_FILE,
    VKEY_FILE,
    jwks_of,
    parse_time,
    time_text,
)
from broker.spi import Json

State = Literal["pending", "active", "verify-only", "retired"]
ROOT = "pades-root"
TYPS: Mapping[str, frozenset[str]] = {
    "release": REFERRAL_TYPS,
    "token": frozenset({"at+jwt", "register-export+jws"}),
    "checkpoint": frozenset(),
    "pades": frozenset(),
    ROOT: frozenset(),
}
PURPOSES = frozenset({"release", "token", "checkpoint", "pades"})
"""What `init` makes and a process may load. The root of `pades` is made with it, never loaded."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What `<kid>.json` says: everything about a key but its private half."""

    kid: str
    purpose: str
    alg: str
    state: State
    created: str
    not_before: str
    not_after: str | None
    public: str
    """base64url: X9.62 uncompressed point (ES256) or the raw 32 bytes (Ed25519)."""

    def ec_public(self) -> ec.EllipticCurvePublicKey:
        """The public half of an ES256 key."""
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64u(self.public))

    def pinned(self) -> PinnedKey:
        """This key as a verifier holds it."""
        end = parse_time(self.not_after) if self.not_after else None
        typs = TYPS[self.purpose]
        return PinnedKey(self.kid, self.alg, typs, self.ec_public(), parse_time(self.not_before), end)


class Keyring:
    """The folder, with the private keys of some purposes loaded."""

    def __init__(
        self,
        directory: Path,
        records: dict[str, KeyRecord],
        private: dict[str, keyfiles.PrivateKey],
    ) -> None:
        self._directory = directory
        self._records = records
        self._private = private

    @classmethod
    def init(
        cls,
        directory: Path,
        passphrase: bytes,
        now: datetime,
        purposes: Collection[str] = PURPOSES,
    ) -> Keyring:
        """Make the folder and one active key for each purpose; refuses a folder that has keys."""
        keyfiles.private_directory(directory, create=True)
        if any(directory.glob("*.pem")):
            raise Misconfigured("keys-exist", "the key folder already has keys")
        ring = cls(directory, {}, {})
        for purpose in sorted(purposes):
            if purpose == "pades":
                ring.add(ROOT, passphrase, now)
            ring.add(purpose, passphrase, now)
        return cls.load(directory, passphrase, purposes)

    @classmethod
    def load(cls, directory: Path, passphrase: bytes, purposes: Collection[str]) -> Keyring:
        """Read all public halves and the active private key of each of `purposes`."""
        if not set(purposes) <= PURPOSES:
            raise Misconfigured("keys-purpose", "there is no such key purpose")
        keyfiles.private_directory(directory)
        records = {
            record.kid: record for record in (_read_record(path) for path in sorted(directory.glob("*.json")))
        }
        ring = cls(directory, records, {})
        ring._private = {purpose: ring._open(purpose, passphrase) for purpose in purposes}
        return ring

    def add(self, purpose: str, passphrase: bytes, now: datetime, state: State = "active") -> KeyRecord:
        """A new key. `pending` announces it in the key list before it is used."""
        key: keyfiles.PrivateKey
        if purpose == "checkpoint":
            key = ed25519.Ed25519PrivateKey.generate()
            alg, public = "Ed25519", key.public_key().public_bytes_raw()
        else:
            key = ec.generate_private_key(ec.SECP256R1())
            alg, public = ALG, _point(key.public_key())
        kid = f"{purpose}-{now.year}-{sha256_hex(public)[:12]}"
        at = time_text(now)
        record = KeyRecord(kid, purpose, alg, state, at, at, None, b64u(public))
        keyfiles.write_private(self._path(kid, "pem"), keyfiles.key_to_pem(key, passphrase))
        if isinstance(key, ec.EllipticCurvePrivateKey) and purpose in {"pades", ROOT}:
            self._certify(record, key, passphrase, now)
        self._write(record)
        return record

    def rotate(self, purpose: str, passphrase: bytes, now: datetime) -> KeyRecord:
        """The pending key, or a new one, becomes active; the old one verifies from now on only."""
        old = self._active(purpose)
        self._write(replace(old, state="verify-only", not_after=time_text(now)))
        waiting = [r for r in self._of(purpose) if r.state == "pending"]
        if waiting:
            fresh = replace(waiting[0], state="active", not_before=time_text(now))
            self._write(fresh)
        else:
            fresh = self.add(purpose, passphrase, now)
        if purpose in self._private:
            self._private[purpose] = self._open(purpose, passphrase)
        return fresh

    def retire(self, kid: str, now: datetime) -> None:
        """Take a key out of every list: what it signed is not believed any more."""
        record = self._records.get(kid)
        if record is None or record.state == "active":
            raise Refused("keys-retire", "no such key, or it is active: rotate it first")
        end = record.not_after or time_text(now)
        self._write(replace(record, state="retired", not_after=end))

    def records(self) -> list[KeyRecord]:
        """All keys there are or were."""
        return sorted(self._records.values(), key=lambda record: record.kid)

    def signer(self, purpose: str) -> SigningKey:
        """The active ES256 key of `release` or `token`."""
        key = self._loaded(purpose)
        if not TYPS[purpose] or not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Misconfigured("keys-purpose", f"{purpose} does not sign JWS")
        return SigningKey.load(self._active(purpose).kid, TYPS[purpose], key)

    def note_signer(self, origin: str) -> NoteSigner:
        """The active checkpoint key under the log's name."""
        key = self._loaded("checkpoint")
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise Misconfigured("keys-purpose", "the checkpoint key is not an Ed25519 key")
        return NoteSigner.load(origin, key)

    def pades(self) -> certificates.DocumentKey:
        """The active document key with its certificate and root."""
        key = self._loaded("pades")
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Misconfigured("keys-purpose", "the document key is not a P-256 key")
        certificate = self._certificate(self._active("pades"))
        return certificates.DocumentKey(key, certificate, self._certificate(self._active(ROOT)))

    def keys(self, purpose: str) -> KeySet:
        """Every key of the purpose that a verifier may believe."""
        return KeySet([record.pinned() for record in self._believed(purpose)])

    def public(self, purpose: str) -> dict[str, Json]:
        """The JWKS of the purpose: active, pending and verify-only; never a private member."""
        return jwks_of(self.keys(purpose))

    def vkey(self, origin: str) -> str:
        """The verifier key line of the ledger."""
        return Verifier(origin, unb64u(self._active("checkpoint").public)).text()

    def vkeys(self, origin: str) -> str:
        """All checkpoint keys a verifier may believe, a line each: old proofs need old keys."""
        keys = [Verifier(origin, unb64u(r.public)) for r in self._believed("checkpoint")]
        return "".join(f"{key.text()}\n" for key in keys)

    def export_trust(self, directory: Path, origin: str) -> None:
        """Write the trust folder for partners: public halves and certificates only."""
        directory.mkdir(parents=True, exist_ok=True)
        roots = [self._certificate(record) for record in self._of(ROOT)]
        files = {
            JWKS_FILE: encode(self.public("release")),
            VKEY_FILE: self.vkeys(origin).encode("ascii"),
        }
        if roots:
            files[ROOT_FILE] = b"".join(certificates.to_pem(root) for root in roots)
        for name, content in files.items():
            keyfiles.replace_file(directory / name, content, 0o644)

    def _certify(
        self, record: KeyRecord, key: ec.EllipticCurvePrivateKey, passphrase: bytes, now: datetime
    ) -> None:
        if record.purpose == ROOT:
            certificate = certificates.make_root(key, now)
        else:
            root = self._active(ROOT)
            root_key = self._open(ROOT, passphrase)
            if not isinstance(root_key, ec.EllipticCurvePrivateKey):
                raise Misconfigured("keys-purpose", "the document root is not a P-256 key")
            issuer = self._certificate(root)
            certificate = certificates.make_document(key.public_key(), issuer, root_key, now)
        path = self._path(record.kid, "crt")
        keyfiles.replace_file(path, certificates.to_pem(certificate), 0o644)

    def _certificate(self, record: KeyRecord) -> x509.Certificate:
        path = self._path(record.kid, "crt")
        try:
            return x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError):
            raise Misconfigured("keys-form", f"{path.name} is missing or damaged") from None

    def _open(self, purpose: str, passphrase: bytes) -> keyfiles.PrivateKey:
        record = self._active(purpose)
        path = self._path(record.kid, "pem")
        key = keyfiles.key_from_pem(keyfiles.read_private(path), passphrase, path.name)
        public = (
            _point(key.public_key())
            if isinstance(key, ec.EllipticCurvePrivateKey)
            else key.public_key().public_bytes_raw()
        )
        if b64u(public) != record.public:
            raise Misconfigured("keys-mismatch", f"{path.name} is not the key that was published")
        return key

    def _loaded(self, purpose: str) -> keyfiles.PrivateKey:
        key = self._private.get(purpose)
        if key is None:
            raise Misconfigured("keys-purpose", f"the key for {purpose} is not loaded here")
        return key

    def _of(self, purpose: str) -> list[KeyRecord]:
        return [record for record in self.records() if record.purpose == purpose]

    def _believed(self, purpose: str) -> list[KeyRecord]:
        return [record for record in self._of(purpose) if record.state != "retired"]

    def _active(self, purpose: str) -> KeyRecord:
        active = [record for record in self._of(purpose) if record.state == "active"]
        if len(active) != 1:
            raise Misconfigured("keys-active", f"there must be exactly one active {purpose} key")
        return active[0]

    def _path(self, kid: str, suffix: str) -> Path:
        return self._directory / f"{kid}.{suffix}"

    def _write(self, record: KeyRecord) -> None:
        keyfiles.replace_file(self._path(record.kid, "json"), encode(asdict(record)), 0o600)
        self._records[record.kid] = record


def _read_record(path: Path) -> KeyRecord:
    try:
        return KeyRecord(**decode(path.read_bytes(), max_bytes=4096, canonical=True))
    except (Refused, TypeError):
        raise Misconfigured("keys-form", f"{path.name} is not a key record") from None


def _point(public: ec.EllipticCurvePublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


__all__ = ["PURPOSES", "KeyRecord", "Keyring", "jwk_from_public_key", "public_key_from_jwk"]
