"""What a partner pulls: feed page, sealed bytes; SQL of its own on an async pool.

Each call is one pipelined transaction that begins by naming the partner *for that transaction*: a
session-level setting would leak to the next borrower of the pooled connection. Every query also
has the partner in its predicate; row-level security stands behind it and finds nothing for anybody
else when the predicate is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from broker.errors import Conflict, NotFound
from broker.store.ledger_append import Entry, parameters, with_entry

Pool = AsyncConnectionPool[AsyncConnection[Any]]

_SCOPE = re.compile(r"\{(\w+\.\w+)\}")


def scoped(query: str, *, predicate: bool = True) -> bytes:
    """Fill `{alias.column}` with "belongs to this partner".

    `predicate=False` leaves it out: tests show by it that row-level security alone says no.
    """
    return _SCOPE.sub(r"\1 = %(partner)s" if predicate else "true", query).encode()


@asynccontextmanager
async def as_partner(pool: Pool, partner: str) -> AsyncIterator[AsyncConnection[Any]]:
    """A pipelined transaction that reads, and in which row-level security sees this partner and no other.

    Results of the last statements are read after the block: then all of it is one round trip. What is
    sent until the one synchronisation at the end is a transaction without `begin` and `commit`, each of
    which would cost as much as a query.
    """
    async with pool.connection() as conn, conn.pipeline():
        await conn.execute(_READING, [partner])
        yield conn


@asynccontextmanager
async def acting_as(pool: Pool, partner: str) -> AsyncIterator[AsyncConnection[Any]]:
    """The same for what writes. An exception leaves `commit` out, and the pool rolls back.

    `conn.transaction()` would wait for the server after `begin` and after `commit`, so both are
    statements like the others.
    """
    async with pool.connection() as conn, conn.pipeline():
        await conn.execute("begin", prepare=False)
        await conn.execute(_WRITING, [partner])
        yield conn
        await conn.execute("commit", prepare=False)


_WRITING = "select set_config('broker.partner', %s, true)"
# Without `commit` nothing would stop the end of the block from keeping what was written before an exception.
_READING = f"{_WRITING}, set_config('transaction_read_only', 'on', true)"


@dataclass(frozen=True, slots=True)
class Page:
    """A page as stored bytes; `last` is the cursor behind it (the one asked with when empty)."""

    items: tuple[bytes, ...]
    last: int
    more: bool

    def joined(self) -> bytes:
        """The `items` member of the answer, ready to be sent."""
        return b"[" + b",".join(self.items) + b"]"


_PAGE = """
select f.position, f.row from feed f
where {f.partner_id} and f.position > %(after)s
order by f.position limit %(limit)s
"""
_PAGE_BY_URGENCY = """
select f.position, f.row from feed f
where {f.partner_id} and f.urgency = %(urgency)s and f.position > %(after)s
order by f.position limit %(limit)s
"""


async def page(
    pool: Pool,
    partner: str,
    *,
    after: int = -1,
    limit: int = 100,
    urgency: str | None = None,
    predicate: bool = True,
) -> Page:
    """Feed rows behind a position; one more row is asked for to know whether there are more."""
    query = _PAGE if urgency is None else _PAGE_BY_URGENCY
    values = {"partner": partner, "after": after, "limit": limit + 1, "urgency": urgency}
    async with as_partner(pool, partner) as conn:
        cursor = await conn.execute(scoped(query, predicate=predicate), values, binary=True)
    rows = await cursor.fetchall()
    shown = rows[:limit]
    return Page(
        items=tuple(row for _, row in shown),
        last=shown[-1][0] if shown else after,
        more=len(rows) > limit,
    )


@dataclass(frozen=True, slots=True)
class Sealed:
    """Sealed bytes as stored; `sha256` (hex) is the strong ETag."""

    release_id: str
    part: str
    body: bytes
    sha256: str
    media_type: str
    generation: int
    first_collected_at: datetime | None
    window_days: int | None

    def closed(self, at: datetime) -> bool:
        """Is the retrieval window, which runs from the first collection, over?"""
        if self.first_collected_at is None or self.window_days is None:
            return False
        return at > self.first_collected_at + timedelta(days=self.window_days)


# Not in the feed yet means not published: there is a short regret before it.
_LOOK = """
select
  exists (select 1 from feed f
          where {f.partner_id} and f.release_id = %(release)s and f.event = 'published'),
  exists (select 1 from withdrawal w where {w.partner_id} and w.release_id = %(release)s),
  (select min(c.at) from collection c where {c.partner_id} and c.release_id = %(release)s),
  (select r.window_from_first_collection from release r
   where {r.carrier} and r.release_id = %(release)s),
  o.body, o.sha256, o.media_type, o.generation
