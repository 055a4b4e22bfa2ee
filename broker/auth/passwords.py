"""The first half of signing in without a passkey: login and password, then a one-time code.

account_id = passwords.begin(session, login, password, now)     # first page
handle = passwords.hold(session, account_id, now)               # into a cookie of its own
account_id = passwords.held(session, handle, now)               # second page
totp.verify(session, key, account_id, code, now)
passwords.release(session, handle)
token = open_session(session, account_id, "totp", now, replaces=old_token)
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from broker.auth import argon, attempts, flows, people
from broker.errors import Forbidden


def begin(session: Session, login: str, password: str, now: datetime) -> str:
    """The account whose password it is.

    Raises `Forbidden("sign-in")` for a wrong password and for an unknown login, in the same words and
    at the same cost; `Forbidden("wait")` after five wrong ones in 15 minutes, by login, known or not;
    `Forbidden("busy")` when too many are checked at once; `Forbidden("account")`, only after the right
    password, for an account not in good standing.
    """
    with argon.turn():
        attempts.note(session, "password", login, now)
        person = people.find(session, login)
        if not argon.fits(None if person is None else person.password_hash, password) or person is None:
            raise Forbidden("sign-in", "login or password is wrong")
    people.standing(session, person.id, now)
    attempts.forget(session, "password", login)
    return person.id


def hold(session: Session, account_id: str, now: datetime) -> str:
    """Remember for five minutes that the password was right; gives a handle for the browser."""
    return flows.begin(session, "password", now, account_id=account_id)


def held(session: Session, handle: str, now: datetime) -> str:
    """Whose password was right; a mistyped code may be tried again. Raises `Forbidden("flow")`."""
    return flows.peek(session, "password", handle, now).account_id


def release(session: Session, handle: str) -> None:
    """Forget it, when the code was right too."""
    flows.drop(session, handle)
