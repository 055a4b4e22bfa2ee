"""Many at once: exports to cases, and confirmed cases to drafts that wait for a second person.

Both jobs hold one batch at a time, commit one batch at a time, and can be killed at any moment: started
again, they go on where they stopped and make nothing twice. A row is decided and refused by itself.
People stay people: nothing is confirmed and nothing is released here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from psycopg.errors import DeadlockDetected
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, SQLModel

from broker.auth import Actor
from broker.desk import draft, intake
from broker.desk.context import Desk
from broker.desk.exportfiles import MAX_EXPORT, exports
from broker.errors import BrokerError, Refused
from broker.store import rows
from broker.store.engine import unit_of_work

PAGE = 500
BATCH = 50
"""Rows to a transaction: what a kill costs, and what is held in memory."""
TURNS = 5
"""How often a batch is tried that another transaction stands in the way of."""
Step = Callable[[int], object]
"""Told how many rows a committed batch had."""
Item = TypeVar("Item", bytes, UUID)


@dataclass(slots=True)
class Counted:
    """What a job did; `refused` by code. No ids, no values."""

    made: int = 0
    known: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, code: str) -> None:
        """One more refused for this reason."""
        self.refused[code] = self.refused.get(code, 0) + 1

    def add(self, other: Counted) -> None:
        """What a committed batch did."""
        self.made += other.made
        self.known += other.known
        for code, number in other.refused.items():
            self.refused[code] = self.refused.get(code, 0) + number


@dataclass(frozen=True, slots=True)
class Share:
    """One of several equal parts of a job, for processes that run side by side."""

    number: int = 0
    of: int = 1

    def has(self, case_id: UUID) -> bool:
        """Whether this part does the case. Ids are random, so the parts are equal."""
        return case_id.int % self.of == self.number


def take(
    desk: Desk,
    actor: Actor,
    adapter: str,
    paths: Sequence[Path],
    options: Mapping[str, str],
    *,
    synthetic: bool = False,
    step: Step = lambda _: None,
    batch: int = BATCH,
) -> Counted:
    """Take every export in, each whole or not at all. The same export again is known and left alone."""
    actor.needs("analyst")
    done = Counted()
    key = desk.vault().lasting("bulk")
    for contents in _batches(exports(paths), batch):
        part = Counted()
        with unit_of_work(desk.db) as session:
            _take(desk, session, actor, (adapter, contents, dict(options)), key, synthetic, part)
        done.add(part)
        step(len(contents))
    return done


def waiting(desk: Desk, addressee: str) -> int:
    """How many confirmed cases have neither a referral to this partner nor an open draft of one."""
    with desk.db.connect("app") as conn:
        row = conn.execute(f"select count(*) {_OPEN}".encode(), {"to": addressee}).fetchone()
    return int(row[0]) if row else 0


def draft_all(
    desk: Desk,
    actor: Actor,
    addressee: str,
    purposes: tuple[str, ...] = (),
    *,
    step: Step = lambda _: None,
    batch: int = BATCH,
    share: Share | None = None,
) -> Counted:
    """Draft every confirmed case for one partner: documents rendered, linted, tried, and queued for release.

    What its own path refuses (no route, a finding that blocks) is counted by code and stays with the
    analyst. Several processes may run it at once: a case is one process's.
    """
    actor.needs("analyst")
    done = Counted()
    for case_ids in _batches(_candidates(desk, addressee, share or Share()), batch):
        done.add(_drafted(desk, actor, case_ids, addressee, purposes))
        step(len(case_ids))
    return done


def _drafted(
    desk: Desk, actor: Actor, case_ids: Sequence[UUID], addressee: str, purposes: tuple[str, ...]
) -> Counted:
    """One committed batch.

    It holds the locks of many cases, and so may some other transaction in another order. PostgreSQL then
    ends one of the two; nothing of this one is stored, and it is done again.
    """
    turn = 0
    while True:
        turn, done = turn + 1, Counted()
        try:
            with unit_of_work(desk.db) as session:
                _draft(desk, session, actor, case_ids, addressee, purposes, done)
            return done
        except BrokerError as error:  # of the partner or the house: it concerns each of them
            return Counted(refused={_reason(error): len(case_ids)})
        except OperationalError as error:
            if turn == TURNS or not isinstance(error.orig, DeadlockDetected):
                raise


def _draft(
    desk: Desk,
    session: Session,
    actor: Actor,
    case_ids: Sequence[UUID],
    addressee: str,
    purposes: tuple[str, ...],
    done: Counted,
) -> None:
    mine = _mine(session, case_ids, addressee)
    done.known += len(case_ids) - len(mine)
    requests = [draft.Request(case_id, addressee, purposes) for case_id in mine]
    if not requests:
        return
    for outcome in draft.draft_many(desk, session, actor, addressee, requests).values():
        if isinstance(outcome, BrokerError):
            done.refuse(_reason(outcome))
        else:
            done.made += 1


# No release and no open draft for this partner: the queue holds a case once.
_OPEN = """
from case_file c
where c.state = 'confirmed' and not exists (
  select 1 from referral f join draft d on d.referral_id = f.id
  where f.case_id = c.id and f.addressee = %(to)s
    and not exists (select 1 from draft_refusal x where x.release_id = d.id))
