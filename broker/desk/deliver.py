"""Deliveries to partners that do not pull: where they go, in which state they are, what proves it.

A release opens its delivery in its own transaction; the courier (`desk.carry`) takes it from there.
It ends delivered with evidence, failed and visible, or overdue. The order of states and the need for
evidence are held by the database (migration 0003); here is only what the house does about them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import canonical
from broker.desk import casefile, endpoints, events, progress
from broker.desk.context import Desk
from broker.errors import Conflict, NotFound
from broker.spi import DeliveryReceipt
from broker.store import tables

NOT_SENT = "not-sent"
NO_ANSWER = "no-answer"


def open_for(
    desk: Desk, session: Session, released: tables.Release, endpoint: tables.DeliveryEndpoint
) -> UUID:
    """Queue the delivery of a release; it starts when the release is in the ledger."""
    row = tables.Delivery(
        id=desk.uuid(),
        release_id=released.release_id,
        partner_id=released.carrier,
        channel=endpoint.channel,
        adapter=endpoint.adapter,
        not_before=released.due_at,
        deadline=released.deadline,
        created_at=desk.now(),
    )
    session.add(row)
    session.flush()
    step(desk, session, row, "queued", "new", due=released.due_at)
    return row.id


def offer(desk: Desk, session: Session, actor: Actor, release: str) -> UUID:
    """Another channel for a release that lies uncollected (ruling 5): the partner's own endpoint."""
    actor.needs("releaser")
    released = session.get(tables.Release, release)
    if released is None:
        raise NotFound("release")
    endpoint = endpoints.endpoint_of(session, released.carrier, "referral")
    if endpoint is None:
        raise Conflict(
            "no-endpoint", "this partner has no other channel", "pin one with `broker delivery to`"
        )
    taken = select(tables.Delivery.id).where(
        col(tables.Delivery.release_id) == release, col(tables.Delivery.adapter) == endpoint.adapter
    )
    if session.exec(taken).first() is not None:
        raise Conflict("delivery-exists", "this release goes by this channel already")
    return open_for(desk, session, released, endpoint)


def retry(desk: Desk, session: Session, actor: Actor, delivery_id: UUID, *, anew: bool = False) -> None:
    """Queue a failed delivery again: a person has looked why and answers for a second copy.

    `anew` forgets how far it had come: for a system that takes it in steps and no longer knows of it.
    """
    actor.needs("releaser")
    row = get(session, delivery_id)
    before = last(session, delivery_id)
    if before.state != "failed":
        raise Conflict("not-failed", "only a failed delivery is tried again by hand")
    if anew:
        progress.write(desk, session, row, {})
    step(desk, session, row, "queued", "begun-anew" if anew else "tried-again", by=actor.id)
    events.note(desk, session, "delivery:tried-again", actor.id, release_id=row.release_id)


def get(session: Session, delivery_id: UUID) -> tables.Delivery:
    """A delivery by id. Raises `NotFound`."""
    row = session.get(tables.Delivery, delivery_id)
    if row is None:
        raise NotFound("delivery")
    return row


def last(session: Session, delivery_id: UUID) -> tables.DeliveryEvent:
    """The newest event of a delivery: its state."""
    return session.exec(
        select(tables.DeliveryEvent)
        .where(col(tables.DeliveryEvent.delivery_id) == delivery_id)
        .order_by(col(tables.DeliveryEvent.id).desc())
        .limit(1)
    ).one()


def step(
    desk: Desk,
    session: Session,
    delivery: tables.Delivery,
    state: str,
    code: str,
    *,
    attempt: int = 0,
    due: datetime | None = None,
    evidence: str | None = None,
    by: str = "broker",
) -> None:
    """One event of a delivery, and a line in the log for every end it can come to."""
    now = desk.now()
    session.add(
        tables.DeliveryEvent(
            delivery_id=delivery.id,
            state=state,
            at=now,
            attempt=attempt,
            code=code,
            due=due or now,
            evidence_sha256=evidence,
            by=by,
        )
    )
    session.flush()
    if state not in ("queued", "sending"):
        events.note(
            desk, session, f"delivery:{state}", by, release_id=delivery.release_id,
            partner_id=delivery.partner_id,
        )  # fmt: skip


def keep(
    desk: Desk, session: Session, delivery: tables.Delivery, proves: str, answer: DeliveryReceipt
) -> str:
    """Store what came back, encrypted under the key of the case. Returns its SHA-256."""
    sha256 = canonical.sha256_hex(answer.evidence)
    if session.get(tables.DeliveryEvidence, (delivery.id, proves, sha256)) is None:
        released = session.get_one(tables.Release, delivery.release_id)
        key_id, blob = casefile.seal_blob(
            desk, session, released.case_id, "delivery_evidence", f"{delivery.id}|{sha256}", answer.evidence
        )
        session.add(
            tables.DeliveryEvidence(
                delivery_id=delivery.id,
                proves=proves,
                sha256=sha256,
                media_type=answer.media_type,
                remote_reference=answer.remote_reference,
                body=blob,
                key_id=key_id,
                at=desk.now(),
            )
        )
        session.flush()
    return sha256


def open_evidence(desk: Desk, session: Session, row: tables.DeliveryEvidence) -> bytes:
    """The stored answer, verbatim. Raises `Conflict("erased", …)` when the case was erased."""
    released = session.get_one(tables.Release, get(session, row.delivery_id).release_id)
    return casefile.open_blob(
        desk, session, released.case_id, "delivery_evidence", f"{row.delivery_id}|{row.sha256}",
        row.key_id, row.body,
    )  # fmt: skip


def listing(session: Session, *, open_only: bool = False) -> list[dict[str, Any]]:
    """Every delivery with its state, newest first; ids and codes only."""
    rows = []
    for row in session.exec(select(tables.Delivery).order_by(col(tables.Delivery.created_at).desc())):
        now = last(session, row.id)
        if open_only and now.state in ("delivered", "retracted"):
            continue
        rows.append(
            {
                "delivery": str(row.id), "release": row.release_id, "partner": row.partner_id,
                "adapter": row.adapter, "state": now.state, "code": now.code, "attempt": now.attempt,
                "at": events.stamp(now.at),
                "deadline": events.stamp(row.deadline) if row.deadline else None,
            }
        )  # fmt: skip
    return rows
