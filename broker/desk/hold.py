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
from broker.core import locator
from broker.desk import casefile, events, partners
from broker.desk.context import Desk
from broker.errors import Conflict, Forbidden, Issue, NotFound, Refused
from broker.spi import Json
from broker.store import tables

POLICE = "BEP"
URGENT = frozenset({"U1", "U2"})
_ONE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Wait:
    """Why notices wait, and until when; None while the police has not been told at all."""

    why: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeps notices of one case back: locations under a hold with its end, the wait for the police."""

    places: Mapping[str, datetime]
    wait: Wait | None

    def providers(self, data: Mapping[str, Json]) -> frozenset[str]:
        """Folded names of the providers that hear nothing now."""
        names = (data["locations"][name].get("host", {}).get("provider", "") for name in self.places)
        return frozenset(name.casefold() for name in names if name)

    def as_json(self) -> dict[str, Json]:
        """As the preview shows it."""
        wait = self.wait
        return {
            "held": [
                {"location": name, "until": events.stamp(until)}
                for name, until in sorted(self.places.items())
            ],
            "waiting": None
            if wait is None
            else {"why": wait.why, "until": None if wait.until is None else events.stamp(wait.until)},
        }


def place(
    desk: Desk, session: Session, actor: Actor, url: str, partner_id: str, until: datetime | None = None
) -> UUID:
    """Set a hold for a URL at the request of the police. Runs for the pack's clock when no end is given."""
    actor.needs("analyst", "releaser")
    now = desk.now()
    if not _has_host(url):
        raise Refused("hold-url", "this is no URL", (Issue("url", "url", "must be absolute"),))
    mark = _mark(desk, locator.folded(url))
    row = tables.PoliceHold(id=desk.uuid(), url_hmac=mark, created_by=actor.id, starts_at=now)
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


def kept_back(desk: Desk, session: Session, cases: Mapping[UUID, Mapping[str, Json]]) -> dict[UUID, Kept]:
    """What keeps notices of each of these cases back: at most three statements, one more for a hold met."""
    places, waits = _held(desk, session, cases), _waits(desk, session, cases)
    return {case_id: Kept(places[case_id], waits.get(case_id)) for case_id in cases}


def held_places(desk: Desk, session: Session, data: Mapping[str, Json]) -> dict[str, datetime]:
    """local id of a location → until when one of its URLs is held."""
    return _held(desk, session, {_ONE: data})[_ONE]


def waiting(desk: Desk, session: Session, case_id: UUID, data: Mapping[str, Json]) -> Wait | None:
    """Whether notices of this case wait: U1, U2 and person leads do, until the police answered or the
    agreed hours are over since it was told."""
    return _waits(desk, session, {case_id: data}).get(case_id)


def notices(desk: Desk, session: Session, case_id: UUID, data: Mapping[str, Json]) -> dict[str, Json]:
    """Both, as the preview shows them."""
    return kept_back(desk, session, {case_id: data})[case_id].as_json()


def bars_release(
    desk: Desk, session: Session, case_id: UUID, addressee: str, sent: int | None = None
) -> str | None:
    """Why a notice to this addressee may not leave now, as a code. Others than providers never wait.

    `sent` is the version of the case that a notice was drafted from: it names the addresses of then.
    """
    partner = partners.get(session, addressee)
    if desk.pack.role(partner.recipient_class) != "provider":
        return None
    name = (partner.provider or "").casefold()
    data = casefile.read_version(desk, session, case_id)[0].data
    kept = kept_back(desk, session, {case_id: data})[case_id]
    if name in kept.providers(data):
        return "police-hold"
    if sent is not None:
        before = casefile.read_version(desk, session, case_id, sent)[0].data
        if name in Kept(held_places(desk, session, before), None).providers(before):
            return "police-hold"
    return None if kept.wait is None else "waits-for-police"


def digests(desk: Desk, url: str) -> tuple[bytes, ...]:
    """HMAC-SHA-256 of a URL under which a hold of it may be kept: of the one form that all its spellings
    have, and of the one by which holds were kept before there was that."""
    return tuple(_mark(desk, text) for text in (locator.folded(url), *locator.formerly(url)))


def _mark(desk: Desk, text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    return hmac.new(desk.vault().lasting("hold"), octets, hashlib.sha256).digest()


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _held(
    desk: Desk, session: Session, cases: Mapping[UUID, Mapping[str, Json]]
) -> dict[UUID, dict[str, datetime]]:
    """case → local id of a location → until when one of its URLs is held."""
    found: dict[UUID, dict[str, datetime]] = {case_id: {} for case_id in cases}
    by_digest: dict[bytes, list[tuple[UUID, str]]] = {}
    for case_id, data in cases.items():
        for name, location in data.get("locations", {}).items():
            for member in ("url", "page_url"):
                if member in location:
                    for digest in digests(desk, location[member]):
                        by_digest.setdefault(digest, []).append((case_id, name))
    rows = session.exec(select(tables.PoliceHold).where(col(tables.PoliceHold.url_hmac).in_(by_digest)))
    for row in rows:
        term = _last(session, row.id)
        if _runs(term, desk.now()):
            for case_id, name in by_digest[row.url_hmac]:
                held = found[case_id]
                held[name] = max(term.until, held.get(name, term.until))
    return found


def _waits(desk: Desk, session: Session, cases: Mapping[UUID, Mapping[str, Json]]) -> dict[UUID, Wait]:
    """Those of the cases whose notices wait for the police."""
    why = {case_id: reason for case_id, data in cases.items() if (reason := _why(data)) is not None}
    if not why:
        return {}
    told: dict[UUID, list[tables.Release]] = {case_id: [] for case_id in why}
    for row in session.exec(
        select(tables.Release)
        .where(
            col(tables.Release.case_id).in_(list(why)),
            col(tables.Release.addressee_class) == POLICE,
            # Called back before it could be collected: nobody was told.
            col(tables.Release.release_id).not_in(select(tables.Cancellation.release_id)),
        )
        .order_by(col(tables.Release.released_at))
    ):
        told[row.case_id].append(row)
    releases = [row.release_id for rows in told.values() for row in rows]
    answers = select(tables.Answer.release_id).where(col(tables.Answer.release_id).in_(releases))
    answered = set(session.exec(answers)) if releases else set()
    found: dict[UUID, Wait] = {}
    for case_id, reason in why.items():
        if not told[case_id]:
            found[case_id] = Wait(reason, None)
            continue
        until = desk.pack.due("notice_wait", told[case_id][0].released_at)
        if until > desk.now() and answered.isdisjoint(row.release_id for row in told[case_id]):
            found[case_id] = Wait(reason, until)
    return found


def _why(data: Mapping[str, Json]) -> str | None:
    """Why notices of such a case would wait at all."""
    case = data["case"]
    if case.get("urgency") in URGENT:
        return "urgent"
    return "person-lead" if case["kind"] == "person_lead" or data.get("persons") else None


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
