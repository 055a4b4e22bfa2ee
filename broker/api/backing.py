"""Partner authentication backed by PostgreSQL: clients, replay memory and rate guard are shared."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from broker.api.directory import AuthKey, ClientRecord, Proof
from broker.api.problems import TooMany
from broker.store import access, jti

PULL_SCOPES = frozenset({"referrals:pull", "referrals:answer"})
SUBMIT_SCOPES = frozenset({"cases:submit"})
OWN_TOOL = "OWN"
RELEASE_ID = r"^[a-z2-7]{26}$"
_RELEASE_ID = re.compile(RELEASE_ID)


class PgDirectory:
    """`Directory` over the partner tables; counts each request against the partner's limit."""

    def __init__(
        self, pool: access.Pool, per_minute: int, per_hour: int, clock: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._per_minute = per_minute
        self._per_hour = per_hour
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

    async def admit(self, partner_id: str, kid: str, proof: Proof, release: str | None) -> access.Admission:
        """See `Directory.admit`. Raises `TooMany` (429) beyond the limit of a minute."""
        now = self._clock()
        asked = access.Question(
            release=release if release is not None and _RELEASE_ID.fullmatch(release) else None,
            at=now,
            since=now - timedelta(hours=1),
            limit=self._per_hour,
        )
        shown = access.Shown(kid=kid, jkt=proof.jkt, once=proof.once, expires=proof.expires)
        found = await access.admit(self._pool, partner_id, shown, asked)
        if found.requests > self._per_minute:
            raise TooMany("the number of requests in this minute is used up", 60 - now.second)
        return found


class PgReplay:
    """`ReplayStore` over the table `jti`: single use across all processes."""

    def __init__(self, pool: access.Pool) -> None:
        self._pool = pool

    async def remember(self, space: str, key_hash: bytes, expires_at: datetime) -> bool:
        """See `ReplayStore.remember`."""
        return await jti.remember(self._pool, space, key_hash, expires_at)
