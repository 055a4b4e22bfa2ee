"""A house in the middle of its work: cases in every state that a page can show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from broker.demo import cases as demo_cases
from broker.demo.house import House
from broker.demo.steps import urgent
from broker.desk import casefile, confirm, publish, route
from broker.desk.claims import claims_for
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build


def live(house: House, folder: Path) -> Mapping[str, Any]:
    """Make it so: name of a state → the case (UUID) or release (text) that is in it."""
    made: dict[str, Any] = {}
    documents = [demo_cases.make(number, house.desk.now()) for number in range(1, 13)]
    taken = [build.take_in(house, document) for document in documents]
    made["to confirm"], made["half confirmed"] = taken[0], taken[1]
    _verdicts(house, taken[1], "analyst-1")
    for case_id in taken[2:]:
        for person in ("analyst-1", "analyst-2"):
            _verdicts(house, case_id, person)
    ready = [case_id for case_id in taken[2:] if _is_confirmed(house, case_id)]
    made["to draft"] = ready[0]
    names = {partner: name for name, partner in house.partners.items()}
    drafts = [
        build.drafted(house, case_id, names[addressee])
        for case_id in ready[1:]
        for addressee in _routes(house, case_id)
    ]
    made["to release"], made["to release too"] = drafts[0].release, drafts[1].release
    build.approve(house, *drafts[2:])
    settle(house.desk)
    made["waiting"], made["withdrawn"] = drafts[2].release, drafts[3].release
    with unit_of_work(house.desk.db) as session:
        publish.withdraw(house.desk, session, house.people["releaser"], drafts[3].release, "incorrect")
    trust = build.trust(house, folder / "trust")
    with build.serving(house) as (url, served):
        build.pull(served, url, "police", folder / "pulled", trust)
    late = build.confirmed(house, demo_cases.make(demo_cases.U1_AT, house.desk.now()))
    made["collected"] = drafts[4].release if len(drafts) > 4 else drafts[2].release
    made["urgent"] = urgent(house, late)
    settle(house.desk)
    return made


def _routes(house: House, case_id: UUID) -> list[str]:
    with unit_of_work(house.desk.db) as session:
        return [each["addressee"] for each in route.describe(house.desk, session, case_id)["routes"]]


def _verdicts(house: House, case_id: UUID, person: str) -> None:
    with unit_of_work(house.desk.db) as session:
        kinds = claims_for(casefile.read_version(house.desk, session, case_id)[0])
    for kind in kinds:
        with unit_of_work(house.desk.db) as session:
            confirm.claim(house.desk, session, house.people[person], case_id, kind)


def verdicts_of(house: House, case_id: UUID) -> int:
    """How many verdicts were given on the claims of a case."""
    with unit_of_work(house.desk.db) as session:
        found = session.exec(
            select(tables.Verdict)
            .join(tables.Claim, col(tables.Claim.id) == col(tables.Verdict.claim_id))
            .where(col(tables.Claim.case_id) == case_id)
        )
        return len(found.all())


def _is_confirmed(house: House, case_id: UUID) -> bool:
    with unit_of_work(house.desk.db) as session:
        return session.get_one(tables.CaseFile, case_id).state == "confirmed"
