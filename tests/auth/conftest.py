"""A migrated database with one member of staff, one inbox person, and a clock that tests move."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

import pytest
from sqlmodel import Session

from broker.auth import Actor, argon
from broker.auth.passkeys import Site
from broker.store import tables
from broker.store.engine import Database, unit_of_work
from tests.dbfixtures import cluster, database

__all__ = ["cluster", "database", "desk"]

T = TypeVar("T")
PASSWORD = "synthetic pass-phrase"
SITE = Site.of("https://broker.example")


@dataclass
class Office:
    """What sign-in works on, and who is there."""

    db: Database
    ann: str = "st_ann"
    bob: str = "st_bob"
    reader: str = "pp_inspector"
    admin: Actor = Actor("st_admin", frozenset({"administrator"}))  # noqa: RUF009
    now: datetime = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    key: bytes = field(default_factory=lambda: os.urandom(32))

    def do(self, verb: Callable[..., T], *args: Any, **options: Any) -> T:
        """One request: a unit of work of its own."""
        with unit_of_work(self.db) as session:
            return verb(session, *args, **options)

    def later(self, **span: float) -> datetime:
        """Move the clock."""
        self.now += timedelta(**span)
        return self.now


@cache
def _hash() -> str:
    """Once a process: a hash is slow on purpose."""
    return argon.hashed(PASSWORD)


def _people(session: Session, office: Office) -> None:
    for login, role in (("admin", "administrator"), ("ann", "releaser"), ("bob", "releaser")):
        session.add(
            tables.Staff(
                id=f"st_{login}",
                login=login,
                roles=[role],
                password_hash=_hash(),
                vetted_until=office.now + timedelta(days=30),
                created_at=office.now,
            )
        )
    session.add(
        tables.Partner(
            id="pt_one",
            name="Synthetic Police",
            recipient_class="BEP",
            country="BE",
            language="nl",
            client_id="client-one",
            environment="synthetic",
            status="active",
            created_at=office.now,
        )
    )
    session.flush()
    session.add(
        tables.InboxPerson(
            id="pp_inspector",
            partner_id="pt_one",
            login="inspector",
            password_hash=_hash(),
            created_by="st_admin",
            created_at=office.now,
        )
    )


@pytest.fixture
def desk(database: Database) -> Office:
    office = Office(database)
    office.do(_people, office)
    return office
