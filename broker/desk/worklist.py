"""My work: what waits for this person, by what has to be done with it, U1 on top; and the list of cases.

Every section is one statement that reads its open rows by an index and stops at a hundred: a count is
"100+", never a count over everything. Nothing shows another person's verdict, and nothing here can be
filtered by a value that identifies somebody (ruling 17).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.desk import overdue as late_list
from broker.desk import paging
from broker.desk.context import Desk
from broker.desk.paging import Page
from broker.errors import NotFound

CAP = 100
"""A section counts to here."""
SECTIONS: Mapping[str, frozenset[str]] = {
    "to-confirm": frozenset({"analyst"}),
    "to-draft": frozenset({"analyst"}),
    "to-agree": frozenset({"analyst"}),
    "to-release": frozenset({"releaser", "analyst"}),
    "waiting": frozenset({"analyst", "releaser"}),
    "late": frozenset({"analyst", "releaser", "dpo"}),
}
"""Section → roles that have it. An analyst releases on the urgent path only."""


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to do. `since` is when it began to wait, `due` when it will be late, `release` the draft
    or release it is about. `urgency` is empty while nobody set one."""

    section: str
    state: str
    case_id: UUID
    kind: str
    urgency: str
    since: datetime
    age: timedelta
    due: datetime | None
    late: bool
    references: tuple[str, ...]
    release: str | None = None
    partner: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The first rows of a section. `count` stops at `CAP`; `more` says that there are more than that."""

    name: str
    rows: tuple[Work, ...]
    count: int
    more: bool

    @property
    def shown(self) -> str:
        """The count in words: `7`, `100+`."""
        return f"{self.count}+" if self.more else str(self.count)


# Rows of one urgency after the other: each branch is an index scan that stops by itself. `after_rank`
# with its moment and id is where the page before ended.
_BY_URGENCY = """
from unnest(array['U1', 'U2', 'U3', 'U4', '']) with ordinality u (code, rank)
cross join lateral (
  select * from ({inner}) c
  where {scope} and c.urgency = u.code
    and (c.{at}, c.{id}) > (case when u.rank = :after_rank then cast(:after_at as timestamptz)
      else '-infinity' end, case when u.rank = :after_rank then cast(:after_id as {type}) else {least} end)
  order by c.{at}, c.{id} limit :limit
) c
"""
_CASE = {"inner": "select * from case_file", "at": "created_at", "id": "id", "type": "uuid",
         "least": "cast('00000000-0000-0000-0000-000000000000' as uuid)"}  # fmt: skip
_REFERENCES = """
array(select f.reference from referral f where f.case_id = c.id order by f.created_at, f.reference)
"""
# A case waits for this person's verdict while nobody said anything of its present version, or while a
# claim on it has no verdict of this person. On the urgent path two voices are enough to leave it.
_MAY_VOTE = """
c.state in ('draft', 'urgent') and (
  not exists (select 1 from claim k where k.case_id = c.id and k.case_version = c.current_version)
  or exists (select 1 from claim k where k.case_id = c.id and k.case_version = c.current_version
    and not exists (select 1 from verdict v where v.claim_id = k.id and v.staff_id = :actor)
    and (c.state = 'draft' or (select count(*) from verdict v where v.claim_id = k.id) < 2)))
"""
_UNDRAFTED = "c.state = 'confirmed' and c.drafted_version is distinct from c.current_version"
_CASES = """
select c.id as case_id, c.kind, c.urgency, c.state, c.created_at as since, {references} as refs,
  u.rank, cast(null as text) as release_id, cast(null as text) as partner
{by_urgency} where u.rank >= :after_rank order by u.rank, c.created_at, c.id limit :limit
"""
TO_CONFIRM = _CASES.format(
    references=_REFERENCES, by_urgency=_BY_URGENCY.format(scope=_MAY_VOTE.strip(), **_CASE)
)
# Set aside by another person, as having no addressee.
_TO_AGREE = """
c.state = 'set_aside' and (select s.set_by from set_aside s where s.case_id = c.id
  order by s.id desc limit 1) <> :actor
