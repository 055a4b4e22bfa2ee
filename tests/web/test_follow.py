"""Following a referral up: the timeline with its places in the ledger, answers, channels, calls."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID, uuid4

from sqlmodel import select

from broker.demo.house import House
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import canaries
from tests.e2e.test_ways_in import with_address
from tests.web.conftest import SignedIn
from tests.web.test_release import lead


def referral_of(house: House, release: str) -> UUID:
    with unit_of_work(house.desk.db) as session:
        return session.get_one(tables.Release, release).referral_id


def test_from_draft_to_answer(house: House, signed_in: SignedIn, tmp_path: Path) -> None:
    document = lead()
    made = build.released(house, "police", document)
    referral = referral_of(house, made.release)
    trust = build.trust(house, tmp_path / "trust")
    with build.serving(house) as (url, served):
        build.pull(served, url, "police", tmp_path / "pulled", trust)
        with build.partner_api(served, url, "police") as api:
            api.read(made.release, "triage")
            api.answer(made.release, uuid4(), "O20", gaps=("Q11",))
    page = signed_in("analyst-1").get(f"/desk/follow/{referral}").text
    rows = re.findall(r"<th scope=\"row\">([^<]+)", page.partition("From draft to answer")[2])
    told = [row.strip() for row in rows]
    for words in (
        "drafted",
        "approved by a second person",
        "can be collected",
        "collected",
        "receipt",
        "answered",
    ):
        assert words in told, (words, told)
    assert "more information requested" in page
    assert "time without the source of its clock" in page or "Q11" in page
    assert "triage" in page
    assert "receipt, verified" in page
    with unit_of_work(house.desk.db) as session:
        places = session.exec(
            select(tables.LedgerLeaf.position).where(tables.LedgerLeaf.release_id == made.release)
        ).all()
    assert places
    for place in places:
        assert f"<td>{place}</td>" in page
    assert not [c for c in canaries(document).values() if c in page]
    for kind in ("supplement", "correct"):
        assert f"?kind.{house.partners['police']}={kind}" in page


def test_a_supplement_starts_here(house: House, signed_in: SignedIn) -> None:
    made = build.released(house, "police", lead())
    referral, police = referral_of(house, made.release), house.partners["police"]
    analyst = signed_in("analyst-1")
    link = re.search(r'href="(/desk/cases/[^"]+=correct)"', analyst.get(f"/desk/follow/{referral}").text)
    assert link is not None
    page = analyst.get(link[1]).text
    assert "a correction, version 2" in page
    form = {"chosen": "yes", "to": police, f"kind.{police}": "correct", "act": "draft"}
    case_id = link[1].split("/")[3]
    done = analyst.post(f"/desk/cases/{case_id}/preview/{police}", data=form, follow_redirects=False)
    assert done.status_code == 303
    with unit_of_work(house.desk.db) as session:
        kinds = session.exec(select(tables.Draft.kind, tables.Draft.version, tables.Draft.supersedes)).all()
    assert set(kinds) == {("correct", 2, made.release), ("new", 1, None)}


def test_calls_and_other_channels(house: House, signed_in: SignedIn) -> None:
    made = build.released(house, "police", lead())
    referral = referral_of(house, made.release)
    at = f"/desk/follow/{referral}"
    analyst, releaser, officer = signed_in("analyst-1"), signed_in("releaser"), signed_in("officer")
    call = {"act": "call", "answered": "yes", "who": "Badge SYN-3"}
    assert analyst.post(at, data=call, follow_redirects=False).status_code == 303
    assert "Federal Police" in analyst.get(at).text
    assert analyst.post(at, data={"act": "offer"}).status_code == 403
    none = releaser.post(at, data={"act": "offer"})
    assert none.status_code == 409
    assert "no other channel" in none.text
    assert releaser.post(at, data={"act": "retry", "delivery": str(uuid4())}).status_code == 404
    assert officer.get(at).status_code == 200
    assert officer.post(at, data=call).status_code == 403
    assert analyst.get(f"/desk/follow/{uuid4()}").status_code == 404
    assert analyst.get("/desk/follow/nothing").status_code == 404


def test_a_pinned_address_is_offered_and_taken_once(house: House, signed_in: SignedIn) -> None:
    made = build.released(house, "police", lead())
    at = f"/desk/follow/{referral_of(house, made.release)}"
    with_address(house)
    releaser = signed_in("releaser")
    assert releaser.post(at, data={"act": "offer"}, follow_redirects=False).status_code == 303
    with unit_of_work(house.desk.db) as session:
        (delivery,) = session.exec(select(tables.Delivery)).all()
    assert (delivery.release_id, delivery.adapter) == (made.release, "secure_mail")
    assert releaser.post(at, data={"act": "offer"}).status_code == 409
