"""Signing in: who is acting, in which roles or for which partner, proven how.

`Actor`, `Visitor`, accounts and sessions are here; the ways to prove who one is are modules of their
own: `passwords` + `totp`, `passkeys`, `oidc`, `links` (synthetic only), and `step_up` for a release.
Everything takes a session of the store and an explicit `now`. What must outlive a refusal (a wrong
try, a challenge that was used) is committed in a transaction of its own; the rest is the caller's.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from broker.auth import flows, links, oidc, passkeys, passwords, step_up, totp
from broker.auth.people import (
    ROLES,
    Actor,
    Kind,
    Role,
    account,
    add_person,
    add_staff,
    disable,
    find,
    staff_id,
)
from broker.auth.sessions import (
    LIFE,
    Life,
    Method,
    Visitor,
    open_session,
    resume,
    sign_out,
    sign_out_everywhere,
    whoami,
)
from broker.errors import Forbidden

__all__ = [
    "LIFE",
    "ROLES",
    "Actor",
    "Kind",
    "Life",
    "Method",
    "Role",
    "Visitor",
    "account",
    "add_person",
    "add_staff",
    "disable",
    "find",
    "flows",
    "links",
    "oidc",
    "open_session",
    "passkeys",
    "passwords",
    "resume",
    "sign_in",
    "sign_out",
    "sign_out_everywhere",
    "staff_id",
    "step_up",
    "totp",
    "whoami",
]


def sign_in(
    session: Session,
    login: str,
    password: str,
    now: datetime,
    *,
    key: bytes = b"",
    code: str = "",
    life: Life = LIFE,
) -> str:
    """A token of the command line for a member of staff: the password, and a code where one is set up.

    Raises `Forbidden("code-needed")` when the account has one-time codes and none was given,
    `Forbidden("use-passkey")` when it has only a passkey: no terminal asks for that, and a password alone
    must not go where the pages let nobody in with it.
    """
    account_id = passwords.begin(session, login, password, now)
    if not account_id.startswith("st_"):
        raise Forbidden("account", "the command line is for people of the hotline")
    if totp.enrolled(session, account_id):
        if not code:
            raise Forbidden("code-needed", "this account needs a one-time code too")
        totp.verify(session, key, account_id, code, now)
    elif passkeys.listed(session, account_id):
        raise Forbidden(
            "use-passkey",
            "this account signs in by its passkey",
            "set up one-time codes on the page of your account to use the command line too",
        )
    return open_session(session, account_id, "cli", now, life=life)
