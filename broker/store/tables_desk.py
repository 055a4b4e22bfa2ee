"""Rows of the desk's own: open releases, sampled review, forms not yet sent, views and preferences."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import SQLModel

from broker.store.types import check, guid, instant, json, number, octets, one_of, text

REVIEW_VERDICTS = ("necessary", "excessive", "wrong")
SETTING_KINDS = ("view", "preference")


class OpenRelease(SQLModel, table=True):
    """A release that nobody fetched or was handed, and that was not taken back; triggers keep it."""

    __tablename__ = "open_release"
    __table_args__ = (Index(None, "urgency", "released_at", "release_id"), Index(None, "deadline"))

    release_id: str = text(primary_key=True, foreign_key="release.release_id")
    urgency: str = text()
    released_at: datetime = instant()
    deadline: datetime | None = instant()


class ReviewDraw(SQLModel, table=True):
    """A sample of releases with the seed that anybody can draw it again with."""

    __tablename__ = "review_draw"
    __table_args__ = (
        check("period", "period_from < period_to AND period_to <= at"),
        check("seed", "seed ~ '^[0-9a-f]{32}$'"),
    )

    id: UUID = guid(primary_key=True)
    period_from: datetime = instant()
    period_to: datetime = instant()
    seed: str = text()
    size: int = number()
    population: int = number()
    strata: dict[str, Any] = json()
    drawn_by: str = text(foreign_key="staff.id")
    at: datetime = instant()


class ReviewItem(SQLModel, table=True):
    """One release of a draw."""

    __tablename__ = "review_item"

    draw_id: UUID = guid(primary_key=True, foreign_key="review_draw.id")
    release_id: str = text(primary_key=True, foreign_key="release.release_id")
    rank: int = number()
    stratum: str = text()


class ReviewTicket(SQLModel, table=True):
    """An officer asks to open one drawn release."""

    __tablename__ = "review_ticket"
    __table_args__ = (
        ForeignKeyConstraint(["draw_id", "release_id"], ["review_item.draw_id", "review_item.release_id"]),
        UniqueConstraint("id", "officer", "release_id"),
        Index(None, "draw_id", "release_id"),
    )

    id: UUID = guid(primary_key=True)
    draw_id: UUID = guid()
    release_id: str = text()
    officer: str = text(foreign_key="staff.id")
    at: datetime = instant()


class ReviewGrant(SQLModel, table=True):
    """The second person's yes to a ticket, with its half hour. Neither had a hand in the release."""

    __tablename__ = "review_grant"
    __table_args__ = (
        ForeignKeyConstraint(
            ["ticket_id", "officer", "release_id"],
            ["review_ticket.id", "review_ticket.officer", "review_ticket.release_id"],
        ),
        ForeignKeyConstraint(
            ["release_id", "drafted_by", "approved_by"],
            ["release.release_id", "release.drafted_by", "release.approved_by"],
        ),
        check(
            "four_eyes",
            "granted_by <> officer AND granted_by NOT IN (drafted_by, approved_by)"
            " AND officer NOT IN (drafted_by, approved_by)",
        ),
        check("half_hour", "expires_at > at AND expires_at <= at + interval '30 minutes'"),
        UniqueConstraint("ticket_id", "officer"),
    )

    ticket_id: UUID = guid(primary_key=True)
    officer: str = text()
    release_id: str = text()
    drafted_by: str = text()
    approved_by: str = text()
    granted_by: str = text(foreign_key="staff.id")
    at: datetime = instant()
    expires_at: datetime = instant()


class ReviewVerdict(SQLModel, table=True):
    """What the officer says of one field of what was sent."""

    __tablename__ = "review_verdict"
    __table_args__ = (
        ForeignKeyConstraint(["ticket_id", "officer"], ["review_grant.ticket_id", "review_grant.officer"]),
        one_of("verdict", REVIEW_VERDICTS),
        check("field", "field ~ '^F[0-9]{2}$'"),
    )

    ticket_id: UUID = guid(primary_key=True)
    field: str = text(primary_key=True)
    officer: str = text()
    verdict: str = text()
    at: datetime = instant()


class FormDraft(SQLModel, table=True):
    """What somebody typed into a form and has not sent: ciphertext under a key of its own."""

    __tablename__ = "form_draft"
    __table_args__ = (
        check("lives", "expires_at > updated_at"),
        Index(None, "staff_id", "updated_at"),
        Index(None, "expires_at"),
    )

    id: UUID = guid(primary_key=True)
    staff_id: str = text(foreign_key="staff.id")
    kind: str = text()
    epoch: str = text()
    wrapped: bytes = octets()
    blob: bytes = octets()
    updated_at: datetime = instant()
    expires_at: datetime = instant()


class StaffSetting(SQLModel, table=True):
    """A saved view or a preference; codes only."""

    __tablename__ = "staff_setting"
    __table_args__ = (one_of("kind", SETTING_KINDS),)

    staff_id: str = text(primary_key=True, foreign_key="staff.id")
    kind: str = text(primary_key=True)
    name: str = text(primary_key=True)
    value: dict[str, Any] = json()
    updated_at: datetime = instant()
