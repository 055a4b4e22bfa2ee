"""Who is competent for a case, with reasons: the pack's table over the partners there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from broker.core import routing
from broker.core.confirmation import Released
from broker.core.routing import Gates, PartnerInfo, Proposal
from broker.desk import confirm, gates, hold, partners
from broker.desk.context import Desk
from broker.spi import Json

DIRECT = "pull"
"""`communication.method` of an agreement that opens a channel of the partner's own."""

NEXT = {
    "no-way-to-receive": "who should get it cannot receive yet: register keys (`broker partner add-keys`), "
    "pin an address (`broker delivery to`), or add a person of its inbox (`broker partner person add`)",
}
"""Reason → what somebody does about it, where something can be done in the house."""

# One statement for all partners: a job over many cases asks this for each. What it says of one partner is
# what `agreements.terms_in_force`, `partners.current_key`, `endpoints.channel_of` and `reads_inbox` say.
_PARTNERS = text("""
select p.id, p.recipient_class, p.country, p.status = 'active' as active, p.provider,
  coalesce(s.status = 'active', false) as in_force, a.body->'communication'->>'method' as method,
  exists (select 1 from partner_key k where k.partner_id = p.id and k.use = 'enc' and k.revoked_at is null
    and k.not_before <= :at and k.not_after > :at) as has_keys,
  coalesce(e.state = 'active', false) or exists (select 1 from inbox_person i
    where i.partner_id = p.id and i.disabled_at is null) as reached
from partner p
left join lateral (select version, body from agreement where partner_id = p.id
  and valid_from <= :at and valid_to > :at order by version desc limit 1) a on true
left join lateral (select status from agreement_status
  where partner_id = p.id and version = a.version order by at desc limit 1) s on true
left join lateral (select state from delivery_endpoint
  where partner_id = p.id and purpose = 'referral' order by id desc limit 1) e on true
where p.recipient_class <> :tool
order by p.created_at, p.id
""")


@dataclass(frozen=True, slots=True)
class Ground:
    """What routing asks besides the case: the same for every case at one moment."""

    partners: tuple[PartnerInfo, ...]
    recognised: bool


def ground(session: Session, now: datetime) -> Ground:
    """Two statements, for any number of cases."""
    found = session.connection().execute(_PARTNERS, _asked(now)).mappings()
    return Ground(tuple(_info(row) for row in found), gates.recognised(session, now))


def proposed(desk: Desk, stands: Ground, released: Released, kept: hold.Kept) -> Proposal:
    """Every route and every refusal with reasons; a person decides (REQ-09)."""
    return routing.propose(
        released,
        desk.pack,
        stands.partners,
        Gates(
            recognition_valid=stands.recognised,
            held_providers=kept.providers(released.case.data),
            notices_wait=kept.wait is not None,
        ),
    )


def routes(desk: Desk, session: Session, case_id: UUID, released: Released, now: datetime) -> Proposal:
    """The same for one case, with everything looked up."""
    kept = hold.kept_back(desk, session, {case_id: released.case.data})[case_id]
    return proposed(desk, ground(session, now), released, kept)


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
        yield from (f"    {NEXT[code]}" for code in refusal["reasons"] if code in NEXT)


def _asked(now: datetime) -> Mapping[str, object]:
    return {"at": now, "tool": partners.TOOL}


def _info(row: Mapping[Any, Any]) -> PartnerInfo:
    pulls = row["has_keys"] and row["in_force"] and row["method"] == DIRECT
    return PartnerInfo(
        id=row["id"],
        recipient_class=row["recipient_class"],
        country=row["country"],
        active=row["active"],
        agreement_in_force=row["in_force"],
        direct=bool(pulls or (row["reached"] and not row["has_keys"])),
        provider=row["provider"],
        reachable=bool(row["has_keys"] or row["reached"]),
    )
