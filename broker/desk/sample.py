"""The sampled review's draws: made, stored with their seed, listed with how far each release is.

The draw is by `core.sampling` over every release of a period; its stratum is `class|kind|urgency`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import sampling
from broker.desk import events, paging
from broker.desk.context import Desk
from broker.desk.paging import Page
from broker.errors import NotFound, Refused
from broker.store import tables

State = Literal["open", "asked", "granted", "over", "reviewed"]
MAX_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Drawing:
    """A stored draw. `strata` is stratum → [units, drawn]."""

    id: UUID
    since: datetime
    until: datetime
    seed: str
    size: int
    population: int
    strata: Mapping[str, list[int]]
    drawn_by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One release of a draw and how far its review is: open, asked, granted, over, reviewed."""

    rank: int
    release: str
    stratum: str
    ticket: UUID | None
    officer: str | None
    granted_by: str | None
    expires_at: datetime | None
    verdicts: int
    state: State


def population(session: Session, since: datetime, until: datetime) -> dict[str, str]:
    """Every release of a period with its stratum."""
    query = text(
        "select release_id,"
        " addressee_class || '|' || case_kind || '|' || coalesce(nullif(urgency, ''), 'none')"
        " from release where released_at >= :since and released_at < :until"
    )
    rows = session.connection().execute(query, {"since": since, "until": until})
    return {str(row[0]): str(row[1]) for row in rows}


def draw(
    desk: Desk,
    session: Session,
    actor: Actor,
    since: datetime,
    until: datetime,
    *,
    size: int | None = None,
    seed: str | None = None,
) -> UUID:
    """Draw and store a sample of a period that is over. Without `seed` the broker draws one.

    Raises `Refused` for a period that is not over or holds nothing.
    """
    actor.needs("dpo")
    size = desk.settings.review_size if size is None else size
    if not since < until <= desk.now() or not 1 <= size <= MAX_SIZE:
        raise Refused("review-period", "a review is of a period that is over, with a size of 1 or more")
    seed = desk.random(16).hex() if seed is None else seed
    found = population(session, since, until)
    if not found:
        raise Refused("review-empty", "nothing was released in this period")
    taken = sampling.sample(found, seed, size)
    strata: dict[str, list[int]] = {}
    for stratum in found.values():
        strata.setdefault(stratum, [0, 0])[0] += 1
    for each in taken:
        strata[each.stratum][1] += 1
    row = tables.ReviewDraw(
        id=desk.uuid(), period_from=since, period_to=until, seed=seed, size=len(taken),
        population=len(found), strata=dict(sorted(strata.items())), drawn_by=actor.id, at=desk.now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    for each in taken:
        session.add(
            tables.ReviewItem(draw_id=row.id, release_id=each.unit, rank=each.rank, stratum=each.stratum)
        )
    session.flush()
    events.note(desk, session, "review:drawn", actor.id)
    return row.id


def draws(session: Session, actor: Actor, *, after: str | None = None, limit: int = 50) -> Page[Drawing]:
    """Stored draws, newest first."""
    actor.needs("dpo", "releaser")
    size = paging.bounded(limit)
    row = tables.ReviewDraw
    query = select(row).order_by(col(row.at).desc(), col(row.id).desc()).limit(size + 1)
    place = paging.read(after, 2)
    if place is not None:
        at, last = paging.moment(place[0]), paging.identity(place[1])
        query = query.where((col(row.at) < at) | ((col(row.at) == at) & (col(row.id) < last)))
    found = [
        Drawing(r.id, r.period_from, r.period_to, r.seed, r.size, r.population, r.strata, r.drawn_by, r.at)
        for r in session.exec(query)
    ]
    return paging.page_of(found, size, lambda d: (d.at.isoformat(), str(d.id)))


_ITEMS = """
select i.rank, i.release_id, i.stratum, t.id as ticket, t.officer, g.granted_by, g.expires_at,
  coalesce(v.n, 0) as verdicts
from review_item i
left join lateral (select id, officer from review_ticket t where t.draw_id = i.draw_id
  and t.release_id = i.release_id order by t.at desc, t.id limit 1) t on true
left join review_grant g on g.ticket_id = t.id
left join lateral (select count(*) as n from review_verdict v join review_ticket o on o.id = v.ticket_id
  where o.draw_id = i.draw_id and o.release_id = i.release_id) v on true
where i.draw_id = :draw order by i.rank
"""


def items(desk: Desk, session: Session, actor: Actor, draw_id: UUID) -> tuple[Item, ...]:
    """What was drawn and how far each is. Raises `NotFound`."""
    actor.needs("dpo", "releaser")
    if session.get(tables.ReviewDraw, draw_id) is None:
        raise NotFound("draw")
    rows = session.connection().execute(text(_ITEMS), {"draw": draw_id}).mappings()
    return tuple(
        Item(
            rank=row["rank"], release=row["release_id"], stratum=row["stratum"], ticket=row["ticket"],
            officer=row["officer"], granted_by=row["granted_by"], expires_at=row["expires_at"],
            verdicts=row["verdicts"],
            state=_state(row["verdicts"], row["ticket"], row["expires_at"], desk.now()),
        )
        for row in rows
    )  # fmt: skip


def results(session: Session, actor: Actor, draw_id: UUID) -> Mapping[str, Mapping[str, int]]:
    """field → verdict → how often, over a draw."""
    actor.needs("dpo", "releaser")
    query = text(
        "select v.field, v.verdict, count(*) as n from review_verdict v"
        " join review_ticket t on t.id = v.ticket_id where t.draw_id = :draw group by 1, 2 order by 1, 2"
    )
    found: dict[str, dict[str, int]] = {}
    for field, said, n in session.connection().execute(query, {"draw": draw_id}):
        found.setdefault(field, {})[said] = n
    return found


def _state(verdicts: int, ticket: UUID | None, ends: datetime | None, now: datetime) -> State:
    if verdicts:
        return "reviewed"
    if ticket is None:
        return "open"
    if ends is None:
        return "asked"
    return "granted" if ends > now else "over"
