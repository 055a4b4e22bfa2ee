"""One attempt at one delivery: check again, say `sending`, send, record what came back.

`sending` is committed before anything leaves. An attempt that finds it there came after one that was cut
off: nobody knows whether that one arrived. Where the other system knows our key the sending is
repeated; where it does not (mail), the delivery fails visibly and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlmodel import Session

from broker.desk import deliver, endpoints, progress, proof, publish, recheck, wayout
from broker.desk.context import Desk
from broker.errors import BrokerError
from broker.observe import log
from broker.spi import Connects, DeliveryReceipt, Document, Json, Language, Line, Undelivered
from broker.store import tables
from broker.store.engine import unit_of_work

BUSY = "busy"
"""Another process is at it, or the release is not in the ledger yet: look again."""
DONE = "done"
BACKOFF = (60, 300, 1800, 7200, 7200, 14400, 28800)
"""Seconds before the next attempt. After the last one the delivery has failed."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one sending needs, read in one transaction; `adapter` is connected already."""

    delivery: tables.Delivery
    attempt: int
    documents: tuple[Document, ...]
    places: tuple[Mapping[str, Json], ...]
    """Of a notice to a provider: whose host is looked up again before it leaves."""
    line: Line
    adapter: Connects


def attempt(desk: Desk, delivery_id: UUID) -> str:
    """Try once. Returns `busy` or `done`; the state of the delivery says the rest."""
    with _alone(desk, delivery_id) as alone:
        if not alone:
            return BUSY
        try:
            with unit_of_work(desk.db) as session:
                job = _begin(desk, session, delivery_id)
        except BrokerError as error:  # erased, no channel file: visible, not tried for ever
            _give_up(desk, delivery_id, error.code)
            return DONE
        if isinstance(job, str):
            return job
        outcome = _second_look(desk, job) or _send(job)
        with unit_of_work(desk.db) as session:
            _record(desk, session, job, outcome)
        return DONE


def _give_up(desk: Desk, delivery_id: UUID, code: str) -> None:
    with unit_of_work(desk.db) as session:
        before = deliver.last(session, delivery_id)
        deliver.step(desk, session, deliver.get(session, delivery_id), "failed", code, attempt=before.attempt)


@contextmanager
def _alone(desk: Desk, delivery_id: UUID) -> Iterator[bool]:
    """One process at a time for a delivery; the lock falls with the connection, also at a kill."""
    with desk.db.connect("app") as conn:
        conn.autocommit = True
        query = "select pg_try_advisory_lock(hashtextextended(%s, 4))"
        row = conn.execute(query, [f"delivery|{delivery_id}"]).fetchone()
        yield bool(row and row[0])


def _begin(desk: Desk, session: Session, delivery_id: UUID) -> Job | str:
    delivery = deliver.get(session, delivery_id)
    before = deliver.last(session, delivery_id)
    number = before.attempt
    adapter = desk.adapters.get(delivery.adapter)
    if before.state == "sending":
        if not (isinstance(adapter, Connects) and adapter.repeatable):
            deliver.step(desk, session, delivery, "failed", "outcome-unknown", attempt=number)
            return DONE
        deliver.step(desk, session, delivery, "queued", "interrupted", attempt=number)
    elif not _to_send(before) or before.due > desk.now():
        return DONE
    if not in_ledger(session, delivery.release_id):
        return _cancelled(desk, session, delivery, number) or BUSY
    code = _barred(desk, session, delivery, adapter)
    if code is not None:
        deliver.step(desk, session, delivery, "failed", code, attempt=number)
        return DONE
    job = _job(desk, session, delivery, number + 1, cast(Connects, adapter))
    deliver.step(desk, session, delivery, "sending", "attempt", attempt=job.attempt)
    return job


def _to_send(before: tables.DeliveryEvent) -> bool:
    return before.state == "queued" or (before.state, before.code) == ("overdue", deliver.NOT_SENT)


def in_ledger(session: Session, release: str) -> bool:
    """Whether the publication has its position: no log, no release."""
    query = text(
        "select exists (select 1 from ledger_leaf l join event e on e.id = l.event_id"
        " where l.release_id = :release and e.leaf_type = 'published')"
    )
    return bool(session.connection().execute(query, {"release": release}).scalar())


def _cancelled(desk: Desk, session: Session, delivery: tables.Delivery, number: int) -> str | None:
    if session.get(tables.Cancellation, delivery.release_id) is None:
        return None
    deliver.step(desk, session, delivery, "failed", "cancelled", attempt=number)
    return DONE


def _barred(desk: Desk, session: Session, delivery: tables.Delivery, adapter: object) -> str | None:
    """Why this may not leave now, as a code. Looked at again just before every sending."""
    if session.get(tables.Withdrawal, delivery.release_id) is not None:
        return "withdrawn"
    if session.get_one(tables.Partner, delivery.partner_id).status != "active":
        return "partner-suspended"
    endpoint = endpoints.endpoint_of(session, delivery.partner_id, "referral")
    if endpoint is None or endpoint.adapter != delivery.adapter:
        return "no-endpoint"
    if not isinstance(adapter, Connects):
        return "no-adapter"
    return recheck.barred(desk, session, session.get_one(tables.Release, delivery.release_id))


