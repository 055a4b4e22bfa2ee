"""Where partners are reached that do not pull: pinned addresses, the newest of a purpose counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.desk import events, notify, partners
from broker.desk.context import Desk
from broker.errors import Issue, NotFound, Refused
from broker.spi import Connects, Json
from broker.store import tables

PUSHED = frozenset({"mail", "push"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a partner is reached: `config` is pinned data (address, certificate), no secret."""

    purpose: str
    channel: str
    adapter: str
    config: Mapping[str, Json]


def set_endpoint(desk: Desk, session: Session, actor: Actor, partner_id: str, endpoint: Endpoint) -> int:
    """Pin where a partner gets referrals, or notices of them. The newest one of a purpose counts."""
    actor.needs("administrator", "key_custodian")
    partners.get(session, partner_id)
    issues = list(_endpoint_issues(desk, endpoint))
    if issues:
        raise Refused("endpoint-refused", "the endpoint was not taken", tuple(issues))
    return _endpoint_row(desk, session, actor, partner_id, endpoint, "active")


def end_endpoint(desk: Desk, session: Session, actor: Actor, partner_id: str, purpose: str) -> None:
    """No longer reach a partner there. What is on its way ends as it is."""
    actor.needs("administrator", "key_custodian")
    row = endpoint_of(session, partner_id, purpose)
    if row is None:
        raise NotFound("endpoint")
    ended = Endpoint(row.purpose, row.channel, row.adapter, {})
    _endpoint_row(desk, session, actor, partner_id, ended, "ended")


def _endpoint_row(
    desk: Desk, session: Session, actor: Actor, partner_id: str, endpoint: Endpoint, state: str
) -> int:
    row = tables.DeliveryEndpoint(
        partner_id=partner_id,
        purpose=endpoint.purpose,
        channel=endpoint.channel,
        adapter=endpoint.adapter,
        state=state,
        config=dict(endpoint.config),
        by=actor.id,
        at=desk.now(),
    )
    session.add(row)
    session.flush()
    events.note(desk, session, f"endpoint:{state}", actor.id, partner_id=partner_id)
    return row.id or 0


def _endpoint_issues(desk: Desk, endpoint: Endpoint) -> Sequence[Issue]:
    if endpoint.purpose == "notice":
        return notify.endpoint_issues(endpoint.channel, endpoint.config)
    if endpoint.channel not in PUSHED:
        return [Issue("/channel", "code", "must be mail or push")]
    adapter = desk.adapters.get(endpoint.adapter)
    if not isinstance(adapter, Connects):
        return [Issue("/adapter", "adapter", "is no installed adapter that delivers")]
    return adapter.endpoint_issues(endpoint.config)


def endpoint_of(session: Session, partner_id: str, purpose: str) -> tables.DeliveryEndpoint | None:
    """The endpoint of a partner for a purpose, or None where there is none or it ended."""
    row = session.exec(
        select(tables.DeliveryEndpoint)
        .where(
            col(tables.DeliveryEndpoint.partner_id) == partner_id,
            col(tables.DeliveryEndpoint.purpose) == purpose,
        )
        .order_by(col(tables.DeliveryEndpoint.id).desc())
        .limit(1)
    ).first()
    return row if row is not None and row.state == "active" else None


def reads_inbox(desk: Desk, session: Session, partner_id: str) -> bool:
    """Whether a carrier without keys and without a pinned address has people who read the inbox: its
    releases are opened there from their records, and are in its feed like any other (ruling 10)."""
    if partners.current_key(session, partner_id, "enc", desk.now()) is not None:
        return False
    if endpoint_of(session, partner_id, "referral") is not None:
        return False
    people = select(tables.InboxPerson.id).where(
        col(tables.InboxPerson.partner_id) == partner_id, col(tables.InboxPerson.disabled_at).is_(None)
    )
    return session.exec(people.limit(1)).first() is not None


def can_receive(desk: Desk, session: Session, partner_id: str) -> bool:
    """Whether a carrier has any way to get what is released to it; routing asks the same for all at once."""
    return (
        partners.current_key(session, partner_id, "enc", desk.now()) is not None
        or endpoint_of(session, partner_id, "referral") is not None
        or reads_inbox(desk, session, partner_id)
    )


def channel_of(desk: Desk, session: Session, partner_id: str) -> tables.DeliveryEndpoint | None:
    """How a carrier gets its releases; None for one that pulls. Who has keys to pull with, pulls."""
    if partners.current_key(session, partner_id, "enc", desk.now()) is not None:
        return None
    return endpoint_of(session, partner_id, "referral")
