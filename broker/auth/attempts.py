"""Throttling: five wrong tries on one account in fifteen minutes, then it waits.

A try is written down before it is checked, in a transaction of its own: parallel tries count, and a
refusal that undoes the caller's work does not undo the count. Unknown logins are counted as known
ones are, so that nobody learns which is which.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, delete, select

from broker.errors import Forbidden
from broker.store import tables
from broker.store.engine import lasting

LIMIT = 5
WINDOW = timedelta(minutes=15)


def note(session: Session, what: str, whom: str, now: datetime) -> None:
    """Write a try down. Raises `Forbidden("wait")` when there were too many; that one is not counted."""
    table, key = tables.SignInAttempt, _key(what, whom)
    with lasting(session) as apart:
        apart.exec(select(func.pg_advisory_xact_lock(int.from_bytes(key[:8], signed=True)))).one()
        tries = apart.exec(
            select(func.count()).where(col(table.key) == key, col(table.at) > now - WINDOW)
        ).one()
        if tries < LIMIT:
            apart.add(table(key=key, at=now))
    if tries >= LIMIT:
        minutes = int(WINDOW.total_seconds() // 60)
        raise Forbidden("wait", f"too many wrong tries; wait {minutes} minutes and try again")


def forget(session: Session, what: str, whom: str) -> None:
    """After a right one: the wrong ones before it no longer count."""
    table = tables.SignInAttempt
    session.exec(delete(table).where(col(table.key) == _key(what, whom)))


def _key(what: str, whom: str) -> bytes:
    return hashlib.sha256(f"{what}|{whom}".encode()).digest()
