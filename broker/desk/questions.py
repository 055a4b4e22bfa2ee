"""Questions to the register: who got what by which rule, what was withheld and why, who read, what is open.

Answers come from what was stored (fields with their action, digests, versions) and from the rules those
name; never from a value of a case. Where the matrix has changed since, the rule is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.core import agreement as core_agreement
from broker.core.fields import FIELD_IDS
from broker.core.manifest import Decision, Scope, View, compile_view
from broker.desk import paging, register
from broker.desk.context import Desk
from broker.desk.paging import Page
from broker.desk.register import RegisterFilter, RegisterRow
from broker.errors import NotFound, Refused
from broker.store import tables

QUARTER = timedelta(days=92)
_QUARTER = re.compile(r"(\d{4})-Q([1-4])")


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Why one field went to one recipient, or did not.

    `action` is what was stored (empty: nothing went), `column` the matrix cell of the class, `purposes`
    those of the release that need the field (`core` where it always travels), `clause` why it was
    withheld. `ground`: it is of action C and went by a recorded ground of `group`. `column` and `clause`
    are None where `known` is false: the matrix has changed since.
    """

    release: str
    field: str
    action: str
    column: str | None
    clause: str | None
    purposes: tuple[str, ...]
    group: str | None
    ground: bool
    can_be_asked_for: bool
    recipient_class: str
    agreement_version: int | None
    agreement_digest: str | None
    matrix_digest: str
    known: bool


@dataclass(frozen=True, slots=True)
class Read:
    """A person at a partner read a release, on a coded ground. References are the partner's own words
    and stay out of this list."""

    id: UUID
    at: datetime
    release: str
    reference: str
    case_id: UUID
    partner: str
    ground: str


@dataclass(frozen=True, slots=True)
class OpenEnd:
    """A disclosure whose path has a gap: what should have followed and did not."""

    release: str
    reference: str
    case_id: UUID
    partner: str
    urgency: str
    released_at: datetime
    gap: str


GAPS: Mapping[str, str] = {
    "not-collected": "exists (select 1 from open_release o where o.release_id = r.release_id)",
    "no-receipt": "exists (select 1 from collection c where c.release_id = r.release_id)"
    " and not exists (select 1 from receipt x where x.release_id = r.release_id)",
    "not-read": "exists (select 1 from receipt x where x.release_id = r.release_id)"
    " and not exists (select 1 from read_act x where x.release_id = r.release_id)",
    "not-answered": "exists (select 1 from read_act x where x.release_id = r.release_id)"
    " and not exists (select 1 from answer x where x.release_id = r.release_id)",
    "no-second-approval": "r.urgent and not exists (select 1 from approval a"
    " where a.release_id = r.release_id and a.kind = 'retrospective')",
}
"""Gap → its condition on a release that was not withdrawn or cancelled."""


def received(session: Session, actor: Actor, case_id: UUID, **page: Any) -> Page[RegisterRow]:
    """Who received what about a case: one row for each release."""
    return register.page(session, actor, RegisterFilter(case_id=case_id), **page)


def of_quarter(session: Session, actor: Actor, partner: str, quarter: str, **page: Any) -> Page[RegisterRow]:
    """Everything a partner got in a quarter such as `2026-Q3` (UTC)."""
    since, until = quarter_of(quarter)
    return register.page(session, actor, RegisterFilter(partner=partner, since=since, until=until), **page)


def quarter_of(quarter: str) -> tuple[datetime, datetime]:
    """First instant of a quarter and of the next. Raises `Refused`."""
    match = _QUARTER.fullmatch(quarter)
    if match is None or not 2000 <= int(match[1]) <= 9998:
        raise Refused("quarter", "a quarter is written as 2026-Q3")
    year, month = int(match[1]), 3 * int(match[2]) - 2
    start = datetime(year, month, 1, tzinfo=UTC)
    return start, datetime(year + (month == 10), 1 if month == 10 else month + 3, 1, tzinfo=UTC)


def rule_of(desk: Desk, session: Session, actor: Actor, release: str, field: str) -> FieldRule:
    """Which rule released a field, or withheld it."""
    if field not in FIELD_IDS:
        raise NotFound("field")
    return next(rule for rule in rules(desk, session, actor, release) if rule.field == field)


def withheld(desk: Desk, session: Session, actor: Actor, release: str) -> tuple[FieldRule, ...]:
    """What did not go to this recipient, field by field with its clause; the same whether held or not."""
    return tuple(rule for rule in rules(desk, session, actor, release) if not rule.action)


def rules(desk: Desk, session: Session, actor: Actor, release: str) -> tuple[FieldRule, ...]:
    """All 84 fields of one release. Two or three statements."""
    actor.needs("dpo", "releaser", "analyst")
    row = session.get(tables.Release, release)
    if row is None:
        raise NotFound("release")
    agreement = None
    if row.agreement_version is not None:
        agreement = session.get_one(tables.Agreement, (row.addressee, row.agreement_version))
    partner = session.get_one(tables.Partner, row.addressee)
    view = _view(desk, row, partner, agreement)
    return tuple(_rule(desk, row, agreement, view, field) for field in FIELD_IDS)