"""


def _candidates(desk: Desk, addressee: str, share: Share) -> Iterator[UUID]:
    """By id, a page at a time: a job over millions keeps no list."""
    last = UUID(int=0)
    query = f"select c.id {_OPEN} and c.id > %(last)s order by c.id limit {PAGE}".encode()
    while True:
        with desk.db.connect("app") as conn:
            page = conn.execute(query, {"to": addressee, "last": last}).fetchall()
        if not page:
            return
        for row in page:
            if share.has(row[0]):
                yield row[0]
        last = page[-1][0]


def _batches(found: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """At most `size` together, and fewer where they are large: a batch is held in memory."""
    batch: list[Item] = []
    weight = 0
    try:
        for item in found:
            batch.append(item)
            weight += len(item) if isinstance(item, bytes) else 0
            if len(batch) >= size or weight >= MAX_EXPORT:
                yield batch
                batch, weight = [], 0
    except BrokerError:  # what came before it is good
        if batch:
            yield batch
        raise
    if batch:
        yield batch


_LOCKED = text("""
select c.id from unnest(cast(:ids as uuid[])) with ordinality c (id, place)
where pg_try_advisory_xact_lock(hashtextextended('bulk|' || c.id || '|' || :to, 6)) order by c.place
""")
# Locked by id, so that jobs for two partners wait for each other and never both; until the batch is
# stored nobody amends or closes these cases.
_STILL = text(f"select c.id {_OPEN.replace('%(to)s', ':to')} and c.id = any(:ids) order by c.id "
              "for no key update of c")  # fmt: skip


def _mine(session: Session, case_ids: Sequence[UUID], addressee: str) -> list[UUID]:
    """Which of them are still open and nobody else is at; the locks end with the transaction.

    Two statements: what another process stored before it let go is seen by the second alone.
    """
    connection = session.connection()
    locked = connection.execute(_LOCKED, {"ids": list(case_ids), "to": addressee}).scalars().all()
    return list(connection.execute(_STILL, {"ids": list(locked), "to": addressee}).scalars())


def _take(
    desk: Desk,
    session: Session,
    actor: Actor,
    exports: tuple[str, Sequence[bytes], dict[str, str]],
    key: bytes,
    synthetic: bool,
    done: Counted,
) -> None:
    """A batch of exports, each whole or not at all. Their cases' ids are made of their bytes, so that the
    database refuses a second time."""
    adapter, contents, options = exports
    names = [hmac.new(key, hashlib.sha256(content).digest(), hashlib.sha256).digest() for content in contents]
    known = _known(session, [_id(name, 0) for name in names])
    made: dict[UUID, list[SQLModel]] = {}
    counts: dict[UUID, int] = {}
    for name, content in zip(names, contents, strict=True):
        first = _id(name, 0)
        if first in known or first in made:
            done.known += 1
            continue
        try:
            drafts = intake.read_export(desk, adapter, content, options)
            made[first] = [
                row
                for number, case in enumerate(drafts)
                for row in intake.draft_rows(desk, actor, case, _id(name, number), synthetic=synthetic)
            ]
            counts[first] = len(drafts)
        except BrokerError as error:
            made.pop(first, None)
            done.refuse(error.code)
    refused = rows.insert_each(session, made)
    done.made += sum(number for first, number in counts.items() if first not in refused)
    for _ in refused:
        done.refuse("database-rule")


def _known(session: Session, firsts: Sequence[UUID]) -> set[UUID]:
    """Which exports were taken in already, by the ids of their first cases. Waits for who is taking one
    in; locked in one order, so that two jobs never wait for each other."""
    connection = session.connection()
    keys = sorted(f"bulk|{first}" for first in set(firsts))
    connection.execute(
        text(
            "select count(pg_advisory_xact_lock(hashtextextended(k, 7))) from unnest(cast(:keys as text[])) k"
        ),
        {"keys": keys},
    )
    found = text("select id from case_file where id = any(:ids)")
    return set(connection.execute(found, {"ids": list(firsts)}).scalars())


def _id(name: bytes, number: int) -> UUID:
    return UUID(bytes=hashlib.sha256(name + number.to_bytes(4, "big")).digest()[:16], version=5)


def _reason(error: BrokerError) -> str:
    """Its code, and for a refusal the first rule: `no-route: police-hold`."""
    if isinstance(error, Refused) and error.issues:
        return f"{error.code}: {error.issues[0].rule}"
    return error.code