"""
TO_AGREE = _CASES.format(
    references=_REFERENCES, by_urgency=_BY_URGENCY.format(scope=_TO_AGREE.strip(), **_CASE)
)
TO_DRAFT = _CASES.format(references=_REFERENCES, by_urgency=_BY_URGENCY.format(scope=_UNDRAFTED, **_CASE))
# The content of a draft goes away when the draft is released or closed: what is in draft_blob is open.
TO_RELEASE = """
select * from (
  select f.case_id, c.kind, c.urgency, 'draft' as state, d.drafted_at as since, d.expires_at as due,
    array[f.reference] as refs, d.id as release_id, f.addressee as partner
  from draft_blob b join draft d on d.id = b.release_id
  join referral f on f.id = d.referral_id join case_file c on c.id = f.case_id
  where d.expires_at > :now and (d.urgent or (:releaser and d.drafted_by <> :actor))
    and not exists (select 1 from approval a where a.release_id = d.id and a.kind = 'release')
    and not exists (select 1 from draft_refusal x where x.release_id = d.id)
  union all
  select r.case_id, r.case_kind, r.urgency, 'retrospective', r.released_at,
    r.released_at + cast(:retrospective as interval), array[f.reference], r.release_id, r.addressee
  from release r join referral f on f.id = r.referral_id
  where r.urgent and :releaser and r.drafted_by <> :actor
    and not exists (select 1 from approval a where a.release_id = r.release_id and a.kind = 'retrospective')
    and not exists (select 1 from withdrawal w where w.release_id = r.release_id and w.by <> r.drafted_by)
) w
where (array_position(:order, w.urgency), w.since, w.release_id)
  > (:after_rank, cast(:after_at as timestamptz), :after_id)
order by array_position(:order, w.urgency), w.since, w.release_id limit :limit
"""
_OPEN = {"inner": "select * from open_release", "at": "released_at", "id": "release_id", "type": "text",
         "least": "''"}  # fmt: skip
_WAITING = """
select r.case_id, r.case_kind as kind, r.urgency, r.released_at as since, r.deadline as due,
  case when r.due_at > :now then 'due'
    when exists (select 1 from delivery d where d.release_id = r.release_id) then 'sending'
    when exists (select 1 from feed x where x.release_id = r.release_id) then 'uncollected'
    else 'publishing' end as state,
  array[f.reference] as refs, u.rank, r.release_id, r.carrier as partner
{by_urgency} join release r on r.release_id = c.release_id join referral f on f.id = r.referral_id
where u.rank >= :after_rank order by u.rank, c.released_at, c.release_id limit :limit
"""
WAITING = _WAITING.format(by_urgency=_BY_URGENCY.format(scope="true", **_OPEN))
APPROVED = """
select f.case_id, c.kind, c.urgency, 'approved' as state, a.at as since, d.expires_at as due,
  array[f.reference] as refs, d.id as release_id, f.addressee as partner
from draft_blob b join draft d on d.id = b.release_id
join approval a on a.release_id = d.id and a.kind = 'release'
join referral f on f.id = d.referral_id join case_file c on c.id = f.case_id
where not exists (select 1 from release r where r.release_id = d.id)
  and (array_position(:order, c.urgency), a.at, d.id)
    > (:after_rank, cast(:after_at as timestamptz), :after_id)
order by array_position(:order, c.urgency), a.at, d.id limit :limit
"""
ORDER = ["U1", "U2", "U3", "U4", ""]


def my_work(desk: Desk, session: Session, actor: Actor, *, show: int = 10) -> tuple[Section, ...]:
    """The sections that this person's roles have, each with its first rows."""
    actor.needs("analyst", "releaser", "dpo")
    names = [name for name, roles in SECTIONS.items() if roles & actor.roles]
    return tuple(_section(name, _rows(desk, session, actor, name, None, CAP), show) for name in names)


