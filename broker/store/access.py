"""Who calls and how often: what partner authentication reads, on an async pool of broker_app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

Pool = AsyncConnectionPool[AsyncConnection[Any]]


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client with its public keys for authentication."""

    partner_id: str
    recipient_class: str
    status: str
    keys: tuple[tuple[str, dict[str, Any], datetime, datetime, bool], ...]
    """(kid, jwk, not before, not after, revoked)."""


_CLIENT = """
select p.id, p.recipient_class, p.status, k.kid, k.jwk, k.not_before, k.not_after,
       k.revoked_at is not null
from partner p left join partner_key k on k.partner_id = p.id and k.use = 'auth'
where p.client_id = %s
"""
# One statement: the state, and a count that every process shares. The key that got the token has its kid
# in it, the key that proves it its thumbprint (RFC 7638).
_ACTIVE = """
with hit as (
    insert into rate_window (partner_id, minute, n) values (%(partner)s, %(minute)s, 1)
    on conflict (partner_id, minute) do update set n = rate_window.n + 1 returning n
)
select p.status = 'active' and not exists (
        select 1 from partner_key k
        where k.partner_id = %(partner)s and k.revoked_at is not null and (
            k.use = 'auth' and k.kid = %(kid)s
            or k.use = 'dpop' and %(jkt)s = translate(rtrim(encode(sha256(convert_to(format(
                '{"crv":"P-256","kty":"EC","x":"%%s","y":"%%s"}', k.jwk->>'x', k.jwk->>'y'
            ), 'UTF8')), 'base64'), '='), '+/', '-_'))),
    hit.n
from partner p, hit where p.id = %(partner)s
"""
_RECENT = """
select count(*) from (
    select 1 from collection
    where partner_id = %s and (part = 'referral' or generation = 0) and at > %s limit %s
) recent
"""
# Suspension or expiry stops collecting; routes that rest on statute do not hang on an agreement.
_AGREEMENT = """
select r.agreement_version is null
    or (a.valid_from <= %(at)s and a.valid_to > %(at)s and (
        select s.status from agreement_status s
        where s.partner_id = r.addressee and s.version = r.agreement_version
        order by s.at desc limit 1) = 'active'),
    r.addressee_class
from release r
left join agreement a on a.partner_id = r.addressee and a.version = r.agreement_version
where r.release_id = %(release)s and r.carrier = %(partner)s
"""


async def client(pool: Pool, client_id: str) -> Client | None:
    """The client of that id with its authentication keys, or None."""
    async with pool.connection() as conn:
        rows = await (await conn.execute(_CLIENT, [client_id])).fetchall()
    if not rows:
        return None
    keys = tuple((kid, jwk, start, end, gone) for _, _, _, kid, jwk, start, end, gone in rows if kid)
    return Client(rows[0][0], rows[0][1], rows[0][2], keys)


async def active(pool: Pool, partner: str, kid: str, jkt: str, now: datetime) -> tuple[bool, int]:
    """(may call now with these keys, requests in this minute). Counts this request."""
    minute = now.replace(second=0, microsecond=0)
    values = {"partner": partner, "kid": kid, "jkt": jkt, "minute": minute}
    async with pool.connection() as conn:
        row = await (await conn.execute(_ACTIVE, values)).fetchone()
    return (False, 0) if row is None else (bool(row[0]), int(row[1]))


async def collected_since(pool: Pool, partner: str, since: datetime, limit: int) -> int:
    """Referrals this partner collected since a moment, counted up to `limit`."""
    async with pool.connection() as conn:
        row = await (await conn.execute(_RECENT, [partner, since, limit])).fetchone()
    return 0 if row is None else int(row[0])


async def may_collect(pool: Pool, partner: str, release: str, at: datetime) -> tuple[bool, str]:
    """(the agreement behind a release is in force, the addressee’s class); (True, "") if unknown.

    An unknown or foreign release is not told apart here: the hot path answers 404 for both.
    """
    async with pool.connection() as conn:
        cursor = await conn.execute(_AGREEMENT, {"partner": partner, "release": release, "at": at})
        row = await cursor.fetchone()
    return (True, "") if row is None else (bool(row[0]), str(row[1]))
