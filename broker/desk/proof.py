"""How a delivery that was handed over becomes delivered: a reply, a logged call, or a report that it failed.

That a relay took a mail proves nothing about the addressee (ruling 10): only the addressee's own word
does. All of it is kept as evidence.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.auth import Actor
from broker.core import canonical
from broker.desk import deliver, events
from broker.desk.context import Desk
from broker.errors import Conflict, NotFound, Refused
from broker.spi import DeliveryReceipt, ReadsReports
from broker.store import tables
from broker.store.engine import unit_of_work

REPLY_LIFE = timedelta(days=7)
"""A reply link outlives the chase clocks of the pack, and no more."""
Said = Literal["received", "unreadable"]
SAID: tuple[Said, ...] = ("received", "unreadable")


@dataclass(frozen=True, slots=True)
class Call:
    """A telephone call about a delivery. The name rests encrypted; the rest is codes."""

    answered_by: str
    number: str
    read_back: bool
    """The addressee's desk read the reference back."""


def new_reply(desk: Desk, session: Session, delivery: tables.Delivery) -> str:
    """A reply link for one sending. The token is 256 bits; only its hash is kept."""
    token = canonical.b64u(desk.random(32))
    session.add(
        tables.DeliveryReply(
            token_hash=_hash(token), delivery_id=delivery.id, expires_at=desk.now() + REPLY_LIFE
        )
    )
    session.flush()
    return f"{desk.settings.issuer}/v1/reply/{token}"


def replying(desk: Desk, session: Session, token: str) -> tables.Delivery:
    """The delivery behind a reply link. Raises `NotFound` when it is unknown or over."""
    row = session.get(tables.DeliveryReply, _hash(token))
    if row is None or row.expires_at <= desk.now():
        raise NotFound("reply link")
    return deliver.get(session, row.delivery_id)


def reply(desk: Desk, session: Session, token: str, said: Said) -> str:
    """The addressee's word by its link. The same word twice is one. Returns the state."""
    delivery = replying(desk, session, token)
    before = deliver.last(session, delivery.id)
    if before.state == "delivered" or (before.state == "failed" and before.code == said):
        return before.state
    answer = _record(desk, {"by": "reply-link", "delivery": str(delivery.id), "said": said})
    return _settle(desk, session, delivery, answer, arrived=said == "received", code=said, by="addressee")


def call(desk: Desk, session: Session, actor: Actor, delivery_id: UUID, made: Call) -> str:
    """Log a call in which the addressee's desk said that it has the referral, or that it has not."""
    actor.needs("analyst", "releaser")
    delivery = deliver.get(session, delivery_id)
    answer = _record(
        desk,
        {
            "by": "call",
            "delivery": str(delivery.id),
            "caller": actor.id,
            "answered_by": made.answered_by,
            "number": made.number,
            "read_back": made.read_back,
        },
    )
    code = "call-read-back" if made.read_back else "call-not-there"
    return _settle(desk, session, delivery, answer, arrived=made.read_back, code=code, by=actor.id)


def answered(desk: Desk, session: Session, actor: Actor, delivery: tables.Delivery, made: Call) -> None:
    """Who says what became of it has it: a call that proves arrival, where nothing did before.

    Raises `Conflict` for what was not handed over at all.
    """
    if deliver.last(session, delivery.id).state not in ("delivered", "retracted"):
        call(desk, session, actor, delivery.id, made)


def retracted(desk: Desk, session: Session, actor: Actor, delivery_id: UUID, made: Call) -> None:
    """Log a call in which the addressee's desk said that it deleted what it got."""
    actor.needs("releaser", "dpo")
    delivery = deliver.get(session, delivery_id)
    if not made.read_back:
        raise Conflict("not-read-back", "only a desk that read the reference back has confirmed anything")
    answer = _record(
        desk,
        {"by": "call", "caller": actor.id, "answered_by": made.answered_by, "number": made.number,
         "delivery": str(delivery.id), "said": "deleted"},
    )  # fmt: skip
    digest = deliver.keep(desk, session, delivery, "retraction", answer)
    deliver.step(desk, session, delivery, "retracted", "call", evidence=digest, by=actor.id)


