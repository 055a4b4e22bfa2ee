"""What is checked a second time in the release transaction, and the clocks that start there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from broker.core import agreement as core_agreement
from broker.desk import agreements, hold, partners
from broker.desk.context import Desk
from broker.desk.record import Record
from broker.errors import Conflict
from broker.store import tables


@dataclass(frozen=True, slots=True)
class CarrierKeys:
    """The carrier's public keys that a release is encrypted to."""

    enc: tables.PartnerKey
    apart: tables.PartnerKey | None


def stale(desk: Desk, session: Session, row: tables.Draft) -> str | None:
    """Why a draft may no longer be released, as a code; None while it may (ruling 19)."""
    now = desk.now()
    referral = session.get_one(tables.Referral, row.referral_id)
    file = session.get_one(tables.CaseFile, referral.case_id)
    if session.get(tables.DraftRefusal, row.id) is not None:
        return "closed"
    if row.expires_at <= now:
        return "expired"
    if file.current_version != row.case_version or file.state == "closed":
        return "case-changed"
    if not row.urgent and _disputed(session, referral.case_id, row):
        return "claim-disputed"
    overtaken = select(tables.Release.release_id).where(
        col(tables.Release.referral_id) == row.referral_id, col(tables.Release.version) >= row.version
    )
    if session.exec(overtaken).first() is not None:
        return "overtaken"
    for partner_id in {referral.addressee, referral.carrier}:
        if session.get_one(tables.Partner, partner_id).status != "active":
            return "partner-suspended"
    agreement = agreements.terms_in_force(session, referral.addressee, now)
    if (None if agreement is None else agreement[0]) != row.agreement_version:
        return "agreement-changed"
    return hold.bars_release(desk, session, referral.case_id, referral.addressee)


def _disputed(session: Session, case_id: UUID, row: tables.Draft) -> bool:
    """Whether somebody said no to a claim of the case after this was drafted: what two people confirmed
    is then not what leaves. A no from before is known to the draft, which left out what it was about."""
    said_no = (
        select(tables.Verdict.id)
        .join(tables.Claim, col(tables.Claim.id) == col(tables.Verdict.claim_id))
        .where(
            col(tables.Claim.case_id) == case_id,
            col(tables.Claim.case_version) == row.case_version,
            ~col(tables.Verdict.says),
            col(tables.Verdict.at) >= row.drafted_at,
        )
    )
    return session.exec(said_no.limit(1)).first() is not None


def lapsed(desk: Desk, session: Session, record: Record) -> str | None:
    """`recognition-lapsed` for a draft that still holds content locators; a tip without them goes.

    Asked with the opened record: only it says what was left out when it was drafted (ruling 5).
    """
    if recognised(session, desk.now()):
        return None
    removed = frozenset(record.extra.get("removed", ()))
    return None if desk.pack.routes.content_locators <= removed else "recognition-lapsed"


def recognised(session: Session, at: datetime) -> bool:
    """Whether the hotline's recognition is valid at a moment."""
    return (
        session.exec(
            select(tables.Recognition).where(
                col(tables.Recognition.valid_from) <= at,
                (col(tables.Recognition.valid_to).is_(None)) | (col(tables.Recognition.valid_to) > at),
            )
        ).first()
        is not None
    )


def carrier_keys(desk: Desk, session: Session, carrier: str, *, apart: bool) -> CarrierKeys:
    """The carrier's current keys. Raises `Conflict` when one that is needed is missing."""
    now = desk.now()
    enc = partners.current_key(session, carrier, "enc", now)
    if enc is None:
        raise Conflict("no-enc-key", "the carrier has no valid encryption key; nothing was released")
    key = partners.current_key(session, carrier, "apart", now) if apart else None
    if apart and key is None:
        raise Conflict(
            "no-apart-key", "the carrier has no key for what is sealed apart; nothing was released"
        )
    return CarrierKeys(enc, key)


def after_regret(desk: Desk, now: datetime) -> datetime:
    """When a release that is not U1 can first be collected (ruling 13)."""
    return now + timedelta(seconds=desk.settings.regret_seconds)


def window_days(desk: Desk, session: Session, row: tables.Draft, addressee: str) -> int:
    """Days from the first collection in which it can be collected again: the agreement narrows them."""
    days = desk.pack.clocks["retrieval_window"].span.days
    if row.agreement_version is None:
        return days
    terms = core_agreement.compile(session.get_one(tables.Agreement, (addressee, row.agreement_version)).body)
    return min(days, terms.retrieval_window_days)


def deadline(desk: Desk, urgency: str, start: datetime) -> datetime | None:
    """When a referral that nobody collected becomes overdue, by the pack's clock for its urgency."""
    clock = f"overdue_{urgency}"
    return desk.pack.due(clock, start) if clock in desk.pack.clocks else None
