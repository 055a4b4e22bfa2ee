"""What closing a case would remove, and what was closed: the two dates of an erasure (ruling 27)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.core import canonical
from broker.desk import paging
from broker.desk.paging import Page
from broker.errors import NotFound


@dataclass(frozen=True, slots=True)
class Closing:
    """One case with what is still there of it. `closed` and `unrecoverable` are the two dates.

    `uncollected` releases are those that nobody fetched yet: closing takes their content away too.
    """

    case_id: UUID
    kind: str
    urgency: str
    state: str
    created_at: datetime
    references: tuple[str, ...]
    releases: int
    uncollected: int
    open_drafts: int
    keys: int
    sealed: int
    epochs: tuple[str, ...]
    closed: datetime | None
    unrecoverable: datetime | None


_GOES = """
select array(select k.id::text from wrapped_key k where k.case_id = :case_id order by 1) as keys,
  array(select r.release_id from release r where r.case_id = :case_id order by 1) as releases,
  array(select d.id from referral f join draft d on d.referral_id = f.id
    join draft_blob b on b.release_id = d.id where f.case_id = :case_id order by 1) as drafts,
  array(select s.release_id || '/' || s.part || '/' || s.generation from release r
    join sealed_object s on s.release_id = r.release_id where r.case_id = :case_id order by 1) as sealed
"""


def goes(session: Session, case_id: UUID) -> bytes:
    """The canonical list of what closing a case takes away: ids only. Its SHA-256 is what is signed."""
    row = session.connection().execute(text(_GOES), {"case_id": case_id}).mappings().one()
    return canonical.encode({"act": "erase", "case": str(case_id)} | {name: list(row[name]) for name in row})


# The first rotation in a later month than the erasure ends it, as in the register.
_CASES = """
select c.id as case_id, c.kind, c.urgency, c.state, c.created_at,
  array(select f.reference from referral f where f.case_id = c.id order by f.created_at) as refs,
  (select count(*) from release r where r.case_id = c.id) as releases,
  (select count(*) from release r join open_release o on o.release_id = r.release_id
    where r.case_id = c.id) as uncollected,
  (select count(*) from referral f join draft d on d.referral_id = f.id
    join draft_blob b on b.release_id = d.id where f.case_id = c.id) as open_drafts,
  (select count(*) from wrapped_key k where k.case_id = c.id) as keys,
  (select count(*) from release r join sealed_object s on s.release_id = r.release_id
    where r.case_id = c.id) as sealed,
  array(select distinct k.epoch from wrapped_key k where k.case_id = c.id order by 1) as epochs,
  er.at as closed, ro.at as unrecoverable
from ({cases}) c
left join lateral (select min(at) as at from event e where e.case_id = c.id and e.action = 'case:erased')
  er on true
left join lateral (select min(at) as at from event e where e.action = 'keys:epoch-rotated' and e.at >=
  (date_trunc('month', er.at at time zone 'UTC') + interval '1 month') at time zone 'UTC') ro on true
order by c.created_at desc, c.id desc
"""
_ONE = "select * from case_file where id = :case_id"
_CLOSED = """
select * from case_file where state = 'closed' and (created_at, id) < (:at, :last)
order by created_at desc, id desc limit :limit
"""


def look(session: Session, actor: Actor, case_id: UUID) -> Closing:
    """What is still there of a case. Raises `NotFound`."""
    actor.needs("dpo")
    query = text(_CASES.format(cases=_ONE))
    row = session.connection().execute(query, {"case_id": case_id}).mappings().first()
    if row is None:
        raise NotFound("case")
    return _closing(row)


def closed(session: Session, actor: Actor, *, after: str | None = None, limit: int = 50) -> Page[Closing]:
    """Closed cases with both dates, the newest case first."""
    actor.needs("dpo")
    size, place = paging.bounded(limit), paging.read(after, 2)
    at, last = datetime.fromisoformat("9999-01-01T00:00:00+00:00"), UUID(int=2**128 - 1)
    if place is not None:
        at, last = paging.moment(place[0]), paging.identity(place[1])
    values = {"at": at, "last": last, "limit": size + 1}
    query = text(_CASES.format(cases=_CLOSED))
    found = [_closing(row) for row in session.connection().execute(query, values).mappings()]
    return paging.page_of(found, size, lambda c: (c.created_at.isoformat(), str(c.case_id)))


def _closing(row: Any) -> Closing:
    return Closing(
        case_id=row["case_id"], kind=row["kind"], urgency=row["urgency"], state=row["state"],
        created_at=row["created_at"], references=tuple(row["refs"]), releases=row["releases"],
        uncollected=row["uncollected"], open_drafts=row["open_drafts"], keys=row["keys"],
        sealed=row["sealed"], epochs=tuple(row["epochs"]), closed=row["closed"],
        unrecoverable=row["unrecoverable"],
    )  # fmt: skip
