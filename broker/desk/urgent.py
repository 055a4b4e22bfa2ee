"""The urgent path on one page: send to the police desk, ring it, log the call, wait for the second look.

One person, a coded reason, the domestic police only (ruling 3). What leaves, leaves at once; only a
named desk that answered and read the reference back stops the clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from broker.auth import Actor
from broker.desk import confirm, draft, endpoints, release
from broker.desk.context import Desk
from broker.desk.draft import Request
from broker.errors import NotFound
from broker.store import tables


@dataclass(frozen=True, slots=True)
class Sent:
    """What went the urgent way. `answer_by` is when the desk has to have answered, `look_by` when another
    person has to have looked at it."""

    release: str
    referral: UUID
    reference: str
    addressee: str
    by: str
    drafted_at: datetime
    released_at: datetime | None
    closed: str
    answer_by: datetime
    look_by: datetime
    looked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Urgency:
    """A case on the urgent path, or before it. `answered` is the call that stopped the clock."""

    case_id: UUID
    kind: str
    urgency: str
    state: str
    desks: tuple[tables.Partner, ...]
    reasons: tuple[str, ...]
    sent: Sent | None
    calls: Sequence[tables.UrgentCall]
    answered: tables.UrgentCall | None
    by_telephone: bool
    """Where it went, or would go first, nothing can be received: the desk hears it by telephone alone."""
    locked: bool
    """This person has an urgent release that nobody else looked at in time."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to send: to which police partner, why, and masked texts as they were cleared."""

    addressee: str
    reason: str
    clear: Mapping[str, str] = field(default_factory=dict)


def urgency(desk: Desk, session: Session, actor: Actor, case_id: UUID) -> Urgency:
    """The state of the path for one case. Raises `NotFound`."""
    actor.needs("analyst", "releaser")
    file = session.get(tables.CaseFile, case_id)
    if file is None:
        raise NotFound("case")
    sent, desks = _sent(desk, session, case_id), police(desk, session)
    to = sent.addressee if sent else desks[0].id if desks else None
    calls = session.exec(
        select(tables.UrgentCall)
        .where(col(tables.UrgentCall.case_id) == case_id)
        .order_by(col(tables.UrgentCall.called_at))
    ).all()
    # A call from before there was a reference cannot have read it back.
    stops = [c for c in calls if c.answered and c.read_back and sent and c.called_at >= sent.drafted_at]
    return Urgency(
        case_id=case_id,
        kind=file.kind,
        urgency=file.urgency,
        state=file.state,
        desks=desks,
        reasons=tuple(desk.pack.urgent_reasons),
        sent=sent,
        calls=calls,
        answered=stops[0] if stops else None,
        by_telephone=to is not None and not endpoints.can_receive(desk, session, to),
        locked=bool(confirm.overdue_approvals(desk, session, actor.id)),
    )


def send(desk: Desk, session: Session, actor: Actor, case_id: UUID, order: Order) -> str:
    """Draft and approve in one act, by one person; the signer releases it at once. Returns the reference.

    What is on its way to this desk is not sent a second time: the other draft could never be released, and
    the newest would say that nothing left. Raises what drafting raises: nothing is stored then.
    """
    actor.needs("analyst")
    session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"urgent|{case_id}", 10)))).one()
    sent = _sent(desk, session, case_id)
    if sent is not None and not sent.closed and sent.addressee == order.addressee:
        return sent.reference
    with session.begin_nested():
        made = draft.draft(
            desk,
            session,
            actor,
            Request(case_id, order.addressee, urgent_reason=order.reason, clear=order.clear),
        )
        release.approve(desk, session, actor, [release.Choice(made.release, made.digest)])
    return made.reference


def police(desk: Desk, session: Session) -> tuple[tables.Partner, ...]:
    """Who may be told before a second person confirmed: the domestic police that is active."""
    rows = session.exec(
        select(tables.Partner)
        .where(
            col(tables.Partner.recipient_class) == desk.pack.roles["domestic_police"],
            col(tables.Partner.status) == "active",
        )
        .order_by(col(tables.Partner.created_at), col(tables.Partner.id))
    )
    return tuple(rows)


def _sent(desk: Desk, session: Session, case_id: UUID) -> Sent | None:
    """The newest draft of the case that went, or is just going, the urgent way."""
    found = session.exec(
        select(tables.Draft, tables.Referral)
        .join(tables.Referral, col(tables.Referral.id) == col(tables.Draft.referral_id))
        .where(col(tables.Referral.case_id) == case_id, col(tables.Draft.urgent))
        .order_by(col(tables.Draft.drafted_at).desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    row, referral = found
    released = session.get(tables.Release, row.id)
    closed = session.get(tables.DraftRefusal, row.id)
    looked: tables.Approval | tables.Withdrawal | None = session.get(
        tables.Approval, (row.id, "retrospective")
    )
    taken_back = session.get(tables.Withdrawal, row.id)
    if looked is None and taken_back is not None and taken_back.by != row.drafted_by:
        looked = taken_back
    start = row.drafted_at if released is None else released.released_at
    return Sent(
        release=row.id,
        referral=referral.id,
        reference=referral.reference,
        addressee=referral.addressee,
        by=row.drafted_by,
        drafted_at=row.drafted_at,
        released_at=None if released is None else released.released_at,
        closed="" if closed is None else closed.code,
        answer_by=desk.pack.due("U1", start),
        look_by=desk.pack.due("retrospective_approval", start),
        looked_at=None if looked is None else looked.at,
    )
