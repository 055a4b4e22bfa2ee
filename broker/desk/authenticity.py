"""That one referral is the one that was published, and that the ledger it stands in is whole.

What is shown is what a partner could check: the leaf `published`, its audit path, the signed checkpoint.
The proof is checked here with the verifier's own code before anybody is told that it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import orjson
import psycopg
from sqlalchemy import text
from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import merkle
from broker.desk import events
from broker.desk.context import Desk
from broker.errors import NotFound
from broker.sealing import notes
from broker.store import ledger, ledger_verify, tables
from broker.store.ledger_verify import Report

IN_A_REQUEST = 20_000
"""Leaves that are recomputed while somebody waits: about a second. More is for the command."""
REMEMBERED = timedelta(days=92)


@dataclass(frozen=True, slots=True)
class Head:
    """The ledger as it stands. `waiting` leaves have no position yet; `keys` are those that signed it."""

    size: int
    root: str
    note: str
    at: datetime
    waiting: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LastCheck:
    """When the whole ledger was recomputed last, by whom (a login or `command`), with what result."""

    at: datetime
    by: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Authenticity:
    """The place of one release in the ledger. `file` is empty where its record is past its retention: the
    leaf still stands, but nobody can tell any more what it says."""

    release: str
    reference: str
    position: int
    at: datetime
    leaf: str
    """Leaf hash, hex."""
    size: int
    path: tuple[str, ...]
    seal: str
    seal_matches: bool
    """The record of the leaf names the digest of the seal that the register has."""
    file: str


def head(desk: Desk, session: Session, actor: Actor) -> Head | None:
    """The last checkpoint; None before the first leaf."""
    actor.needs("dpo", "releaser", "key_custodian")
    row = session.exec(
        select(tables.LedgerCheckpoint).order_by(col(tables.LedgerCheckpoint.size).desc()).limit(1)
    ).first()
    if row is None:
        return None
    waiting = int(session.connection().execute(text("select count(*) from pending")).scalar_one())
    keys = tuple(desk.keys().vkeys(desk.settings.origin).splitlines())
    return Head(row.size, row.root.hex(), row.note, row.at, waiting, keys)


_LEAF = """
select l.position, l.body, l.leaf_hash, e.at, x.nonce, x.record, f.reference, r.seal_sha256
from release r join referral f on f.id = r.referral_id
join event e on e.release_id = r.release_id and e.leaf_type = 'published'
join ledger_leaf l on l.event_id = e.id
left join event_record x on x.event_id = e.id and x.key_id is null
where r.release_id = :release
"""


def of(desk: Desk, session: Session, actor: Actor, release: str) -> Authenticity:
    """Raises `NotFound` for what was not published, `NotAuthentic` when the proof does not hold."""
    actor.needs("dpo", "releaser")
    conn = cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
    leaf = session.connection().execute(text(_LEAF), {"release": release}).mappings().first()
    newest = ledger.latest(conn)
    if leaf is None or newest is None or leaf["position"] >= newest.size:
        raise NotFound("publication")
    path = ledger.proof(conn, leaf["position"], newest.size)
    verifiers = [notes.Verifier.parse(line) for line in desk.keys().vkeys(desk.settings.origin).splitlines()]
    record = None if leaf["record"] is None else orjson.loads(bytes(leaf["record"]))
    extra = b"{}" if record is None else notes.proof_extra("published", bytes(leaf["nonce"]), record)
    file = notes.proof_text(extra, leaf["position"], path, newest.note)
    body = (
        bytes(leaf["body"]) if record is None else notes.leaf_body("published", bytes(leaf["nonce"]), record)
    )
    found = merkle.leaf_hash(body)
    notes.verify_proof(notes.parse_proof(file), found, verifiers)
    return Authenticity(
        release=release,
        reference=leaf["reference"],
        position=leaf["position"],
        at=leaf["at"],
        leaf=found.hex(),
        size=newest.size,
        path=tuple(step.hex() for step in path),
        seal=leaf["seal_sha256"],
        seal_matches=record is not None and record.get("seal_sha256") == leaf["seal_sha256"],
        file="" if record is None else file,
    )


def verify(
    desk: Desk, session: Session, actor: Actor, check_note: Callable[[str], tuple[int, bytes]]
) -> Report:
    """Recompute the whole ledger and remember that it was done, with what result."""
    actor.needs("dpo", "key_custodian")
    with desk.db.connect("app") as conn:
        report = ledger_verify.verify_all(conn, check_note)
    remember(desk, session, report, actor.id)
    return report


def remember(desk: Desk, session: Session, report: Report, by: str) -> None:
    """Log a check that was made."""
    if report.ok:
        events.note(desk, session, "ledger:verified", by)
    else:
        events.note(desk, session, "ledger:findings", by)


_LAST = """
select e.at, e.action, coalesce(s.login, 'command') as by from event e left join staff s on s.id = e.actor
where e.action in ('ledger:verified', 'ledger:findings') and e.at > :since order by e.at desc limit 1
"""


def last_check(desk: Desk, session: Session) -> LastCheck | None:
    """The last check of the last quarter; the log is read backwards and no further than that."""
    values = {"since": desk.now() - REMEMBERED}
    row = session.connection().execute(text(_LAST), values).mappings().first()
    return None if row is None else LastCheck(row["at"], row["by"], row["action"] == "ledger:verified")
