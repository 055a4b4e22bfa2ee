"""Rows about who takes part: staff, partner agencies, their keys and their agreements."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import SQLModel

from broker.store.types import check, instant, json, number, octets, one_of, text, texts

PARTNER_STATES = ("active", "suspended")
KEY_USES = ("auth", "dpop", "enc", "enc-next", "apart", "receipt")
AGREEMENT_STATES = ("active", "suspended", "ended")


class Staff(SQLModel, table=True):
    """A person of the hotline; `id` is opaque (`st_…`) and is all that leaves this table."""

    __tablename__ = "staff"

    id: str = text(primary_key=True)
    login: str = text(unique=True)
    roles: list[str] = texts()
    password_hash: str = text()
    vetted_until: datetime | None = instant()
    disabled_at: datetime | None = instant()
    created_at: datetime = instant()


class Partner(SQLModel, table=True):
    """An authority that receives or carries referrals (`pt_…`)."""

    __tablename__ = "partner"
    __table_args__ = (
        UniqueConstraint("id", "recipient_class"),
        one_of("status", PARTNER_STATES),
    )

    id: str = text(primary_key=True)
    name: str = text()
    recipient_class: str = text()
    country: str = text()
    provider: str | None = text()
    language: str = text()
    client_id: str = text(unique=True)
    software: str | None = text()
    environment: str = text()
    pseudonym_key_wrapped: bytes | None = octets()
    status: str = text()
    created_at: datetime = instant()


class PartnerKey(SQLModel, table=True):
    """A public key of a partner, by use."""

    __tablename__ = "partner_key"
    __table_args__ = (one_of("use", KEY_USES), Index(None, "kid"))

    partner_id: str = text(primary_key=True, foreign_key="partner.id")
    kid: str = text(primary_key=True)
    use: str = text()
    jwk: dict[str, Any] = json()
    not_before: datetime = instant()
    not_after: datetime = instant()
    revoked_at: datetime | None = instant()


class Agreement(SQLModel, table=True):
    """One immutable version of what a partner may get, approved by two people."""

    __tablename__ = "agreement"
    __table_args__ = (
        check("four_eyes", "approved_by_1 <> approved_by_2"),
        check("validity", "valid_from < valid_to"),
    )

    partner_id: str = text(primary_key=True, foreign_key="partner.id")
    version: int = number(primary_key=True)
    body: dict[str, Any] = json()
    digest: str = text()
    valid_from: datetime = instant()
    valid_to: datetime = instant()
    approved_by_1: str = text(foreign_key="staff.id")
    approved_by_2: str = text(foreign_key="staff.id")
    created_at: datetime = instant()


class AgreementProposal(SQLModel, table=True):
    """An agreement that waits for its second approval."""

    __tablename__ = "agreement_proposal"

    partner_id: str = text(primary_key=True, foreign_key="partner.id")
    digest: str = text(primary_key=True)
    body: dict[str, Any] = json()
    proposed_by: str = text(foreign_key="staff.id")
    at: datetime = instant()


class AgreementStatus(SQLModel, table=True):
    """What happened to an agreement version, as a log: the last line counts."""

    __tablename__ = "agreement_status"
    __table_args__ = (
        ForeignKeyConstraint(["partner_id", "version"], ["agreement.partner_id", "agreement.version"]),
        one_of("status", AGREEMENT_STATES),
    )

    partner_id: str = text(primary_key=True)
    version: int = number(primary_key=True)
    at: datetime = instant(primary_key=True)
    status: str = text()
    by: str = text(foreign_key="staff.id")


class Recognition(SQLModel, table=True):
    """The instrument by which the hotline is recognised, with its dates."""

    __tablename__ = "recognition"
    __table_args__ = (check("validity", "valid_to IS NULL OR valid_from < valid_to"),)

    id: str = text(primary_key=True)
    instrument: str = text()
    valid_from: datetime = instant()
    valid_to: datetime | None = instant()
