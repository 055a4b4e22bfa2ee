"""Rows about signing in: inbox people, sessions, passkeys, one-time codes, and what proves a step-up.

An account is a member of staff (`st_…`) or an inbox person of a partner (`pp_…`); a row that belongs
to one has exactly one of the two columns set, so that both are real foreign keys.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from broker.store.types import big, check, identity, instant, json, octets, one_of, text, texts

SESSION_METHODS = ("passkey", "totp", "oidc", "link", "cli")
FLOW_PURPOSES = ("register", "authenticate", "step-up", "oidc", "totp", "password")
STEP_UP_PURPOSES = ("release", "erase")
STEP_UP_METHODS = ("passkey", "totp")


class InboxPerson(SQLModel, table=True):
    """A person of one partner without software (`pp_…`): signs in to the inbox and nowhere else."""

    __tablename__ = "inbox_person"

    id: str = text(primary_key=True)
    partner_id: str = text(foreign_key="partner.id")
    login: str = text(unique=True)
    password_hash: str = text()
    disabled_at: datetime | None = instant()
    created_by: str = text(foreign_key="staff.id")
    created_at: datetime = instant()


class Owned(SQLModel):
    """What belongs to one account."""

    staff_id: str | None = text(foreign_key="staff.id")
    person_id: str | None = text(foreign_key="inbox_person.id")

    @property
    def account_id(self) -> str:
        """The account, whichever kind it is; empty for a flow of somebody not known yet."""
        return self.staff_id or self.person_id or ""


def one_account() -> CheckConstraint:
    """Exactly one of the two."""
    return check("one_account", "num_nonnulls(staff_id, person_id) = 1")


class AccountSession(Owned, table=True):
    """A signed-in browser or command line; only the hash of its token is kept."""

    __tablename__ = "account_session"
    __table_args__ = (
        one_account(),
        one_of("method", SESSION_METHODS),
        check("token", "octet_length(token_hash) = 32"),
        Index(None, "staff_id"),
        Index(None, "person_id"),
        Index(None, "expires_at"),
    )

    token_hash: bytes = octets(primary_key=True)
    method: str = text()
    created_at: datetime = instant()
    last_seen_at: datetime = instant()
    expires_at: datetime = instant()


class Passkey(Owned, table=True):
    """A WebAuthn credential: its public key in COSE, and how often the authenticator says it signed."""

    __tablename__ = "passkey"
    __table_args__ = (
        one_account(),
        check("sign_count", "sign_count >= 0"),
        Index(None, "staff_id"),
        Index(None, "person_id"),
    )

    credential_id: bytes = octets(primary_key=True)
    public_key: bytes = octets()
    sign_count: int = big()
    transports: list[str] = texts()
    label: str = text()
    created_at: datetime = instant()
    last_used_at: datetime | None = instant()


class Totp(Owned, table=True):
    """The secret of an account's one-time codes, encrypted, and the last step that was used."""

    __tablename__ = "totp"
    __table_args__ = (one_account(), UniqueConstraint("staff_id"), UniqueConstraint("person_id"))

    id: int | None = identity()
    secret: bytes = octets()
    last_step: int = big()
    created_at: datetime = instant()


class OidcIdentity(SQLModel, table=True):
    """Which member of staff an outside provider's (issuer, subject) stands for."""

    __tablename__ = "oidc_identity"

    issuer: str = text(primary_key=True)
    subject: str = text(primary_key=True)
    staff_id: str = text(foreign_key="staff.id")
    linked_by: str = text(foreign_key="staff.id")
    at: datetime = instant()


class SignInFlow(Owned, table=True):
    """A ceremony under way: its challenge or state, good once and for minutes."""

    __tablename__ = "sign_in_flow"
    __table_args__ = (
        check("at_most_one_account", "num_nonnulls(staff_id, person_id) <= 1"),
        one_of("purpose", FLOW_PURPOSES),
        check("handle", "octet_length(handle_hash) = 32"),
        Index(None, "expires_at"),
    )

    handle_hash: bytes = octets(primary_key=True)
    purpose: str = text()
    challenge: bytes = octets()
    data: dict[str, Any] = json()
    expires_at: datetime = instant()


class SignInAttempt(SQLModel, table=True):
    """A try with a secret that can be guessed; `key` is a hash of what it was tried on."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (check("key", "octet_length(key) = 32"), Index(None, "key", "at"))

    key: bytes = octets()
    id: int | None = identity()
    at: datetime = instant()


class SignInLink(Owned, table=True):
    """A one-time sign-in link of a synthetic installation."""

    __tablename__ = "sign_in_link"
    __table_args__ = (
        one_account(),
        check("token", "octet_length(token_hash) = 32"),
        Index(None, "expires_at"),
    )

    token_hash: bytes = octets(primary_key=True)
    created_at: datetime = instant()
    expires_at: datetime = instant()
    used_at: datetime | None = instant()


class StepUpEvidence(SQLModel, table=True):
    """Somebody proved afresh who they are, for one digest. For a passkey: what was signed, and the key."""

    __tablename__ = "step_up_evidence"
    __table_args__ = (
        one_of("purpose", STEP_UP_PURPOSES),
        one_of("method", STEP_UP_METHODS),
        check("digest", "digest ~ '^[0-9a-f]{64}$'"),
        check(
            "proven",
            "num_nonnulls(assertion, public_key, fingerprint) = CASE method WHEN 'passkey' THEN 3 ELSE 0 END "
            "AND (totp_step IS NOT NULL) = (method = 'totp')",
        ),
        UniqueConstraint("fingerprint"),
        UniqueConstraint("staff_id", "totp_step"),
        Index(None, "staff_id", "digest"),
    )

    staff_id: str = text(foreign_key="staff.id")
    id: int | None = identity()
    purpose: str = text()
    digest: str = text()
    method: str = text()
    # Without `none_as_null` None would be stored as the JSON value null.
    assertion: dict[str, Any] | None = Field(sa_type=JSONB(none_as_null=True))
    public_key: bytes | None = octets()
    fingerprint: bytes | None = octets()
    totp_step: int | None = big()
    at: datetime = instant()
