"""Police holds, and how long notices to providers wait for the police.

A hold suppresses every notice for a URL on every path: at routing, at release, just before sending. It
ends by itself; only the domestic police sets, renews or ends it (the database holds that). The URL is
kept as an HMAC under a key of its own: the list of holds tells no URL.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlmodel import Session, col, select

from broker.auth import Actor
from broker.desk import casefile, events, partners
from broker.desk.context import Desk
from broker.errors import Conflict, Forbidden, Issue, NotFound, Refused
from broker.spi import Json
from broker.store import tables

POLICE = "BEP"
URGENT = frozenset({"U1", "U2"})
_PORTS = {"http": 80, "https": 443, "ftp": 21}


@dataclass(frozen=True, slots=True)
class Wait:
    """Why notices wait, and until when; None while the police has not been told at all."""

    why: str
    until: datetime | None


def place(
    desk: Desk, session: Session, actor: Actor, url: str, partner_id: str, until: datetime | None = None
) -> UUID:
    """Set a hold for a URL at the request of the police. Runs for the pack's clock when no end is given."""
    actor.needs("analyst", "releaser")
    now = desk.now()
    if not urlsplit(url).hostname:
        raise Refused("hold-url", "this is no URL", (Issue("url", "url", "must be absolute"),))
    row = tables.PoliceHold(id=desk.uuid(), url_hmac=digest(desk, url), created_by=actor.id, starts_at=now)
    session.add(row)
    session.flush()
    _term(desk, session, actor, row.id, partner_id, "set", until or desk.pack.due("hold", now))
    return row.id


def renew(
    desk: Desk, session: Session, actor: Actor, hold_id: UUID, partner_id: str, until: datetime | None = None
) -> datetime:
    """Renew a hold that still runs. Returns its new end."""
    actor.needs("analyst", "releaser")
    if not _runs(_last(session, hold_id), desk.now()):
        raise Conflict("hold-over", "this hold is over; the police sets a new one")
    end = until or desk.pack.due("hold", desk.now())
    _term(desk, session, actor, hold_id, partner_id, "renewed", end)
    return end


def end(desk: Desk, session: Session, actor: Actor, hold_id: UUID, partner_id: str) -> None:
    """End a hold before its time."""
    actor.needs("analyst", "releaser")
    if not _runs(_last(session, hold_id), desk.now()):
        raise Conflict("hold-over", "this hold is over already")
    _term(desk, session, actor, hold_id, partner_id, "ended", desk.now())


def listing(desk: Desk, session: Session) -> list[dict[str, Any]]:
    """Every hold with its last term; no URL."""
    rows = []
    for row in session.exec(select(tables.PoliceHold).order_by(col(tables.PoliceHold.starts_at).desc())):
        term = _last(session, row.id)
        rows.append(
            {"hold": str(row.id), "since": events.stamp(row.starts_at), "until": events.stamp(term.until),
             "by": term.by_partner, "running": _runs(term, desk.now()), "last": term.kind}
        )  # fmt: skip
    return rows


def held_places(desk: Desk, session: Session, data: Mapping[str, Json]) -> dict[str, datetime]:
    """local id of a location → until when one of its URLs is held."""
    found: dict[str, datetime] = {}
    by_digest: dict[bytes, list[str]] = {}
    for name, location in data.get("locations", {}).items():
        for member in ("url", "page_url"):
            if member in location:
                by_digest.setdefault(digest(desk, location[member]), []).append(name)
    rows = session.exec(select(tables.PoliceHold).where(col(tables.PoliceHold.url_hmac).in_(by_digest)))
    for row in rows:
        term = _last(session, row.id)
        if _runs(term, desk.now()):
            found.update(
                {name: max(term.until, found.get(name, term.until)) for name in by_digest[row.url_hmac]}
            )
    return found


def held_providers(desk: Desk, session: Session, data: Mapping[str, Json]) -> frozenset[str]:
    """Folded names of the providers that hear nothing now."""
    places = data.get("locations", {})
    names = (places[name].get("host", {}).get("provider", "") for name in held_places(desk, session, data))
    return frozenset(name.casefold() for name in names if name)


