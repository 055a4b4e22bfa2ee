"""What was typed into a form and not sent yet, kept for its writer alone and for seven days.

It rests as one ciphertext under a key of its own, wrapped by the month's epoch key: deleting the row
leaves nothing that the next rotation does not make unreadable (ruling 27). Nothing of it is in clear,
and only its owner can list, open or delete it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete, select

from broker.auth import Actor
from broker.core import canonical
from broker.desk.context import Desk
from broker.errors import Issue, NotFound, Refused
from broker.sealing import vault
from broker.spi import Json
from broker.store import tables
from broker.store.engine import unit_of_work

LIFE = timedelta(days=7)
MAX_BYTES = 2 * 1024 * 1024
MAX_DRAFTS = 50
"""For one person; the oldest gives way."""
KINDS = ("case", "draft", "release", "call", "agreement", "answer", "review", "other")
"""What a form is for; a code, because it rests in clear."""


@dataclass(frozen=True, slots=True)
class FormDraft:
    """A saved form without what was typed."""

    id: UUID
    kind: str
    updated_at: datetime
    expires_at: datetime


def save(
    desk: Desk, session: Session, actor: Actor, kind: str, typed: Mapping[str, Json], form: UUID | None = None
) -> UUID:
    """Keep what was typed; with `form` under that id, in the place of what was kept there. Returns its id.

    A page names its form before anything is kept, so two saves that overtake each other, or one whose answer
    was lost, are one form. An id that is another person's is not taken: the form gets one of its own.
    """
    if kind not in KINDS:
        raise Refused(
            "form-kind", "there is no such form", (Issue("kind", "code", "is not one of the codes"),)
        )
    plain = canonical.encode(dict(typed))
    if len(plain) > MAX_BYTES:
        raise Refused(
            "form-size", "this is more than a form can hold", (Issue("", "oversize", "is too long"),)
        )
    now = desk.now()
    form_id = form or desk.uuid()
    if not _put(desk, session, actor, form_id, kind, plain, now):
        form_id = desk.uuid()
        _put(desk, session, actor, form_id, kind, plain, now)
    session.expire_all()
    _make_room(session, actor)
    return form_id


def _put(
    desk: Desk, session: Session, actor: Actor, form_id: UUID, kind: str, plain: bytes, now: datetime
) -> bool:
    """One statement, so that none of two writers is refused. False when the id is another person's."""
    epoch, epoch_key = desk.vault().current(now)
    key = vault.new_data_key()
    values: dict[str, Any] = {
        "kind": kind,
        "epoch": epoch,
        "wrapped": vault.wrap(epoch_key, key, key_aad(form_id)),
        "blob": vault.encrypt(key, plain, _aad(form_id, actor.id)),
        "updated_at": now,
        "expires_at": now + LIFE,
    }
    put = (
        insert(tables.FormDraft)
        .values(id=form_id, staff_id=actor.id, **values)
        .on_conflict_do_update(
            index_elements=["id"], set_=values, where=col(tables.FormDraft.staff_id) == actor.id
        )
        .returning(col(tables.FormDraft.id))
    )
    return session.connection().execute(put).first() is not None


def load(desk: Desk, session: Session, actor: Actor, form: UUID) -> Mapping[str, Json]:
    """What was typed. Raises `NotFound` for what is absent, over or another person's: they look the same."""
    row = _own(session, actor, form)
    if row is None or row.expires_at <= desk.now():
        raise NotFound("form")
    key = vault.unwrap(desk.vault().get(row.epoch), row.wrapped, key_aad(row.id))
    plain = vault.decrypt(key, row.blob, _aad(row.id, actor.id))
    return dict(canonical.decode(plain, max_bytes=MAX_BYTES))


def listing(desk: Desk, session: Session, actor: Actor) -> tuple[FormDraft, ...]:
    """One's own saved forms, the newest first."""
    row = tables.FormDraft
    found = session.exec(
        select(row.id, row.kind, row.updated_at, row.expires_at)
        .where(col(row.staff_id) == actor.id, col(row.expires_at) > desk.now())
        .order_by(col(row.updated_at).desc(), col(row.id))
        .limit(MAX_DRAFTS)
    )
    return tuple(FormDraft(*each) for each in found)


def discard(session: Session, actor: Actor, form: UUID) -> None:
    """Delete one's own; what is absent or another's is no error and stays."""
    row = _own(session, actor, form)
    if row is not None:
        session.delete(row)
        session.flush()


def expire_old(desk: Desk) -> int:
    """Delete what is past its week. Returns how many."""
    with unit_of_work(desk.db) as session:
        gone = delete(tables.FormDraft).where(col(tables.FormDraft.expires_at) <= desk.now())
        return int(session.exec(gone).rowcount)


def key_aad(form: UUID) -> bytes:
    """Binds a wrapped key to its form; rotation wraps it again under the same words."""
    return f"form_draft|{form}".encode()


def _aad(form: UUID, staff: str) -> bytes:
    """Binds the ciphertext to form and owner: a row moved to another person does not open."""
    return f"form_draft|{form}|{staff}".encode()


def _own(session: Session, actor: Actor, form: UUID) -> tables.FormDraft | None:
    row = tables.FormDraft
    return session.exec(select(row).where(col(row.id) == form, col(row.staff_id) == actor.id)).first()


def _make_room(session: Session, actor: Actor) -> None:
    row = tables.FormDraft
    kept = (
        select(row.id)
        .where(col(row.staff_id) == actor.id)
        .order_by(col(row.updated_at).desc(), col(row.id))
        .limit(MAX_DRAFTS)
    )
    session.exec(delete(row).where(col(row.staff_id) == actor.id, col(row.id).not_in(kept)))
