"""Private keys as files: PKCS#8 under PBES2 with 600,000 rounds, mode 0600 or refused.

`cryptography` itself writes PKCS#8 with 2,048 rounds, so the envelope is built here; OpenSSL and
`cryptography` read it. `keyring.py` and `vault.py` sit on top.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from asn1crypto import algos as asn1_algos
from asn1crypto import keys as asn1_keys
from asn1crypto import pem as asn1_pem
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from broker.errors import Misconfigured

ROUNDS = 600_000
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_SECRET_HEADER = b"broker-secret/1\n"
_SALT, _NONCE = 16, 12


def private_directory(directory: Path, *, create: bool = False) -> None:
    """Refuse a key folder that is missing or that others can write to or look into."""
    if create:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not directory.is_dir():
        raise Misconfigured("keys-missing", "the key folder does not exist", "Run `broker keys init`.")
    if stat.S_IMODE(directory.stat().st_mode) & 0o077:
        raise Misconfigured("keys-mode", "the key folder is open to group or others", "Run chmod 700 on it.")


def write_private(path: Path, data: bytes) -> None:
    """A new file that only its owner can read; an existing one is never overwritten."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_private(path: Path) -> bytes:
    """The content of a private file; refused when group or others have any right on it."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise Misconfigured(
                    "keys-mode",
                    f"the key file {path.name} is open to group or others",
                    "Run chmod 600 on it, and treat the key as exposed.",
                )
            return file.read()
    except FileNotFoundError:
        raise Misconfigured("keys-missing", f"the key file {path.name} does not exist") from None


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Write beside and rename, so that a crash leaves the old file or the new one."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def key_to_pem(key: PrivateKey, passphrase: bytes) -> bytes:
    """PKCS#8 `ENCRYPTED PRIVATE KEY`: PBES2, PBKDF2-HMAC-SHA256, AES-256-CBC."""
    plain = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    salt, vector = os.urandom(_SALT), os.urandom(16)
    padder = padding.PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    cipher = Cipher(algorithms.AES(_derive(passphrase, salt)), modes.CBC(vector)).encryptor()
    envelope = asn1_keys.EncryptedPrivateKeyInfo(
        {
            "encryption_algorithm": {
                "algorithm": "pbes2",
                "parameters": {
                    "key_derivation_func": {
                        "algorithm": "pbkdf2",
                        "parameters": {
                            "salt": asn1_algos.Pbkdf2Salt(name="specified", value=salt),
                            "iteration_count": ROUNDS,
                            "prf": {"algorithm": "sha256"},
                        },
                    },
                    "encryption_scheme": {"algorithm": "aes256_cbc", "parameters": vector},
                },
            },
            "encrypted_data": cipher.update(padded) + cipher.finalize(),
        }
    )
    pem: bytes = asn1_pem.armor("ENCRYPTED PRIVATE KEY", envelope.dump())
    return pem


def key_from_pem(data: bytes, passphrase: bytes, name: str) -> PrivateKey:
    """Open a key file; refused when its passphrase was stretched with fewer rounds than ours."""
    try:
        _, _, der = asn1_pem.unarmor(data)
        scheme = asn1_keys.EncryptedPrivateKeyInfo.load(der)["encryption_algorithm"]
        rounds = scheme["parameters"]["key_derivation_func"]["parameters"]["iteration_count"].native
    except (ValueError, KeyError, TypeError):
        raise Misconfigured("keys-form", f"{name} is not an encrypted PKCS#8 key") from None
    if rounds < ROUNDS:
        raise Misconfigured(
            "keys-rounds",
            f"the passphrase of {name} is stretched with {rounds} rounds only",
            f"Write it again with at least {ROUNDS}.",
        )
    try:
        key = serialization.load_pem_private_key(data, passphrase)
    except ValueError:
        raise Misconfigured("keys-passphrase", f"{name} does not open with this passphrase") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise Misconfigured("keys-form", f"{name} is neither a P-256 nor an Ed25519 key")
    return key


def seal_secret(secret: bytes, passphrase: bytes, name: str) -> bytes:
    """A short secret under the passphrase, bound to its name so that files cannot be swapped."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    box = AESGCM(_derive(passphrase, salt)).encrypt(nonce, secret, name.encode())
    return _SECRET_HEADER + salt + nonce + box


def open_secret(data: bytes, passphrase: bytes, name: str) -> bytes:
    """The inverse of `seal_secret`."""
    body = data.removeprefix(_SECRET_HEADER)
    if body == data or len(body) < _SALT + _NONCE + 16:
        raise Misconfigured("keys-form", f"{name} is not a secret file of this broker")
    salt, nonce, box = body[:_SALT], body[_SALT : _SALT + _NONCE], body[_SALT + _NONCE :]
    try:
        return AESGCM(_derive(passphrase, salt)).decrypt(nonce, box, name.encode())
    except InvalidTag:
        raise Misconfigured("keys-passphrase", f"{name} does not open with this passphrase") from None


def _derive(passphrase: bytes, salt: bytes) -> bytes:
    if not passphrase:
        raise Misconfigured("keys-passphrase", "the key folder needs a passphrase")
    return PBKDF2HMAC(hashes.SHA256(), 32, salt, ROUNDS).derive(passphrase)
