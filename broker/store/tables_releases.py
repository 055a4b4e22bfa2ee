"""Rows about what leaves: referrals, drafts, approvals, releases and the sealed bytes.

Four eyes is a chain of foreign keys, not a promise of the program: a release points at an approval
of exactly its digest by exactly the person it names, an approval points at a draft of exactly the
drafter and urgency it names, and CHECKs compare the two people (rulings 3 and 19).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import SQLModel

from broker.store.types import big, check, guid, instant, json, number, octets, one_of, text, texts

HEX = "~ '^[0-9a-f]{64}$'"
APPROVAL_KINDS = ("release", "retrospective")


class Referral(SQLModel, table=True):
    """What one addressee hears about one case, over all versions."""

    __tablename__ = "referral"
    __table_args__ = (UniqueConstraint("case_id", "addressee"),)

    id: UUID = guid(primary_key=True)
    case_id: UUID = guid(foreign_key="case_file.id")
    addressee: str = text(foreign_key="partner.id")
    carrier: str = text(foreign_key="partner.id")
    reference: str = text(unique=True)
    case_alias: str = text()
    element_key_wrapped: bytes | None = octets()
    created_at: datetime = instant()


class Draft(SQLModel, table=True):
    """The header of a draft; `id` is the release id (ULID)."""

    __tablename__ = "draft"
    __table_args__ = (
        check("ulid", "char_length(id) = 26"),
        check("digests", f"approval_digest {HEX} AND payload_sha256 {HEX}"),
        check("lives", "expires_at > drafted_at"),
        UniqueConstraint("id", "drafted_by", "urgent"),
        UniqueConstraint("id", "approval_digest"),
        Index(None, "referral_id"),
    )

    id: str = text(primary_key=True)
    referral_id: UUID = guid(foreign_key="referral.id")
    version: int = number()
    kind: str = text()
    supersedes: str | None = text()
    urgent: bool
    drafted_by: str = text(foreign_key="staff.id")
    drafted_at: datetime = instant()
    expires_at: datetime = instant()
    case_version: int = number()
    agreement_version: int | None = number()
    purposes: list[str] = texts()
    approval_digest: str = text()
    payload_sha256: str = text()


class DraftBlob(SQLModel, table=True):
    """The draft itself, encrypted; goes away when the draft is released or refused."""

    __tablename__ = "draft_blob"

    release_id: str = text(primary_key=True, foreign_key="draft.id")
    blob: bytes = octets()
    key_id: UUID = guid()


class Approval(SQLModel, table=True):
    """A person's yes to one digest."""

    __tablename__ = "approval"
    __table_args__ = (
        ForeignKeyConstraint(
            ["release_id", "drafted_by", "urgent"], ["draft.id", "draft.drafted_by", "draft.urgent"]
        ),
        ForeignKeyConstraint(
            ["release_id", "digest"],
            ["draft.id", "draft.approval_digest"],
            name="fk_approval_release_id_digest",
        ),
        one_of("kind", APPROVAL_KINDS),
        check(
            "four_eyes",
            "(kind = 'release' AND (approved_by <> drafted_by OR urgent))"
            " OR (kind = 'retrospective' AND urgent AND approved_by <> drafted_by)",
        ),
        UniqueConstraint("release_id", "kind", "approved_by", "digest"),
    )

    release_id: str = text(primary_key=True)
    kind: str = text(primary_key=True)
    approved_by: str = text(foreign_key="staff.id")
    drafted_by: str = text()
    urgent: bool
    digest: str = text()
    at: datetime = instant()
    batch: str | None = text()


class DraftRefusal(SQLModel, table=True):
    """A draft that was turned down, expired or overtaken."""

    __tablename__ = "draft_refusal"
    __table_args__ = (Index("ix_draft_refusal_broker", "at", postgresql_where=sql("by IS NULL")),)

    release_id: str = text(primary_key=True, foreign_key="draft.id")
    by: str | None = text(foreign_key="staff.id")
    at: datetime = instant()
    code: str = text()


