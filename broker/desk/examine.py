"""What a releaser looks at before approving: the list that waits, one draft opened, a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.core import canonical, package
from broker.core.clearing import unit_of
from broker.core.explain import Difference, differences
from broker.core.fields import field_of
from broker.desk import escalate, gates, publish, release
from broker.desk.context import Desk
from broker.desk.record import Record
from broker.errors import Conflict, NotFound
from broker.spi import Json
from broker.store import tables


@dataclass(frozen=True, slots=True)
class Waiting:
    """A draft that waits for another person: ids, codes and times."""

    release: str
    reference: str
    version: int
    kind: str
    case_id: UUID
    case_kind: str
    urgency: str
    urgent: bool
    addressee: str
    addressee_name: str
    addressee_class: str
    carrier_name: str
    agreement_version: int | None
    digest: str
    drafted_by: str
    drafted_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Examined:
    """One draft or release opened. `state`: draft, approved, due (regret runs), published, cancelled,
    withdrawn, closed. `singly` says why it is not for a batch, `stale` why it may no longer leave."""

    waiting: Waiting
    state: str
    record: Record | None
    payload: Mapping[str, Json]
    singly: tuple[str, ...]
    stale: str | None
    own: bool
    before: tuple[Difference, ...] | None
    """Against the last version; None for a first one."""
    released: tables.Release | None
    referral: UUID
    second_look: bool
    """An urgent release that still needs the approval of another person."""
    code: str = ""
    """Why it was closed or withdrawn."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What may be approved together, its digest, and what has to be opened by itself, with codes."""

    together: tuple[Waiting, ...]
    digest: str
    apart: tuple[tuple[Waiting, tuple[str, ...]], ...]
    later: int
    """How many could go together under another agreement, or beyond the largest batch."""


_DRAFTS = """
select d.id as release, f.reference, d.version, d.kind, f.case_id, c.kind as case_kind, c.urgency, d.urgent,
  f.addressee, a.name as addressee_name, a.recipient_class as addressee_class, k.name as carrier_name,
  d.agreement_version, d.approval_digest as digest, d.drafted_by, d.drafted_at, d.expires_at
from draft d join referral f on f.id = d.referral_id join case_file c on c.id = f.case_id
join partner a on a.id = f.addressee join partner k on k.id = f.carrier
{rest}
"""
# The content of a draft goes away when it is released or closed: what is in draft_blob is open.
_OPEN = """
join draft_blob b on b.release_id = d.id
where d.expires_at > :now and d.drafted_by <> :actor and not d.urgent
  and not exists (select 1 from approval x where x.release_id = d.id and x.kind = 'release')
  and not exists (select 1 from draft_refusal x where x.release_id = d.id)
order by case c.urgency when '' then 'U9' else c.urgency end, f.addressee, d.agreement_version,
  d.drafted_at, d.id
limit :limit
"""
_WAITING = text(_DRAFTS.format(rest=_OPEN))
_ONE = text(_DRAFTS.format(rest="where d.id = :release"))
_SECOND_LOOK = text(
    """
select r.release_id as release, f.reference, r.urgency, r.released_at, p.name as addressee_name
from release r join referral f on f.id = r.referral_id join partner p on p.id = r.addressee
where r.urgent and r.drafted_by <> :actor
  and not exists (select 1 from approval x where x.release_id = r.release_id and x.kind = 'retrospective')
  and not exists (select 1 from withdrawal w where w.release_id = r.release_id and w.by <> r.drafted_by)
order by r.released_at, r.release_id limit :limit
"""
)
LIMIT = 200
OPENED = 2 * release.MAX_BATCH
"""How many drafts are opened to say what goes together."""


def waiting(desk: Desk, session: Session, actor: Actor, *, limit: int = LIMIT) -> tuple[Waiting, ...]:
    """Drafts that this person may release: never their own. The most urgent first."""
    actor.needs("releaser")
    values = {"now": desk.now(), "actor": actor.id, "limit": limit}
    return tuple(Waiting(**row) for row in session.connection().execute(_WAITING, values).mappings())


def second_looks(session: Session, actor: Actor, *, limit: int = 50) -> Sequence[Mapping[str, Any]]:
    """Urgent releases that left at once and wait for the approval of another person."""
    actor.needs("releaser")
    values = {"actor": actor.id, "limit": limit}
    return [dict(row) for row in session.connection().execute(_SECOND_LOOK, values).mappings()]


