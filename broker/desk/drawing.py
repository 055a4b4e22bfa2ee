"""One draw and one ticket of the sampled review, by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.desk.sample import Drawing
from broker.errors import NotFound
from broker.store import tables


def drawing(session: Session, actor: Actor, draw_id: UUID) -> Drawing:
    """A stored draw. Raises `NotFound`."""
    actor.needs("dpo", "releaser")
    r = session.get(tables.ReviewDraw, draw_id)
    if r is None:
        raise NotFound("draw")
    return Drawing(r.id, r.period_from, r.period_to, r.seed, r.size, r.population, r.strata, r.drawn_by, r.at)


def of_ticket(session: Session, actor: Actor, ticket: UUID) -> UUID:
    """The draw that a ticket is of. Raises `NotFound`."""
    actor.needs("dpo", "releaser")
    row = session.get(tables.ReviewTicket, ticket)
    if row is None:
        raise NotFound("ticket")
    return row.draw_id


def verdicts(session: Session, actor: Actor, ticket: UUID) -> Mapping[str, str]:
    """field → verdict, as given under one ticket."""
    actor.needs("dpo", "releaser")
    row = tables.ReviewVerdict
    found = session.exec(select(row.field, row.verdict).where(col(row.ticket_id) == ticket))
    return dict(found.all())
