"""Erasure in two dates (ruling 27): closed now, unrecoverable when the epoch key is destroyed.

Wrapped keys and sealed objects are deleted at once, by the only role that may. PostgreSQL keeps old
row versions in heap and log, so a case is *unrecoverable* only when the epoch key that wrapped its
data keys is gone: `rotate` moves what must live to a new epoch and destroys the old key.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, SQLModel, col, delete, select

from broker.auth import Actor
from broker.core import canonical
from broker.desk import closing, draft, events, formdraft, publish
from broker.desk.context import Desk
from broker.errors import Conflict, NotFound
from broker.sealing import vault
from broker.store import tables
from broker.store.engine import unit_of_work


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure removed. `epochs` are those that still have to be destroyed."""

    keys: int
    sealed_objects: int
    epochs: tuple[str, ...]


def erase_case(desk: Desk, actor: Actor, case_id: UUID, seen: str | None = None) -> Erased:
    """Close a case for good: its keys, its content and what lies ready to be collected.

    `seen` is the digest of the list that the person looked at; `Conflict` when another one would go.
    """
    actor.needs("dpo")
    _close(desk, actor, case_id, seen)
    with unit_of_work(desk.db, "retention") as session:
        releases = list(
            session.exec(select(tables.Release.release_id).where(col(tables.Release.case_id) == case_id))
        )
        drafts = list(
            session.exec(
                select(tables.Draft.id)
                .join(tables.Referral, col(tables.Referral.id) == col(tables.Draft.referral_id))
                .where(col(tables.Referral.case_id) == case_id)
            )
        )
        epochs = sorted(
            set(
                session.exec(select(tables.WrappedKey.epoch).where(col(tables.WrappedKey.case_id) == case_id))
            )
        )
        sealed = _delete(session, tables.SealedObject, col(tables.SealedObject.release_id).in_(releases))
        deliveries = select(tables.Delivery.id).where(col(tables.Delivery.release_id).in_(releases))
        _delete(session, tables.DeliveryEvidence, col(tables.DeliveryEvidence.delivery_id).in_(deliveries))
        _delete(session, tables.DeliveryProgress, col(tables.DeliveryProgress.delivery_id).in_(deliveries))
        _delete(session, tables.ReleaseRecord, col(tables.ReleaseRecord.release_id).in_(releases))
        _delete(session, tables.DraftBlob, col(tables.DraftBlob.release_id).in_(drafts))
        _delete(session, tables.PersonBlob, col(tables.PersonBlob.case_id) == case_id)
        _delete(session, tables.CaseVersion, col(tables.CaseVersion.case_id) == case_id)
        keys = _delete(session, tables.WrappedKey, col(tables.WrappedKey.case_id) == case_id)
        events.note(desk, session, "case:erased", actor.id, case_id=case_id)
    return Erased(keys, sealed, tuple(epochs))


def _close(desk: Desk, actor: Actor, case_id: UUID, seen: str | None) -> None:
    """Nothing new can be made of the case, the signer tries no draft whose content goes, and what waits in
    its regret never comes out."""
    with unit_of_work(desk.db) as session:
        file = session.get(tables.CaseFile, case_id, with_for_update=True)
        if file is None:
            raise NotFound("case")
        _list(desk, session, actor, case_id, seen)
        file.state = "closed"
        session.add(file)
        released = select(tables.Release.release_id).where(col(tables.Release.case_id) == case_id)
        open_drafts = session.exec(
            select(tables.Draft.id)
            .join(tables.Referral, col(tables.Referral.id) == col(tables.Draft.referral_id))
            .where(col(tables.Referral.case_id) == case_id, col(tables.Draft.id).not_in(released))
        ).all()
        for release in open_drafts:
            draft.drop(desk, session, release, actor.id, "erased")
        publish.call_back(desk, session, actor, case_id)


def _list(desk: Desk, session: Session, actor: Actor, case_id: UUID, seen: str | None) -> None:
    """Keep the list of what goes: afterwards nobody could say what the signed digest was of."""
    goes = closing.goes(session, case_id)
    if seen is not None and seen != canonical.sha256_hex(goes):
        raise Conflict("other-list", "what would go has changed since you looked; look at it again")
    event_id = events.note(desk, session, "case:erasure-listed", actor.id, case_id=case_id)
    session.add(
        tables.EventRecord(
            event_id=event_id, nonce=desk.random(16), record=goes,
            keep_until=desk.now() + desk.pack.retention["register"].span,
        )
    )  # fmt: skip


def rotate_epoch(desk: Desk, actor: Actor) -> tuple[int, tuple[str, ...]]:
    """Wrap what lives under this month's epoch key again, then destroy the older ones.

    Returns (keys moved, epochs destroyed). After this a data key that was deleted before cannot be
    unwrapped by anybody, whatever old files, logs and dumps still hold. A crash before the destruction
    leaves old epochs that the next rotation destroys.
    """
    actor.needs("key_custodian")
    epochs, now = desk.vault(), desk.now()
    name, _ = epochs.current(now)
    old = tuple(epoch for epoch in epochs.names() if epoch != name)
    moved = 0
    # Again until nothing is found: a writer that began before the month turned may commit late.
    while count := _rewrap(desk, name):
        moved += count
    for epoch in old:
        epochs.destroy(epoch, now)
    # Only now, and always: the register calls a case unrecoverable by this event.
    with unit_of_work(desk.db, "retention") as session:
        events.note(desk, session, "keys:epoch-rotated", actor.id)
    return moved, old


def _rewrap(desk: Desk, name: str) -> int:
    """Move wrapped keys of other epochs under the epoch `name`. Returns how many data keys moved."""
    new_key = desk.vault().get(name)
    with unit_of_work(desk.db, "retention") as session:
        rows = session.exec(select(tables.WrappedKey).where(col(tables.WrappedKey.epoch) != name)).all()
        for row in rows:
            aad = f"wrapped_key|{row.case_id}|{row.scope}".encode()
            old_key = desk.vault().get(row.epoch)
            row.wrapped = vault.wrap(new_key, vault.unwrap(old_key, row.wrapped, aad), aad)
            row.epoch = name
            session.add(row)
        for form in session.exec(select(tables.FormDraft).where(col(tables.FormDraft.epoch) != name)):
            aad = formdraft.key_aad(form.id)
            form.wrapped = vault.wrap(
                new_key, vault.unwrap(desk.vault().get(form.epoch), form.wrapped, aad), aad
            )
            form.epoch = name
            session.add(form)
        for partner in session.exec(select(tables.Partner)):
            if _move_pseudonym_key(desk, partner, name, new_key):
                session.add(partner)
    return len(rows)


def _move_pseudonym_key(desk: Desk, partner: tables.Partner, name: str, new_key: bytes) -> bool:
    if partner.pseudonym_key_wrapped is None:
        return False
    epoch, wrapped = partner.pseudonym_key_wrapped.split(b"|", 1)
    if epoch.decode() == name:
        return False
    aad = f"pseudonym|{partner.id}".encode()
    key = vault.unwrap(desk.vault().get(epoch.decode()), wrapped, aad)
    partner.pseudonym_key_wrapped = name.encode() + b"|" + vault.wrap(new_key, key, aad)
    return True


def _delete(session: Session, table: type[SQLModel], condition: ColumnElement[bool]) -> int:
    return int(session.exec(delete(table).where(condition)).rowcount)
