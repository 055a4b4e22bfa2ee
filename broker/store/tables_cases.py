"""Rows about cases: encrypted versions, wrapped keys, claims, the verdicts on them, urgent calls.

Nothing here holds a personal value in clear, and nothing can be searched by one: blobs are
ciphertext under keys that erasure destroys (rulings 17 and 27).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import SQLModel

from broker.store.types import big, check, guid, identity, instant, number, octets, one_of, text, texts

CASE_STATES = ("draft", "confirmed", "urgent", "set_aside", "no_addressee", "closed")
SET_ASIDE_REASONS = ("nobody-competent", "no-partner-yet", "not-permitted", "told-elsewhere")
CLAIM_KINDS = ("content_illegal", "person_linked", "child_in_danger")
VERDICT_BASES = ("human", "orb_consensus", "iccam", "own_tool")


class CaseFile(SQLModel, table=True):
    """A case without its content. `synthetic` is what an embedded server insists on."""

    __tablename__ = "case_file"
    __table_args__ = (
        one_of("state", CASE_STATES),
        Index(None, "state", "created_at"),
        Index(
            "ix_case_file_to_confirm", "urgency", "created_at", "id",
            postgresql_where=sql("state IN ('draft', 'urgent')"),
        ),
        Index(
            "ix_case_file_to_draft", "urgency", "created_at", "id",
            postgresql_where=sql("state = 'confirmed' AND drafted_version IS DISTINCT FROM current_version"),
        ),
        Index(
            "ix_case_file_to_agree", "urgency", "created_at", "id",
            postgresql_where=sql("state = 'set_aside'"),
        ),
        Index(None, "created_at", "id"),
        Index(None, "created_by", "created_at", "id"),
        Index(None, "kind", "urgency", "created_at", "id"),
    )  # fmt: skip

    id: UUID = guid(primary_key=True)
    kind: str = text()
    state: str = text()
    urgency: str = text()
    current_version: int = number()
    created_by: str = text()
    created_at: datetime = instant()
    synthetic: bool
    drafted_version: int | None = number()
    """The newest version of which a draft is open or released; triggers keep it, no program."""


class CaseVersion(SQLModel, table=True):
    """Everything of one version of a case but its person blobs, encrypted."""

    __tablename__ = "case_version"

    case_id: UUID = guid(primary_key=True, foreign_key="case_file.id")
    version: int = number(primary_key=True)
    digest: str = text()
    blob: bytes = octets()
    key_id: UUID = guid()
    created_by: str = text()
    created_at: datetime = instant()


class PersonBlob(SQLModel, table=True):
    """One person of one case version, encrypted under a key of that person."""

    __tablename__ = "person_blob"

    case_id: UUID = guid(primary_key=True, foreign_key="case_file.id")
    version: int = number(primary_key=True)
    local_id: str = text(primary_key=True)
    blob: bytes = octets()
    key_id: UUID = guid()


class WrappedKey(SQLModel, table=True):
    """A data key wrapped by the epoch key of a month, which lives outside this database."""

    __tablename__ = "wrapped_key"
    __table_args__ = (Index(None, "case_id"), Index(None, "epoch"))

    id: UUID = guid(primary_key=True)
    case_id: UUID = guid(foreign_key="case_file.id")
    scope: str = text()
    epoch: str = text()
    wrapped: bytes = octets()


class Claim(SQLModel, table=True):
    """Something said of a case that two people must confirm before it is released."""

    __tablename__ = "claim"
    __table_args__ = (one_of("kind", CLAIM_KINDS), Index(None, "case_id"))

    id: UUID = guid(primary_key=True)
    case_id: UUID = guid(foreign_key="case_file.id")
    case_version: int = number()
    kind: str = text()
    about: list[str] = texts()
    created_by: str = text()
    created_at: datetime = instant()


class Verdict(SQLModel, table=True):
    """One yes or no on a claim. A person counts once, and so does an organisation."""

    __tablename__ = "verdict"
    __table_args__ = (
        one_of("basis", VERDICT_BASES),
        check("one_voice", "num_nonnulls(staff_id, organisation) = 1"),
        check("human_is_staff", "(basis = 'human') = (staff_id IS NOT NULL)"),
        UniqueConstraint("claim_id", "staff_id"),
        UniqueConstraint("claim_id", "organisation"),
    )

    id: UUID = guid(primary_key=True)
    claim_id: UUID = guid(foreign_key="claim.id")
    staff_id: str | None = text(foreign_key="staff.id")
    organisation: str | None = text()
    basis: str = text()
    says: bool
    at: datetime = instant()


class UrgentCall(SQLModel, table=True):
    """A call to a desk on the urgent path. Names are in the encrypted event record only."""

    __tablename__ = "urgent_call"
    __table_args__ = (Index(None, "case_id"),)

    id: UUID = guid(primary_key=True)
    case_id: UUID = guid(foreign_key="case_file.id")
    by_staff: str = text(foreign_key="staff.id")
    reason_code: str = text()
    called_at: datetime = instant()
    answered: bool
    desk: str = text()
    read_back: bool
    record_event: UUID = guid(foreign_key="event.id")


class SetAside(SQLModel, table=True):
    """A person said that a case has no addressee, and why; `refusals` are what routing said then."""

    __tablename__ = "set_aside"
    __table_args__ = (
        one_of("reason", SET_ASIDE_REASONS),
        UniqueConstraint("id", "set_by"),
        Index(None, "case_id", "id"),
        Index(None, "at"),
    )

    case_id: UUID = guid(foreign_key="case_file.id")
    id: int | None = identity()
    case_version: int = number()
    reason: str = text()
    refusals: list[str] = texts()
    set_by: str = text(foreign_key="staff.id")
    at: datetime = instant()


class SetAsideLook(SQLModel, table=True):
    """Another person agreed that it has none."""

    __tablename__ = "set_aside_look"
    __table_args__ = (
        check("four_eyes", "looked_by <> set_by"),
        ForeignKeyConstraint(["set_aside_id", "set_by"], ["set_aside.id", "set_aside.set_by"]),
    )

    set_aside_id: int = big(primary_key=True, sa_column_kwargs={"autoincrement": False})
    set_by: str = text()
    looked_by: str = text(foreign_key="staff.id")
    at: datetime = instant()