def _view(
    desk: Desk, row: tables.Release, partner: tables.Partner, agreement: tables.Agreement | None
) -> View | None:
    """The view of that release without its grounds, or None where the matrix is not the same any more."""
    if row.matrix_digest != desk.pack.matrix_digest:
        return None
    scope = Scope.of(
        desk.pack, row.addressee_class, partner.country,
        purposes=tuple(row.purposes),
        terms=None if agreement is None else core_agreement.compile(agreement.body),
        grounds={},
        statutory=agreement is None,
        urgent=row.urgent,
        urgency=row.urgency,
    )  # fmt: skip
    try:
        return compile_view(scope)
    except Refused:
        return None


def _rule(
    desk: Desk, row: tables.Release, agreement: tables.Agreement | None, view: View | None, field: str
) -> FieldRule:
    decision: Decision | None = None if view is None else view.decisions[field]
    action = str(row.fields.get(field, ""))
    needing = tuple(p for p in row.purposes if p in desk.pack.purposes and _needs(desk, p, field))
    c = decision is not None and decision.column == "C"
    return FieldRule(
        release=row.release_id,
        field=field,
        action=action,
        column=None if decision is None else decision.column,
        clause=None if decision is None else ("" if action else decision.clause or "legal_basis"),
        purposes=("core", *needing) if field in desk.pack.core else needing,
        group=desk.pack.c_groups.get(field) if c else None,
        ground=c and action in ("F", "apart"),
        can_be_asked_for=decision is not None and decision.asks and not action,
        recipient_class=row.addressee_class,
        agreement_version=row.agreement_version,
        agreement_digest=None if agreement is None else agreement.digest,
        matrix_digest=row.matrix_digest,
        known=decision is not None,
    )


def _needs(desk: Desk, purpose: str, field: str) -> bool:
    return field in desk.pack.purpose_fields((purpose,)) - desk.pack.core


_READS = """
select x.id, x.at, x.release_id, f.reference, r.case_id, x.partner_id, x.ground
from read_act x join release r on r.release_id = x.release_id join referral f on f.id = r.referral_id
where {where} order by x.at desc, x.id desc limit :limit
"""


def reads(
    session: Session,
    actor: Actor,
    *,
    partner: str | None = None,
    release: str | None = None,
    ground: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[Read]:
    """Who read, on which ground, newest first."""
    actor.needs("dpo", "releaser")
    size = paging.bounded(limit)
    asked = {"partner": partner, "release": release, "ground": ground, "since": since, "until": until}
    conditions = {
        "partner": "x.partner_id = :partner", "release": "x.release_id = :release",
        "ground": "x.ground = :ground", "since": "x.at >= :since", "until": "x.at < :until",
    }  # fmt: skip
    values: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    where = [conditions[name] for name in values]
    place = paging.read(after, 2)
    if place is not None:
        where.append("(x.at, x.id) < (:after_at, cast(:after_id as uuid))")
        values |= {"after_at": paging.moment(place[0]), "after_id": paging.identity(place[1])}
    query = text(_READS.format(where=" and ".join(where) or "true"))
    rows = session.connection().execute(query, {**values, "limit": size + 1})
    return paging.page_of([Read(*row) for row in rows], size, lambda row: (row.at.isoformat(), str(row.id)))


_OPEN_ENDS = """
select r.release_id, f.reference, r.case_id, r.addressee, r.urgency, r.released_at
from release r join referral f on f.id = r.referral_id
where {gap}
  and not exists (select 1 from withdrawal w where w.release_id = r.release_id)
  and not exists (select 1 from cancellation x where x.release_id = r.release_id)
  and (r.released_at, r.release_id) > (:after_at, :after_id)
  and r.released_at >= :since and r.released_at < :until
order by r.released_at, r.release_id limit :limit
"""


def open_ends(
    desk: Desk,
    session: Session,
    actor: Actor,
    gap: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[OpenEnd]:
    """Releases whose path has this gap, the oldest first; `until` leaves out what is too young to ask.

    Without `since`, what nobody collected or approved is listed from the beginning (few rows are open);
    for the other gaps every release of the period is looked at, so it is the quarter before `until`.
    """
    actor.needs("dpo", "releaser")
    if gap not in GAPS:
        raise NotFound("gap")
    size, place = paging.bounded(limit), paging.read(after, 2)
    end = until or desk.now()
    start = datetime(1, 1, 1, tzinfo=UTC) if gap in ("not-collected", "no-second-approval") else end - QUARTER
    values: dict[str, Any] = {
        "since": since or start,
        "after_at": datetime(1, 1, 1, tzinfo=UTC) if place is None else paging.moment(place[0]),
        "after_id": "" if place is None else place[1],
        "until": end,
        "limit": size + 1,
    }
    rows = session.connection().execute(text(_OPEN_ENDS.format(gap=GAPS[gap])), values)
    found = [OpenEnd(row[0], row[1], row[2], row[3], row[4], row[5], gap) for row in rows]
    return paging.page_of(found, size, lambda row: (row.released_at.isoformat(), row.release))
