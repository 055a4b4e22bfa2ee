"""Partner authentication backed by PostgreSQL: clients, replay memory and rate guard are shared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from broker.api.directory import AuthKey, ClientRecord
from broker.api.problems import TooMany
from broker.store import access, jti

PULL_SCOPES = frozenset({"referrals:pull", "referrals:answer"})
SUBMIT_SCOPES = frozenset({"cases:submit"})
OWN_TOOL = "OWN"


class PgDirectory:
    """`Directory` over the partner tables; counts each request against the partner's limit."""

    def __init__(self, pool: access.Pool, per_minute: int, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._per_minute = per_minute
        self._clock = clock

    async def client(self, client_id: str) -> ClientRecord | None:
        """See `Directory.client`."""
        found = await access.client(self._pool, client_id)
        if found is None:
            return None
        return ClientRecord(
            client_id=client_id,
            partner_id=found.partner_id,
            status="active" if found.status == "active" else "suspended",
            keys=tuple(AuthKey(*key) for key in found.keys),
            scopes=SUBMIT_SCOPES if found.recipient_class == OWN_TOOL else PULL_SCOPES,
        )

    async def is_active(self, partner_id: str, kid: str, jkt: str) -> bool:
        """See `Directory.is_active`. Raises `TooMany` (429) beyond the limit of a minute."""
        now = self._clock()
        active, requests = await access.active(self._pool, partner_id, kid, jkt, now)
        if requests > self._per_minute:
            raise TooMany("the number of requests in this minute is used up", 60 - now.second)
        return active


class PgReplay:
    """`ReplayStore` over the table `jti`: single use across all processes."""

    def __init__(self, pool: access.Pool) -> None:
        self._pool = pool

    async def remember(self, space: str, key_hash: bytes, expires_at: datetime) -> bool:
        """See `ReplayStore.remember`."""
        return await jti.remember(self._pool, space, key_hash, expires_at)
