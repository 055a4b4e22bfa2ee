"""The inbox: the same rules as the API, for people of an agency without software of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from broker import auth
from broker.app import create_app
from broker.demo.house import House
from broker.desk import partners
from broker.desk.overdue import overdue
from broker.desk.partners import Registration
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from broker.web.site import Site
from tests import house as build
from tests.cases import full_case

Inbox = Callable[[str], TestClient]


@pytest.fixture
def inbox(house: House) -> Iterator[Inbox]:
    """`inbox("police")` is a browser of a person of that partner (short name, or its id), on the real
    application."""
    with TestClient(create_app(house.desk), headers={"sec-fetch-site": "same-origin"}) as client:

        def browser(partner: str) -> TestClient:
            now = house.desk.now()
            with unit_of_work(house.desk.db) as session:
                person = auth.add_person(
                    session,
                    house.people["administrator"],
                    partner_id=house.partners.get(partner, partner),
                    login=f"reader-{partner}",
                    password="synthetic-inbox-only",
                    now=now,
                )
                token = auth.open_session(session, person, "passkey", now)
            client.cookies.clear()
            client.cookies.set(Site(house.desk, "inbox").cookie_name, token, path="/inbox")
            return client

        yield browser


def test_what_came_is_listed_opened_on_a_ground_and_answered(inbox: Inbox, house: House) -> None:
    made = build.released(house, "police")
    client = inbox("police")
    assert made.reference in client.get("/inbox/referrals").text
    page = client.get(f"/inbox/referrals/{made.release}").text
    assert "referral.pdf" in page
    opened = client.post(
        f"/inbox/referrals/{made.release}/open",
        data={"ground": "triage", "name": "referral.pdf", "own_case_number": "SYN.1/2026"},
    )
    assert opened.headers["content-type"] == "application/pdf"
    assert opened.content.startswith(b"%PDF")
    said = {"said": "case-opened", "reference": "SYN.1/2026"}
    answered = client.post(f"/inbox/referrals/{made.release}/answer", data=said, follow_redirects=False)
    assert answered.status_code == 303
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        (collection,) = session.exec(select(tables.Collection)).all()
        (read,) = session.exec(select(tables.ReadAct)).all()
        (given,) = session.exec(select(tables.Answer)).all()
        leaves = session.exec(select(tables.LedgerLeaf)).all()
    assert (collection.part, collection.generation) == ("documents/referral.pdf", 0)
    assert (read.ground, read.own_case_number) == ("triage", "SYN.1/2026")
    assert given.outcome == "O10"
    assert len(leaves) >= 5


@pytest.mark.parametrize("path", ["", "/open", "/answer"])
def test_anothers_referral_and_none_look_the_same(inbox: Inbox, house: House, path: str) -> None:
    made = build.released(house, "police")
    client = inbox("hotline")
    assert made.reference not in client.get("/inbox/referrals").text
    method = "POST" if path else "GET"
    data = {"ground": "triage", "name": "referral.pdf", "said": "not-an-offence"}
    answers = [
        client.request(method, f"/inbox/referrals/{release}{path}", data=data if path else None)
        for release in (made.release, "a" * 26)
    ]
    assert [a.status_code for a in answers] == [404, 404]
    bodies = [
        a.text.replace(a.headers["belgov-trace-id"], "").replace(made.release, "a" * 26) for a in answers
    ]
    assert bodies[0] == bodies[1]


def test_nothing_is_handed_over_without_a_ground(inbox: Inbox, house: House) -> None:
    made = build.released(house, "police")
    answer = inbox("police").post(f"/inbox/referrals/{made.release}/open", data={"name": "referral.pdf"})
    assert answer.status_code == 400
    assert "Choose a ground" in answer.text
    with unit_of_work(house.desk.db) as session:
        assert session.exec(select(tables.Collection)).all() == []


def test_what_was_not_opened_cannot_be_answered(inbox: Inbox, house: House) -> None:
    made = build.released(house, "police")
    answer = inbox("police").post(f"/inbox/referrals/{made.release}/answer", data={"said": "not-an-offence"})
    assert answer.status_code == 409


def test_need_more_has_to_say_of_what_and_keeps_what_was_typed(inbox: Inbox, house: House) -> None:
    made = build.released(house, "police")
    client = inbox("police")
    client.post(f"/inbox/referrals/{made.release}/open", data={"ground": "triage", "name": "referral.pdf"})
    sent = {"said": "need-more", "reference": "SYN 7"}
    answer = client.post(f"/inbox/referrals/{made.release}/answer", data=sent)
    assert answer.status_code == 400
    assert 'value="SYN 7"' in answer.text


def test_a_withdrawn_referral_is_not_opened_any_more(inbox: Inbox, house: House) -> None:
    from broker.desk import publish

    made = build.released(house, "police")
    with unit_of_work(house.desk.db) as session:
        publish.withdraw(house.desk, session, house.people["releaser"], made.release, "incorrect")
    settle(house.desk)
    client = inbox("police")
    assert "withdrawn" in client.get(f"/inbox/referrals/{made.release}").text
    answer = client.post(
        f"/inbox/referrals/{made.release}/open", data={"ground": "triage", "name": "referral.pdf"}
    )
    assert answer.status_code == 409


def test_an_agency_without_keys_gets_its_referrals_in_the_inbox(inbox: Inbox, house: House) -> None:
    """No key to encrypt to, no address to deliver to: a reader of the inbox is the way (ruling 10)."""
    desk = house.desk
    with unit_of_work(desk.db) as session:
        partners.set_status(desk, session, house.people["custodian"], house.partners["police"], "suspended")
        office = partners.register(
            desk, session, house.people["custodian"], Registration(()),
            name="Synthetic Police without software (example)", recipient_class="BEP", country="BE",
            language="fr",
        ).id  # fmt: skip
    with_office = replace(house, partners={**house.partners, "office": office})
    case_id = build.confirmed(with_office, full_case())
    client = inbox(office)
    made = build.drafted(with_office, case_id, "office")
    build.approve(with_office, made)
    settle(desk)
    assert made.reference in client.get("/inbox/referrals").text
    opened = client.post(
        f"/inbox/referrals/{made.release}/open", data={"ground": "own_case", "name": "referral.pdf"}
    )
    assert opened.content.startswith(b"%PDF")
    with unit_of_work(desk.db) as session:
        assert session.exec(select(tables.SealedObject)).all() == []
        assert overdue(desk, session) == []
