"""An answer that came by another way than the partner's own API: told by telephone, by the reply link, or
read in the other system. It lands in the same rows and the same leaf, and stops the same clocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import text
from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core import canonical
from broker.core.answers import Answer
from broker.desk import casefile, deliver, events, proof
from broker.desk.context import Desk
from broker.errors import Conflict, NotFound, Refused
from broker.store import tables

Via = Literal["call", "inbox", "reply-link", "return"]
State = Literal["new", "same"]


@dataclass(frozen=True, slots=True)
class Told:
    """Who said it on the telephone; rests encrypted under the key of the case."""

    answered_by: str
    number: str


def told(desk: Desk, session: Session, actor: Actor, of: str, answer: Answer, call: Told) -> State:
    """Log a call in which the partner's desk said what became of it.

    `of` is a delivery or a release. Who answers has it: a delivery that still waited for proof is
    delivered by this call. Raises `Conflict` for what was neither delivered nor collected.
    """
    actor.needs("analyst", "releaser")
    released, delivery = _of(session, of)
    if delivery is None:
        _collected(session, released)
    else:
        proof.answered(desk, session, actor, delivery, proof.Call(call.answered_by, call.number, True))
    state = record(desk, session, released, answer, via="call", by=actor.id)
    if state == "new":
        _who(desk, session, actor, released, call)
    return state


def by_link(desk: Desk, session: Session, token: str, answer: Answer) -> State:
    """What the addressee says by the link of its mail, after it said that the mail is readable."""
    delivery = proof.replying(desk, session, token)
    if deliver.last(session, delivery.id).state != "delivered":
        raise Conflict("not-received", "say first that it was received and can be read")
    released = session.get_one(tables.Release, delivery.release_id)
    return record(desk, session, released, answer, via="reply-link", by=released.carrier)


def record(
    desk: Desk,
    session: Session,
    released: tables.Release,
    answer: Answer,
    *,
    via: Via,
    by: str,
    key: str = "",
) -> State:
    """Store an answer once, with its leaf. Without a `key` of the other side, the same words are the same
    answer. Raises `Refused` with every broken rule."""
    issues = answer.issues(desk.pack.checks)
    if issues:
        raise Refused("answer-refused", "the answer was not taken", issues)
    body = answer.body()
    digest = canonical.sha256_hex(canonical.encode(body))
    _alone(session, released.release_id)
    name = f"answer|{released.release_id}|{via}|{key or digest}"
    answer_id, known = _known(session, released, name, again=not key)
    if known is not None:
        if known.body != body:
            raise Conflict("answer-differs", "there is another answer under this key")
        return "same"
    now = desk.now()
    session.add(
        tables.Answer(
            id=answer_id,
            partner_id=released.carrier,
            release_id=released.release_id,
            outcome=answer.outcome,
            body=body,
            at=now,
        )
    )
    events.leaf(
        desk, session, "outcome", "referral:answered", by,
        {"release": released.release_id, "outcome": answer.outcome, "answer_sha256": digest,
         "partner": released.carrier, "at": events.stamp(now), "via": via},
        release_id=released.release_id, case_id=released.case_id, partner_id=released.carrier,
    )  # fmt: skip
    return "new"


def _known(
    session: Session, released: tables.Release, name: str, *, again: bool
) -> tuple[UUID, tables.Answer | None]:
    """The id under which an answer is stored, and the one that stands there already.

    With `again`, what was said before and taken back by another answer since is news when it is said again:
    otherwise who corrects a mistake would be left with it.
    """
    repeated = 0
    while True:
        answer_id = uuid5(NAMESPACE_URL, f"{name}|{repeated}" if repeated else name)
        known = session.get(tables.Answer, (answer_id, released.carrier))
        if known is None or not again or not _answered_since(session, released, known):
            return answer_id, known
        repeated += 1


def _answered_since(session: Session, released: tables.Release, known: tables.Answer) -> bool:
    later = select(tables.Answer.id).where(
        col(tables.Answer.release_id) == released.release_id,
        col(tables.Answer.id) != known.id,
        col(tables.Answer.at) >= known.at,
        col(tables.Answer.body) != known.body,
    )
    return session.exec(later.limit(1)).first() is not None


def _of(session: Session, of: str) -> tuple[tables.Release, tables.Delivery | None]:
    released = session.get(tables.Release, of)
    if released is not None:
        first = select(tables.Delivery).where(col(tables.Delivery.release_id) == of)
        return released, session.exec(first.order_by(col(tables.Delivery.created_at).desc())).first()
    try:
        delivery = deliver.get(session, UUID(of))
    except ValueError:
        raise NotFound("release or delivery") from None
    return session.get_one(tables.Release, delivery.release_id), delivery


def _collected(session: Session, released: tables.Release) -> None:
    fetched = select(tables.Collection.release_id).where(
        col(tables.Collection.release_id) == released.release_id,
        col(tables.Collection.partner_id) == released.carrier,
    )
    if session.exec(fetched).first() is None:
        raise Conflict("not-collected", "the partner has not collected this yet: it cannot answer it")


def _alone(session: Session, release: str) -> None:
    """Two at once with the same words are one answer, not an error; the lock ends with the transaction."""
    query = text("select pg_advisory_xact_lock(hashtextextended(:key, 5))")
    session.connection().execute(query, {"key": f"answer|{release}"})


def _who(desk: Desk, session: Session, actor: Actor, released: tables.Release, call: Told) -> None:
    event_id = events.note(
        desk, session, "referral:answer-told", actor.id,
        release_id=released.release_id, case_id=released.case_id, partner_id=released.carrier,
    )  # fmt: skip
    who = canonical.encode({"answered_by": call.answered_by, "number": call.number})
    key_id, sealed = casefile.seal_blob(desk, session, released.case_id, "event_record", str(event_id), who)
    session.add(
        tables.EventRecord(
            event_id=event_id,
            nonce=desk.random(16),
            record=sealed,
            key_id=key_id,
            keep_until=desk.now() + desk.pack.retention["event_record"].span,
        )
    )
    session.flush()
