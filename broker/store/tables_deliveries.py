"""Rows about deliveries to partners that do not pull, notices of new referrals, and police holds.

`delivered` cannot be written without stored evidence: a trigger looks for it (migration 0003).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import SQLModel

from broker.store.tables_releases import HEX
from broker.store.types import big, check, guid, identity, instant, json, number, octets, one_of, text

PURPOSES = ("referral", "notice")
CHANNELS = ("mail", "push", "webhook")
STATES = ("queued", "sending", "awaiting", "delivered", "failed", "overdue", "retracted")
PROOFS = ("submission", "delivery", "failure", "retraction", "host")
"""`host` proves nothing of the delivery: it is the look-up made just before a notice was sent."""
TERMS = ("set", "renewed", "ended")


class DeliveryEndpoint(SQLModel, table=True):
    """Where a partner that does not pull is reached; the newest row of a purpose counts."""

    __tablename__ = "delivery_endpoint"
    __table_args__ = (
        one_of("purpose", PURPOSES),
        one_of("channel", CHANNELS),
        one_of("state", ("active", "ended")),
        Index(None, "partner_id", "purpose"),
    )

    partner_id: str = text(foreign_key="partner.id")
    id: int | None = identity()
    purpose: str = text()
    channel: str = text()
    adapter: str = text()
    state: str = text()
    config: dict[str, Any] = json()
    by: str = text(foreign_key="staff.id")
    at: datetime = instant()


class Delivery(SQLModel, table=True):
    """One release on its way to one partner by one adapter: never twice."""

    __tablename__ = "delivery"
    __table_args__ = (
        one_of("channel", ("mail", "push")),
        UniqueConstraint("release_id", "adapter"),
        Index(None, "partner_id"),
    )

    id: UUID = guid(primary_key=True)
    release_id: str = text(foreign_key="release.release_id")
    partner_id: str = text(foreign_key="partner.id")
    channel: str = text()
    adapter: str = text()
    not_before: datetime = instant()
    deadline: datetime | None = instant()
    created_at: datetime = instant()


class DeliveryEvent(SQLModel, table=True):
    """A step of a delivery. The last one is its state; which may follow which is held by a trigger."""

    __tablename__ = "delivery_event"
    __table_args__ = (
        one_of("state", STATES),
        check("attempt", "attempt >= 0"),
        check("code", "code ~ '^[a-z0-9-]{1,60}$'"),
        check("proven", "(state IN ('awaiting', 'delivered', 'retracted')) = (evidence_sha256 IS NOT NULL)"),
        Index(None, "delivery_id", "id"),
    )

    delivery_id: UUID = guid(foreign_key="delivery.id")
    id: int | None = identity()
    state: str = text()
    at: datetime = instant()
    attempt: int = number()
    code: str = text()
    due: datetime = instant()
    """When the next step is due: the next attempt of `queued`, the same as `at` otherwise."""
    evidence_sha256: str | None = text()
    by: str = text()


class DeliveryEvidence(SQLModel, table=True):
    """What the other side answered, verbatim, encrypted under the record key of the case."""

    __tablename__ = "delivery_evidence"
    __table_args__ = (one_of("proves", PROOFS), check("sha256", f"sha256 {HEX}"))

    delivery_id: UUID = guid(primary_key=True, foreign_key="delivery.id")
    proves: str = text(primary_key=True)
    sha256: str = text(primary_key=True)
    """Of the plain body."""
    media_type: str = text()
    remote_reference: str = text()
    body: bytes = octets()
    key_id: UUID = guid()
    at: datetime = instant()


class DeliveryProgress(SQLModel, table=True):
    """How far a delivery came at a system that takes it in steps; the highest number counts. Encrypted
    under the record key of the case."""

    __tablename__ = "delivery_progress"
    __table_args__ = (check("step", "step > 0"),)

    delivery_id: UUID = guid(primary_key=True, foreign_key="delivery.id")
    step: int = number(primary_key=True)
    body: bytes = octets()
    key_id: UUID = guid()
    at: datetime = instant()


class DeliveryReply(SQLModel, table=True):
    """A reply link that was sent with a delivery; only the hash of its token is kept."""

    __tablename__ = "delivery_reply"
    __table_args__ = (check("token", "octet_length(token_hash) = 32"),)

    token_hash: bytes = octets(primary_key=True)
    delivery_id: UUID = guid(foreign_key="delivery.id")
    expires_at: datetime = instant()


class NoticeAttempt(SQLModel, table=True):
    """One try to tell a partner that something waits; holds no content."""

    __tablename__ = "notice_attempt"
    __table_args__ = (
        check("code", "code ~ '^[a-z0-9-]{1,60}$'"),
        UniqueConstraint("release_id", "endpoint_id", "attempt"),
    )

    release_id: str = text(foreign_key="release.release_id")
    id: int | None = identity()
    endpoint_id: int = big(foreign_key="delivery_endpoint.id")
    attempt: int = number()
    at: datetime = instant()
    code: str = text()


class PoliceHold(SQLModel, table=True):
    """No notice for a URL, at the request of the domestic police. The URL is kept as a keyed hash."""

    __tablename__ = "police_hold"
    __table_args__ = (check("hmac", "octet_length(url_hmac) = 32"), Index(None, "url_hmac"))

    id: UUID = guid(primary_key=True)
    url_hmac: bytes = octets()
    created_by: str = text(foreign_key="staff.id")
    starts_at: datetime = instant()


class PoliceHoldTerm(SQLModel, table=True):
    """Until when a hold runs; set, renewed and ended by police only (the last row counts)."""

    __tablename__ = "police_hold_term"
    __table_args__ = (
        one_of("kind", TERMS),
        ForeignKeyConstraint(["by_partner", "by_class"], ["partner.id", "partner.recipient_class"]),
        check("police_only", "by_class = 'BEP'"),
        Index(None, "hold_id", "id"),
    )

    hold_id: UUID = guid(foreign_key="police_hold.id")
    id: int | None = identity()
    kind: str = text()
    by_partner: str = text()
    by_class: str = text()
    entered_by: str = text(foreign_key="staff.id")
    at: datetime = instant()
    until: datetime = instant()
