"""Rows of the record: events, what waits for the ledger, the ledger itself, feed and follow-up."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import SQLModel

from broker.store.types import (
    LEAF_TYPES,
    big,
    check,
    guid,
    identity,
    instant,
    json,
    number,
    octets,
    one_of,
    text,
)

FEED_EVENTS = ("published", "withdrawn")
GROUNDS = ("triage", "own_case", "supplement", "audit")


class Event(SQLModel, table=True):
    """That something was done, by whom and when; what exactly is in its record."""

    __tablename__ = "event"
    __table_args__ = (
        one_of("leaf_type", LEAF_TYPES),
        Index(None, "case_id"),
        Index(None, "release_id"),
        Index(None, "at"),
        Index("ix_event_rotated", "at", postgresql_where=sql("action = 'keys:epoch-rotated'")),
    )

    id: UUID = guid(primary_key=True)
    leaf_type: str | None = text()
    action: str = text()
    at: datetime = instant()
    actor: str = text()
    case_id: UUID | None = guid()
    release_id: str | None = text()
    partner_id: str | None = text()


class EventRecord(SQLModel, table=True):
    """Nonce and record behind a leaf, with a retention of their own (ruling 26).

    `partner_id` is set only where that partner may fetch nonce and record (leaf `published`).
    `key_id` tells that `record` is ciphertext: AES-256-GCM of the canonical record.
    """

    __tablename__ = "event_record"
    __table_args__ = (Index(None, "keep_until"),)

    event_id: UUID = guid(primary_key=True, foreign_key="event.id")
    partner_id: str | None = text()
    nonce: bytes = octets()
    record: bytes = octets()
    key_id: UUID | None = guid()
    keep_until: datetime = instant()


class Pending(SQLModel, table=True):
    """A leaf that waits for its position; only the integrator takes it away."""

    __tablename__ = "pending"
    __table_args__ = (
        one_of("leaf_type", LEAF_TYPES),
        check("commit", "octet_length(commit) = 32"),
        Index(None, "release_id"),
    )

    id: int | None = identity()
    leaf_type: str = text()
    commit: bytes = octets()
    event_id: UUID = guid(unique=True, foreign_key="event.id")
    release_id: str | None = text()
    partner_id: str | None = text()
    due_at: datetime = instant()
    feed: dict[str, Any] | None = json()


class Cancellation(SQLModel, table=True):
    """A publication called back before it was due."""

    __tablename__ = "cancellation"

    release_id: str = text(primary_key=True, foreign_key="release.release_id")
    by: str = text()
    at: datetime = instant()


class LedgerLeaf(SQLModel, table=True):
    """One leaf of the log; UNIQUE(position) is the fence against a second integrator."""

    __tablename__ = "ledger_leaf"
    __table_args__ = (
        check("position", "position >= 0"),
        check("leaf_hash", "leaf_hash = sha256('\\x00'::bytea || body)"),
        Index(None, "release_id"),
    )

    position: int = big(primary_key=True, sa_column_kwargs={"autoincrement": False})
    body: bytes = octets()
    leaf_hash: bytes = octets()
    event_id: UUID = guid(unique=True, foreign_key="event.id")
    release_id: str | None = text()


class LedgerTile(SQLModel, table=True):
    """A full tile: 256 hashes at height 8·level; `root` is the hash over them, one level up."""

    __tablename__ = "ledger_tile"
    __table_args__ = (check("full", "octet_length(hashes) = 8192 AND octet_length(root) = 32"),)

    level: int = number(primary_key=True, sa_column_kwargs={"autoincrement": False})
    idx: int = big(primary_key=True, sa_column_kwargs={"autoincrement": False})
    hashes: bytes = octets()
    root: bytes = octets()


class LedgerCheckpoint(SQLModel, table=True):
    """A signed tree head. The largest size is the current one."""

    __tablename__ = "ledger_checkpoint"
    __table_args__ = (check("root", "octet_length(root) = 32"),)

    size: int = big(primary_key=True, sa_column_kwargs={"autoincrement": False})
    root: bytes = octets()
    note: str = text()
    at: datetime = instant()


class Feed(SQLModel, table=True):
    """A row of a partner's feed; `row` is the item as it is served."""

    __tablename__ = "feed"
    __table_args__ = (
        one_of("event", FEED_EVENTS),
        UniqueConstraint("partner_id", "seq"),
        Index(None, "partner_id", "urgency", "position"),
        Index(None, "release_id", "partner_id"),
    )

    partner_id: str = text(primary_key=True, foreign_key="partner.id")
    position: int = big(primary_key=True, foreign_key="ledger_leaf.position")
    seq: int = big()
    event: str = text()
    release_id: str = text(foreign_key="release.release_id")
    row: bytes = octets()
    urgency: str = text()
    at: datetime = instant()


class Collection(SQLModel, table=True):
    """A machine fetched sealed bytes."""

    __tablename__ = "collection"
    __table_args__ = (Index(None, "release_id", "partner_id", "at"), Index(None, "partner_id", "at"))

    id: UUID = guid(primary_key=True)
    release_id: str = text(foreign_key="release.release_id")
    partner_id: str = text(foreign_key="partner.id")
    part: str = text()
    at: datetime = instant()
    generation: int = number()
    sha256: str = text()


class Receipt(SQLModel, table=True):
    """The partner's signature over the digest of what it got."""

    __tablename__ = "receipt"

    release_id: str = text(primary_key=True, foreign_key="release.release_id")
    partner_id: str = text(primary_key=True, foreign_key="partner.id")
    sha256: str = text(primary_key=True)
    jws: str = text()
    verified: bool
    at: datetime = instant()


class ReadAct(SQLModel, table=True):
    """A person at the partner read it, on a coded ground."""

    __tablename__ = "read_act"
    __table_args__ = (
        one_of("ground", GROUNDS),
        Index(None, "release_id", "partner_id"),
        Index(None, "at", "id"),
    )

    id: UUID = guid(primary_key=True)
    release_id: str = text(foreign_key="release.release_id")
    partner_id: str = text(foreign_key="partner.id")
    ground: str = text()
    user_reference: str | None = text()
    own_case_number: str | None = text()
    at: datetime = instant()


class Answer(SQLModel, table=True):
    """What became of it; `id` is the partner's, so the same answer twice is one."""

    __tablename__ = "answer"
    __table_args__ = (Index(None, "release_id", "partner_id"), Index(None, "at"))

    id: UUID = guid(primary_key=True)
    partner_id: str = text(primary_key=True, foreign_key="partner.id")
    release_id: str = text(foreign_key="release.release_id")
    outcome: str = text()
    body: dict[str, Any] = json()
    at: datetime = instant()


class Jti(SQLModel, table=True):
    """A token or proof id that was used once."""

    __tablename__ = "jti"
    __table_args__ = (Index(None, "expires_at"),)

    space: str = text(primary_key=True)
    hash: bytes = octets(primary_key=True)
    expires_at: datetime = instant()


class RateWindow(SQLModel, table=True):
    """Requests of a partner in one minute, by the connection that counted them. Unlogged: a guard, not
    a record."""

    __tablename__ = "rate_window"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    partner_id: str = text(primary_key=True)
    minute: datetime = instant(primary_key=True)
    slot: int = number(primary_key=True, sa_column_kwargs={"autoincrement": False})
    n: int = number()
