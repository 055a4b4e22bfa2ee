"""The urgent path by hand: one screen, one person, a call that stops the clock, a second look."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from broker.demo.house import House
from broker.desk import confirm, overdue
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case
from tests.e2e.test_ways_in import revoke
from tests.web.conftest import SignedIn
from tests.web.test_release import asked as asked_of
from tests.web.test_release import passkey


def danger(urgency: str = "U1") -> dict[str, Any]:
    document = full_case("danger")
    document["case"]["urgency"] = urgency
    return document


def sent(house: House) -> list[tables.Draft]:
    with unit_of_work(house.desk.db) as session:
        return list(session.exec(select(tables.Draft)))


def test_a_minute_on_one_screen(house: House, signed_in: SignedIn) -> None:
    case_id = build.take_in(house, danger())  # nobody confirmed it
    analyst, at = signed_in("analyst-1"), f"/desk/urgent/{case_id}"
    page = analyst.get(at).text
    assert house.desk.pack.urgent_desk.phone in page
    assert "The reference stands here as soon as it is sent" in page
    answer = analyst.post(at, data={"act": "send"})
    assert answer.status_code == 400
    assert "Choose a reason" in answer.text
    assert sent(house) == []
    done = analyst.post(at, data={"act": "send", "reason": "live-stream"}, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, f"{at}?reason=live-stream")
    settle(house.desk)
    (draft,) = sent(house)
    assert draft.urgent
    with unit_of_work(house.desk.db) as session:
        released = session.get_one(tables.Release, draft.id)
        assert released.addressee == house.partners["police"]
        reference = session.get_one(tables.Referral, draft.referral_id).reference
    page = analyst.get(done.headers["location"]).text
    assert " ".join(reference) in page
    assert "live stream" in page
    assert "No desk has answered yet" in page
    assert re.search(r"about (59|60) minutes after this page was made", page)
    assert "Another person has to approve it before" in page


def test_only_a_desk_that_answers_and_reads_back_stops_the_clock(house: House, signed_in: SignedIn) -> None:
    case_id = build.take_in(house, danger())
    analyst, at = signed_in("analyst-1"), f"/desk/urgent/{case_id}"
    hour_ago = house.desk.now() - timedelta(hours=1)
    with unit_of_work(house.desk.db) as session:  # before there was a reference to read back
        early = confirm.Call(desk="Synthetic desk", answered=True, read_back=True, who="Badge SYN-0")
        desk, me = replace(house.desk, clock=lambda: hour_ago), house.people["analyst-1"]
        confirm.log_call(desk, session, me, case_id, "risk-to-life", early)
    analyst.post(at, data={"act": "send", "reason": "risk-to-life"})
    settle(house.desk)
    assert "No desk has answered yet" in analyst.get(at).text
    unknown = analyst.post(at, data={"act": "call", "answered": "yes", "read_back": "yes"})
    assert unknown.status_code == 400
    assert "Write down who answered" in unknown.text
    for call in (
        {"answered": "no"},
        {"answered": "yes", "who": "Badge SYN-1"},
        {"answered": "no", "read_back": "yes"},
    ):
        analyst.post(at, data={"act": "call", **call})
        assert "No desk has answered yet" in analyst.get(at).text
    analyst.post(at, data={"act": "call", "answered": "yes", "read_back": "yes", "who": "Badge SYN-2"})
    page = analyst.get(at).text
    assert "A desk answered and read the reference back" in page
    assert "SYN-2" not in page  # kept encrypted, not shown around
    with unit_of_work(house.desk.db) as session:
        kinds = {late.kind for late in overdue.overdue(house.desk, session)}
    assert "urgent-unanswered" not in kinds


def test_what_the_mask_would_hide_is_shown_before_it_goes(house: House, signed_in: SignedIn) -> None:
    document = danger()
    document["reporter"]["statement"] = f"knows {document['victims']['victim1']['identity']['name']} well"
    case_id = build.take_in(house, document)
    analyst, at = signed_in("analyst-1"), f"/desk/urgent/{case_id}"
    first = analyst.post(at, data={"act": "send", "reason": "live-stream"})
    assert first.status_code == 400
    assert "<del>" in first.text
    assert sent(house) == []
    done = {"act": "send", "reason": "live-stream", "masked": "yes"}
    assert analyst.post(at, data=done, follow_redirects=False).status_code == 303
    assert len(sent(house)) == 1


def test_another_urgency_or_person_does_not_go_this_way(house: House, signed_in: SignedIn) -> None:
    case_id = build.take_in(house, danger("U2"))
    at = f"/desk/urgent/{case_id}"
    analyst = signed_in("analyst-1")
    assert "Only a case with urgency U1 goes this way" in analyst.get(at).text
    refused = analyst.post(at, data={"act": "send", "reason": "live-stream"})
    assert refused.status_code == 400
    assert sent(house) == []
    assert analyst.get(f"/desk/urgent/{UUID(int=0)}").status_code == 404


def test_the_timeline_names_one_person_as_one(house: House, signed_in: SignedIn) -> None:
    """The register is what an oversight body reads: who released alone is never told as a second person."""
    case_id = build.take_in(house, danger())
    signed_in("analyst-1").post(f"/desk/urgent/{case_id}", data={"act": "send", "reason": "live-stream"})
    settle(house.desk)
    (draft,) = sent(house)
    page = signed_in("officer").get(f"/desk/register/{draft.id}").text
    assert "sent by one person alone (urgent path)" in page
    assert "approved by a second person" not in page


def test_who_answered_is_written_down_on_every_page_that_logs_a_call(
    house: House, signed_in: SignedIn
) -> None:
    """A call that stops the clock names who answered (ruling 3), also when it is logged in the follow-up."""
    case_id = build.take_in(house, danger())
    analyst = signed_in("analyst-1")
    analyst.post(f"/desk/urgent/{case_id}", data={"act": "send", "reason": "live-stream"})
    with unit_of_work(house.desk.db) as session:
        referral = session.exec(select(tables.Referral.id)).one()
    for at in (f"/desk/urgent/{case_id}", f"/desk/follow/{referral}"):
        call = {"act": "call", "reason": "live-stream", "answered": "yes", "read_back": "yes", "who": " "}
        refused = analyst.post(at, data=call)
        assert refused.status_code == 400
        assert "Write down who answered." in refused.text
    with unit_of_work(house.desk.db) as session:
        assert session.exec(select(tables.UrgentCall)).all() == []


@pytest.mark.parametrize("login", ["releaser", "officer", "administrator"])
def test_only_an_analyst_sends(house: House, signed_in: SignedIn, login: str) -> None:
    case_id = build.take_in(house, danger())
    client = signed_in(login)
    assert (
        client.post(f"/desk/urgent/{case_id}", data={"act": "send", "reason": "live-stream"}).status_code
        == 403
    )
    assert sent(house) == []


def test_the_second_look_is_another_persons(house: House, signed_in: SignedIn) -> None:
    case_id = build.take_in(house, danger())
    signed_in("analyst-1").post(f"/desk/urgent/{case_id}", data={"act": "send", "reason": "live-stream"})
    settle(house.desk)
    (draft,) = sent(house)
    at = f"/desk/release/{draft.id}"
    releaser = signed_in("releaser")
    assert "Left at once, to be looked at by you" in releaser.get("/desk/release").text
    asked = releaser.post(at, data={"act": "afterwards", "digest": draft.approval_digest})
    assert draft.approval_digest in asked.text
    assert releaser.post(at, data={"act": "look", "digest": draft.approval_digest}).status_code == 403
    own = signed_in("analyst-1").post(at, data={"act": "afterwards", "digest": draft.approval_digest})
    assert own.status_code == 403
    with unit_of_work(house.desk.db) as session:
        assert session.get(tables.Approval, (draft.id, "retrospective")) is None
    device, form = passkey(house, "releaser"), {"digest": draft.approval_digest}
    digest, options = asked_of(releaser.post(at, data={**form, "act": "afterwards"}).text)
    assert digest == draft.approval_digest
    looked = {**form, "act": "look", "passkey": device.get(options)}
    assert releaser.post(at, data=looked, follow_redirects=False).status_code == 303
    with unit_of_work(house.desk.db) as session:
        approval = session.get_one(tables.Approval, (draft.id, "retrospective"))
        assert approval.approved_by == house.people["releaser"].id
    assert "Another person looked at it" in signed_in("analyst-1").get(f"/desk/urgent/{case_id}").text
    again = releaser.post(at, data={**form, "act": "afterwards"})
    assert again.status_code == 409


def test_a_desk_that_cannot_receive_is_told_by_telephone_alone(house: House, signed_in: SignedIn) -> None:
    case_id = build.take_in(house, danger())
    revoke(house, "police", "enc")
    analyst, at = signed_in("analyst-1"), f"/desk/urgent/{case_id}"
    assert "it hears the case by telephone alone" in analyst.get(at).text
    page = analyst.post(at, data={"act": "send", "reason": "live-stream"}).text
    assert "it hears the case by telephone alone" in page
    assert "It is being signed" not in page
    assert "It waits for you in the usual way" not in page
    assert "Please write it down and read the reference back" in page
    (draft,) = sent(house)
    with unit_of_work(house.desk.db) as session:
        reference = session.get_one(tables.Referral, draft.referral_id).reference
    assert " ".join(reference) in page