def one(desk: Desk, session: Session, actor: Actor, release_id: str) -> Examined:
    """Open one draft or release. Raises `NotFound`."""
    actor.needs("analyst", "releaser")
    row = session.connection().execute(_ONE, {"release": release_id}).mappings().first()
    if row is None:
        raise NotFound("draft")
    head, held = Waiting(**row), session.get_one(tables.Draft, release_id)
    released = session.get(tables.Release, release_id)
    state, code = _state(desk, session, release_id, released)
    record = _record(desk, session, held, released, state)
    last = None if record is None else escalate.last_units(desk, session, held.supersedes)
    return Examined(
        waiting=head,
        state=state,
        record=record,
        payload={} if record is None else canonical.decode_trusted(record.payload),
        singly=() if record is None else release.singly(held, record),
        stale=gates.stale(desk, session, held) if state == "draft" else None,
        own=held.drafted_by == actor.id,
        before=None if record is None or last is None else differences(last, record.units),
        released=released,
        referral=held.referral_id,
        second_look=_needs_second_look(session, held, released),
        code=code,
    )


def batch(desk: Desk, session: Session, actor: Actor, chosen: Sequence[str] | None = None) -> Batch:
    """What of the waiting drafts (or of the chosen ones) can be approved together, and why the rest cannot.

    One agreement version at a time: that of the first draft in the list that may go in a batch.
    """
    rows = waiting(desk, session, actor)
    if chosen is not None:
        rows = tuple(row for row in rows if row.release in set(chosen))
    together: list[Waiting] = []
    apart: list[tuple[Waiting, tuple[str, ...]]] = []
    later = 0
    for row in rows[:OPENED]:
        if row.urgency in ("U1", "U2"):
            apart.append((row, ("urgent",)))  # not opened: what is urgent is looked at by itself anyway
            continue
        held = session.get_one(tables.Draft, row.release)
        record, _ = release.load(desk, session, held)
        codes = release.singly(held, record)
        if codes:
            apart.append((row, codes))
        elif together and (_agreed(row) != _agreed(together[0]) or len(together) == release.MAX_BATCH):
            later += 1
        else:
            together.append(row)
    later += max(0, len(rows) - OPENED)
    digest = package.batch_digest([row.digest for row in together])
    return Batch(tuple(together), digest, tuple(apart), later)


def _agreed(row: Waiting) -> tuple[str, int | None]:
    return row.addressee, row.agreement_version


def _record(
    desk: Desk, session: Session, held: tables.Draft, released: tables.Release | None, state: str
) -> Record | None:
    """The content, or None where it is gone: a closed draft, an erased release."""
    try:
        if released is not None:
            return publish.open_record(desk, session, released)
        return None if state == "closed" else release.load(desk, session, held)[0]
    except Conflict as gone:
        if gone.code not in ("erased", "draft-closed"):
            raise
        return None


def _state(desk: Desk, session: Session, release_id: str, released: tables.Release | None) -> tuple[str, str]:
    if released is None:
        refused = session.get(tables.DraftRefusal, release_id)
        if refused is not None:
            return "closed", refused.code
        approved = session.get(tables.Approval, (release_id, "release"))
        return ("draft", "") if approved is None else ("approved", "")
    withdrawn = session.get(tables.Withdrawal, release_id)
    if withdrawn is not None:
        return "withdrawn", withdrawn.reason_code
    if session.get(tables.Cancellation, release_id) is not None:
        return "cancelled", ""
    return ("due" if released.due_at > desk.now() else "published"), ""


def _needs_second_look(session: Session, held: tables.Draft, released: tables.Release | None) -> bool:
    if released is None or not held.urgent:
        return False
    if session.get(tables.Approval, (held.id, "retrospective")) is not None:
        return False
    taken_back = session.get(tables.Withdrawal, held.id)
    return taken_back is None or taken_back.by == held.drafted_by


REFUSALS = ("incorrect", "not-necessary", "wrong-recipient", "incomplete", "text-not-cleared")
"""Why a draft is turned down."""


def findings(record: Record) -> list[Mapping[str, Any]]:
    """What was noticed when it was drafted, each with the field it is about."""
    found = {}
    for code, severity, pointer in record.extra.get("findings", ()):
        try:
            field = field_of(unit_of(pointer)) if pointer else ""
        except (KeyError, IndexError):
            field = ""
        found[(code, field)] = {"code": code, "severity": severity, "field": field}
    return list(found.values())
