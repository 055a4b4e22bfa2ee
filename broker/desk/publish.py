"""After release: cancel inside the regret, withdraw later, seal again for a new key."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import canonical
from broker.core.outcomes import WITHDRAW_REASONS
from broker.desk import casefile, events, gates
from broker.desk.context import Desk
from broker.desk.record import Record
from broker.desk.release import shown_codes
from broker.desk.sign import encrypt_parts
from broker.errors import Conflict, Issue, NotFound, Refused
from broker.sealing import jose
from broker.store import ledger, tables


def cancel(desk: Desk, session: Session, actor: Actor, release: str) -> None:
    """Take a release back before it can be collected. Raises `Conflict` when it was published.

    Locks the waiting publication, so that the integrator either published before or never will.
    """
    actor.needs("analyst", "releaser")
    released = _release(session, release)
    if session.get(tables.Cancellation, release) is not None:
        raise Conflict("cancelled", "this release was cancelled already")
    if not ledger.cancel(session, release, actor.id, desk.now()):
        raise Conflict(
            "too-late", "this release can be collected already", "withdraw it with `broker referral withdraw`"
        )
    _cancelled_leaf(desk, session, actor, released)


def withdraw(desk: Desk, session: Session, actor: Actor, release: str, reason: str) -> None:
    """Stop a release from being collected and tell its carrier by a feed row that supersedes it.

    What was collected stays collected: the feed row asks for the answer, the register shows it.
    """
    actor.needs("releaser", "dpo")
    released = _release(session, release)
    if reason not in WITHDRAW_REASONS:
        raise Refused(
            "withdraw-reason",
            "a withdrawal needs one of the coded reasons",
            (Issue("reason", "code", "is not a coded reason of the pack"),),
        )
    if session.get(tables.Withdrawal, release) is not None:
        raise Conflict("withdrawn", "this release was withdrawn already")
    now = desk.now()
    # First: it waits for an integrator that is just publishing, so that what is read next is final.
    called_back = ledger.cancel(session, release, actor.id, now)
    session.add(
        tables.Withdrawal(
            release_id=release, partner_id=released.carrier, reason_code=reason, by=actor.id, at=now
        )
    )
    session.flush()
    referral = session.get_one(tables.Referral, released.referral_id)
    published = session.exec(select(tables.Feed).where(col(tables.Feed.release_id) == release)).first()
    events.leaf(
        desk, session, "correction", "referral:withdrawn", actor.id,
        {"release": release, "kind": "withdraw", "reason": reason, "at": events.stamp(now)},
        release_id=release, case_id=released.case_id, partner_id=released.carrier,
        feed=None if published is None else {
            "href": f"/v1/referrals/{release}",
            "release": release,
            "event": "withdrawn",
            "reference": referral.reference,
            "version": released.version,
            "kind": "withdraw",
            "supersedes": release,
            **shown_codes(released),
            "sizes": {"referral": 0, "apart": 0, "documents": []},
            "deadline": None,
        },
    )  # fmt: skip
    if called_back:
        _cancelled_leaf(desk, session, actor, released)


def reseal(desk: Desk, session: Session, actor: Actor, release: str) -> int:
    """Encrypt a release again to the carrier's present keys. Nothing is signed or rendered anew.

    Returns the new generation. The seal, its digest and the proof stay the same. What was for the inbox,
    sealed to no key, is sealed for the first time; what was delivered another way is not: it has no feed row.
    """
    actor.needs("key_custodian", "releaser")
    released = _release(session, release)
    if session.get(tables.Withdrawal, release) is not None:
        raise Conflict("withdrawn", "a withdrawn release is not sealed again")
    delivered = select(tables.Delivery.id).where(col(tables.Delivery.release_id) == release)
    if session.exec(delivered).first() is not None:
        raise Conflict("delivered", "this release was delivered, not pulled: there is nothing to seal again")
    record = open_record(desk, session, released)
    keys = gates.carrier_keys(desk, session, released.carrier, apart=bool(record.apart))
    tree, apart_jws = record.tree(), None
    if record.apart:
        body = {
            "schema": "broker-apart/1",
            "release": release,
            "units": tree.apart_units(),
        }
        apart_jws = jose.sign(canonical.encode(body), desk.keys().signer("release"), "referral-apart+jws")
    generations = select(tables.SealedObject.generation).where(col(tables.SealedObject.release_id) == release)
    last = max(session.exec(generations).all(), default=0)
    for part in encrypt_parts(record, tree, keys, apart_jws):
        session.add(part.row(release, released.carrier, last + 1))
    events.note(desk, session, "referral:resealed", actor.id, case_id=released.case_id, release_id=release)
    session.flush()
    return last + 1


def open_record(desk: Desk, session: Session, released: tables.Release) -> Record:
    """The release record, or `Conflict("erased", …)`."""
    row = session.get(tables.ReleaseRecord, released.release_id)
    if row is None:
        raise Conflict("erased", "the content of this release was erased; register and proofs remain")
    return Record.decode(
        casefile.open_blob(
            desk, session, released.case_id, "release_record", released.release_id, row.key_id, row.blob
        )
    )


def call_back(desk: Desk, session: Session, actor: Actor, case_id: UUID) -> None:
    """Cancel what of a case waits in its regret: what is erased is not published afterwards."""
    for released in session.exec(select(tables.Release).where(col(tables.Release.case_id) == case_id)):
        if ledger.cancel(session, released.release_id, actor.id, desk.now()):
            _cancelled_leaf(desk, session, actor, released)


def _cancelled_leaf(desk: Desk, session: Session, actor: Actor, released: tables.Release) -> None:
    events.leaf(
        desk, session, "cancelled", "referral:cancelled", actor.id,
        {"release": released.release_id, "at": events.stamp(desk.now())},
        release_id=released.release_id, case_id=released.case_id,
    )  # fmt: skip


def _release(session: Session, release: str) -> tables.Release:
    row = session.get(tables.Release, release)
    if row is None:
        raise NotFound("release")
    return row
