"""Who is competent for a case, with reasons: the pack's table over the partners there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from broker.core import routing
from broker.core.confirmation import Released
from broker.core.routing import Gates, PartnerInfo, Proposal
from broker.desk import agreements, confirm, endpoints, gates, hold, partners
from broker.desk.context import Desk
from broker.spi import Json
from broker.store import tables

DIRECT = "pull"
"""`communication.method` of an agreement that opens a channel of the partner's own."""


def routes(desk: Desk, session: Session, case_id: UUID, released: Released, now: datetime) -> Proposal:
    """Every route and every refusal with reasons; a person decides (REQ-09)."""
    rows = session.exec(
        select(tables.Partner)
        .where(col(tables.Partner.recipient_class) != partners.TOOL)
        .order_by(col(tables.Partner.created_at), col(tables.Partner.id))
    )
    found = [_info(desk, session, row, now) for row in rows]
    return routing.propose(
        released,
        desk.pack,
        found,
        Gates(
            recognition_valid=gates.recognised(session, now),
            held_providers=hold.held_providers(desk, session, released.case.data),
            notices_wait=hold.waiting(desk, session, case_id, released.case.data) is not None,
        ),
    )


def describe(desk: Desk, session: Session, case_id: UUID) -> Mapping[str, Json]:
    """Routes of a confirmed case as a document: ids, purposes, coded reasons."""
    released = confirm.released_case(desk, session, case_id)
    proposal = routes(desk, session, case_id, released, desk.now())
    return {
        "routes": [
            {
                "addressee": r.addressee,
                "class": r.recipient_class,
                "carrier": r.carrier,
                "purposes": list(r.purposes),
                "statutory": r.statutory,
                "reasons": [reason.code for reason in r.reasons],
            }
            for r in proposal.routes
        ],
        "refusals": [
            {
                "class": r.recipient_class,
                "addressee": r.addressee,
                "country": r.country,
                "reasons": [reason.code for reason in r.reasons],
            }
            for r in proposal.refusals
        ],
    }


def in_words(proposal: Mapping[str, Any]) -> Iterator[str]:
    """The same for a terminal, one line each."""
    for route in proposal["routes"]:
        via = "" if route["carrier"] == route["addressee"] else f", carried by {route['carrier']}"
        why = ", ".join(code.replace("-", " ") for code in route["reasons"])
        yield f"  → {route['class']} {route['addressee']}{via}: {' '.join(route['purposes'])} ({why})"
    for refusal in proposal["refusals"]:
        why = ", ".join(code.replace("-", " ") for code in refusal["reasons"])
        who = " ".join(filter(None, (refusal["class"], refusal["addressee"] or refusal["country"])))
        yield f"  × {who}: {why}"


def _info(desk: Desk, session: Session, row: tables.Partner, now: datetime) -> PartnerInfo:
    agreement = agreements.terms_in_force(session, row.id, now)
    body: Mapping[str, Any] = {}
    if agreement is not None:
        body = session.get_one(tables.Agreement, (row.id, agreement[0])).body
    has_keys = partners.current_key(session, row.id, "enc", now) is not None
    return PartnerInfo(
        id=row.id,
        recipient_class=row.recipient_class,
        country=row.country,
        active=row.status == "active",
        agreement_in_force=agreement is not None,
        direct=(has_keys and body.get("communication", {}).get("method") == DIRECT)
        or endpoints.channel_of(desk, session, row.id) is not None,
        provider=row.provider,
    )
