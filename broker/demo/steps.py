"""The steps of the demo, each a thin loop over the desk's own verbs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from broker.client.api import PartnerApi
from broker.client.auth import BrokerAuth
from broker.client.pull import Puller
from broker.demo.house import House
from broker.desk import casefile, confirm, draft, release, route
from broker.desk.claims import claims_for
from broker.desk.draft import Drafted, Request
from broker.errors import BrokerError, Refused
from broker.jobs import settle
from broker.sealing.trust import Trust
from broker.store.engine import unit_of_work

GROUNDS = {"F12": "protect-child"}
"""The reporter of the first case agreed to be contacted: the police get the identity, sealed apart."""


@dataclass(frozen=True, slots=True)
class DemoDraft:
    """A draft and the case it is of."""

    referral: UUID
    partner: str
    drafted: Drafted


@dataclass(frozen=True, slots=True)
class PullResult:
    """What one partner pulled."""

    partner: str
    collected: int


def confirm_all(house: House, cases: Sequence[UUID]) -> list[UUID]:
    """Two analysts give their verdict on each claim that fits the case."""
    done = []
    for case_id in cases:
        with unit_of_work(house.desk.db) as session:
            kinds = claims_for(casefile.read_version(house.desk, session, case_id)[0])
        for person in ("analyst-1", "analyst-2"):
            for kind in kinds:
                with unit_of_work(house.desk.db) as session:
                    confirm.claim(house.desk, session, house.people[person], case_id, kind)
        with suppress(BrokerError), unit_of_work(house.desk.db) as session:
            confirm.released_case(house.desk, session, case_id)
            done.append(case_id)
    return done


def urgent(house: House, case_id: UUID) -> str:
    """U1: one analyst, a coded reason, the domestic police; call logged, approved afterwards."""
    desk, analyst = house.desk, house.people["analyst-1"]
    request = Request(case_id=case_id, addressee=house.partners["police"], urgent_reason="announced-meeting")
    drafted = _draft(house, request)
    with unit_of_work(desk.db) as session:
        call = confirm.Call(
            desk=desk.pack.urgent_desk.name, answered=True, read_back=True, who="Synthetic duty officer"
        )
        confirm.log_call(desk, session, analyst, case_id, "announced-meeting", call)
        release.approve(desk, session, analyst, [release.Choice(drafted.release, drafted.digest)])
    settle(desk)
    with unit_of_work(desk.db) as session:
        release.approve_afterwards(desk, session, house.people["releaser"], drafted.release)
    return drafted.release


def draft_all(house: House, cases: Sequence[UUID]) -> tuple[list[DemoDraft], int]:
    """Draft for every partner that routing proposes. Returns the drafts and the number of refusals."""
    drafts: list[DemoDraft] = []
    refused = 0
    for case_id in cases:
        with unit_of_work(house.desk.db) as session:
            proposal = route.describe(house.desk, session, case_id)
        refused += len(proposal["refusals"])
        for each in proposal["routes"]:
            first_to_police = case_id == cases[0] and each["class"] == "BEP"
            request = Request(
                case_id=case_id,
                addressee=each["addressee"],
                purposes=("P1", "P2") if first_to_police else (),
                grounds=GROUNDS if first_to_police else {},
            )
            try:
                drafts.append(DemoDraft(case_id, each["addressee"], _draft(house, request)))
            except BrokerError as error:
                if error.code != "already-referred":  # the urgent one has left already
                    raise
    return drafts, refused


def approve_all(house: House, drafts: Sequence[DemoDraft]) -> None:
    """The releaser approves each draft by its digest."""
    for each in drafts:
        with unit_of_work(house.desk.db) as session:
            choice = release.Choice(each.drafted.release, each.drafted.digest)
            release.approve(house.desk, session, house.people["releaser"], [choice])


def pull_all(house: House, url: str, to: Path, trust: Path) -> dict[str, PullResult]:
    """Each partner's own client fetches, verifies, stores and sends receipts."""
    pinned = Trust.load(trust)
    results = {}
    for name, partner in house.partners.items():
        held = house.partner_keys(name)
        with PartnerApi(url, BrokerAuth(url, partner, held.get("auth"), held.get("dpop"))) as api:
            report = Puller(api, held, to / partner, partner, trust=pinned).run()
        if not report.ok:
            raise Refused("demo-pull", "a partner could not pull: " + "; ".join(report.lines()))
        results[name] = PullResult(partner, len(report.collected))
    return results


def _draft(house: House, request: Request) -> Drafted:
    """Draft as an analyst would: look first, clear what the mask proposes, then draft."""
    desk, analyst = house.desk, house.people["analyst-1"]
    with unit_of_work(desk.db) as session:
        seen = draft.preview(desk, session, analyst, request)
    clear = {at: text.after for at, text in seen.composition.minimised.masked.items()}
    with unit_of_work(desk.db) as session:
        return draft.draft(desk, session, analyst, replace(request, clear=clear))
