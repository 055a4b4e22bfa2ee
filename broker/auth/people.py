"""Accounts: who acts for the hotline (`st_…`), and who reads the inbox for a partner (`pp_…`).

The desk sees an `Actor` with an opaque id; names never enter an event. An inbox person is never an
`Actor`: they have a partner and no role.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, delete, select

from broker.auth import argon
from broker.errors import Conflict, Forbidden, NotFound
from broker.store import tables
from broker.store.tables_accounts import Owned

Role = Literal["analyst", "releaser", "dpo", "key_custodian", "administrator"]
ROLES: tuple[Role, ...] = ("analyst", "releaser", "dpo", "key_custodian", "administrator")
Kind = Literal["staff", "inbox"]
Account = tables.Staff | tables.InboxPerson
MIN_PASSWORD = 12


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts: a member of staff, or the hotline's own tool (`roles` is then empty)."""

    id: str
    roles: frozenset[Role]

    def needs(self, *roles: Role) -> None:
        """Raise `Forbidden` unless the actor has one of the roles."""
        if not self.roles & set(roles):
            raise Forbidden("role", f"this needs the role {' or '.join(roles)}")


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
    if "administrator" in roles and len(roles) > 1:
        raise Conflict("role-mix", "an administrator reads no case data and holds no other role")
    person = tables.Staff(
        id="st_" + secrets.token_hex(8),
        login=_free_login(session, login, password),
        roles=sorted(roles),
        password_hash=argon.hashed(password),
        vetted_until=vetted_until,
        created_at=now,
    )
    session.add(person)
    session.flush()
    return Actor(person.id, roles)


def add_person(
    session: Session, by: Actor, *, partner_id: str, login: str, password: str, now: datetime
) -> str:
    """Create an inbox account for a person of a partner; gives its id. Needs an administrator."""
    by.needs("administrator")
    if session.get(tables.Partner, partner_id) is None:
        raise NotFound("partner")
    person = tables.InboxPerson(
        id="pp_" + secrets.token_hex(8),
        partner_id=partner_id,
        login=_free_login(session, login, password),
        password_hash=argon.hashed(password),
        disabled_at=None,
        created_by=by.id,
        created_at=now,
    )
    session.add(person)
    session.flush()
    return person.id


def find(session: Session, login: str) -> Account | None:
    """The account with this login: staff and inbox people share one set of logins."""
    staff = session.exec(select(tables.Staff).where(col(tables.Staff.login) == login)).first()
    if staff is not None:
        return staff
    return session.exec(select(tables.InboxPerson).where(col(tables.InboxPerson.login) == login)).first()


def account(session: Session, account_id: str) -> Account:
    """The account's row, of either kind. Raises `NotFound`."""
    found: Account | None = (
        session.get(tables.Staff, account_id)
        if account_id.startswith("st_")
        else session.get(tables.InboxPerson, account_id)
    )
    if found is None:
        raise NotFound("account")
    return found


def staff_id(session: Session, login: str) -> str:
    """The id of a member of staff by login. Raises `NotFound`."""
    person = find(session, login)
    if not isinstance(person, tables.Staff):
        raise NotFound("account")
    return person.id


def disable(session: Session, account_id: str, now: datetime) -> None:
    """End an account for good, of either kind, with its sessions. Raises `NotFound`."""
    person = account(session, account_id)
    person.disabled_at = person.disabled_at or now
    session.add(person)
    session.exec(delete(tables.AccountSession).where(of(tables.AccountSession, account_id)))
    session.flush()


def standing(session: Session, account_id: str, now: datetime) -> tuple[Actor | None, str | None]:
    """(actor, partner id) of an account in good standing, exactly one of them set.

    Raises `Forbidden` when it is disabled, its vetting has expired, or its partner is suspended.
    """
    if account_id.startswith("st_"):
        person = session.get(tables.Staff, account_id)
        if person is not None and not _over(person, now):
            return Actor(person.id, frozenset(person.roles)), None  # type: ignore[arg-type]
    else:
        reader = session.get(tables.InboxPerson, account_id)
        if reader is not None and reader.disabled_at is None:
            partner = session.get_one(tables.Partner, reader.partner_id)
            if partner.status == "active":
                return None, partner.id
    raise Forbidden("account", "this account is disabled or its vetting has expired")


def owner(account_id: str) -> Mapping[str, Any]:
    """The two columns of a row that belongs to an account."""
    staff = account_id.startswith("st_")
    return {"staff_id": account_id if staff else None, "person_id": None if staff else account_id}


def of(table: type[Owned], account_id: str) -> ColumnElement[bool]:
    """The condition that a row belongs to the account."""
    return col(table.staff_id if account_id.startswith("st_") else table.person_id) == account_id


def _over(person: tables.Staff, now: datetime) -> bool:
    return person.disabled_at is not None or (person.vetted_until is not None and person.vetted_until <= now)


def _free_login(session: Session, login: str, password: str) -> str:
    if len(password) < MIN_PASSWORD:
        raise Conflict("weak-password", f"a password has at least {MIN_PASSWORD} characters")
    # Two tables hold logins: without the lock both could take the same one at the same time.
    number = int.from_bytes(hashlib.sha256(b"login|" + login.encode()).digest()[:8], signed=True)
    session.exec(select(func.pg_advisory_xact_lock(number))).one()
    if find(session, login) is not None:
        raise Conflict("login-taken", "there is an account with this login")
    return login
