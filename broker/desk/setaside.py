"""A case that nobody may get: set aside with a coded reason, looked at by another, reopened by anybody.

It is only for what routing gives to nobody: while somebody could get the case it is drafted or stays to
draft. Nothing is deleted; a new version of the case begins anew by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core.routing import Proposal
from broker.desk import confirm, events, route
from broker.desk.context import Desk
from broker.errors import Conflict, Issue, NotFound, Refused
from broker.store import tables
from broker.store.tables_cases import SET_ASIDE_REASONS

WAITS, AGREED = "set_aside", "no_addressee"
ASIDE = (WAITS, AGREED)
"""States of a case between "to draft" and drafted: neither is drafted before it is reopened."""
REASONS = SET_ASIDE_REASONS


@dataclass(frozen=True, slots=True)
class Aside:
    """How a case without an addressee stands. `refusals` are what routing said then: `class:reason`."""

    reason: str
    refusals: tuple[str, ...]
    by: str
    at: datetime
    looked_by: str | None
    looked_at: datetime | None


def set_aside(desk: Desk, session: Session, actor: Actor, case_id: UUID, reason: str) -> None:
    """End the drafting of a confirmed case that routing gives to nobody. Another person has to agree."""
    actor.needs("analyst")
    if reason not in REASONS:
        raise Refused(
            "set-aside-reason",
            "say why nobody gets this case",
            (Issue("reason", "required", "is no reason"),),
        )
    file = _locked(session, case_id, "confirmed")
    if file.drafted_version == file.current_version:
        raise Conflict("drafted-already", "this case has a draft or was released; it has an addressee")
    said = _nobody(desk, session, case_id)
    refusals = {f"{r.recipient_class}:{each.code}" for r in said.refusals for each in r.reasons}
    session.add(
        tables.SetAside(
            case_id=case_id, case_version=file.current_version, reason=reason,
            refusals=sorted(refusals), set_by=actor.id, at=desk.now(),
        )
    )  # fmt: skip
    _move(session, file, WAITS)
    events.note(desk, session, "case:set-aside", actor.id, case_id=case_id)


def agree(desk: Desk, session: Session, actor: Actor, case_id: UUID) -> None:
    """The second person's yes. Routing is asked again: it may give the case to somebody by now."""
    actor.needs("analyst")
    file = _locked(session, case_id, WAITS)
    row = _last(session, case_id)
    if row is None or row.id is None:  # the state is set in the transaction that stores the row
        raise NotFound("reason")
    if row.set_by == actor.id:
        raise Conflict("own-set-aside", "you set this case aside; another person has to look at it")
    _nobody(desk, session, case_id)
    session.add(
        tables.SetAsideLook(set_aside_id=row.id, set_by=row.set_by, looked_by=actor.id, at=desk.now())
    )
    _move(session, file, AGREED)
    events.note(desk, session, "case:no-addressee", actor.id, case_id=case_id)


def reopen(desk: Desk, session: Session, actor: Actor, case_id: UUID) -> None:
    """Back to where it is drafted: whoever set it aside, whoever disagrees, whoever finds an addressee."""
    actor.needs("analyst")
    _move(session, _locked(session, case_id, *ASIDE), "confirmed")
    events.note(desk, session, "case:reopened", actor.id, case_id=case_id)


def aside(session: Session, case_id: UUID) -> Aside | None:
    """The newest time this case was set aside, while it is."""
    file = session.get(tables.CaseFile, case_id)
    row = _last(session, case_id) if file is not None and file.state in ASIDE else None
    if row is None:
        return None
    look = session.get(tables.SetAsideLook, row.id)
    return Aside(
        row.reason, tuple(row.refusals), row.set_by, row.at,
        None if look is None else look.looked_by, None if look is None else look.at,
    )  # fmt: skip


def _nobody(desk: Desk, session: Session, case_id: UUID) -> Proposal:
    released = confirm.released_case(desk, session, case_id)
    said = route.routes(desk, session, case_id, released, desk.now())
    if said.routes:
        raise Conflict(
            "has-addressee",
            "routing gives this case to somebody: draft it, or leave it to draft",
            "see every route with its reasons with `broker case show --routes`",
        )
    return said


def _locked(session: Session, case_id: UUID, *states: str) -> tables.CaseFile:
    file = session.get(tables.CaseFile, case_id, with_for_update=True)
    if file is None:
        raise NotFound("case")
    if file.state not in states:
        raise Conflict("case-state", "the case stands elsewhere by now; look at it again")
    return file


def _move(session: Session, file: tables.CaseFile, state: str) -> None:
    file.state = state
    session.add(file)
    session.flush()


def _last(session: Session, case_id: UUID) -> tables.SetAside | None:
    return session.exec(
        select(tables.SetAside)
        .where(col(tables.SetAside.case_id) == case_id)
        .order_by(col(tables.SetAside.id).desc())
        .limit(1)
    ).first()
