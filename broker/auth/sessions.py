"""Signed-in sessions of both kinds of account: opened, resumed, ended.

`open_session` gives the token for the cookie; `resume` turns it back into a `Visitor`, on every
request; `sign_out` and `sign_out_everywhere` end it. Only the hash of a token is stored. A session
ends 30 minutes after it was last used and 10 hours after it began (`Life`, from the settings by
`runtime.session_life`). A session of the command line (`cli`) is no browser session: `resume`
refuses it, `whoami` takes it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlmodel import Session, col, delete, update

from broker.auth.people import Actor, Kind, of, owner, standing
from broker.errors import Forbidden
from broker.store import tables

Method = Literal["passkey", "totp", "oidc", "link", "cli"]
TOUCH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Life:
    """How long a session lasts: unused, and in all."""

    idle: timedelta = timedelta(minutes=30)
    whole: timedelta = timedelta(hours=10)


LIFE = Life()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody signed in: a member of staff with their `actor`, or an inbox person with `partner_id`."""

    kind: Kind
    id: str
    actor: Actor | None
    partner_id: str | None
    session_id: bytes
    """The hash of the token: names the session, opens nothing."""
    method: Method
    signed_in_at: datetime


def open_session(
    session: Session,
    account_id: str,
    method: Method,
    now: datetime,
    *,
    replaces: str = "",
    life: Life = LIFE,
) -> str:
    """A new session of an account that has just proven who it is: the token (256 bits).

    `replaces` is the token the browser came with, if any: it ends here, so that nobody who planted
    or saw it shares the new session. Raises `Forbidden` when the account is not in good standing.
    """
    standing(session, account_id, now)
    if replaces:
        sign_out(session, replaces)
    token = secrets.token_urlsafe(32)
    session.add(
        tables.AccountSession(
            token_hash=_hash(token),
            **owner(account_id),
            method=method,
            created_at=now,
            last_seen_at=now,
            expires_at=now + life.whole,
        )
    )
    session.flush()
    return token


def resume(session: Session, token: str, now: datetime, *, life: Life = LIFE) -> Visitor:
    """Who is behind a browser's token.

    Raises `Forbidden("sign-in")` when the token is unknown, over, idle too long or of a command line,
    `Forbidden("account")` when the account is disabled, its vetting expired or its partner suspended.
    Writes when it was last used, at most once a minute.
    """
    return _resume(session, token, now, life, cli=False)


def whoami(session: Session, token: str, now: datetime, *, life: Life = LIFE) -> Actor:
    """The member of staff behind a token, of a command line too. Raises `Forbidden` as `resume` does."""
    actor = _resume(session, token, now, life, cli=True).actor
    if actor is None:
        raise _not_signed_in()
    return actor


def sign_out(session: Session, token: str) -> None:
    """End one session; an unknown one is no error."""
    table = tables.AccountSession
    session.exec(delete(table).where(col(table.token_hash) == _hash(token)))


def sign_out_everywhere(session: Session, account_id: str) -> None:
    """End every session of an account."""
    session.exec(delete(tables.AccountSession).where(of(tables.AccountSession, account_id)))


def _resume(session: Session, token: str, now: datetime, life: Life, *, cli: bool) -> Visitor:
    table = tables.AccountSession
    row = session.get(table, _hash(token), populate_existing=True)
    if row is None or row.expires_at <= now or row.last_seen_at + life.idle <= now:
        raise _not_signed_in()
    if row.method == "cli" and not cli:
        raise _not_signed_in()
    actor, partner_id = standing(session, row.account_id, now)
    if row.last_seen_at + TOUCH <= now:
        session.exec(
            update(table)
            .where(col(table.token_hash) == row.token_hash, col(table.last_seen_at) < now)
            .values(last_seen_at=now)
        )
    return Visitor(
        kind="inbox" if actor is None else "staff",
        id=row.account_id,
        actor=actor,
        partner_id=partner_id,
        session_id=row.token_hash,
        method=row.method,  # type: ignore[arg-type]
        signed_in_at=row.created_at,
    )


def _not_signed_in() -> Forbidden:
    return Forbidden("sign-in", "you are not signed in, or your session is over")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
