"""The inbox: the same rules as the API, for people of an agency without software of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from broker import auth
from broker.app import create_app
from broker.client.keys import new_partner_keys
from broker.demo.house import House
from broker.desk import hold, partners, publish
from broker.desk.overdue import overdue
from broker.desk.partners import Registration
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from broker.web.site import Site
from tests import house as build
from tests.cases import full_case
from tests.deliveries.providers import keyed_provider, provider_case

Inbox = Callable[[str], TestClient]


@pytest.fixture
def inbox(house: House) -> Iterator[Inbox]:
    """`inbox("police")` is a browser of a person of that partner, on the real application."""
    with browsing(house) as browser:
        yield browser


@contextmanager
def browsing(house: House) -> Iterator[Inbox]:
    """By a partner's short name, or its id."""
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


def test_the_list_says_what_is_new_read_and_answered(inbox: Inbox, house: House) -> None:
    made = build.released(house, "police")
    client, at = inbox("police"), f"/inbox/referrals/{made.release}"
    assert "not opened yet" in client.get("/inbox/referrals").text
    client.post(f"{at}/open", data={"ground": "triage", "name": "referral.pdf"})
    assert "read, not answered" in client.get("/inbox/referrals").text
    client.post(f"{at}/answer", data={"said": "not-an-offence"})
    waiting, _, done = client.get("/inbox/referrals").text.partition("Answered or withdrawn")
    assert made.reference not in waiting
    assert made.reference in done


@pytest.mark.parametrize(
    ("opened", "sent", "place"),
    [
        (True, {"said": "need-more"}, "gaps"),
        (True, {"said": "case-opened", "reference": "7 <"}, "reference"),
        (True, {"said": "not-ours", "suggest": "7"}, "suggest"),
        (True, {}, "said-case-opened"),
        (False, {"said": "case-opened", "reference": "SYN 7"}, ""),
    ],
)
def test_a_refused_answer_stays_on_the_page_with_what_was_typed(
    inbox: Inbox, house: House, opened: bool, sent: dict[str, str], place: str
) -> None:
    made = build.released(house, "police")
    client, at = inbox("police"), f"/inbox/referrals/{made.release}"
    if opened:
        client.post(f"{at}/open", data={"ground": "triage", "name": "referral.pdf"})
    page = client.post(f"{at}/answer", data=sent)
    assert page.status_code == (400 if opened else 409)
    assert 'role="alert"' in page.text
    if place:
        assert f'<a href="#{place}">' in page.text
        assert f'id="{place}"' in page.text
    for name, value in sent.items():
        marked = f'id="said-{value}" name="said" value="{value}" required checked' if name == "said" else ""
        assert (marked or f'value="{value.replace("<", "&lt;")}"') in page.text


def test_a_withdrawn_referral_is_not_opened_any_more(inbox: Inbox, house: House) -> None:
    made = build.released(house, "police")
    with unit_of_work(house.desk.db) as session:
        publish.withdraw(house.desk, session, house.people["releaser"], made.release, "incorrect")
    settle(house.desk)
    client = inbox("police")
    page = client.get(f"/inbox/referrals/{made.release}").text
    assert "something in it is wrong; a correction follows" in page
    assert "It was not opened; there is nothing to do." in page
    assert f"/inbox/referrals/{made.release}/answer" not in page  # it would be refused
    answer = client.post(
        f"/inbox/referrals/{made.release}/open", data={"ground": "triage", "name": "referral.pdf"}
    )
    assert answer.status_code == 409


def test_a_notice_under_a_police_hold_is_not_handed_over(house: House) -> None:
    pack = replace(house.desk.pack, formats={**house.desk.pack.formats, "HSP": ("xarf_notice",)})
    opened = keyed_provider(replace(house, desk=replace(house.desk, pack=pack)))
    document = provider_case()
    made = build.released(opened, "host", document)
    desk, wanted = opened.desk, {"ground": "triage", "name": "notice.txt"}
    with browsing(opened) as inbox:
        client = inbox("host")
        where = f"/inbox/referrals/{made.release}/open"
        with unit_of_work(desk.db) as session:
            analyst, police = opened.people["analyst-1"], opened.partners["police"]
            held = hold.place(
                desk, session, analyst, next(iter(document["locations"].values()))["url"], police
            )
        assert client.post(where, data=wanted).status_code == 404
        with unit_of_work(desk.db) as session:
            hold.end(desk, session, analyst, held, police)
        assert client.post(where, data=wanted).status_code == 200


def test_an_agency_without_keys_gets_its_referrals_in_the_inbox(inbox: Inbox, house: House) -> None:
    """No key to encrypt to, no address to deliver to: a reader of the inbox is the way (ruling 10)."""
    desk, with_office = house.desk, with_an_office(house)
    office = with_office.partners["office"]
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


def test_what_was_for_the_inbox_is_sealed_once_the_agency_has_keys(
    inbox: Inbox, house: House, tmp_path: Path
) -> None:
    desk = house.desk
    keys = Registration.read(new_partner_keys(tmp_path / "keys", "Office", desk.now(), unencrypted=True)).keys
    with_office = with_an_office(house)
    office = with_office.partners["office"]
    inbox(office)
    made = build.drafted(with_office, build.confirmed(with_office, full_case()), "office")
    build.approve(with_office, made)
    settle(desk)
    with unit_of_work(desk.db) as session:
        for key in keys:
            partners.add_key(desk, session, office, key)
    (tmp_path / "keys").rename(house.keys / office)
    trust = build.trust(house, tmp_path / "trust")
    with build.serving(with_office) as (url, there):
        report = build.pull(there, url, "office", tmp_path / "got", trust)
        assert report.collected == []
        assert "ask the broker's operator" in report.lines()[-1]
        with unit_of_work(desk.db) as session:
            assert publish.reseal(desk, session, house.people["custodian"], made.release) == 1
        assert build.pull(there, url, "office", tmp_path / "got", trust).collected == [made.release]


def with_an_office(house: House) -> House:
    """The police is replaced by an agency that was onboarded without a file."""
    desk = house.desk
    with unit_of_work(desk.db) as session:
        partners.set_status(desk, session, house.people["custodian"], house.partners["police"], "suspended")
        office = partners.register(
            desk, session, house.people["custodian"], Registration(()),
            name="Synthetic Police without software (example)", recipient_class="BEP", country="BE",
            language="fr",
        ).id  # fmt: skip
    return replace(house, partners={**house.partners, "office": office})