from (values (1)) one left join lateral (
  select o.body, o.sha256, o.media_type, o.generation from sealed_object o
  where {o.partner_id} and o.release_id = %(release)s and o.part = %(part)s
  order by o.generation desc limit 1
) o on true
"""
_COLLECTED = with_entry("""
insert into collection (id, release_id, partner_id, part, at, generation, sha256)
values (%(event_id)s, %(release)s, %(partner)s, %(part)s, %(moment)s, %(generation)s, %(digest)s)
""")


async def sealed(pool: Pool, partner: str, release: str, part: str, *, predicate: bool = True) -> Sealed:
    """Look without collecting (HEAD, If-None-Match). Raises like `collect`."""
    async with as_partner(pool, partner) as conn:
        return await _sealed(conn, partner, release, part, predicate=predicate)


async def collect(
    pool: Pool,
    partner: str,
    release: str,
    part: str,
    *,
    at: datetime,
    entry_of: Callable[[Sealed], Entry],
) -> Sealed:
    """Hand over sealed bytes and record it in the same transaction; the bytes come after commit.

    `entry_of` makes the `collected` entry of what is handed over; its event id is the collection's.
    Raises NotFound for what is absent, foreign, unknown or not yet published; Conflict `withdrawn`,
    `window-closed` or `erased` for what was there, `not-sealed` for what never was.
    """
    async with acting_as(pool, partner) as conn:
        found = await _sealed(conn, partner, release, part)
        if found.closed(at):
            raise Conflict("window-closed", "the time to collect this referral is over")
        await _record(conn, partner, found, at, entry_of(found))
    return found


async def hand_over(
    pool: Pool, partner: str, release: str, part: str, sha256: str, *, at: datetime, entry: Entry
) -> None:
    """Record that a person of the partner opened a document in the inbox: what `collect` does, for
    bytes that come from the release record instead of a sealed object. Raises as `collect` does.
    """
    async with acting_as(pool, partner) as conn:
        first, days, _ = await _look(conn, partner, release, _NO_OBJECT)
        found = Sealed(release, part, b"", sha256, "", IN_HOUSE, first, days)
        if found.closed(at):
            raise Conflict("window-closed", "the time to collect this referral is over")
        await _record(conn, partner, found, at, entry)


_NO_OBJECT = ""
IN_HOUSE = 0
"""The generation of a collection in the inbox: no sealed object was served."""


async def _sealed(
    conn: AsyncConnection[Any], partner: str, release: str, part: str, *, predicate: bool = True
) -> Sealed:
    first, days, stored = await _look(conn, partner, release, part, predicate=predicate)
    body, sha256, media_type, generation = stored
    if body is None:
        if part == "referral":
            await _say_why_nothing_is_there(conn, partner, release)
        raise NotFound("referral")
    return Sealed(release, part, body, sha256, media_type, generation, first, days)


async def _look(
    conn: AsyncConnection[Any], partner: str, release: str, part: str, *, predicate: bool = True
) -> tuple[datetime | None, int | None, tuple[Any, ...]]:
    """(first collected, days of the window, the sealed object or nothing). Raises for what is not there."""
    values = {"partner": partner, "release": release, "part": part}
    cursor = await conn.execute(scoped(_LOOK, predicate=predicate), values, binary=True)
    published, withdrawn, first, days, *stored = await cursor.fetchone() or (False, False, None, None)
    if not published:
        raise NotFound("referral")
    if withdrawn:
        raise Conflict("withdrawn", "this referral was withdrawn")
    return first, days, tuple(stored)


async def _record(
    conn: AsyncConnection[Any], partner: str, found: Sealed, at: datetime, entry: Entry
) -> None:
    act = {
        "release": found.release_id, "partner": partner, "part": found.part, "moment": at,
        "generation": found.generation, "digest": found.sha256,
    }  # fmt: skip
    await conn.execute(_COLLECTED, parameters(entry) | act)


_ROW = """
select f.row from feed f
where {f.partner_id} and f.release_id = %(release)s and f.event = 'published'
"""


async def _say_why_nothing_is_there(conn: AsyncConnection[Any], partner: str, release: str) -> None:
    """It stands in this partner's own feed, so a 404 would only leave its software asking for ever."""
    cursor = await conn.execute(scoped(_ROW), {"partner": partner, "release": release}, binary=True)
    found = await cursor.fetchone()
    if found is None:
        return
    if orjson.loads(found[0])["sizes"]["referral"]:
        raise Conflict("erased", "the content of this referral was erased; its proof and receipts remain")
    raise Conflict(
        "not-sealed",
        "this referral was not sealed to a key: it was for the inbox, or went another way",
        "read it in the inbox, or ask the broker's operator to seal it to your key",
    )
