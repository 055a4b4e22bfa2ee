"""What became of one referral: its versions, how they travelled with what proves it, what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core.outcomes import NEEDS_GAPS
from broker.desk import endpoints
from broker.desk.context import Desk
from broker.errors import NotFound
from broker.store import tables


@dataclass(frozen=True, slots=True)
class Version:
    """One version for this partner. `state`: waiting, approved, closed, due, published, collected, read,
    cancelled, withdrawn."""

    release: str
    version: int
    kind: str
    state: str
    drafted_at: datetime
    released_at: datetime | None
    due_at: datetime | None
    deadline: datetime | None
    urgent: bool
    position: int | None
    collected_at: datetime | None
    verified: bool | None
    """Whether the partner's receipt says that it verified; None without a receipt."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Evidence of a delivery: what it proves, and the digest under which it is kept."""

    proves: str
    sha256: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Way:
    """A delivery by another channel than pull, in its present state."""

    delivery: UUID
    release: str
    adapter: str
    state: str
    code: str
    at: datetime
    attempt: int
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its code, and what it asks for (checks by id, where the code says that more is needed)."""

    release: str
    outcome: str
    at: datetime
    asks: tuple[str, ...]
    suggests: str
    """Whose it is, where the partner says that it is not theirs."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """One referral. `other_channel` says that the carrier has one that this was not sent by."""

    referral: UUID
    reference: str
    case_id: UUID
    case_state: str
    urgency: str
    addressee: tables.Partner
    carrier: tables.Partner
    versions: tuple[Version, ...]
    ways: tuple[Way, ...]
    replies: tuple[Reply, ...]
    reads: tuple[tuple[str, datetime], ...]
    calls: Sequence[tables.UrgentCall]
    other_channel: str


_VERSIONS = text("""
select d.id as release, d.version, d.kind, d.drafted_at, d.urgent, d.expires_at,
  r.released_at, r.due_at, r.deadline, x.code as closed, a.at as approved,
  w.at as withdrawn, c.at as cancelled,
  (select min(f.position) from feed f where f.release_id = d.id and f.event = 'published') as position,
  (select min(k.at) from collection k where k.release_id = d.id and k.part = 'referral') as collected_at,
  (select min(k.at) from read_act k where k.release_id = d.id) as read_at,
  (select bool_or(k.verified) from receipt k where k.release_id = d.id) as verified
from draft d left join release r on r.release_id = d.id
left join draft_refusal x on x.release_id = d.id
left join approval a on a.release_id = d.id and a.kind = 'release'
left join withdrawal w on w.release_id = d.id left join cancellation c on c.release_id = d.id
where d.referral_id = :referral order by d.drafted_at desc, d.id
""")
_WAYS = text("""
select distinct on (d.id) d.id as delivery, d.release_id as release, d.adapter,
  e.state, e.code, e.at, e.attempt
from delivery d join release r on r.release_id = d.release_id join delivery_event e on e.delivery_id = d.id
where r.referral_id = :referral order by d.id, e.id desc
""")


def follow_up(desk: Desk, session: Session, actor: Actor, referral_id: UUID) -> FollowUp:
    """Everything about one referral but its content. Raises `NotFound`."""
    actor.needs("analyst", "releaser", "dpo")
    row = session.get(tables.Referral, referral_id)
    if row is None:
        raise NotFound("referral")
    file = session.get_one(tables.CaseFile, row.case_id)
    found = session.connection().execute(_VERSIONS, {"referral": referral_id}).mappings().all()
    versions = tuple(_version(desk, dict(each)) for each in found)
    ids = [v.release for v in versions]
    ways = _ways(session, referral_id)
    calls = session.exec(
        select(tables.UrgentCall)
        .where(col(tables.UrgentCall.case_id) == row.case_id)
        .order_by(col(tables.UrgentCall.called_at))
    ).all()
    return FollowUp(
        referral=row.id,
        reference=row.reference,
        case_id=row.case_id,
        case_state=file.state,
        urgency=file.urgency,
        addressee=session.get_one(tables.Partner, row.addressee),
        carrier=session.get_one(tables.Partner, row.carrier),
        versions=versions,
        ways=ways,
        replies=_replies(session, ids),
        reads=_reads(session, ids),
        calls=calls,
        other_channel=_other_channel(session, row.carrier, ways),
    )


def _version(desk: Desk, row: Mapping[str, Any]) -> Version:
    return Version(
        release=row["release"],
        version=row["version"],
        kind=row["kind"],
        state=_state(desk, row),
        drafted_at=row["drafted_at"],
        released_at=row["released_at"],
        due_at=row["due_at"],
        deadline=row["deadline"],
        urgent=row["urgent"],
        position=row["position"],
        collected_at=row["collected_at"],
        verified=row["verified"],
    )


def _state(desk: Desk, row: Mapping[str, Any]) -> str:
    now = desk.now()
    if row["withdrawn"] is not None:
        return "withdrawn"
    if row["cancelled"] is not None:
        return "cancelled"
    if row["released_at"] is None:
        if row["closed"] is not None or (row["approved"] is None and row["expires_at"] <= now):
            return "closed"
        return "waiting" if row["approved"] is None else "approved"
    if row["read_at"] is not None:
        return "read"
    if row["collected_at"] is not None:
        return "collected"
    return "due" if row["due_at"] > now else "published"


def _ways(session: Session, referral_id: UUID) -> tuple[Way, ...]:
    rows = session.connection().execute(_WAYS, {"referral": referral_id}).mappings().all()
    proofs: dict[UUID, list[Proof]] = {row["delivery"]: [] for row in rows}
    kept = session.exec(
        select(
            tables.DeliveryEvidence.delivery_id,
            tables.DeliveryEvidence.proves,
            tables.DeliveryEvidence.sha256,
            tables.DeliveryEvidence.at,
        )
        .where(col(tables.DeliveryEvidence.delivery_id).in_(list(proofs)))
        .order_by(col(tables.DeliveryEvidence.at))
    )
    for delivery, proves, sha256, at in kept:
        proofs[delivery].append(Proof(proves, sha256, at))
    return tuple(Way(**row, proofs=tuple(proofs[row["delivery"]])) for row in rows)


def _replies(session: Session, releases: Sequence[str]) -> tuple[Reply, ...]:
    rows = session.exec(
        select(tables.Answer)
        .where(col(tables.Answer.release_id).in_(releases))
        .order_by(col(tables.Answer.at).desc(), col(tables.Answer.id))
    )
    return tuple(
        Reply(
            release=row.release_id,
            outcome=row.outcome,
            at=row.at,
            asks=tuple(row.body.get("gaps", ())) if row.outcome in NEEDS_GAPS else (),
            suggests=str(row.body.get("suggest") or ""),
        )
        for row in rows
    )


def _reads(session: Session, releases: Sequence[str]) -> tuple[tuple[str, datetime], ...]:
    rows = session.exec(
        select(tables.ReadAct.ground, tables.ReadAct.at)
        .where(col(tables.ReadAct.release_id).in_(releases))
        .order_by(col(tables.ReadAct.at))
    )
    return tuple((ground, at) for ground, at in rows)


def _other_channel(session: Session, carrier: str, ways: Sequence[Way]) -> str:
    endpoint = endpoints.endpoint_of(session, carrier, "referral")
    if endpoint is None or any(way.adapter == endpoint.adapter for way in ways):
        return ""
    return endpoint.adapter