def section(
    desk: Desk, session: Session, actor: Actor, name: str, *, after: str | None = None, limit: int = 50
) -> Page[Work]:
    """One section from a place on. Raises `NotFound` for no section, `Forbidden` for another role's."""
    roles = SECTIONS.get(name)
    if roles is None:
        raise NotFound("list")
    actor.needs(*roles)  # type: ignore[arg-type]
    size = paging.bounded(limit)
    return paging.page_of(_rows(desk, session, actor, name, after, size), size, _place)


def _section(name: str, rows: Sequence[Work], show: int) -> Section:
    return Section(name, tuple(rows[:show]), min(len(rows), CAP), len(rows) > CAP)


def _place(work: Work) -> tuple[str, ...]:
    last = work.release or str(work.case_id)
    return (str(ORDER.index(work.urgency) + 1), work.since.isoformat(), last)


def _rows(desk: Desk, session: Session, actor: Actor, name: str, after: str | None, limit: int) -> list[Work]:
    """At most `limit + 1` rows of a section."""
    now = desk.now()
    if name == "late":
        return [_late(each, now) for each in late_list.overdue(desk, session, limit=limit + 1)][: limit + 1]
    kind = {"to-release": "text", "waiting": "release"}.get(name, "uuid")
    values: dict[str, Any] = {**_from(after, kind), "limit": limit + 1}
    if name == "to-confirm":
        return _read(desk, session, name, TO_CONFIRM, {**values, "actor": actor.id})
    if name == "to-agree":
        return _read(desk, session, name, TO_AGREE, {**values, "actor": actor.id})
    if name == "to-draft":
        return _read(desk, session, name, TO_DRAFT, values)
    if name == "to-release":
        more = {
            "now": now, "actor": actor.id, "releaser": "releaser" in actor.roles, "order": ORDER,
            "retrospective": desk.pack.clocks["retrospective_approval"].span,
        }  # fmt: skip
        return _read(desk, session, name, TO_RELEASE, {**values, **more})
    both = [
        *_read(desk, session, name, APPROVED, {**values, "order": ORDER}),
        *_read(desk, session, name, WAITING, {**values, "now": now}),
    ]
    # Two lists in one order: the first rows of both hold the first rows of the whole.
    return sorted(both, key=lambda w: (ORDER.index(w.urgency), w.since, w.release or ""))[: limit + 1]


def _from(after: str | None, kind: str) -> dict[str, Any]:
    place = paging.read(after, 3)
    least = "00000000-0000-0000-0000-000000000000" if kind == "uuid" else ""
    if place is None:
        return {"after_rank": 0, "after_at": datetime.fromisoformat("0001-01-01T00:00:00+00:00"),
                "after_id": least}  # fmt: skip
    rank, at, last = place
    if rank not in {"1", "2", "3", "4", "5"}:
        raise paging.bad_place()
    if kind == "uuid":
        paging.identity(last)
    return {"after_rank": int(rank), "after_at": paging.moment(at), "after_id": last}


def _read(desk: Desk, session: Session, name: str, query: str, values: Mapping[str, Any]) -> list[Work]:
    now = desk.now()
    found = []
    for row in session.connection().execute(text(query), values).mappings():
        clock = row["urgency"] if row["urgency"] in desk.pack.clocks else None
        due = row.get("due") or (desk.pack.due(clock, row["since"]) if clock else None)
        found.append(
            Work(
                section=name,
                state=row["state"],
                case_id=row["case_id"],
                kind=row["kind"],
                urgency=row["urgency"],
                since=row["since"],
                age=now - row["since"],
                due=due,
                late=due is not None and due < now,
                references=tuple(row["refs"]),
                release=row["release_id"],
                partner=row["partner"],
            )
        )
    return found


def _late(each: late_list.Overdue, now: datetime) -> Work:
    return Work(
        section="late", state=each.kind, case_id=each.case_id, kind=each.case_kind, urgency=each.urgency,
        since=each.since, age=now - each.since, due=each.since, late=True, references=(each.reference,),
        release=each.release, partner=each.partner,
    )  # fmt: skip
