"""Confirm claims by two people, or take the urgent path with one person and a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, func, select

from broker.auth import Actor
from broker.core import canonical
from broker.core.case import Case
from broker.core.confirmation import Claim, ConfirmedCase, House, UrgentCase, Verdict, confirm, urgent
from broker.core.decision import Permit, Refuse
from broker.desk import casefile, events
from broker.desk.context import Desk
from broker.errors import Conflict, Issue, NotFound, Refused
from broker.store import tables

CLAIM_COLLECTION = {"content_illegal": "items", "person_linked": "persons", "child_in_danger": "victims"}
"""What a claim is about when nobody says it more closely."""


def claim(
    desk: Desk,
    session: Session,
    actor: Actor,
    case_id: UUID,
    kind: str,
    about: tuple[str, ...] = (),
    *,
    says: bool = True,
) -> tables.Claim:
    """Give one's verdict on a claim; the first verdict makes the claim.

    `about` empty means every entity of the claim's collection. The same person twice, or a changed
    mind, is refused: a verdict is insert-only.
    """
    actor.needs("analyst")
    # One verdict on a case at a time: two first ones would make the claim twice, each with one verdict.
    session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"verdict|{case_id}", 9)))).one()
    case, version = casefile.read_version(desk, session, case_id)
    subjects = _subjects(case, kind, about)
    row = session.exec(
        select(tables.Claim).where(
            col(tables.Claim.case_id) == case_id,
            col(tables.Claim.case_version) == version,
            col(tables.Claim.kind) == kind,
            col(tables.Claim.about) == list(subjects),
        )
    ).first()
    if row is None:
        row = tables.Claim(
            id=desk.uuid(),
            case_id=case_id,
            case_version=version,
            kind=kind,
            about=list(subjects),
            created_by=actor.id,
            created_at=desk.now(),
        )
        session.add(row)
        session.flush()
    given = session.exec(
        select(tables.Verdict).where(
            col(tables.Verdict.claim_id) == row.id, col(tables.Verdict.staff_id) == actor.id
        )
    ).first()
    if given is not None:
        raise Conflict(
            "own-verdict", "you gave your verdict on this claim; another person has to give the second"
        )
    session.add(
        tables.Verdict(
            id=desk.uuid(), claim_id=row.id, staff_id=actor.id, basis="human", says=says, at=desk.now()
        )
    )
    session.flush()
    events.note(desk, session, "case:verdict-given", actor.id, case_id=case_id)
    _advance(desk, session, case_id, case, version)
    return row


def released_case(desk: Desk, session: Session, case_id: UUID) -> ConfirmedCase:
    """The confirmed case, or `Refused` with what is missing. The only way from a case to a draft."""
    case, version = casefile.read_version(desk, session, case_id)
    return confirmed(desk, case, claims_of(session, case_id, version))


def confirmed(desk: Desk, case: Case, claims: tuple[Claim, ...]) -> ConfirmedCase:
    """The same of a case that is open already, with the claims on its version."""
    decision = confirm(case, claims, _house(desk))
    if isinstance(decision, Permit):
        return decision.value
    raise _refused(
        decision,
        "not-confirmed",
        "this case is not confirmed; nothing can be drafted from it",
        "a second person gives a verdict with `broker case confirm`",
    )


def claims_of(session: Session, case_id: UUID, version: int) -> tuple[Claim, ...]:
    """The local claims on one version with their verdicts, in a stable order."""
    return claims_on(session, {case_id: version})[case_id]


def claims_on(session: Session, versions: Mapping[UUID, int]) -> dict[UUID, tuple[Claim, ...]]:
    """The same for any number of cases, each with its version, in two statements."""
    rows = session.exec(
        select(tables.Claim)
        .where(col(tables.Claim.case_id).in_(list(versions)))
        .order_by(col(tables.Claim.created_at), col(tables.Claim.id))
    ).all()
    rows = [row for row in rows if row.case_version == versions[row.case_id]]
    found: dict[UUID, list[Verdict]] = {row.id: [] for row in rows}
    verdicts = session.exec(
        select(tables.Verdict)
        .where(col(tables.Verdict.claim_id).in_(list(found)))
        .order_by(col(tables.Verdict.at), col(tables.Verdict.id))
    )
    for v in verdicts:
        found[v.claim_id].append(
            Verdict(
                basis=v.basis,  # type: ignore[arg-type]
                says=v.says,
                at=v.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                analyst=v.staff_id,
                organisation=v.organisation,
            )
        )
    claims: dict[UUID, list[Claim]] = {case_id: [] for case_id in versions}
    for row in rows:
        said = Claim(id=str(row.id), kind=row.kind, about=tuple(row.about), verdicts=tuple(found[row.id]))  # type: ignore[arg-type]
        claims[row.case_id].append(said)
    return {case_id: tuple(each) for case_id, each in claims.items()}


@dataclass(frozen=True, slots=True)
class Call:
    """A logged call to a duty desk. `who` is a name or badge: it goes into the encrypted record only."""

    desk: str
    answered: bool
    read_back: bool
    who: str = ""


def urgent_case(desk: Desk, session: Session, actor: Actor, case_id: UUID, reason: str) -> UrgentCase:
    """U1 by one person (ruling 3): a type of its own, domestic police only, may be unconfirmed.

    Refused while this person has an urgent release without retrospective approval older than the
    pack's clock: the path is locked for that person.
    """
    actor.needs("analyst")
    case, version = casefile.read_version(desk, session, case_id)
    decision = urgent(
        case,
        claims_of(session, case_id, version),
        reason=reason,
        by=actor.id,
        reasons=desk.pack.urgent_reasons,
        locked=bool(overdue_approvals(desk, session, actor.id)),
    )
    if isinstance(decision, Refuse):
        raise _refused(
            decision,
            "urgent-refused",
            "the urgent path is not open for this",
            "set the urgency to U1 and give a coded reason; a path that is locked opens with the second "
            "approval (`broker referral release --retrospective`)",
        )
    file = session.get_one(tables.CaseFile, case_id, with_for_update=True)
    file.state = "urgent"
    session.add(file)
    events.note(desk, session, "case:urgent", actor.id, case_id=case_id)
    return decision.value


def log_call(
    desk: Desk, session: Session, actor: Actor, case_id: UUID, reason: str, call: Call
) -> tables.UrgentCall:
    """Log a call of the urgent path. Only an answered call with the reference read back stops the clock.

    Raises `Refused` when somebody answered and nobody is named (ruling 3).
    """
    actor.needs("analyst", "releaser")
    if session.get(tables.CaseFile, case_id) is None:
        raise NotFound("case")
    if call.answered and not call.who.strip():
        missing = Issue("who", "required", "name or badge of who answered")
        raise Refused("call-who", "write down who answered", (missing,))
    event_id = events.note(desk, session, "case:urgent-call", actor.id, case_id=case_id)
    key_id, record = casefile.seal_blob(
        desk, session, case_id, "event_record", str(event_id), canonical.encode({"who": call.who})
    )
    session.add(
        tables.EventRecord(
            event_id=event_id,
            nonce=desk.random(16),
            record=record,
            key_id=key_id,
            keep_until=desk.now() + desk.pack.retention["event_record"].span,
        )
    )
    row = tables.UrgentCall(
        id=desk.uuid(),
        case_id=case_id,
        by_staff=actor.id,
        reason_code=reason,
        called_at=desk.now(),
        answered=call.answered,
        desk=call.desk,
        read_back=call.read_back,
        record_event=event_id,
    )
    session.add(row)
    session.flush()
    return row


def overdue_approvals(desk: Desk, session: Session, staff_id: str | None = None) -> list[tables.Release]:
    """Urgent releases whose second look is overdue (24 h by default), for one person or all. Another person
    approves one, or takes it back: both are a look."""
    limit = desk.now() - desk.pack.clocks["retrospective_approval"].span
    second = select(tables.Approval.release_id).where(col(tables.Approval.kind) == "retrospective")
    taken_back = select(tables.Withdrawal.release_id).where(
        col(tables.Withdrawal.release_id) == col(tables.Release.release_id),
        col(tables.Withdrawal.by) != col(tables.Release.drafted_by),
    )
    query = select(tables.Release).where(
        ~taken_back.exists(),
        col(tables.Release.urgent),
        col(tables.Release.released_at) < limit,
        col(tables.Release.release_id).not_in(second),
    )
    if staff_id is not None:
        query = query.where(col(tables.Release.drafted_by) == staff_id)
    return list(session.exec(query.order_by(col(tables.Release.released_at))))


def _subjects(case: Case, kind: str, about: tuple[str, ...]) -> tuple[str, ...]:
    """What a claim is about. That a child is in danger may be said of the case as a whole."""
    collection = CLAIM_COLLECTION.get(kind)
    if collection is None:
        raise Refused("claim", "there is no such claim", (Issue("claim", "code", "is not a kind of claim"),))
    known = {local_id for _, local_id, _ in case.entities()}
    chosen = tuple(sorted(about)) if about else tuple(sorted(case.data.get(collection, {})))
    if not set(chosen) <= known or (not chosen and kind != "child_in_danger"):
        raise Refused(
            "claim",
            f"a claim of this kind is about {collection} of the case",
            (Issue("about", "reference", f"names something that is not among the case's {collection}"),),
        )
    return chosen


def _advance(desk: Desk, session: Session, case_id: UUID, case: Case, version: int) -> None:
    if isinstance(confirm(case, claims_of(session, case_id, version), _house(desk)), Permit):
        file = session.get_one(tables.CaseFile, case_id, with_for_update=True)
        if file.state == "draft":
            file.state = "confirmed"
            session.add(file)
            events.note(desk, session, "case:confirmed", "broker", case_id=case_id)


def _house(desk: Desk) -> House:
    return House(name=desk.pack.desk.organisation)


def _refused(decision: Refuse, code: str, message: str, hint: str) -> Refused:
    issues = tuple(Issue("/claims", r.code, r.code.replace("-", " ")) for r in decision.reasons)
    return Refused(code, message, issues, hint=hint)
