"""What partner authentication asks of the rest: who the clients are, what was used before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from broker.spi import Json
from broker.store.access import Admission


@dataclass(frozen=True, slots=True)
class AuthKey:
    """A registered public key of a client for `private_key_jwt`, with its time of use."""

    kid: str
    jwk: Mapping[str, Json]
    not_before: datetime | None = None
    not_after: datetime | None = None
    revoked: bool = False

    def usable(self, at: datetime) -> bool:
        """Neither revoked nor outside its time."""
        started = self.not_before is None or self.not_before <= at
        return not self.revoked and started and (self.not_after is None or at < self.not_after)


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A registered client: one software of one partner."""

    client_id: str
    partner_id: str
    status: Literal["active", "suspended"]
    keys: tuple[AuthKey, ...]
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof of possession that holds still needs: that it is used for the first time."""

    jkt: str
    """Thumbprint of the key that made it (RFC 7638)."""
    once: bytes
    """Under this it is used up."""
    expires: datetime


class Directory(Protocol):
    """Registered clients, and the door. On the hot path: async, and one statement at most."""

    async def client(self, client_id: str) -> ClientRecord | None:
        """The client of that id, suspended or not; None when there is none."""

    async def admit(self, partner_id: str, kid: str, proof: Proof, release: str | None) -> Admission:
        """Uses up a request's proof and says whether the partner may call now, by a token that the key `kid`
        got and the proof's key proves.

        Asked on each request, so a suspension and the revocation of either key act at once. `release` is one
        that it wants to collect.
        """


class ReplayStore(Protocol):
    """Single use across all processes (in production a table with a unique key), for asking for a token."""

    async def remember(self, space: str, key_hash: bytes, expires_at: datetime) -> bool:
        """True the first time this hash is seen in this space, False ever after until it expires.

        `expires_at`: from then on whatever carries the id is refused for its age anyway.
        """
