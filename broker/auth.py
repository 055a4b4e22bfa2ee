"""Staff accounts: who is acting, in which roles, proven how.

The seam is `Authenticator`: passwords with argon2id today, OIDC and passkeys later. Whatever proves
who it is, the desk sees an `Actor` with an opaque id; names never enter an event.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal, Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlmodel import Session, col, select

from broker.errors import Conflict, Forbidden, NotFound
from broker.store import tables

Role = Literal["analyst", "releaser", "dpo", "key_custodian", "administrator"]
ROLES: tuple[Role, ...] = ("analyst", "releaser", "dpo", "key_custodian", "administrator")
SESSION_LIFE = timedelta(hours=10)
MIN_PASSWORD = 12

_hasher = PasswordHasher()


@cache
def _dummy() -> str:
    """A hash nobody's password fits: an unknown login costs as much as a wrong password."""
    return _hasher.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts: a member of staff, or the hotline's own tool (`roles` is then empty)."""

    id: str
    roles: frozenset[Role]

    def needs(self, *roles: Role) -> None:
        """Raise `Forbidden` unless the actor has one of the roles."""
        if not self.roles & set(roles):
            raise Forbidden("role", f"this needs the role {' or '.join(roles)}")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in at one of the two doors: staff, or a person of a partner agency."""

    kind: Literal["staff", "inbox"]
    id: str
    actor: Actor | None
    partner_id: str | None
    session_id: bytes
    method: str
    signed_in_at: datetime


class Authenticator(Protocol):
    """Proves who somebody is. A replacement keeps the same result: a staff id or None."""

    def verify(self, session: Session, login: str, proof: str) -> str | None:
        """The staff id, or None: wrong login and wrong proof look and cost the same."""


class Passwords:
    """argon2id with the library's parameters (t=3, 64 MiB, p=4)."""

    def verify(self, session: Session, login: str, proof: str) -> str | None:
        """See `Authenticator.verify`."""
        person = session.exec(select(tables.Staff).where(col(tables.Staff.login) == login)).first()
        stored = person.password_hash if person is not None else _dummy()
        try:
            _hasher.verify(stored, proof)
        except (VerifyMismatchError, InvalidHashError):
            return None
        return None if person is None else person.id


def add_staff(
    session: Session,
    *,
    login: str,
    roles: frozenset[Role],
    password: str,
    vetted_until: datetime,
    now: datetime,
) -> Actor:
    """Create an account. `vetted_until` ends it by itself: vetting expiry disables an account (REQ-12)."""
    if len(password) < MIN_PASSWORD:
        raise Conflict("weak-password", f"a password has at least {MIN_PASSWORD} characters")
    if "administrator" in roles and len(roles) > 1:
        raise Conflict("role-mix", "an administrator reads no case data and holds no other role")
    if session.exec(select(tables.Staff).where(col(tables.Staff.login) == login)).first() is not None:
        raise Conflict("login-taken", "there is an account with this login")
    person = tables.Staff(
        id="st_" + secrets.token_hex(8),
        login=login,
        roles=sorted(roles),
        password_hash=_hasher.hash(password),
        vetted_until=vetted_until,
        created_at=now,
    )
    session.add(person)
    session.flush()
    return Actor(person.id, roles)


def sign_in(session: Session, authenticator: Authenticator, login: str, proof: str, now: datetime) -> str:
    """A session token (256 bits) for a member of staff. Only its hash is stored."""
    staff_id = authenticator.verify(session, login, proof)
    if staff_id is None:
        raise Forbidden("sign-in", "login or password is wrong")
    _actor(session, staff_id, now)
    token = secrets.token_urlsafe(32)
    session.add(
        tables.StaffSession(
            token_hash=_hash(token), staff_id=staff_id, created_at=now, expires_at=now + SESSION_LIFE
        )
    )
    session.flush()
    return token


def sign_out(session: Session, token: str) -> None:
    """End one session; unknown ones are no error."""
    row = session.get(tables.StaffSession, _hash(token))
    if row is not None:
        session.delete(row)
        session.flush()


def disable(session: Session, staff_id: str, now: datetime) -> None:
    """End an account for good. Raises `NotFound`."""
    person = session.get(tables.Staff, staff_id)
    if person is None:
        raise NotFound("account")
    person.disabled_at = person.disabled_at or now
    session.add(person)
    for row in session.exec(select(tables.StaffSession).where(col(tables.StaffSession.staff_id) == staff_id)):
        session.delete(row)
    session.flush()


def whoami(session: Session, token: str, now: datetime) -> Actor:
    """The actor behind a session token. Raises `Forbidden` when it is unknown, over or disabled."""
    row = session.get(tables.StaffSession, _hash(token))
    if row is None or row.expires_at <= now:
        raise Forbidden("sign-in", "you are not signed in, or your session is over")
    return _actor(session, row.staff_id, now)


def _actor(session: Session, staff_id: str, now: datetime) -> Actor:
    person = session.get_one(tables.Staff, staff_id)
    if person.disabled_at is not None or (person.vetted_until is not None and person.vetted_until <= now):
        raise Forbidden("account", "this account is disabled or its vetting has expired")
    return Actor(person.id, frozenset(person.roles))  # type: ignore[arg-type]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def resume(session: Session, token: str, now: datetime) -> Visitor:
    """Who is behind a session token. Raises `Forbidden`."""
    actor = whoami(session, token, now)
    return Visitor("staff", actor.id, actor, None, _hash(token), "password", now)


def open_session(session: Session, account_id: str, method: str, now: datetime) -> str:
    """A session for somebody who proved who it is."""
    del method
    token = secrets.token_urlsafe(32)
    session.add(
        tables.StaffSession(
            token_hash=_hash(token), staff_id=account_id, created_at=now, expires_at=now + SESSION_LIFE
        )
    )
    session.flush()
    return token
