"""Who calls, how often, and what for: what partner authentication asks, on an async pool of broker_app."""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
# Suspension or expiry stops collecting; routes that rest on statute do not hang on an agreement.
_STANDING = """
select coalesce(r.agreement_version is null
    or (a.valid_from <= %(at)s and a.valid_to > %(at)s and (
        select s.status from agreement_status s
        where s.partner_id = r.addressee and s.version = r.agreement_version
        order by s.at desc limit 1) = 'active'), false) as in_force,
    coalesce(r.addressee_class, '') as addressee_class,
    (select count(*) from (
        select 1 from collection c
        where %(release)s::text is not null and c.partner_id = %(partner)s
          and (c.part = 'referral' or c.generation = 0) and c.at > %(since)s
        limit %(limit)s) recent) as collected
from (values (1)) one
left join release r on r.release_id = %(release)s and r.carrier = %(partner)s
left join agreement a on a.partner_id = r.addressee and a.version = r.agreement_version
"""
# The key that got the token has its kid in it, the key that proves it its thumbprint (RFC 7638).
# The proof's id is durable before the statement answers, and its transaction lasts that long. So each
# connection counts in a row of its own: in one row for all, a partner's requests would wait for the disk
# one after the other. A count lacks what has not committed yet: at most one request for each connection.
_ADMIT = """
with once as (
    insert into jti (space, hash, expires_at) values ('dpop', %(once)s, %(expires)s)
    on conflict do nothing returning 1
), hit as (
    insert into rate_window (partner_id, minute, slot, n)
    select %(partner)s, date_trunc('minute', %(at)s), pg_backend_pid(), 1 from once
    on conflict (partner_id, minute, slot) do update set n = rate_window.n + 1 returning minute, slot, n
), standing as ({standing})
select exists (select from once),
    p.status = 'active' and not exists (
        select 1 from partner_key k
        where k.partner_id = %(partner)s and k.revoked_at is not null and (
            k.use = 'auth' and k.kid = %(kid)s
            or k.use = 'dpop' and %(jkt)s = translate(rtrim(encode(sha256(convert_to(format(
                '{"crv":"P-256","kty":"EC","x":"%%s","y":"%%s"}', k.jwk->>'x', k.jwk->>'y'
            ), 'UTF8')), 'base64'), '='), '+/', '-_'))),
    coalesce((
        select hit.n + coalesce(sum(w.n), 0) from hit left join rate_window w
            on w.partner_id = p.id and w.minute = hit.minute and w.slot <> hit.slot
        group by hit.n), 0)::int,
    standing.*
from partner p, standing where p.id = %(partner)s
""".replace("{standing}", _STANDING)


async def client(pool: Pool, client_id: str) -> Client | None:
    """The client of that id with its authentication keys, or None."""
    async with pool.connection() as conn:
        rows = await (await conn.execute(_CLIENT, [client_id])).fetchall()
    if not rows:
        return None
    keys = tuple((kid, jwk, start, end, gone) for _, _, _, kid, jwk, start, end, gone in rows if kid)
    return Client(rows[0][0], rows[0][1], rows[0][2], keys)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a partner stands to a release that it wants to collect."""

    in_force: bool
    """The agreement behind it is; also where there is none, and for a release that is unknown or foreign:
    that is not told apart here, the hot path answers 404 for both."""
    addressee_class: str
    collected: int
    """Referrals it collected since the moment asked about, counted up to the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a standing is asked with. Without a release there is none."""

    release: str | None
    at: datetime
    since: datetime
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a request shows at the door."""

    kid: str
    """Of the key that got its token."""
    jkt: str
    """Thumbprint of the key that proves it (RFC 7638)."""
    once: bytes
    """Under this its proof is used up."""
    expires: datetime


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of a request at the door."""

    fresh: bool
    """Its proof was used for the first time; durable before this is known."""
    active: bool
    requests: int
    """Of the partner in this minute, this one included."""
    standing: Standing | None = None


async def standing(pool: Pool, partner: str, asked: Question) -> Standing:
    """Whether the partner may collect now."""
    async with pool.connection() as conn:
        row = await (await conn.execute(_STANDING, _values(partner, asked))).fetchone()
    return Standing(*row) if row else Standing(False, "", asked.limit)


async def admit(pool: Pool, partner: str, shown: Shown, asked: Question) -> Admission:
    """Use up a proof, count the request, see whether the partner may call with these keys; one statement."""
    values = _values(partner, asked) | asdict(shown)
    async with pool.connection() as conn:  # commits by itself
        row = await (await conn.execute(_ADMIT, values)).fetchone()
    if row is None:
        return Admission(True, False, 0)  # no such partner
    fresh, active, requests, *standing = row
    return Admission(fresh, active, requests, None if asked.release is None else Standing(*standing))


def _values(partner: str, asked: Question) -> dict[str, Any]:
    return {
        "partner": partner,
        "release": asked.release,
        "at": asked.at,
        "since": asked.since,
        "limit": asked.limit,
    }