class Release(SQLModel, table=True):
    """Ids, digests and the field list of what was released; never a value (ruling 18)."""

    __tablename__ = "release"
    __table_args__ = (
        ForeignKeyConstraint(
            ["release_id", "drafted_by", "urgent"], ["draft.id", "draft.drafted_by", "draft.urgent"]
        ),
        ForeignKeyConstraint(
            ["release_id", "approval_kind", "approved_by", "approval_digest"],
            ["approval.release_id", "approval.kind", "approval.approved_by", "approval.digest"],
            name="fk_release_approval",
        ),
        ForeignKeyConstraint(["addressee", "addressee_class"], ["partner.id", "partner.recipient_class"]),
        ForeignKeyConstraint(
            ["addressee", "agreement_version"],
            ["agreement.partner_id", "agreement.version"],
            name="fk_release_agreement",
        ),
        check("approval_kind", "approval_kind = 'release'"),
        check("four_eyes", "drafted_by <> approved_by OR urgent"),
        check("urgent_is_domestic_police", "NOT urgent OR addressee_class = 'BEP'"),
        check(
            "digests",
            f"payload_sha256 {HEX} AND seal_sha256 {HEX} AND root {HEX} AND matrix_digest {HEX}",
        ),
        UniqueConstraint("referral_id", "version"),
        UniqueConstraint("release_id", "drafted_by", "approved_by"),
        Index(None, "case_id"),
        Index(None, "carrier"),
        Index(None, "released_at"),
        Index(None, "released_at", "release_id"),
        Index(None, "addressee", "released_at", "release_id"),
        Index(None, "addressee_class", "released_at", "release_id"),
        Index(None, "case_kind", "released_at", "release_id"),
        Index(None, "fields", postgresql_using="gin"),
        Index("ix_release_urgent", "released_at", "release_id", postgresql_where=sql("urgent")),
        Index("ix_release_u1", "released_at", "release_id", postgresql_where=sql("urgency = 'U1'")),
    )

    release_id: str = text(primary_key=True)
    referral_id: UUID = guid(foreign_key="referral.id")
    version: int = number()
    kind: str = text()
    supersedes: str | None = text(foreign_key="release.release_id")
    addressee: str = text()
    addressee_class: str = text()
    carrier: str = text(foreign_key="partner.id")
    agreement_version: int | None = number()
    case_id: UUID = guid(foreign_key="case_file.id")
    case_version: int = number()
    matrix_digest: str = text()
    payload_sha256: str = text()
    seal_sha256: str = text()
    root: str = text()
    depth: int = number()
    approval_digest: str = text()
    approval_kind: str = text(default="release")
    drafted_by: str = text()
    approved_by: str = text()
    urgent: bool
    urgency: str = text()
    case_kind: str = text()
    purposes: list[str] = texts()
    fields: dict[str, Any] = json()
    conditions: list[str] = texts()
    gaps: list[str] = texts()
    score: int = number()
    documents: list[dict[str, Any]] = json()
    sizes: dict[str, Any] = json()
    key_ids: list[str] = texts()
    released_at: datetime = instant()
    due_at: datetime = instant()
    deadline: datetime | None = instant()
    window_from_first_collection: int | None = number()
    """Days."""


class ReleaseRecord(SQLModel, table=True):
    """Payload, seal table, documents: what was released, encrypted under the key of the case."""

    __tablename__ = "release_record"

    release_id: str = text(primary_key=True, foreign_key="release.release_id")
    blob: bytes = octets()
    key_id: UUID = guid()


class SealedObject(SQLModel, table=True):
    """Bytes as the carrier gets them. A reseal adds a generation; the highest is served."""

    __tablename__ = "sealed_object"
    __table_args__ = (
        check("size", "size = octet_length(body)"),
        check("sha256", "sha256 = encode(sha256(body), 'hex')"),
        check("generation", "generation >= 1"),
    )

    release_id: str = text(primary_key=True, foreign_key="release.release_id")
    part: str = text(primary_key=True)
    generation: int = number(primary_key=True, default=1)
    partner_id: str = text(foreign_key="partner.id")
    media_type: str = text()
    body: bytes = octets()
    sha256: str = text()
    size: int = big()


class Withdrawal(SQLModel, table=True):
    """A release that may no longer be collected; `partner_id` is its carrier."""

    __tablename__ = "withdrawal"
    __table_args__ = (Index(None, "at", "release_id"),)

    release_id: str = text(primary_key=True, foreign_key="release.release_id")
    partner_id: str = text(foreign_key="partner.id")
    reason_code: str = text()
    by: str | None = text(foreign_key="staff.id")
    at: datetime = instant()
