"""Take a case in: a form, the API or an adapter's draft becomes an accepted, encrypted case file."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from sqlmodel import Session, SQLModel, func, select

from broker.auth import Actor
from broker.core import case as core_case
from broker.core.case import Case
from broker.desk import casefile, events
from broker.desk.context import Desk
from broker.errors import Conflict, NotFound, Refused
from broker.spi import CaseDraft, Ingests
from broker.store import rows, tables


def take_in(
    desk: Desk, session: Session, actor: Actor, raw: bytes, form: UUID | None = None
) -> tuple[UUID, Case]:
    """Accept a canonical case. Raises `Refused` with every broken rule; then nothing is stored.

    `form` is the form it was typed into, and becomes the id of the case: a form sent twice is one case.
    """
    case = core_case.from_bytes(raw)
    if form is not None:
        if taken_before(session, actor, form):
            return form, case
        if session.get(tables.CaseFile, form) is not None:
            form = None  # another person's: an id is nobody's to choose
    return _store(desk, session, actor, case, form), case


def taken_before(session: Session, actor: Actor, form: UUID) -> bool:
    """Whether this person's form is a case already. Who asks at the same time waits for the answer."""
    session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"form|{form}", 8)))).one()
    taken = session.get(tables.CaseFile, form)
    return taken is not None and taken.created_by == actor.id


def take_in_draft(
    desk: Desk, session: Session, actor: Actor, draft: CaseDraft, *, synthetic: bool = False
) -> tuple[UUID, Case]:
    """Accept what an ingest adapter made of somebody's export; it passes the same door.

    `synthetic` is the importer's word that the export is invented: a foreign format cannot say so.
    """
    case = _of_draft(draft, synthetic)
    return _store(desk, session, actor, case), case


def draft_rows(
    desk: Desk, actor: Actor, draft: CaseDraft, case_id: UUID, *, synthetic: bool = False
) -> list[SQLModel]:
    """The same as rows, for a job that inserts many and may be started again: it says the id."""
    return list(_rows(desk, actor, _of_draft(draft, synthetic), case_id))


def _of_draft(draft: CaseDraft, synthetic: bool) -> Case:
    return core_case.from_json({**draft.case, "synthetic": synthetic})


def read_export(desk: Desk, adapter: str, content: bytes, options: dict[str, str]) -> list[CaseDraft]:
    """Let an ingest adapter read an export. Raises `NotFound` for an unknown one."""
    found = desk.adapters.get(adapter)
    if found is None or not isinstance(found, Ingests):
        raise NotFound("ingest adapter")
    return list(found.ingest(content, options=options))


def amend(desk: Desk, session: Session, actor: Actor, case_id: UUID, raw: bytes) -> tuple[int, Case]:
    """A new version of a case. Claims and drafts made on the version before do not carry over."""
    actor.needs("analyst")
    case = core_case.from_bytes(raw)
    file = session.get(tables.CaseFile, case_id, with_for_update=True)
    if file is None:
        raise NotFound("case")
    if file.state == "closed":
        raise Conflict("closed", "this case is closed; take the new facts in as a new case")
    version = file.current_version + 1
    casefile.write_version(desk, session, case_id, case, version, actor.id)
    file.current_version = version
    file.state = "draft"
    file.urgency = case.urgency or ""
    session.add(file)
    events.note(desk, session, "case:amended", actor.id, case_id=case_id)
    return version, case


def _store(desk: Desk, session: Session, actor: Actor, case: Case, case_id: UUID | None = None) -> UUID:
    case_id = case_id or desk.uuid()
    rows.insert(session, _rows(desk, actor, case, case_id))
    return case_id


def _rows(desk: Desk, actor: Actor, case: Case, case_id: UUID) -> Iterator[SQLModel]:
    synthetic = bool(case.data.get("synthetic", False))
    if desk.db.embedded and not synthetic:
        raise Refused(
            "synthetic-only",
            "the embedded database takes synthetic cases only; nothing was stored",
            hint='mark the case "synthetic": true, or set BROKER_DATABASE_URL',
        )
    yield tables.CaseFile(
        id=case_id,
        kind=case.kind,
        state="draft",
        urgency=case.urgency or "",
        current_version=1,
        created_by=actor.id,
        created_at=desk.now(),
        synthetic=synthetic,
    )
    yield from casefile.version_rows(desk, case_id, case, 1, actor.id)
    yield events.noted(desk, "case:taken-in", actor.id, case_id=case_id)


def tool_account(desk: Desk, session: Session, partner_id: str) -> str:
    """The account under which the hotline's own tool submits: no role, no way to sign in."""
    staff_id = "st_tool_" + partner_id.removeprefix("pt_")
    if session.get(tables.Staff, staff_id) is None:
        session.add(
            tables.Staff(id=staff_id, login=staff_id, roles=[], password_hash="", created_at=desk.now())
        )
        session.flush()
    return staff_id
