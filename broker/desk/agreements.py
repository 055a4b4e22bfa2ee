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
    status = session.exec(
        select(tables.AgreementStatus.status)
        .where(
            col(tables.AgreementStatus.partner_id) == partner_id,
            col(tables.AgreementStatus.version) == row.version,
        )
        .order_by(col(tables.AgreementStatus.at).desc())
    ).first()
    return (row.version, core_agreement.compile(row.body)) if status == "active" else None


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
