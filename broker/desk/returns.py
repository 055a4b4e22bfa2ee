"""News of other systems about what we sent, as typed answers on the right release.

An adapter reads the other system's lists; here each piece of news finds its release by the reference
that system gave us, and becomes an answer once, however often the list is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.core.answers import Answer
from broker.desk import answers
from broker.desk.context import Desk
from broker.errors import NotFound
from broker.spi import ReadsReturns
from broker.store import tables


@dataclass(frozen=True, slots=True)
class Taken:
    """How many pieces of news were new, known already, or about nothing that we sent."""

    new: int
    same: int
    not_ours: int


def take(
    desk: Desk, session: Session, actor: Actor, adapter: str, content: bytes, options: Mapping[str, str]
) -> Taken:
    """Read a list and store what is news. Raises `Refused` for the whole list, and then stores nothing."""
    actor.needs("analyst", "releaser")
    found = desk.adapters.get(adapter)
    if not isinstance(found, ReadsReturns):
        raise NotFound("adapter that reads what became of things")
    counted = {"new": 0, "same": 0, "not-ours": 0}
    for news in found.read_returns(content, options=options):
        releases = _sent(session, found.sent_by, news.remote_reference)
        for released in releases:
            key = f"{adapter}|{news.remote_reference}|{news.key}"
            said = Answer(news.outcome)
            counted[answers.record(desk, session, released, said, via="return", by=actor.id, key=key)] += 1
        counted["not-ours"] += not releases
    return Taken(counted["new"], counted["same"], counted["not-ours"])


def _sent(session: Session, adapter: str, remote_reference: str) -> list[tables.Release]:
    """Releases that this adapter delivered under this reference: one, unless the other system reuses it."""
    if not remote_reference:
        return []
    evidence = (
        select(tables.Release)
        .join(tables.Delivery, col(tables.Delivery.release_id) == col(tables.Release.release_id))
        .join(tables.DeliveryEvidence, col(tables.DeliveryEvidence.delivery_id) == col(tables.Delivery.id))
        .where(
            col(tables.Delivery.adapter) == adapter,
            col(tables.DeliveryEvidence.proves) == "delivery",
            col(tables.DeliveryEvidence.remote_reference) == remote_reference,
        )
        .distinct()
    )
    return list(session.exec(evidence))
