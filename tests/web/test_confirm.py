"""Confirming: one key a claim, on to the next case, and nobody sees the other's verdict first."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest

from broker.demo import cases as demo_cases
from broker.demo.house import House
from broker.desk import casefile, claims, confirm
from broker.store import tables
from broker.store.engine import unit_of_work
from tests.house import take_in
from tests.web.conftest import SignedIn
from tests.web.living import verdicts_of
from tests.web.reading import read

LEAD = 2
"""A demo case with content and a person: two claims."""


def case(house: House, number: int = LEAD) -> UUID:
    return take_in(house, demo_cases.make(number, house.desk.now()))


def say(client: Any, case_id: UUID, claim: str, says: str, version: str = "1", **more: Any) -> Any:
    sent = {"claim": claim, "says": says, "version": version, **more}
    return client.post(f"/desk/confirm/{case_id}", data=sent, follow_redirects=False)


def alike(page: str, *ids: UUID) -> str:
    """The page without what differs by case and request."""
    for each in ids:
        page = page.replace(str(each), "CASE")
    where_in_the_list = r'<a [^>]*data-key="l">.*?</a>'
    return re.sub(rf'<time.*?</time>|<p class="trace">.*?</p>|{where_in_the_list}|\s', "", page)


@pytest.mark.parametrize("path", ["/desk/confirm/{}", "/desk/cases/{}"])
def test_the_second_person_cannot_see_what_the_first_said(
    signed_in: SignedIn, house: House, path: str
) -> None:
    agreed, denied, silent = (case(house) for _ in range(3))
    first, second = signed_in("analyst-1"), signed_in("analyst-2")
    assert say(first, agreed, "content_illegal", "yes").status_code == 303
    assert say(first, denied, "content_illegal", "no").status_code == 303
    ids = (agreed, denied, silent)
    shown = [alike(second.get(path.format(each)).text, *ids) for each in ids]
    assert shown[0] == shown[1] == shown[2]
    own = [alike(first.get(path.format(each)).text, *ids) for each in ids]
    assert "Yousaidyes." in own[0]
    assert "Yousaidno." in own[1]
    assert own[1] != own[2]


def test_one_key_a_claim_then_the_next_case(signed_in: SignedIn, house: House) -> None:
    made = {case(house), case(house)}
    client = signed_in("analyst-1")
    page = client.get("/desk/confirm").text
    one, two = (UUID(i) for i in dict.fromkeys(re.findall(r"/desk/confirm/([0-9a-f-]{36})", page)))
    assert {one, two} == made
    assert f'href="/desk/confirm/{one}" data-key="b"' in page
    page = client.get(f"/desk/confirm/{one}").text
    assert page.count('data-key="y"') == page.count('data-key="n"') == 1
    answer = say(client, one, "content_illegal", "yes")
    assert answer.headers["location"] == f"/desk/confirm/{one}"  # its other claim
    assert client.get(f"/desk/confirm/{one}").text.count('data-key="y"') == 1
    answer = say(client, one, "person_linked", "yes")
    assert answer.headers["location"] == f"/desk/confirm/{two}"
    say(client, two, "content_illegal", "yes")
    assert say(client, two, "person_linked", "no").headers["location"] == "/desk/confirm"
    other = signed_in("analyst-2")
    for claim in ("content_illegal", "person_linked"):
        say(other, one, claim, "yes")
    with unit_of_work(house.desk.db) as session:
        assert session.get_one(tables.CaseFile, one).state == "confirmed"
        assert session.get_one(tables.CaseFile, two).state == "draft"


def test_what_may_not_be_said_is_refused_in_words(signed_in: SignedIn, house: House) -> None:
    case_id = case(house)
    client = signed_in("analyst-1")
    assert say(client, case_id, "content_illegal", "maybe").status_code == 400
    assert say(client, case_id, "content_illegal", "yes", version="2").status_code == 409
    assert say(client, case_id, "content_illegal", "yes", about=["nobody1"]).status_code == 400
    with unit_of_work(house.desk.db) as session:
        assert confirm.claims_of(session, case_id, 1) == ()
    say(client, case_id, "content_illegal", "yes")
    twice = say(client, case_id, "content_illegal", "no")
    assert twice.status_code == 409
    assert "another person has to give the second" in twice.text
    for login in ("releaser", "officer"):
        assert say(signed_in(login), case_id, "content_illegal", "yes").status_code == 403
    assert verdicts_of(house, case_id) == 1


def test_imported_verdicts_show_where_they_come_from(signed_in: SignedIn, house: House) -> None:
    document = demo_cases.make(LEAD, house.desk.now())
    document["assessment"]["confirmations"] = [
        {
            "claim": "content_illegal",
            "organisation": "Synthetic Hotline Abroad (example)",
            "at": "2026-03-01T10:00:00Z",
            "basis": "orb_consensus",
            "match": match,
            "organisations": 3,
            "about": ["item1"],
        }
        for match in ("exact", "near")
    ]
    case_id = take_in(house, document)
    page = " ".join(
        " ".join(read(signed_in("analyst-1").get(f"/desk/confirm/{case_id}").text).outside).split()
    )
    assert "Synthetic Hotline Abroad (example), 3 organisations" in page
    assert "A near match confirms nothing." in page
    with unit_of_work(house.desk.db) as session:
        held, version = casefile.read_version(house.desk, session, case_id)
        asked = claims.questions(house.desk, session, house.people["releaser"], case_id, held, version)
    assert [len(question.imported) for question in asked] == [2, 0]