def report(desk: Desk, session: Session, adapter_name: str, content: bytes) -> UUID:
    """Take a machine's report (a bounce, a delay). What machines say in it is kept, nothing that is attached
    to it; a failure ends the delivery visibly.

    Raises `Refused` when it is about no delivery of ours.
    """
    adapter = desk.adapters.get(adapter_name)
    if not isinstance(adapter, ReadsReports):
        raise NotFound("adapter that reads reports")
    read = adapter.read_report(content)
    try:
        delivery = session.get(tables.Delivery, UUID(read.key))
    except ValueError:
        delivery = None
    if delivery is None or delivery.adapter != adapter_name:
        raise Refused("report-unknown", "the report is about no delivery of ours")
    before = deliver.last(session, delivery.id)
    told = read.kept or f"Action: {read.kind}\n".encode()
    answer = DeliveryReceipt(told, "message/delivery-status", "")
    if read.kind == "failed" and before.state in ("awaiting", "overdue"):
        deliver.keep(desk, session, delivery, "failure", answer)
        deliver.step(desk, session, delivery, "failed", read.code, attempt=before.attempt)
    elif read.kind == "delayed" and before.state == "awaiting":
        deliver.keep(desk, session, delivery, "failure", answer)
        deliver.step(
            desk, session, delivery, "awaiting", read.code, attempt=before.attempt,
            evidence=before.evidence_sha256,
        )  # fmt: skip
    return delivery.id


_LATE = """
select d.id, e.state, e.attempt, e.due from delivery d
join lateral (select s.state, s.attempt, s.due from delivery_event s where s.delivery_id = d.id
  order by s.id desc limit 1) e on e.state in ('queued', 'awaiting')
where d.deadline <= :now and not exists (select 1 from delivery_event o where o.delivery_id = d.id
  and o.state = 'overdue' and o.code = case e.state when 'queued' then :queued else :awaiting end)
order by d.deadline, d.id limit :many
"""
BATCH = 500
"""Deliveries that are called overdue in one transaction. Each takes a lock of its own (migration 0003), and
the database has room for some thousands: all in one would fail, every time, and none would ever be late."""


def mark_overdue(desk: Desk, *, many: int = BATCH) -> int:
    """Deliveries past their deadline become overdue, once for each reason. Returns how many."""
    done = 0
    while True:
        with unit_of_work(desk.db) as session:
            marked = _mark_overdue(desk, session, many)
        done += marked
        if marked < many:
            return done


def _mark_overdue(desk: Desk, session: Session, many: int) -> int:
    alone = text("select pg_try_advisory_xact_lock(hashtextextended('overdue', 7))")
    if not session.connection().execute(alone).scalar():
        return 0  # another process is at it
    codes = {"queued": deliver.NOT_SENT, "awaiting": deliver.NO_ANSWER}
    values = {**codes, "now": desk.now(), "many": many}
    late = session.connection().execute(text(_LATE), values).all()
    for delivery_id, state, attempt, due in late:
        delivery = deliver.get(session, delivery_id)
        deliver.step(desk, session, delivery, "overdue", codes[state], attempt=attempt, due=due)
    return len(late)


def _settle(
    desk: Desk,
    session: Session,
    delivery: tables.Delivery,
    answer: DeliveryReceipt,
    *,
    arrived: bool,
    code: str,
    by: str,
) -> str:
    before = deliver.last(session, delivery.id)
    if before.state not in ("awaiting", "overdue", "failed"):
        raise Conflict("delivery-state", f"this delivery is {before.state}: nothing to say about it")
    if not arrived:
        deliver.keep(desk, session, delivery, "failure", answer)
        if before.state == "failed":
            return "failed"
        deliver.step(desk, session, delivery, "failed", code, attempt=before.attempt, by=by)
        return "failed"
    digest = deliver.keep(desk, session, delivery, "delivery", answer)
    deliver.step(desk, session, delivery, "delivered", code, attempt=before.attempt, evidence=digest, by=by)
    return "delivered"


def _record(desk: Desk, said: dict[str, str | bool]) -> DeliveryReceipt:
    body = canonical.encode_trusted(
        {"schema": "broker-delivery-word/1", "at": events.stamp(desk.now()), **said}
    )
    return DeliveryReceipt(body, "application/json", "")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
