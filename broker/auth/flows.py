"""Ceremonies under way: a challenge or state that is good once and for minutes, kept in the database.

The handle goes to the browser (in a cookie of its own, HttpOnly and SameSite, never in an address);
its hash is the key of the row, so that any process can finish what another began.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlmodel import Session, col, delete

from broker.auth.people import owner
from broker.errors import Forbidden
from broker.store import tables
from broker.store.engine import lasting

Purpose = Literal["register", "authenticate", "step-up", "oidc", "totp", "password"]
GOOD_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Taken:
    """What `begin` put aside."""

    account_id: str
    challenge: bytes
    data: Mapping[str, Any]


def begin(
    session: Session,
    purpose: Purpose,
    now: datetime,
    *,
    account_id: str = "",
    challenge: bytes = b"",
    data: Mapping[str, Any] | None = None,
    good_for: timedelta = GOOD_FOR,
) -> str:
    """Put a ceremony aside; gives its handle (256 bits)."""
    handle = secrets.token_urlsafe(32)
    session.add(
        tables.SignInFlow(
            handle_hash=_hash(handle),
            **(owner(account_id) if account_id else {"staff_id": None, "person_id": None}),
            purpose=purpose,
            challenge=challenge,
            data=dict(data or {}),
            expires_at=now + good_for,
        )
    )
    session.flush()
    return handle


def take(session: Session, purpose: Purpose, handle: str, now: datetime) -> Taken:
    """Take it out, once: also when what follows is refused and the caller's work is undone.

    Raises `Forbidden("flow")` for one that is unknown, over, taken before or of another purpose.
    """
    table = tables.SignInFlow
    with lasting(session) as apart:
        row = apart.exec(
            delete(table).where(col(table.handle_hash) == _hash(handle)).returning(table)
        ).one_or_none()
    found = row[0] if row is not None else None
    if found is None or found.purpose != purpose or found.expires_at <= now:
        raise over()
    return Taken(found.account_id, found.challenge, found.data)


def peek(session: Session, purpose: Purpose, handle: str, now: datetime) -> Taken:
    """Look without taking, where a mistyped code may be tried again."""
    found = session.get(tables.SignInFlow, _hash(handle))
    if found is None or found.purpose != purpose or found.expires_at <= now:
        raise over()
    return Taken(found.account_id, found.challenge, found.data)


def drop(session: Session, handle: str) -> None:
    """End a ceremony that was looked at; an unknown one is no error."""
    table = tables.SignInFlow
    session.exec(delete(table).where(col(table.handle_hash) == _hash(handle)))


def over() -> Forbidden:
    """The same words whatever is wrong with a ceremony."""
    return Forbidden("flow", "this took too long or was used before; begin again")


def _hash(handle: str) -> bytes:
    return hashlib.sha256(handle.encode()).digest()
