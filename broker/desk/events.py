"""What happened, by whom, when: log lines of the desk and leaves of the ledger.

A leaf commits to a record without telling it (ruling 26). Records hold ids, codes and digests; what
could name somebody (who answered a call) rests encrypted under a key of the case.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from sqlmodel import Session

from broker.desk.context import Desk
from broker.spi import Json
from broker.store import ledger, tables
from broker.store.types import LeafType


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, with `Z`: how times stand in our JSON."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def note(
    desk: Desk,
    session: Session,
    action: str,
    actor: str,
    *,
    case_id: UUID | None = None,
    release_id: str | None = None,
    partner_id: str | None = None,
) -> UUID:
    """Log an event that is not a leaf. `action` has the grammar `subject:verb`."""
    event_id = desk.uuid()
    ledger.note(
        session,
        event_id=event_id,
        action=action,
        at=desk.now(),
        actor=actor,
        case_id=case_id,
        release_id=release_id,
        partner_id=partner_id,
    )
    return event_id


def noted(
    desk: Desk,
    action: str,
    actor: str,
    *,
    case_id: UUID | None = None,
    release_id: str | None = None,
    partner_id: str | None = None,
) -> tables.Event:
    """The same event as a row, for who inserts many rows at once."""
    return tables.Event(
        id=desk.uuid(),
        action=action,
        at=desk.now(),
        actor=actor,
        case_id=case_id,
        release_id=release_id,
        partner_id=partner_id,
    )


def leaf(
    desk: Desk,
    session: Session,
    leaf_type: LeafType,
    action: str,
    actor: str,
    record: Mapping[str, Json],
    *,
    case_id: UUID | None = None,
    release_id: str | None = None,
    partner_id: str | None = None,
    due_at: datetime | None = None,
    feed: Mapping[str, Json] | None = None,
) -> UUID:
    """Put a leaf on its way, in the caller's transaction; the integrator gives it a position."""
    session.flush()
    now = desk.now()
    event_id = desk.uuid()
    ledger.append(
        session,
        ledger.Entry(
            leaf_type=leaf_type,
            event_id=event_id,
            at=now,
            actor=actor,
            record=record,
            nonce=desk.random(16),
            keep_until=now + desk.pack.retention["register"].span,
            due_at=due_at or now,
            action=action,
            case_id=case_id,
            release_id=release_id,
            partner_id=partner_id,
            feed=feed,
        ),
    )
    return event_id
