"""What every verb of the desk needs, in one value: nothing here is global.

A process gets only what it is for: the API process has neither `keyring` nor `epochs` with private
halves of the release key; only the signer has (ruling 29).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from broker.core.pack import Pack
from broker.errors import Misconfigured
from broker.hosting import HostLookup
from broker.sealing.keyring import Keyring
from broker.sealing.vault import EpochKeys
from broker.settings import Settings
from broker.store.engine import Database


@dataclass(frozen=True, slots=True)
class Desk:
    """The hotline's side of the broker."""

    settings: Settings
    db: Database
    pack: Pack
    adapters: Mapping[str, Any]
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]
    epochs: EpochKeys | None = None
    keyring: Keyring | None = None
    hosts: Callable[[], HostLookup] | None = None
    """Looks hosts up again before a notice; None where the operator configured no look-up."""

    def now(self) -> datetime:
        """The time in UTC, whole seconds: what is signed and stored has no finer grain."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    def vault(self) -> EpochKeys:
        """The epoch keys, or `Misconfigured` in a process that must not open cases."""
        if self.epochs is None:
            raise Misconfigured("no-epoch-keys", "this process holds no keys that open cases")
        return self.epochs

    def keys(self) -> Keyring:
        """The signing keys, or `Misconfigured` in a process that must not sign."""
        if self.keyring is None:
            raise Misconfigured("no-signing-keys", "this process holds no signing keys")
        return self.keyring

    def uuid(self) -> UUID:
        """A random UUID (version 4) from the desk's source of randomness."""
        return UUID(bytes=self.random(16), version=4)

    def opaque(self, size: int = 16) -> str:
        """A random id in lower-case base32 without padding; 16 octets give 26 characters."""
        return base64.b32encode(self.random(size)).decode().rstrip("=").lower()
