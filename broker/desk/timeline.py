"""What happened to a case or to one referral, from intake to answer, each with its ledger position.

Four statements, whatever there is to tell. Actors are opaque ids; `Moment.who` adds the login for pages
of the house. No value of a case: codes, ids, digests and times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.errors import NotFound

MAX_MOMENTS = 2000
"""A timeline is read by a person; a case with more than this says that it is cut."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `code` says more (a ground, an outcome, a state, a reason) where there is
    more; `position` is the leaf's place in the ledger, `waiting` that it has none yet."""

    at: datetime
    action: str
    actor: str
    who: str
    release: str | None
    partner: str | None
    code: str
    leaf: str | None
    position: int | None
    waiting: bool


@dataclass(frozen=True, slots=True)
class ReferralLine:
    """One referral of the case with its drafts and releases, newest version first."""

    referral_id: UUID
    reference: str
    addressee: str
    carrier: str
    releases: tuple[str, ...]
    drafts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A case from intake to answer, oldest first."""

    case_id: UUID
    kind: str
    urgency: str
    state: str
    version: int
    referrals: tuple[ReferralLine, ...]
    moments: tuple[Moment, ...]
    cut: bool


_CASE = "select id, kind, urgency, state, current_version from case_file where id = :case_id"
_REFERRALS = """
select f.id, f.reference, f.addressee, f.carrier,
  array(select r.release_id from release r where r.referral_id = f.id order by r.version desc) as releases,
  array(select d.id from draft d where d.referral_id = f.id order by d.drafted_at desc, d.id) as drafts
from referral f where f.case_id = :case_id order by f.created_at, f.id
"""
# Events of the case itself and of its drafts and releases. Deliveries are told from their own table,
# which says which state and why. One person alone (the urgent path) is never told as a second one.
_EVENTS = """
select e.id, e.at, e.actor, e.release_id, e.partner_id, e.leaf_type, l.position, p.id as pending,
  case when e.action = 'referral:approved' and exists (select 1 from approval a
      where a.release_id = e.release_id and a.kind = 'release' and a.approved_by = a.drafted_by)
    then 'referral:approved-alone' else e.action end as action,
  coalesce(s.login, '') as login,
  coalesce(
    (select x.reason_code from withdrawal x where x.release_id = e.release_id
      and e.action = 'referral:withdrawn'),
    (select string_agg(x.ground, ' ') from read_act x where x.release_id = e.release_id
      and x.partner_id = e.partner_id and x.at = e.at and e.leaf_type = 'read'),
    (select string_agg(x.outcome, ' ') from answer x where x.release_id = e.release_id
      and x.partner_id = e.partner_id and x.at = e.at and e.leaf_type = 'outcome'),
    (select string_agg(x.part, ' ') from collection x where x.release_id = e.release_id
      and x.partner_id = e.partner_id and x.at = e.at and e.leaf_type = 'collected'),
    (select max(case when x.verified then 'verified' else 'not-verified' end) from receipt x
      where x.release_id = e.release_id and x.partner_id = e.partner_id and x.at = e.at
      and e.leaf_type = 'receipt'), '') as code
from (
  select * from event where case_id = :case_id and (cast(:only as text) is null or release_id = :only)
  union
  select * from event where release_id = any(:releases)
) e
left join ledger_leaf l on l.event_id = e.id
left join pending p on p.event_id = e.id
left join staff s on s.id = e.actor
where e.action not like 'delivery:%'
order by e.at, coalesce(l.position, 9223372036854775807), e.id limit :limit
"""
_DELIVERIES = """
select e.at, 'delivery:' || e.state as action, e.by as actor, d.release_id, d.partner_id,
  e.code, coalesce(s.login, '') as login
from delivery d join delivery_event e on e.delivery_id = d.id left join staff s on s.id = e.by
where d.release_id = any(:releases) order by e.id limit :limit
"""


def of_case(session: Session, actor: Actor, case_id: UUID) -> Timeline:
    """Everything about a case. Raises `NotFound`."""
    return _timeline(session, actor, case_id, None)


def of_release(session: Session, actor: Actor, release: str) -> Timeline:
    """The same for one draft or release alone. Raises `NotFound`."""
    query = "select f.case_id from draft d join referral f on f.id = d.referral_id where d.id = :release"
    case_id = session.connection().execute(text(query), {"release": release}).scalar()
    if case_id is None:
        raise NotFound("referral")
    return _timeline(session, actor, case_id, release)


def _timeline(session: Session, actor: Actor, case_id: UUID, only: str | None) -> Timeline:
    actor.needs("analyst", "releaser", "dpo")
    conn = session.connection()
    case = conn.execute(text(_CASE), {"case_id": case_id}).mappings().first()
    if case is None:
        raise NotFound("case")
    lines = tuple(
        ReferralLine(
            row["id"], row["reference"], row["addressee"], row["carrier"], tuple(row["releases"]),
            tuple(row["drafts"]),
        )
        for row in conn.execute(text(_REFERRALS), {"case_id": case_id}).mappings()
        if only is None or only in row["drafts"]
    )  # fmt: skip
    releases = [only] if only is not None else [release for line in lines for release in line.drafts]
    values = {"case_id": case_id, "releases": releases, "only": only, "limit": MAX_MOMENTS + 1}
    events = list(conn.execute(text(_EVENTS), values).mappings())
    sent = list(conn.execute(text(_DELIVERIES), values).mappings())
    moments = sorted([*_events(events), *(_delivery(row) for row in sent)], key=_order)
    return Timeline(
        case_id=case_id,
        kind=case["kind"],
        urgency=case["urgency"],
        state=case["state"],
        version=case["current_version"],
        referrals=lines,
        moments=tuple(moments[:MAX_MOMENTS]),
        cut=len(moments) > MAX_MOMENTS or len(events) > MAX_MOMENTS,
    )


_STEPS = (
    "case:taken-in", "case:amended", "case:verdict-given", "case:confirmed", "case:urgent",
    "referral:drafted", "referral:approved", "referral:approved-alone", "referral:released",
    "referral:published", "delivery:queued", "delivery:sending", "delivery:awaiting",
    "delivery:delivered", "referral:collected",
    "referral:receipt", "referral:read", "referral:answered", "referral:withdrawn",
)  # fmt: skip
_STEP = {action: n for n, action in enumerate(_STEPS)}


def _order(moment: Moment) -> tuple[datetime, int, int]:
    """Times are whole seconds: within one, the order of the path, then that of the ledger."""
    last = len(_STEPS)
    return (moment.at, _STEP.get(moment.action, last), -1 if moment.position is None else moment.position)


def _events(rows: list[Any]) -> Iterator[Moment]:
    for row in rows:
        yield Moment(
            at=row["at"], action=row["action"], actor=row["actor"], who=row["login"],
            release=row["release_id"], partner=row["partner_id"], code=row["code"], leaf=row["leaf_type"],
            position=row["position"], waiting=row["pending"] is not None,
        )  # fmt: skip


def _delivery(row: Any) -> Moment:
    return Moment(
        at=row["at"], action=row["action"], actor=row["actor"], who=row["login"], release=row["release_id"],
        partner=row["partner_id"], code=row["code"], leaf=None, position=None, waiting=False,
    )  # fmt: skip
