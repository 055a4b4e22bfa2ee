"""What the database says before a draft is made: of the addressee once, of any number of cases together.

A single draft asks for one case, a bulk job for a batch; both decide on the same facts. They are as old
as their transaction: what must still be true at release is checked again there (`gates.stale`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from broker.core.agreement import AgreementTerms
from broker.core.case import Case
from broker.core.confirmation import Claim
from broker.desk import agreements, casefile, confirm, endpoints, hold, partners, route
from broker.desk.context import Desk
from broker.errors import BrokerError, NotFound
from broker.store import tables


@dataclass(frozen=True, slots=True)
class Channel:
    """Who carries, and how it is reached; None for one that pulls.

    `opens_apart` is false for one that pulls and has no key for what is sealed apart (ruling 22).
    """

    carrier: tables.Partner
    endpoint: tables.DeliveryEndpoint | None
    opens_apart: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What is the same for every case of one addressee."""

    at: datetime
    addressee: tables.Partner
    ground: route.Ground
    agreement: tuple[int, AgreementTerms] | None
    channels: dict[str, Channel] = field(default_factory=dict)
    """By carrier, each looked up when a route first names it."""

    def channel(self, desk: Desk, session: Session, carrier: str) -> Channel:
        """How a carrier is reached."""
        if carrier not in self.channels:
            partner = partners.get(session, carrier)
            uses = ("enc", "apart")
            pulls, opens = (partners.current_key(session, carrier, use, self.at) is not None for use in uses)
            endpoint = endpoints.channel_of(desk, session, partner.id)
            self.channels[carrier] = Channel(partner, endpoint, opens or not pulls)
        return self.channels[carrier]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is one case's own. `releases` are all of the case, the oldest first."""

    stored: casefile.Stored
    case: Case
    claims: tuple[Claim, ...]
    kept: hold.Kept
    referral: tables.Referral | None
    releases: tuple[tables.Release, ...]

    def last_release(self) -> tables.Release | None:
        """The newest version that this addressee was sent."""
        if self.referral is None:
            return None
        own = [row for row in self.releases if row.referral_id == self.referral.id]
        return max(own, key=lambda row: row.version, default=None)

    def prior_recipients(self, but: str) -> list[dict[str, str]]:
        """Who else had this case, by kind and time."""
        return [
            {"partner_type": row.addressee_class, "at": row.released_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
            for row in self.releases
            if row.addressee != but
        ]


def standing(desk: Desk, session: Session, addressee: str) -> Standing:
    """Raises `NotFound` for an unknown addressee."""
    now, partner = desk.now(), partners.get(session, addressee)
    agreement = agreements.terms_in_force(session, partner.id, now)
    return Standing(now, partner, route.ground(session, now), agreement)


def gather(
    desk: Desk, session: Session, addressee: str, case_ids: Sequence[UUID]
) -> dict[UUID, Facts | BrokerError]:
    """Each case opened with all that is known of it; or why it could not be opened."""
    stored = casefile.stored(session, case_ids)
    found: dict[UUID, Facts | BrokerError] = {
        case_id: NotFound("case") for case_id in case_ids if case_id not in stored
    }
    cases: dict[UUID, Case] = {}
    for case_id, rests in stored.items():
        try:
            cases[case_id] = casefile.opened(desk, rests)
        except BrokerError as error:
            found[case_id] = error
    claims = confirm.claims_on(session, {case_id: stored[case_id].number for case_id in cases})
    kept = hold.kept_back(desk, session, {case_id: case.data for case_id, case in cases.items()})
    referrals = _referrals(session, addressee, case_ids)
    releases = _releases(session, case_ids)
    for case_id, case in cases.items():
        found[case_id] = Facts(
            stored[case_id], case, claims[case_id], kept[case_id],
            referrals.get(case_id), tuple(releases.get(case_id, ())),
        )  # fmt: skip
    return found


def _referrals(session: Session, addressee: str, case_ids: Sequence[UUID]) -> dict[UUID, tables.Referral]:
    query = select(tables.Referral).where(
        col(tables.Referral.case_id).in_(case_ids), col(tables.Referral.addressee) == addressee
    )
    return {row.case_id: row for row in session.exec(query)}


def _releases(session: Session, case_ids: Sequence[UUID]) -> dict[UUID, list[tables.Release]]:
    found: dict[UUID, list[tables.Release]] = {}
    for row in session.exec(
        select(tables.Release)
        .where(col(tables.Release.case_id).in_(case_ids))
        .order_by(col(tables.Release.released_at), col(tables.Release.release_id))
    ):
        found.setdefault(row.case_id, []).append(row)
    return found
