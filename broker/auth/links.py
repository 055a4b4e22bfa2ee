"""One-time sign-in links, for the demonstration: they exist where all data is synthetic, only there.

token = links.make(session, account_id, now, synthetic=settings.synthetic)
account_id = links.use(session, token, now, synthetic=settings.synthetic)
open_session(session, account_id, "link", now)
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlmodel import Session, col, update

from broker.auth.people import owner, standing
from broker.errors import Forbidden, Misconfigured
from broker.store import tables

GOOD_FOR = timedelta(hours=12)


def path(account_id: str, token: str) -> str:
    """Where a link leads: to the door of this kind of account."""
    return f"/{'desk' if account_id.startswith('st_') else 'inbox'}/sign-in/link/{token}"


def make(
    session: Session, account_id: str, now: datetime, *, synthetic: bool, good_for: timedelta = GOOD_FOR
) -> str:
    """A token that signs the account in once. Raises `Misconfigured` in production."""
    if not synthetic:
        raise Misconfigured("links-in-production", "one-time sign-in links are for synthetic data only")
    standing(session, account_id, now)
    token = secrets.token_urlsafe(32)
    session.add(
        tables.SignInLink(
            token_hash=_hash(token),
            **owner(account_id),
            created_at=now,
            expires_at=now + good_for,
            used_at=None,
        )
    )
    session.flush()
    return token


def use(session: Session, token: str, now: datetime, *, synthetic: bool) -> str:
    """The account the link is for. Raises `Forbidden("link")` when it is unknown, over or used."""
    table = tables.SignInLink
    if synthetic:
        row = session.exec(
            update(table)
            .where(
                col(table.token_hash) == _hash(token),
                col(table.used_at).is_(None),
                col(table.expires_at) > now,
            )
            .values(used_at=now)
            .returning(col(table.staff_id), col(table.person_id))
        ).one_or_none()
        if row is not None:
            return str(row[0] or row[1])
    raise Forbidden("link", "this link is over or was used before")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