def waiting(desk: Desk, session: Session, case_id: UUID, data: Mapping[str, Json]) -> Wait | None:
    """Whether notices of this case wait: U1, U2 and person leads do, until the police answered or the
    agreed hours are over since it was told."""
    case = data["case"]
    if case.get("urgency") in URGENT:
        why = "urgent"
    elif case["kind"] == "person_lead" or data.get("persons"):
        why = "person-lead"
    else:
        return None
    told = session.exec(
        select(tables.Release)
        .where(col(tables.Release.case_id) == case_id, col(tables.Release.addressee_class) == POLICE)
        .order_by(col(tables.Release.released_at))
    ).all()
    if not told:
        return Wait(why, None)
    answered = select(tables.Answer.id).where(
        col(tables.Answer.release_id).in_([row.release_id for row in told])
    )
    until = desk.pack.due("notice_wait", told[0].released_at)
    if until <= desk.now() or session.exec(answered).first() is not None:
        return None
    return Wait(why, until)


def notices(desk: Desk, session: Session, case_id: UUID, data: Mapping[str, Json]) -> dict[str, Json]:
    """Both, as the preview shows them."""
    wait = waiting(desk, session, case_id, data)
    return {
        "held": [
            {"location": name, "until": events.stamp(until)}
            for name, until in sorted(held_places(desk, session, data).items())
        ],
        "waiting": None
        if wait is None
        else {"why": wait.why, "until": None if wait.until is None else events.stamp(wait.until)},
    }


def bars_release(desk: Desk, session: Session, case_id: UUID, addressee: str) -> str | None:
    """Why a notice to this addressee may not leave now, as a code. Others than providers never wait."""
    partner = partners.get(session, addressee)
    if desk.pack.role(partner.recipient_class) != "provider":
        return None
    data = casefile.read_version(desk, session, case_id)[0].data
    if (partner.provider or "").casefold() in held_providers(desk, session, data):
        return "police-hold"
    return "waits-for-police" if waiting(desk, session, case_id, data) is not None else None


def digest(desk: Desk, url: str) -> bytes:
    """HMAC-SHA-256 of a URL: scheme and host folded, default port and fragment gone."""
    parts = urlsplit(url)
    port = parts.port if parts.port != _PORTS.get(parts.scheme) else None
    host = f"{parts.hostname or ''}:{port}" if port else parts.hostname or ""
    plain = f"{parts.scheme}://{host}{parts.path or '/'}?{parts.query}"
    return hmac.new(desk.vault().lasting("hold"), plain.encode(), hashlib.sha256).digest()


def _term(
    desk: Desk, session: Session, actor: Actor, hold_id: UUID, partner_id: str, kind: str, until: datetime
) -> None:
    partner = partners.get(session, partner_id)
    if partner.recipient_class != POLICE:
        raise Forbidden("hold-police-only", "only the domestic police sets, renews or ends a hold")
    now = desk.now()
    if kind != "ended" and until <= now:
        raise Refused("hold-until", "a hold ends in the future", (Issue("until", "order", "is past"),))
    session.add(
        tables.PoliceHoldTerm(
            hold_id=hold_id, kind=kind, by_partner=partner.id, by_class=partner.recipient_class,
            entered_by=actor.id, at=now, until=until,
        )
    )  # fmt: skip
    session.flush()
    events.note(desk, session, f"hold:{kind}", actor.id, partner_id=partner.id)


def _last(session: Session, hold_id: UUID) -> tables.PoliceHoldTerm:
    row = session.exec(
        select(tables.PoliceHoldTerm)
        .where(col(tables.PoliceHoldTerm.hold_id) == hold_id)
        .order_by(col(tables.PoliceHoldTerm.id).desc())
        .limit(1)
    ).first()
    if row is None:
        raise NotFound("hold")
    return row


def _runs(term: tables.PoliceHoldTerm, now: datetime) -> bool:
    return term.kind != "ended" and term.until > now
