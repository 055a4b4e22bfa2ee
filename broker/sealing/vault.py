"""Envelope encryption at rest, and the monthly epoch keys whose destruction makes erasure final.

A data key encrypts one blob or one case; an epoch key, a file outside the database, wraps data
keys. Erasure deletes wrapped keys at once; dumps and write-ahead logs still hold them until the
epoch key is destroyed. So rotation moves what lives on (the caller wraps again) and destroys the
old key.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.errors import Misconfigured, NotAuthentic, NotFound, Refused
from broker.sealing import keyfiles

KEY_SIZE = 32
NONCE_SIZE = 12
_EPOCH = re.compile(r"epoch-[0-9]{4}-(0[1-9]|1[0-2])")


def new_data_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_SIZE)


def encrypt(data_key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """nonce ‖ ciphertext (AES-256-GCM). `aad` names the place, so that rows cannot be swapped."""
    nonce = os.urandom(NONCE_SIZE)
    return nonce + AESGCM(_whole(data_key)).encrypt(nonce, plaintext, aad)


def decrypt(data_key: bytes, box: bytes, aad: bytes) -> bytes:
    """The inverse of `encrypt`; `NotAuthentic` for another key, another place or a changed byte."""
    if len(box) < NONCE_SIZE + 16:
        raise NotAuthentic("vault-form", "an encrypted value is too short")
    try:
        return AESGCM(_whole(data_key)).decrypt(box[:NONCE_SIZE], box[NONCE_SIZE:], aad)
    except InvalidTag:
        raise NotAuthentic("vault-not-opened", "an encrypted value does not open here") from None


def wrap(epoch_key: bytes, data_key: bytes, aad: bytes) -> bytes:
    """A data key under an epoch key: 60 bytes."""
    return encrypt(epoch_key, _whole(data_key), b"wrap|" + aad)


def unwrap(epoch_key: bytes, wrapped: bytes, aad: bytes) -> bytes:
    """The inverse of `wrap`."""
    return _whole(decrypt(epoch_key, wrapped, b"wrap|" + aad))


LASTING = frozenset({"lasting-bulk", "lasting-hold", "lasting-totp", "lasting-webhook"})
"""Keys for bulk jobs (HMAC of an export's digest: ids of its cases), for police holds (HMAC of a URL), for
secrets of one-time codes and for signing webhooks (Ed25519 seed)."""


def epoch_name(now: datetime) -> str:
    """`epoch-2026-03`: months in UTC."""
    return now.astimezone(UTC).strftime("epoch-%Y-%m")


class EpochKeys:
    """The epoch keys of a folder. Opened keys are kept in memory until destroyed."""

    def __init__(self, directory: Path, passphrase: bytes) -> None:
        keyfiles.private_directory(directory)
        self._directory = directory
        self._passphrase = passphrase
        self._opened: dict[str, bytes] = {}

    def current(self, now: datetime) -> tuple[str, bytes]:
        """(name, key) of this month, made when it does not exist yet."""
        name = epoch_name(now)
        if name not in self._opened and not self._path(name).exists():
            self._make(name)
        return name, self.get(name)

    def get(self, name: str) -> bytes:
        """An epoch key by name; `NotFound` once it is destroyed."""
        # The file decides, not the memory: another process may have destroyed it.
        if not self._path(name).exists():
            self._opened.pop(name, None)
            raise NotFound("epoch key")
        if name not in self._opened:
            data = keyfiles.read_private(self._path(name))
            self._opened[name] = keyfiles.open_secret(data, self._passphrase, name)
        return self._opened[name]

    def lasting(self, purpose: str) -> bytes:
        """A key that no rotation destroys, one for each purpose; made on first use."""
        name = f"lasting-{purpose}"
        if name not in self._opened:
            if not self._path(name).exists():
                self._make(name)
            self._opened[name] = keyfiles.open_secret(
                keyfiles.read_private(self._path(name)), self._passphrase, name
            )
        return self._opened[name]

    def names(self) -> list[str]:
        """The epochs that still exist, oldest first."""
        found = (path.stem for path in self._directory.glob("epoch-*.key"))
        return sorted(name for name in found if _EPOCH.fullmatch(name))

    def destroy(self, name: str, now: datetime) -> None:
        """Overwrite and remove. What only this key wrapped is unrecoverable from here on.

        The running month's key cannot be destroyed: it still wraps what is being written.
        """
        if name == epoch_name(now):
            raise Refused("epoch-in-use", "the epoch of this month is in use")
        path = self._path(name)
        if not path.exists():
            raise NotFound("epoch key")
        with path.open("r+b") as file:
            size = path.stat().st_size
            for block in (os.urandom(size), b"\x00" * size):
                file.seek(0)
                file.write(block)
                file.flush()
                os.fsync(file.fileno())
        path.unlink()
        self._opened.pop(name, None)

    def _make(self, name: str) -> None:
        sealed = keyfiles.seal_secret(os.urandom(KEY_SIZE), self._passphrase, name)
        beside = self._directory / f".{name}.{os.getpid()}.new"
        keyfiles.write_private(beside, sealed)
        try:
            # link() fails when another process made the key first; then theirs is the key.
            os.link(beside, self._path(name))
        except FileExistsError:
            self._opened.pop(name, None)
        finally:
            beside.unlink()

    def _path(self, name: str) -> Path:
        if not _EPOCH.fullmatch(name) and name not in LASTING:
            raise Misconfigured("epoch-name", "there is no such epoch")
        return self._directory / f"{name}.key"


def _whole(key: bytes) -> bytes:
    if len(key) != KEY_SIZE:
        raise Misconfigured("vault-key", f"a key has {KEY_SIZE} bytes")
    return key
