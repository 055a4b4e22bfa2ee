"""Agreements: proposed by one person, approved by another, immutable from then on."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import agreement as core_agreement
from broker.core.agreement import AgreementTerms
from broker.desk import events, partners
from broker.desk.context import Desk
from broker.errors import Conflict, Issue, NotFound, Refused
from broker.spi import Json
from broker.store import tables


def propose(desk: Desk, session: Session, actor: Actor, partner_id: str, body: Json) -> str:
    """Lay an agreement before a second person. Returns its digest; nothing is in force yet."""
    actor.needs("dpo", "releaser")
    partner = partners.get(session, partner_id)
    terms = core_agreement.compile(body)
    issues = []
    if terms.recipient_class != partner.recipient_class:
        issues.append(Issue("/recipient_class", "partner", "differs from the partner's class"))
    if terms.partner != partner_id:
        issues.append(Issue("/partner", "partner", "names another partner"))
    if terms.version != _next_version(session, partner_id):
        issues.append(Issue("/version", "version", "is not the next version"))
    if issues:
        raise Refused("agreement-refused", "the agreement was not taken", tuple(issues))
    waiting = session.get(tables.AgreementProposal, (partner_id, terms.digest))
    if waiting is not None and waiting.proposed_by != actor.id:
        raise Conflict(
            "already-proposed",
            "another person proposed exactly this",
            "approve it with `broker agreement approve`",
        )
    if waiting is not None:
        return terms.digest
    session.add(
        tables.AgreementProposal(
            partner_id=partner_id, digest=terms.digest, body=body, proposed_by=actor.id, at=desk.now()
        )
    )
    session.flush()
    return terms.digest


def approve(desk: Desk, session: Session, actor: Actor, partner_id: str, digest: str) -> int:
    """The second approval makes the next immutable version. Returns its number."""
    actor.needs("dpo", "releaser")
    proposal = session.get(tables.AgreementProposal, (partner_id, digest))
    if proposal is None:
        raise NotFound("agreement proposal")
    if proposal.proposed_by == actor.id:
        raise Conflict("own-proposal", "another person has to approve what you proposed")
    terms = core_agreement.compile(proposal.body)
    version = terms.version
    if version != _next_version(session, partner_id):
        raise Conflict("overtaken", "another version was approved meanwhile; propose it anew")
    first, last = _validity(desk, terms)
    now = desk.now()
    session.add(
        tables.Agreement(
            partner_id=partner_id, version=version, body=proposal.body, digest=digest,
            valid_from=first, valid_to=last,
            approved_by_1=proposal.proposed_by, approved_by_2=actor.id, created_at=now,
        )
    )  # fmt: skip
    session.flush()
    session.add(
        tables.AgreementStatus(partner_id=partner_id, version=version, at=now, status="active", by=actor.id)
    )
    events.leaf(
        desk, session, "agreement", "agreement:approved", actor.id,
        {"partner": partner_id, "version": version, "digest": digest},
        partner_id=partner_id,
    )  # fmt: skip
    return version


def set_status(
    desk: Desk, session: Session, actor: Actor, partner_id: str, version: int, status: str
) -> None:
    """Suspend, end or resume an agreement version; a line in a log, the version itself never changes."""
    actor.needs("dpo")
    if session.get(tables.Agreement, (partner_id, version)) is None:
        raise NotFound("agreement")
    session.add(
        tables.AgreementStatus(
            partner_id=partner_id, version=version, at=desk.clock(), status=status, by=actor.id
        )
    )
    events.leaf(
        desk, session, "agreement", f"agreement:{status}", actor.id,
        {"partner": partner_id, "version": version, "status": status},
        partner_id=partner_id,
    )  # fmt: skip


def terms_in_force(session: Session, partner_id: str, at: datetime) -> tuple[int, AgreementTerms] | None:
    """The newest version valid at `at`, if it is active, compiled.

    None when that one is suspended or ended: an older, perhaps wider one must not come back to life.
    """
    row = session.exec(
        select(tables.Agreement)
        .where(
            col(tables.Agreement.partner_id) == partner_id,
            col(tables.Agreement.valid_from) <= at,
            col(tables.Agreement.valid_to) > at,
        )
        .order_by(col(tables.Agreement.version).desc())
    ).first()
    if row is None:
        return None
    status = _status(session, partner_id, row.version)
    return (row.version, core_agreement.compile(row.body)) if status == "active" else None


def listed(session: Session, partner_id: str) -> list[dict[str, Json]]:
    """Versions and what waits for a second person, oldest first; no body."""
    versions = session.exec(
        select(tables.Agreement)
        .where(col(tables.Agreement.partner_id) == partner_id)
        .order_by(col(tables.Agreement.version))
    ).all()
    proposals = session.exec(
        select(tables.AgreementProposal)
        .where(
            col(tables.AgreementProposal.partner_id) == partner_id,
            col(tables.AgreementProposal.digest).not_in([row.digest for row in versions]),
        )
        .order_by(col(tables.AgreementProposal.at))
    ).all()
    made: list[dict[str, Json]] = [
        {
            "version": row.version,
            "state": _status(session, partner_id, row.version),
            "from": row.valid_from.isoformat(),
            "until": row.valid_to.isoformat(),
            "proposed_by": row.approved_by_1,
            "digest": row.digest,
        }
        for row in versions
    ]
    return made + [
        {
            "version": row.body["version"],
            "state": "proposed",
            "from": None,
            "until": None,
            "proposed_by": row.proposed_by,
            "digest": row.digest,
        }
        for row in proposals
    ]


def body_of(
    session: Session, partner_id: str, *, version: int | None = None, digest: str | None = None
) -> Json:
    """The body of a version (the newest by default), or of the proposal with this digest."""
    query = select(tables.Agreement).where(col(tables.Agreement.partner_id) == partner_id)
    if version is not None:
        query = query.where(col(tables.Agreement.version) == version)
    if digest is not None:
        query = query.where(col(tables.Agreement.digest) == digest)
    row = session.exec(query.order_by(col(tables.Agreement.version).desc())).first()
    if row is not None:
        return row.body
    proposal = None if digest is None else session.get(tables.AgreementProposal, (partner_id, digest))
    if proposal is None:
        raise Refused("agreement", "this partner has no such agreement")
    return proposal.body


def _status(session: Session, partner_id: str, version: int) -> str | None:
    """The last line of a version's log."""
    return session.exec(
        select(tables.AgreementStatus.status)
        .where(
            col(tables.AgreementStatus.partner_id) == partner_id,
            col(tables.AgreementStatus.version) == version,
        )
        .order_by(col(tables.AgreementStatus.at).desc())
    ).first()


def _next_version(session: Session, partner_id: str) -> int:
    last = session.exec(
        select(tables.Agreement.version)
        .where(col(tables.Agreement.partner_id) == partner_id)
        .order_by(col(tables.Agreement.version).desc())
    ).first()
    return 1 if last is None else last + 1


def _validity(desk: Desk, terms: AgreementTerms) -> tuple[datetime, datetime]:
    """The agreement's days, both included, in the operator's time zone."""
    zone = ZoneInfo(desk.pack.timezone)
    return (
        datetime.combine(terms.valid_from, time(), zone),
        datetime.combine(terms.valid_to + timedelta(days=1), time(), zone),
    )
