"""What people of a partner see of its referrals: what waits for them, what is done. Same pool and rules
as `feed`; a line says how far a referral came, so that nobody has to open one to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from broker.errors import NotFound
from broker.store.feed import Pool, as_partner, scoped

MOST = 200
"""Lines that wait and are shown at once. More follow as these are answered: the most urgent come first."""


@dataclass(frozen=True, slots=True)
class Line:
    """A published referral; `row` is its feed item as stored."""

    position: int
    row: bytes
    collected: datetime | None
    read: bool
    answered: bool
    withdrawn: str | None
    """The coded reason."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Some of them; `more` when others stand behind."""

    shown: tuple[Line, ...]
    more: bool


_LINE = """
select f.position, f.row,
  (select min(c.at) from collection c where {c.partner_id} and c.release_id = f.release_id),
  exists (select 1 from read_act r where {r.partner_id} and r.release_id = f.release_id),
  exists (select 1 from answer a where {a.partner_id} and a.release_id = f.release_id),
  (select w.reason_code from withdrawal w where {w.partner_id} and w.release_id = f.release_id)
from feed f where {f.partner_id} and f.event = 'published' and f.release_id = %(release)s
"""
# How far each came is asked of the few that are shown, not of all that would sort before them.
_WAITING = """
select f.position, f.row,
  (select min(c.at) from collection c where {c.partner_id} and c.release_id = f.release_id),
  exists (select 1 from read_act r where {r.partner_id} and r.release_id = f.release_id),
  false, null
from (
  select f.position, f.row, f.release_id, f.urgency from feed f
  where {f.partner_id} and f.event = 'published'
    and not exists (select 1 from answer a where {a.partner_id} and a.release_id = f.release_id)
    and not exists (select 1 from withdrawal w where {w.partner_id} and w.release_id = f.release_id)
  order by f.urgency, f.position limit %(limit)s
) f order by f.urgency, f.position
"""
_DONE = """
select f.position, f.row,
  (select min(c.at) from collection c where {c.partner_id} and c.release_id = f.release_id),
  exists (select 1 from read_act r where {r.partner_id} and r.release_id = f.release_id),
  f.answered, f.withdrawn
from (
  select f.position, f.row, f.release_id, w.reason_code as withdrawn,
    exists (select 1 from answer a where {a.partner_id} and a.release_id = f.release_id) as answered
  from feed f left join withdrawal w on w.release_id = f.release_id and {w.partner_id}
  where {f.partner_id} and f.event = 'published' and f.position < %(before)s
    and (w.release_id is not null
         or exists (select 1 from answer a where {a.partner_id} and a.release_id = f.release_id))
  order by f.position desc limit %(limit)s
) f order by f.position desc
"""


async def line(pool: Pool, partner: str, release: str) -> Line:
    """One referral. Raises `NotFound` for an absent, foreign or waiting one."""
    found = await _lines(pool, partner, _LINE, {"release": release})
    if not found:
        raise NotFound("referral")
    return found[0]


async def waiting(pool: Pool, partner: str, *, predicate: bool = True) -> Lines:
    """What nobody answered: the most urgent first, then what is here longest."""
    found = await _lines(pool, partner, _WAITING, {"limit": MOST + 1}, predicate=predicate)
    return Lines(tuple(found[:MOST]), len(found) > MOST)


async def done(pool: Pool, partner: str, *, before: int, limit: int = 50, predicate: bool = True) -> Lines:
    """What was answered or withdrawn, the newest first."""
    values = {"before": before, "limit": limit + 1}
    found = await _lines(pool, partner, _DONE, values, predicate=predicate)
    return Lines(tuple(found[:limit]), len(found) > limit)


async def _lines(
    pool: Pool, partner: str, query: str, values: Mapping[str, object], *, predicate: bool = True
) -> list[Line]:
    async with as_partner(pool, partner) as conn:
        given = {"partner": partner, **values}
        cursor = await conn.execute(scoped(query, predicate=predicate), given, binary=True)
    return [Line(*row) for row in await cursor.fetchall()]
