"""The ledger's writing side: a leaf is appended in the writer's transaction and waits for a place.

No writer takes a lock on the head: that costs four to nine times at sixteen writers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, LiteralString
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb
from sqlmodel import Session

from broker.store.types import LeafType

_GIVEN_BY_INTEGRATOR = frozenset({"position", "seq", "publishedAt"})
_NEEDED = frozenset({"event", "release", "urgency"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that happened and goes into the ledger. Ids, time and nonce come from the caller.

    `record` is what the leaf commits to; `sealed` = (ciphertext, key id) is stored in its place
    when it may not rest in clear. `feed` is the item of docs/spec/feed.md without position, seq and
    publishedAt. `partner_id` names whom it concerns; for `published` the carrier, who may then
    fetch nonce and record.
    """

    leaf_type: LeafType
    event_id: UUID
    at: datetime
    actor: str
    record: Mapping[str, Any]
    nonce: bytes
    keep_until: datetime
    due_at: datetime
    action: str = ""
    case_id: UUID | None = None
    release_id: str | None = None
    partner_id: str | None = None
    feed: Mapping[str, Any] | None = None
    sealed: tuple[bytes, UUID] | None = None


def canonical(record: Mapping[str, Any]) -> bytes:
    """The bytes a commitment is made over; records hold no floats and no non-ASCII member name."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def commitment(nonce: bytes, record: bytes) -> bytes:
    """SHA-256(nonce ‖ canonical record), docs/spec/proof.md."""
    return sha256(nonce + record).digest()


def leaf_body(leaf_type: str, commit: bytes) -> bytes:
    """The leaf's canonical JSON, docs/spec/proof.md."""
    return b'{"commit":"%s","type":"%s"}' % (commit.hex().encode(), leaf_type.encode())


# One statement, so that the hot path pays one round trip; foreign keys are checked at its end.
APPEND = """
with e as (
    insert into event (id, leaf_type, action, at, actor, case_id, release_id, partner_id)
    values (%(event_id)s, %(leaf_type)s, %(action)s, %(at)s, %(actor)s, %(case_id)s,
            %(release_id)s, %(partner_id)s)
), r as (
    insert into event_record (event_id, partner_id, nonce, record, key_id, keep_until)
    values (%(event_id)s, %(reader)s, %(nonce)s, %(record)s, %(key_id)s, %(keep_until)s)
)
insert into pending (leaf_type, commit, event_id, release_id, partner_id, due_at, feed)
values (%(leaf_type)s, %(commit)s, %(event_id)s, %(release_id)s, %(partner_id)s, %(due_at)s,
        %(feed)s)
"""


def with_entry(act: LiteralString) -> bytes:
    """An act's own insert and its entry as one statement; neither is there without the other."""
    return f"with act as ({act}), {APPEND.strip().removeprefix('with ')}".encode()


_EVENT = """
insert into event (id, leaf_type, action, at, actor, case_id, release_id, partner_id)
values (%(event_id)s, null, %(action)s, %(at)s, %(actor)s, %(case_id)s, %(release_id)s,
        %(partner_id)s)
"""


def parameters(entry: Entry) -> dict[str, Any]:
    """What `APPEND` is executed with. Raises ValueError when the entry contradicts itself."""
    if len(entry.nonce) != 16:
        raise ValueError("a nonce has 16 octets")
    feed = entry.feed
    if feed is not None and (
        entry.partner_id is None or not feed.keys() >= _NEEDED or feed.keys() & _GIVEN_BY_INTEGRATOR
    ):
        raise ValueError("a feed item names event, release, urgency and a partner, and no position")
    record = canonical(entry.record)
    stored, key_id = entry.sealed or (record, None)
    return {
        "leaf_type": entry.leaf_type,
        "event_id": entry.event_id,
        "action": entry.action or entry.leaf_type,
        "at": entry.at,
        "actor": entry.actor,
        "case_id": entry.case_id,
        "release_id": entry.release_id,
        "partner_id": entry.partner_id,
        # Only a publication is shown to the partner with nonce and record.
        "reader": entry.partner_id if entry.leaf_type == "published" else None,
        "nonce": entry.nonce,
        "record": stored,
        "key_id": key_id,
        "keep_until": entry.keep_until,
        "commit": commitment(entry.nonce, record),
        "due_at": entry.due_at,
        "feed": None if feed is None else Jsonb(dict(feed), dumps=orjson.dumps),
    }


def append(session: Session, entry: Entry) -> bytes:
    """Put an entry on the way into the ledger, in the caller's transaction; gives the leaf body."""
    values = parameters(entry)
    session.connection().exec_driver_sql(APPEND, values)
    return leaf_body(entry.leaf_type, values["commit"])


def note(
    session: Session,
    *,
    event_id: UUID,
    action: str,
    at: datetime,
    actor: str,
    case_id: UUID | None = None,
    release_id: str | None = None,
    partner_id: str | None = None,
) -> None:
    """Log an event that is not in the tree: polls, page views, reading a case."""
    values = {
        "event_id": event_id,
        "action": action,
        "at": at,
        "actor": actor,
        "case_id": case_id,
        "release_id": release_id,
        "partner_id": partner_id,
    }
    session.connection().exec_driver_sql(_EVENT, values)


def cancel(session: Session, release_id: str, by: str, at: datetime) -> bool:
    """Call a publication back while it waits. False: too late, or there is nothing to call back.

    The caller appends the `cancelled` entry in the same transaction when this gives True.
    """
    connection = session.connection()
    # The lock makes the integrator skip the row until this transaction ends; the update that the
    # lock's privilege would allow is refused by a trigger.
    waiting = connection.exec_driver_sql(
        "select 1 from pending where release_id = %s and leaf_type = 'published' for update",
        (release_id,),
    ).first()
    if waiting is None:
        return False
    done = connection.exec_driver_sql(
        "insert into cancellation (release_id, by, at) values (%s, %s, %s) on conflict do nothing",
        (release_id, by, at),
    )
    return done.rowcount == 1
