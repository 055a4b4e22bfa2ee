"""Sampled review: was each field of what left necessary? A draw, a ticket, two people, a verdict.

Four eyes. One officer (role `dpo`) asks to open one drawn release; a second person (another officer, or a
releaser) grants it, and with that its half hour begins. Neither of them drafted or approved that release:
nobody reviews their own work or opens the door to it. The database holds all of it by keys and a CHECK
(migration 0005). The draw is by `core.sampling` over every release of the period; its stratum is
`class|kind|urgency`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.desk import events, publish
from broker.desk.context import Desk
from broker.desk.identities import Shown, masked
from broker.desk.sample import draw, draws, items, population, results
from broker.errors import Conflict, Forbidden, Issue, NotFound, Refused
from broker.store import tables

__all__ = ["HALF_HOUR", "VERDICTS", "Opened", "Said", "ask", "draw", "draws", "grant", "items", "open_ticket",
    "population", "results", "say"]  # fmt: skip

HALF_HOUR = timedelta(minutes=30)
Said = Literal["necessary", "excessive", "wrong"]
VERDICTS: tuple[Said, ...] = ("necessary", "excessive", "wrong")


@dataclass(frozen=True, slots=True)
class Opened:
    """A drawn release as it was sent, identities masked. `until` is when it closes again."""

    release: str
    reference: str
    partner: str
    recipient_class: str
    purposes: tuple[str, ...]
    fields: Mapping[str, str]
    shown: tuple[Shown, ...]
    conditions: tuple[str, ...]
    gaps: tuple[str, ...]
    until: datetime


def ask(desk: Desk, session: Session, actor: Actor, draw_id: UUID, release: str) -> UUID:
    """An officer asks to open one drawn release. Raises `Conflict` for one's own work."""
    actor.needs("dpo")
    if session.get(tables.ReviewItem, (draw_id, release)) is None:
        raise NotFound("drawn release")
    _had_no_hand(session, actor, release)
    row = tables.ReviewTicket(
        id=desk.uuid(), draw_id=draw_id, release_id=release, officer=actor.id, at=desk.now()
    )
    session.add(row)
    session.flush()
    events.note(desk, session, "review:asked", actor.id, release_id=release)
    return row.id


def grant(desk: Desk, session: Session, actor: Actor, ticket: UUID) -> datetime:
    """The second person's yes; the half hour begins. Returns when it ends."""
    actor.needs("dpo", "releaser")
    row = _ticket(session, ticket)
    if row.officer == actor.id:
        raise Conflict("own-ticket", "you asked for this; another person has to grant it")
    released = _had_no_hand(session, actor, row.release_id)
    if session.get(tables.ReviewGrant, ticket) is not None:
        raise Conflict("already-granted", "this ticket was granted already", "ask for a new one")
    now = desk.now()
    session.add(
        tables.ReviewGrant(
            ticket_id=ticket, officer=row.officer, release_id=row.release_id,
            drafted_by=released.drafted_by, approved_by=released.approved_by, granted_by=actor.id,
            at=now, expires_at=now + HALF_HOUR,
        )
    )  # fmt: skip
    session.flush()
    events.note(desk, session, "review:granted", actor.id, release_id=row.release_id)
    return now + HALF_HOUR


def open_ticket(desk: Desk, session: Session, actor: Actor, ticket: UUID) -> Opened:
    """The release as it was sent, for the officer of the ticket, while its half hour lasts. Logged."""
    row, until = _live(desk, session, actor, ticket)
    released = session.get_one(tables.Release, row.release_id)
    reference = session.get_one(tables.Referral, released.referral_id).reference
    record = publish.open_record(desk, session, released)
    events.note(desk, session, "review:opened", actor.id, case_id=released.case_id, release_id=row.release_id)
    return Opened(
        release=row.release_id,
        reference=reference,
        partner=released.addressee,
        recipient_class=released.addressee_class,
        purposes=tuple(released.purposes),
        fields=dict(released.fields),
        shown=masked(record),
        conditions=tuple(released.conditions),
        gaps=tuple(released.gaps),
        until=until,
    )


def say(desk: Desk, session: Session, actor: Actor, ticket: UUID, verdicts: Mapping[str, Said]) -> None:
    """Verdicts by field, each once and for good, while the half hour lasts."""
    row, _ = _live(desk, session, actor, ticket)
    sent = set(session.get_one(tables.Release, row.release_id).fields)
    wrong = [Issue(f, "field", "was not sent") for f in verdicts if f not in sent]
    wrong += [Issue(f, "code", "is not a verdict") for f, said in verdicts.items() if said not in VERDICTS]
    if wrong or not verdicts:
        raise Refused("review-verdict", "these verdicts cannot be kept; nothing was stored", tuple(wrong))
    given = session.exec(
        select(tables.ReviewVerdict.field).where(
            col(tables.ReviewVerdict.ticket_id) == ticket, col(tables.ReviewVerdict.field).in_(list(verdicts))
        )
    ).first()
    if given is not None:
        raise Conflict("verdict-given", "a verdict is given once; it is not changed")
    for field, said in sorted(verdicts.items()):
        session.add(
            tables.ReviewVerdict(ticket_id=ticket, field=field, officer=actor.id, verdict=said, at=desk.now())
        )
    session.flush()
    events.note(desk, session, "review:verdict", actor.id, release_id=row.release_id)


def _live(desk: Desk, session: Session, actor: Actor, ticket: UUID) -> tuple[tables.ReviewTicket, datetime]:
    actor.needs("dpo")
    row = _ticket(session, ticket)
    if row.officer != actor.id:
        raise Forbidden("other-ticket", "this ticket is another officer's")
    granted = session.get(tables.ReviewGrant, ticket)
    if granted is None:
        raise Conflict("not-granted", "a second person has to grant this first")
    if granted.expires_at <= desk.now():
        raise Conflict("ticket-over", "the half hour of this ticket is over", "ask for a new one")
    return row, granted.expires_at


def _ticket(session: Session, ticket: UUID) -> tables.ReviewTicket:
    row = session.get(tables.ReviewTicket, ticket)
    if row is None:
        raise NotFound("ticket")
    return row


def _had_no_hand(session: Session, actor: Actor, release: str) -> tables.Release:
    """The release, unless this person drafted it or approved it, before or afterwards."""
    released = session.get_one(tables.Release, release)
    approved = session.exec(
        select(tables.Approval.approved_by).where(col(tables.Approval.release_id) == release)
    ).all()
    if actor.id in {released.drafted_by, released.approved_by, *approved}:
        raise Conflict("own-work", "you drafted or approved this; others have to review it")
    return released
