"""Lapse of the hotline's recognition stops content locators, not a tip about danger (ruling 5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from broker.core.canonical import decode
from broker.demo.house import House
from broker.desk import confirm, draft
from broker.desk.draft import Request
from broker.errors import Refused
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case

LOCATORS = {
    ("items", "crypto_hash"), ("items", "perceptual_hash"), ("items", "media_pointer"), ("items", "orb_ref"),
    ("locations", "url"), ("locations", "page_url"), ("locations", "access_note"),
    ("locations", "referrer"), ("locations", "credentials"),
}  # fmt: skip
"""Where F17 F18 F21 F28 F29 F30 F32 F77 F83 stand; written out so that the pack cannot move it."""


def lapse(house: House) -> None:
    with unit_of_work(house.desk.db) as session:
        row = session.exec(select(tables.Recognition)).one()
        row.valid_to = house.desk.now() - timedelta(seconds=1)
        session.add(row)


def shown(made: draft.Drafted) -> set[tuple[str, str]]:
    entities = decode(made.composition.referral.payload, max_bytes=1 << 24)["doc"]["entities"]
    return {
        (collection, name)
        for collection, elements in entities.items()
        for element in elements.values()
        for name in element
    }


def test_a_confirmed_danger_tip_still_goes_without_any_content_locator(house: House) -> None:
    document = full_case("danger")
    case_id = build.confirmed(house, document)
    lapse(house)
    made = build.drafted(house, case_id, "police")
    assert not shown(made) & LOCATORS
    assert ("persons", "account") in shown(made)
    fields = made.composition.minimised.manifest["fields"]
    assert fields["F29"] == {"state": "withheld", "clause": "legal_basis"}
    text = made.composition.referral.payload.decode()
    for place in document["locations"].values():
        assert place["url"] not in text
    build.approve(house, made)
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        assert session.get(tables.Release, made.release) is not None


@pytest.mark.parametrize("urgent", [False, True])
def test_a_draft_from_before_the_lapse_is_not_signed_with_its_locators(house: House, urgent: bool) -> None:
    document = full_case("danger")
    document["case"]["urgency"] = "U1"
    case_id = build.confirmed(house, document)
    made = build.drafted(house, case_id, "police", urgent_reason="live-stream" if urgent else None)
    assert shown(made) & LOCATORS
    build.approve(house, made)
    lapse(house)
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        assert session.get(tables.Release, made.release) is None
        assert session.get_one(tables.DraftRefusal, made.release).code == "recognition-lapsed"
    again = build.drafted(house, case_id, "police", urgent_reason="live-stream" if urgent else None)
    build.approve(house, again)
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        assert session.get(tables.Release, again.release) is not None


def test_content_without_danger_goes_nowhere(house: House) -> None:
    document = full_case("content_report")
    case_id = build.take_in(house, document)
    for person in ("analyst-1", "analyst-2"):
        with unit_of_work(house.desk.db) as session:
            confirm.claim(house.desk, session, house.people[person], case_id, "content_illegal")
    lapse(house)
    with unit_of_work(house.desk.db) as session, pytest.raises(Refused) as refused:
        draft.preview(
            house.desk, session, house.people["analyst-1"], Request(case_id, house.partners["police"])
        )
    assert refused.value.code == "no-route"