def _job(desk: Desk, session: Session, delivery: tables.Delivery, number: int, adapter: Connects) -> Job:
    released = session.get_one(tables.Release, delivery.release_id)
    partner = session.get_one(tables.Partner, delivery.partner_id)
    endpoint = endpoints.endpoint_of(session, delivery.partner_id, "referral")
    record = publish.open_record(desk, session, released)
    return Job(
        delivery=delivery,
        attempt=number,
        documents=record.signed_documents,
        places=recheck.places(desk, session, released, record),
        adapter=adapter,
        line=Line(
            endpoint=endpoint.config if endpoint is not None else {},
            house=wayout.house_side(desk, delivery.adapter),
            reference=session.get_one(tables.Referral, released.referral_id).reference,
            language=cast(Language, partner.language),
            at=desk.now(),
            progress=progress.Kept(desk, delivery),
            reply_url=proof.new_reply(desk, session, delivery),
        ),
    )


def _second_look(desk: Desk, job: Job) -> Undelivered | None:
    """Whether a notice's hosts are still what they were. Outside a transaction: it asks the network."""
    if desk.hosts is None or not job.places:
        return None
    try:
        found = recheck.look(desk.hosts(), job.places, desk.now())
        with unit_of_work(desk.db) as session:
            deliver.keep(desk, session, job.delivery, "host", found.evidence)
            barred = _barred(desk, session, job.delivery, job.adapter)  # a hold that came meanwhile wins
    except BrokerError as error:
        return Undelivered(error.code, certain=True)
    except Exception as error:  # whatever the outside answered: nothing has left yet
        log.error("host-check-broke", release=job.delivery.release_id, exc_info=error)
        return Undelivered("host-check-broke", certain=True, again=True)
    if barred is not None:
        return Undelivered(barred, certain=True)
    return None if found.code is None else Undelivered(found.code, certain=True, again=found.again)


def _send(job: Job) -> DeliveryReceipt | Undelivered:
    try:
        return job.adapter.connect(job.line).send(job.documents, key=str(job.delivery.id))
    except Undelivered as failed:
        return failed
    except Exception as error:  # an adapter may break in any way; how is not for the log
        log.error("delivery-adapter-broke", release=job.delivery.release_id, exc_info=error)
        return Undelivered("adapter-broke", certain=False, again=True)


def _record(desk: Desk, session: Session, job: Job, outcome: DeliveryReceipt | Undelivered) -> None:
    delivery, number = job.delivery, job.attempt
    if isinstance(outcome, DeliveryReceipt):
        digest = deliver.keep(desk, session, delivery, outcome.proves, outcome)
        state = "awaiting" if outcome.proves == "submission" else "delivered"
        code = "handed-over" if state == "awaiting" else "accepted"
        deliver.step(desk, session, delivery, state, code, attempt=number, evidence=digest)
        return
    if outcome.answer is not None:
        deliver.keep(desk, session, delivery, "failure", outcome.answer)
    if not outcome.certain and not job.adapter.repeatable:
        deliver.step(desk, session, delivery, "failed", "outcome-unknown", attempt=number)
    elif not outcome.again:
        deliver.step(desk, session, delivery, "failed", outcome.code, attempt=number)
    elif number > len(BACKOFF):
        deliver.step(desk, session, delivery, "failed", "gave-up", attempt=number)
    else:
        due = desk.now() + timedelta(seconds=BACKOFF[number - 1])
        deliver.step(desk, session, delivery, "queued", outcome.code, attempt=number, due=due)


_DUE = """
select distinct on (e.delivery_id) e.delivery_id, e.id, e.state, e.code, e.due
from delivery_event e order by e.delivery_id, e.id desc
"""


def due(desk: Desk) -> list[tuple[UUID, int]]:
    """(delivery, id of its last event) of all that should be under way now."""
    query = (
        f"select delivery_id, id from ({_DUE}) last where due <= %s and"  # noqa: S608 - two constants
        " (state in ('queued', 'sending') or (state = 'overdue' and code = %s)) order by id limit 500"
    )
    with desk.db.connect("app") as conn:
        return [(row[0], row[1]) for row in conn.execute(query.encode(), [desk.now(), deliver.NOT_SENT])]


def carry_due(desk: Desk) -> int:
    """Attempt everything that is due, in this process: for commands, the demo and tests."""
    done = 0
    for delivery_id, _ in due(desk):
        try:
            done += attempt(desk, delivery_id) == DONE
        except (BrokerError, psycopg.Error) as error:
            log.error("delivery-not-attempted", exc_info=error)
    return done
