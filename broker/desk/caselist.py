"""The list of cases: by kind, urgency, state, day and whose it is; never by a value of a case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.core.schema import Kind, Urgency
from broker.desk import paging
from broker.desk.context import Desk
from broker.desk.paging import Page
from broker.errors import Issue, Refused
from broker.store.tables_cases import CASE_STATES

CODES = {"kind": get_args(Kind), "urgency": (*get_args(Urgency), "none"), "state": CASE_STATES}


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What to list. `since` is inclusive, `until` exclusive; `mine` is what this person took in.

    `urgency="none"` is the cases nobody gave one. Raises `Refused` for another code.
    """

    kind: str | None = None
    urgency: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    mine: bool = False

    def __post_init__(self) -> None:
        wrong = [
            Issue(name, "code", "is not one of the codes")
            for name, codes in CODES.items()
            if getattr(self, name) is not None and getattr(self, name) not in codes
        ]
        if wrong:
            raise Refused("filter", "there is no such filter", tuple(wrong))


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case without its content."""

    case_id: UUID
    references: tuple[str, ...]
    kind: str
    urgency: str
    state: str
    version: int
    created_by: str
    created_at: datetime
    age: timedelta
    synthetic: bool


_LIST = """
select c.id, c.kind, c.urgency, c.state, c.current_version, c.created_by, c.created_at, c.synthetic,
  array(select f.reference from referral f where f.case_id = c.id order by f.created_at, f.reference) as refs
from case_file c
where {where}
order by c.created_at desc, c.id desc limit :limit
"""
_WHERE = {
    "kind": "c.kind = :kind",
    "urgency": "c.urgency = :urgency",
    "state": "c.state = :state",
    "since": "c.created_at >= :since",
    "until": "c.created_at < :until",
}


def cases(
    desk: Desk,
    session: Session,
    actor: Actor,
    chosen: CaseFilter | None = None,
    *,
    after: str | None = None,
    limit: int = 50,
) -> Page[CaseRow]:
    """Cases, the newest first."""
    actor.needs("analyst", "releaser", "dpo")
    chosen, size, now = chosen or CaseFilter(), paging.bounded(limit), desk.now()
    where, values = _conditions(actor, chosen)
    place = paging.read(after, 2)
    if place is not None:
        where.append("(c.created_at, c.id) < (:after_at, cast(:after_id as uuid))")
        values |= {"after_at": paging.moment(place[0]), "after_id": paging.identity(place[1])}
    query = text(_LIST.format(where=" and ".join(where) or "true"))
    rows = [
        CaseRow(
            case_id=row["id"],
            references=tuple(row["refs"]),
            kind=row["kind"],
            urgency=row["urgency"],
            state=row["state"],
            version=row["current_version"],
            created_by=row["created_by"],
            created_at=row["created_at"],
            age=now - row["created_at"],
            synthetic=row["synthetic"],
        )
        for row in session.connection().execute(query, {**values, "limit": size + 1}).mappings()
    ]
    return paging.page_of(rows, size, lambda row: (row.created_at.isoformat(), str(row.case_id)))


def _conditions(actor: Actor, chosen: CaseFilter) -> tuple[list[str], dict[str, Any]]:
    """Only what is asked for stands in the statement, so that its plan is the one for that."""
    values = {name: getattr(chosen, name) for name in _WHERE if getattr(chosen, name) is not None}
    where = [_WHERE[name] for name in values]
    if values.get("urgency") == "none":
        values["urgency"] = ""
    if chosen.mine:
        where.append("c.created_by = :actor")
        values["actor"] = actor.id
    return where, values
