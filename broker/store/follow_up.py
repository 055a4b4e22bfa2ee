"""What comes back from a partner: receipts, acts of reading, answers. Same pool and rules as `feed`.

Receipts, reads and answers stay open for what was collected, also after the agreement is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from broker.errors import Conflict, NotFound
from broker.store import access
from broker.store.feed import Pool, acting_as, as_partner, scoped
from broker.store.ledger_append import Entry, parameters, with_entry

State = Literal["new", "same"]


@dataclass(frozen=True, slots=True)
class HandedOut:
    """What this partner was handed of a release: digests by part, and the seal's digest."""

    parts: dict[str, frozenset[str]]
    seal_sha256: str


class CheckedReceipt(Protocol):
    """A receipt whose signature and digests were checked."""

    @property
    def jws(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def verified(self) -> bool: ...


_SEAL = "select r.seal_sha256 from release r where {r.carrier} and r.release_id = %(release)s"
_PARTS = """
select c.part, array_agg(distinct c.sha256) from collection c
where {c.partner_id} and c.release_id = %(release)s group by c.part
"""
_KEYS = """
select kid, jwk from partner_key
where partner_id = %s and use = 'receipt' and revoked_at is null
"""
_RECEIPTS = "select x.sha256, x.verified from receipt x where {x.partner_id} and x.release_id = %(release)s"
_ADD_RECEIPT = with_entry("""
insert into receipt (release_id, partner_id, sha256, jws, verified, at)
values (%(release)s, %(partner)s, %(sha256)s, %(jws)s, %(verified)s, %(moment)s)
""")
_ADD_READ = with_entry("""
insert into read_act (id, release_id, partner_id, ground, user_reference, own_case_number, at)
values (%(event_id)s, %(release)s, %(partner)s, %(ground)s, %(user_reference)s, %(own_case_number)s,
        %(moment)s)
""")
_ANSWER = "select a.body, a.release_id from answer a where {a.partner_id} and a.id = %(id)s"
_ADD_ANSWER = with_entry("""
insert into answer (id, partner_id, release_id, outcome, body, at)
values (%(answer)s, %(partner)s, %(release)s, %(outcome)s, %(body)s, %(moment)s)
""")


async def handed_out(pool: Pool, partner: str, release: str) -> HandedOut:
    """What was collected. Raises `NotFound` for what is absent, foreign or was never collected."""
    values = {"partner": partner, "release": release}
    async with as_partner(pool, partner) as conn:
        seals = await conn.execute(scoped(_SEAL), values)
        parts = await conn.execute(scoped(_PARTS), values)
        seal, rows = await seals.fetchone(), await parts.fetchall()
    if seal is None or not rows:
        raise NotFound("referral")
    return HandedOut({part: frozenset(digests) for part, digests in rows}, seal[0])


async def receipt_keys(pool: access.Pool, partner: str) -> list[tuple[str, dict[str, Any]]]:
    """(kid, JWK) of the partner's receipt keys."""
    async with pool.connection() as conn:
        return list(await (await conn.execute(_KEYS, [partner])).fetchall())


async def add_receipt(
    pool: Pool, partner: str, release: str, receipt: CheckedReceipt, *, entry: Entry, at: datetime
) -> State:
    """Store a receipt once. A verified one may follow one that only says "stored"; no other second."""
    values = {"partner": partner, "release": release}
    async with acting_as(pool, partner) as conn:
        known = await (await conn.execute(scoped(_RECEIPTS), values)).fetchall()
        if any(sha256 == receipt.sha256 for sha256, _ in known):
            return "same"
        if any(verified for _, verified in known) or (known and not receipt.verified):
            raise Conflict("receipt-given", "another receipt was given for this referral")
        act = {
            "release": release,
            "partner": partner,
            "sha256": receipt.sha256,
            "jws": receipt.jws,
            "verified": receipt.verified,
            "moment": at,
        }
        await conn.execute(_ADD_RECEIPT, parameters(entry) | act)
    return "new"


async def add_read(
    pool: Pool,
    partner: str,
    release: str,
    *,
    entry: Entry,
    at: datetime,
    ground: str,
    user_reference: str | None,
    own_case_number: str | None,
) -> None:
    """Record that somebody read it. Raises `NotFound` unless it was collected."""
    await handed_out(pool, partner, release)
    act = {
        "release": release,
        "partner": partner,
        "ground": ground,
        "user_reference": user_reference,
        "own_case_number": own_case_number,
        "moment": at,
    }
    async with acting_as(pool, partner) as conn:
        await conn.execute(_ADD_READ, parameters(entry) | act)


async def add_answer(
    pool: Pool,
    partner: str,
    release: str,
    answer: UUID,
    *,
    entry: Entry,
    at: datetime,
    outcome: str,
    body: dict[str, Any],
) -> State:
    """Store an answer once under the partner's id. The same id with another body, or for another
    referral, is a conflict."""
    await handed_out(pool, partner, release)
    async with acting_as(pool, partner) as conn:
        known = await (await conn.execute(scoped(_ANSWER), {"partner": partner, "id": answer})).fetchone()
        if known is not None:
            if (known[0], known[1]) != (body, release):
                raise Conflict("answer-differs", "there is another answer under this id")
            return "same"
        act = {
            "answer": answer,
            "partner": partner,
            "release": release,
            "outcome": outcome,
            "body": Jsonb(body, dumps=orjson.dumps),
            "moment": at,
        }
        await conn.execute(_ADD_ANSWER, parameters(entry) | act)
    return "new"
