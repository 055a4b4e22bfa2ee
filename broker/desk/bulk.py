"""Many at once: exports to cases, and confirmed cases to drafts that wait for a second person.

Both jobs hold one row at a time, commit one row at a time, and can be killed at any moment: started
again, they go on where they stopped and make nothing twice. People stay people: nothing is confirmed
and nothing is released here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.desk import draft, intake
from broker.desk.context import Desk
from broker.errors import BrokerError, Issue, Refused
from broker.store import tables
from broker.store.engine import unit_of_work

LINES = frozenset({".jsonl", ".ndjson"})
MAX_EXPORT = 8 * 1024 * 1024
"""Octets of one export, or of one line of a file of lines; the adapter's own bounds are narrower."""
PAGE = 500
Step = Callable[[], object]


@dataclass(slots=True)
class Counted:
    """What a job did; `refused` by code. No ids, no values."""

    made: int = 0
    known: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, code: str) -> None:
        """One more refused for this reason."""
        self.refused[code] = self.refused.get(code, 0) + 1


def exports(paths: Sequence[Path]) -> Iterator[bytes]:
    """Each export of these files, folders (files in order of their names) and files of lines."""
    for path in paths:
        if path.is_dir():
            yield from exports(sorted(entry for entry in path.iterdir() if entry.is_file()))
        elif path.suffix in LINES:
            yield from _lines(path)
        else:
            if path.stat().st_size > MAX_EXPORT:
                raise _oversize()
            yield path.read_bytes()


def take(
    desk: Desk,
    actor: Actor,
    adapter: str,
    paths: Sequence[Path],
    options: Mapping[str, str],
    *,
    synthetic: bool = False,
    step: Step = lambda: None,
) -> Counted:
    """Take every export in, each whole or not at all. The same export again is known and left alone."""
    actor.needs("analyst")
    done = Counted()
    key = desk.vault().lasting("bulk")
    for content in exports(paths):
        try:
            with unit_of_work(desk.db) as session:
                _take(desk, session, actor, (adapter, content, dict(options)), key, synthetic, done)
        except BrokerError as error:
            done.refuse(error.code)
        step()
    return done


def waiting(desk: Desk, addressee: str) -> int:
    """How many confirmed cases have neither a referral to this partner nor an open draft of one."""
    with desk.db.connect("app") as conn:
        row = conn.execute(f"select count(*) {_OPEN}".encode(), {"to": addressee}).fetchone()
    return int(row[0]) if row else 0


def draft_all(
    desk: Desk, actor: Actor, addressee: str, purposes: tuple[str, ...] = (), *, step: Step = lambda: None
) -> Counted:
    """Draft every confirmed case for one partner: documents rendered, linted, tried, and queued for release.

    What its own path refuses (no route, a finding that blocks) is counted by code and stays with the
    analyst. Several processes may run it at once: a case is one process's.
    """
    actor.needs("analyst")
    done = Counted()
    for case_id in _candidates(desk, addressee):
        try:
            with unit_of_work(desk.db) as session:
                if _mine(session, case_id, addressee):
                    draft.draft(desk, session, actor, draft.Request(case_id, addressee, purposes))
                    done.made += 1
                else:
                    done.known += 1
        except BrokerError as error:
            done.refuse(_reason(error))
        step()
    return done


# No release and no open draft for this partner: the queue holds a case once.
_OPEN = """
from case_file c
where c.state = 'confirmed' and not exists (
  select 1 from referral f join draft d on d.referral_id = f.id
  where f.case_id = c.id and f.addressee = %(to)s
    and not exists (select 1 from draft_refusal x where x.release_id = d.id))
"""


def _candidates(desk: Desk, addressee: str) -> Iterator[UUID]:
    """By id, a page at a time: a job over millions keeps no list."""
    last = UUID(int=0)
    query = f"select c.id {_OPEN} and c.id > %(last)s order by c.id limit {PAGE}".encode()
    while True:
        with desk.db.connect("app") as conn:
            page = conn.execute(query, {"to": addressee, "last": last}).fetchall()
        if not page:
            return
        for row in page:
            yield row[0]
        last = page[-1][0]


def _mine(session: Session, case_id: UUID, addressee: str) -> bool:
    """Whether it is still open and nobody else is at it; the lock ends with the transaction."""
    lock = text("select pg_try_advisory_xact_lock(hashtextextended(:key, 6))")
    if not session.connection().execute(lock, {"key": f"bulk|{case_id}|{addressee}"}).scalar():
        return False
    still = text(f"select count(*) {_OPEN.replace('%(to)s', ':to')} and c.id = :id")
    return bool(session.connection().execute(still, {"to": addressee, "id": case_id}).scalar())


def _take(
    desk: Desk,
    session: Session,
    actor: Actor,
    export: tuple[str, bytes, dict[str, str]],
    key: bytes,
    synthetic: bool,
    done: Counted,
) -> None:
    """One export. Its cases' ids are made of its bytes, so that the database refuses a second time."""
    adapter, content, options = export
    name = hmac.new(key, hashlib.sha256(content).digest(), hashlib.sha256)
    first = _id(name.digest(), 0)
    session.connection().execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 7))"), {"key": f"bulk|{first}"}
    )
    if session.get(tables.CaseFile, first) is not None:
        done.known += 1
        return
    drafts = intake.read_export(desk, adapter, content, options)
    for number, made in enumerate(drafts):
        intake.take_in_draft(
            desk, session, actor, made, synthetic=synthetic, case_id=_id(name.digest(), number)
        )
    session.flush()
    done.made += len(drafts)


def _id(name: bytes, number: int) -> UUID:
    return UUID(bytes=hashlib.sha256(name + number.to_bytes(4, "big")).digest()[:16], version=5)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        while line := lines.readline(MAX_EXPORT + 1):
            if len(line) > MAX_EXPORT:
                raise _oversize()
            if line.strip():
                yield line.strip()


def _oversize() -> Refused:
    return Refused(
        "export-refused",
        "an export is larger than allowed; nothing of it was taken in",
        (Issue("", "oversize", f"has more than {MAX_EXPORT} octets"),),
    )


def _reason(error: BrokerError) -> str:
    """Its code, and for a refusal the first rule: `no-route: police-hold`."""
    if isinstance(error, Refused) and error.issues:
        return f"{error.code}: {error.issues[0].rule}"
    return error.code
