"""What a second person looks at before approving: the stored draft itself, not a new preview of it."""

from __future__ import annotations

from sqlmodel import Session

from broker.auth import Actor
from broker.desk import publish, release
from broker.desk.context import Desk
from broker.desk.record import Record
from broker.errors import NotFound
from broker.store import tables


def look(desk: Desk, session: Session, actor: Actor, release_id: str) -> Record:
    """The record of a draft, checked against its approval digest, or of what was released."""
    actor.needs("analyst", "releaser", "dpo")
    row = session.get(tables.Draft, release_id)
    if row is None:
        raise NotFound("referral")
    done = session.get(tables.Release, release_id)
    return release.load(desk, session, row)[0] if done is None else publish.open_record(desk, session, done)
