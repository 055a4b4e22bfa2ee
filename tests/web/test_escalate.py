"""From a confirmed case to drafts for all: proposals, the preview, texts cleared, nothing lost."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from pypdf import PdfReader
from sqlmodel import Session, col, select
from starlette.testclient import TestClient

from broker.core.rows import RowDecision
from broker.demo import cases as demo_cases
from broker.demo.house import House
from broker.desk import draft, release
from broker.errors import Refused
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import canaries, full_case
from tests.desk.test_setaside import for_nobody
from tests.e2e.test_ways_in import revoke
from tests.web.conftest import SignedIn


def named() -> dict[str, Any]:
    """A case with a text that names, to the clearing house, somebody that it does not get."""
    document = full_case("person_lead")
    hidden = document["persons"]["person1"]["self_declared_name"]
    document["persons"]["person3"]["profile"]["bio"] = f"asks for {hidden} every day"
    return document


def drafts(house: House) -> dict[str, tables.Draft]:
    """Stored drafts by addressee."""
    with unit_of_work(house.desk.db) as session:
        rows = session.exec(
            select(tables.Draft, tables.Referral).join(
                tables.Referral, col(tables.Referral.id) == col(tables.Draft.referral_id)
            )
        )
        return {referral.addressee: row for row, referral in rows}


def record(house: House, session: Session, row: tables.Draft) -> Any:
    return release.load(house.desk, session, session.get_one(tables.Draft, row.id))[0]


def chosen(*partners: str, **more: str | list[str]) -> dict[str, Any]:
    return {"chosen": "yes", "to": list(partners), **more}


def test_a_standard_case_takes_one_key(house: House, signed_in: SignedIn) -> None:
    case_id = build.confirmed(house, demo_cases.make(3, house.desk.now()))
    other = build.confirmed(house, demo_cases.make(4, house.desk.now()))
    analyst = signed_in("analyst-1")
    page = analyst.get(f"/desk/cases/{case_id}/escalate").text
    ticked = re.findall(r'name="to" value="(pt_\w+)" data-row checked', page)
    assert ticked
    assert 'data-key="d"' in page
    form = {"chosen": "yes", "to": ticked, "act": "draft"}
    answer = analyst.post(f"/desk/cases/{case_id}/escalate", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/desk/cases/{other}/escalate")
    assert set(drafts(house)) == set(ticked)
    landed = analyst.get(answer.headers["location"]).text  # another case looks alike: it says which this is
    assert "This is the next case." in landed
    assert f"<code>{str(other)[:8]}</code>" in landed
    again = analyst.get(f"/desk/cases/{case_id}/escalate").text
    assert "data-row checked" not in again  # what waits is not drafted twice by mistake
    assert "a draft waits for another person" in again


def test_conditions_are_read_in_the_readers_language(house: House, signed_in: SignedIn) -> None:
    """They travel in the recipient's (the police reads Dutch); who drafts has to understand them."""
    case_id = build.confirmed(house, demo_cases.make(3, house.desk.now()))
    at = f"/desk/cases/{case_id}/preview/{house.partners['police']}"
    pack = house.desk.pack.conditions["criminal-proceedings"]
    analyst = signed_in("analyst-1")
    for language in ("en", "fr", "de"):
        page = analyst.get(at, headers={"accept-language": language}).text
        assert f"<li>{html.escape(pack[language])}</li>" in page
        assert f"<li>{pack['nl']}</li>" not in page


def test_routes_and_refusals_have_reasons(house: House, signed_in: SignedIn) -> None:
    case_id = build.confirmed(house, full_case())
    page = signed_in("analyst-1").get(f"/desk/cases/{case_id}/escalate").text
    for words in ("hosted in our own country", "no partner of this kind is registered", "has not been told"):
        assert words in page
    assert 'value="P3" checked' in page


def test_the_preview_has_held_sent_and_why(house: House, signed_in: SignedIn) -> None:
    document = full_case("person_lead")
    case_id = build.confirmed(house, document)
    analyst = signed_in("analyst-1")
    at = f"/desk/cases/{case_id}/preview/{house.partners['ncmec']}"
    page = analyst.get(at).text
    name = document["persons"]["person3"]["self_declared_name"]
    row = next(r for r in re.findall(r"<tr>.*?</tr>", page, re.S) if name in r)
    _, sent, why = re.findall(r"<td>(.*?)</td>", row, re.S)
    assert name not in sent
    assert 'class="gone"' in sent
    assert "only on a ground" in why
    assert re.search(r"\d+ values as agreed", page)
    assert "not for this recipient" in page
    assert "<img" not in page
    assert not re.search(r'(href|src|action)="https?:', page)
    shown = analyst.get(f"{at}/documents").text
    assert name not in shown
    assert "As a table" in shown
    opened = analyst.post(f"{at}/documents", data={"open": "0"})
    assert opened.headers["content-type"] == "application/pdf"
    assert opened.headers["content-disposition"] == 'inline; filename="referral.pdf"'
    text = "\n".join(p.extract_text() for p in PdfReader(io.BytesIO(opened.content)).pages)
    assert name not in text
    assert "Synthetic" in text
    assert analyst.post(f"{at}/documents", data={"open": "1"}).status_code == 404  # CSV: no live links
    assert drafts(house) == {}


def test_one_blocked_recipient_stops_all_and_nothing_chosen_is_lost(
    house: House, signed_in: SignedIn
) -> None:
    case_id = build.confirmed(house, named())
    analyst, police, ncmec = signed_in("analyst-1"), house.partners["police"], house.partners["ncmec"]
    at = f"/desk/cases/{case_id}/preview/{ncmec}"
    form = chosen(police, ncmec, act="draft", **{f"purpose.{police}": "P1"})
    answer = analyst.post(f"/desk/cases/{case_id}/escalate", data=form)
    assert answer.status_code == 400
    assert drafts(house) == {}
    page = answer.text
    assert "No draft was made, for nobody" in page
    assert f"/desk/cases/{case_id}/amend?field=F42" in page
    mending = analyst.get(f"/desk/cases/{case_id}/amend?field=F42").text
    assert re.search(r'name="persons\.[^"]*profile[^"]*"[^>]* autofocus', mending)
    assert f'name="purpose.{police}" value="P1"' in page  # carried along, unseen
    assert re.search(r"<del>[^<]+</del><ins>\[…\]</ins>", page)
    hunks = re.findall(r'id="(hide\.[^"]+)-h"', page)
    assert hunks
    assert not re.search(r'value="hide" checked', page)
    own = {f"own.{ncmec}.x": "typed by hand"}
    accepted = analyst.post(at, data={**form, **own, "act": "accept"}).text
    assert len(re.findall(r'value="hide" checked', accepted)) == len(hunks)
    decided = dict.fromkeys(hunks, "hide")
    done = analyst.post(at, data={**form, **decided}, follow_redirects=False)
    assert done.status_code == 303
    made = drafts(house)
    assert set(made) == {police, ncmec}
    assert made[police].purposes == ["P1"]
    with unit_of_work(house.desk.db) as session:
        assert record(house, session, made[ncmec]).cleared == ("/entities/persons/person3/profile/bio",)


def test_a_half_decided_text_is_not_cleared(house: House, signed_in: SignedIn) -> None:
    document = named()
    also = document["persons"]["person2"]["handle"]
    document["persons"]["person3"]["profile"]["bio"] += f" and for {also}"
    case_id = build.confirmed(house, document)
    analyst, ncmec = signed_in("analyst-1"), house.partners["ncmec"]
    at = f"/desk/cases/{case_id}/preview/{ncmec}"
    hunks = re.findall(r'id="(hide\.[^"]+)-h"', analyst.get(at).text)
    assert len(hunks) > 1
    answer = analyst.post(at, data=chosen(ncmec, act="draft", **{hunks[0]: "hide"}))
    assert answer.status_code == 400
    assert drafts(house) == {}
    assert re.search(rf'name="{re.escape(hunks[0])}" value="hide" checked', answer.text)
    pointer = hunks[0].removeprefix(f"hide.{ncmec}.").rpartition(".")[0]
    own = {f"use.{ncmec}.{pointer}": "yes", f"own.{ncmec}.{pointer}": "Asks for others every day."}
    looked = analyst.post(at, data=chosen(ncmec, act="look", **own)).text
    assert "Asks for others every day." in looked
    assert "cleared by you" in looked
    assert analyst.post(at, data=chosen(ncmec, act="draft", **own), follow_redirects=False).status_code == 303
    with unit_of_work(house.desk.db) as session:
        sent = record(house, session, drafts(house)[ncmec]).payload.decode()
    assert "Asks for others every day." in sent


def test_grounds_are_offered_where_the_agreement_has_them(house: House, signed_in: SignedIn) -> None:
    document = full_case("person_lead")
    document["reporter"]["consent_to_contact"] = True
    case_id = build.confirmed(house, document)
    analyst, police = signed_in("analyst-1"), house.partners["police"]
    at = f"/desk/cases/{case_id}/preview/"
    assert 'name="ground.' not in analyst.get(at + house.partners["ncmec"]).text
    purposes = {f"purpose.{police}": ["P1", "P2"]}  # P2 alone does not need the reporter
    page = analyst.post(at + police, data=chosen(police, act="look", **purposes)).text
    codes = re.search(rf'name="ground\.{police}\.contact identifiers".*?</select>', page, re.S)
    assert codes is not None
    offered = set(re.findall(r'<option value="([a-z-]+)"', codes[0]))
    assert offered == {"identify-person", "protect-child"}  # not preservation-request: not in the agreement
    ground = {f"ground.{police}.contact identifiers": "protect-child"}
    asked = analyst.post(at + police, data=chosen(police, act="look", **purposes, **ground)).text
    assert "sealed apart; opened only" not in asked
    form = chosen(police, act="draft", **purposes, **ground, **{f"singly.{police}": "F12"})
    assert analyst.post(at + police, data=form, follow_redirects=False).status_code == 303
    with unit_of_work(house.desk.db) as session:
        kept = record(house, session, drafts(house)[police])
    assert {u.field for u in kept.apart} == {"F12"}
    assert kept.grounds == {"F12": "protect-child"}


def test_what_if_lists_the_changes_and_stores_nothing(house: House, signed_in: SignedIn) -> None:
    case_id = build.confirmed(house, full_case("person_lead"))
    police = house.partners["police"]
    at = f"/desk/cases/{case_id}/preview/{police}"
    sent = chosen(police, act="what-if", **{"if.purpose": "P6"})
    page = signed_in("analyst-1").post(at, data=sent).text
    count = re.search(r"(\d+) fields would be treated differently", page)
    assert count is not None
    assert int(count[1]) > 0
    table = re.search(r"would be treated differently</caption>.*?</table>", page, re.S)
    assert table is not None
    assert len(re.findall(r'<th scope="row">', table[0])) == int(count[1])
    assert "no purpose of this release needs it" in table[0]


@pytest.mark.parametrize("login", ["releaser", "officer"])
def test_only_analysts_escalate(house: House, signed_in: SignedIn, login: str) -> None:
    case_id = build.confirmed(house, demo_cases.make(3, house.desk.now()))
    client = signed_in(login)
    for path in ("escalate", f"preview/{house.partners['police']}"):
        assert client.get(f"/desk/cases/{case_id}/{path}").status_code == 403
        assert client.post(f"/desk/cases/{case_id}/{path}", data={"act": "draft"}).status_code == 403


def test_no_draft_without_confirmation_or_recipient(house: House, signed_in: SignedIn) -> None:
    analyst = signed_in("analyst-1")
    raw = build.take_in(house, demo_cases.make(3, house.desk.now()))
    assert analyst.get(f"/desk/cases/{raw}/escalate").status_code == 400
    case_id = build.confirmed(house, demo_cases.make(4, house.desk.now()))
    answer = analyst.post(f"/desk/cases/{case_id}/escalate", data={"chosen": "yes", "act": "draft"})
    assert answer.status_code == 400
    assert "Choose at least one recipient" in answer.text
    assert analyst.get(f"/desk/cases/{case_id}/preview/pt_nobody").status_code == 404
    assert analyst.get(f"/desk/cases/{UUID(int=0)}/escalate").status_code == 404
    assert analyst.get("/desk/cases/not-an-id/escalate").status_code == 404


def test_no_value_leaves_by_address_cookie_or_log(
    house: House, signed_in: SignedIn, capfd: pytest.CaptureFixture[str]
) -> None:
    document = named()
    case_id = build.confirmed(house, document)
    analyst: TestClient = signed_in("analyst-1")
    seen: list[str] = []

    def note(response: Any) -> None:
        seen.extend((str(response.request.url), str(response.headers)))

    analyst.event_hooks["response"].append(note)
    ncmec = house.partners["ncmec"]
    at = f"/desk/cases/{case_id}/preview/{ncmec}"
    page = analyst.get(at).text
    hunks = dict.fromkeys(re.findall(r'id="(hide\.[^"]+)-h"', page), "hide")
    analyst.post(at, data=chosen(ncmec, act="draft"))
    analyst.post(at, data=chosen(ncmec, act="draft", **hunks))
    logged = "".join(capfd.readouterr())
    found = [c for c in canaries(document).values() if c in html.unescape("".join(seen)) or c in logged]
    assert found == []
    assert any(c in html.unescape(page) for c in canaries(document).values())


def test_who_cannot_receive_is_not_offered_and_the_page_says_what_to_do(
    house: House, signed_in: SignedIn
) -> None:
    case_id = build.confirmed(house, full_case())
    police, analyst = house.partners["police"], signed_in("analyst-1")
    at = f"/desk/cases/{case_id}/escalate"
    assert f'value="{police}"' in analyst.get(at).text
    revoke(house, "police", "enc")
    page = analyst.get(at).text
    assert f'value="{police}"' not in page
    assert "register keys, pin an address, or add a person of the inbox" in page
    answer = analyst.post(at, data=chosen(police, act="draft"))
    assert answer.status_code == 400
    assert drafts(house) == {}


def test_a_case_for_nobody_is_ended_by_two_people_on_the_page(house: House, signed_in: SignedIn) -> None:
    case_id = build.confirmed(house, for_nobody())
    one, two, at = signed_in("analyst-1"), signed_in("analyst-2"), f"/desk/cases/{case_id}/escalate"
    assert "No addressee: end it" in one.get(at).text
    answer = one.post(at, data={"act": "set-aside"})
    assert answer.status_code == 400
    assert "Choose a reason." in answer.text
    done = one.post(at, data={"act": "set-aside", "reason": "no-partner-yet"}, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/desk/work")
    assert str(case_id)[:8] not in one.get("/desk/work").text
    assert "I agree" not in one.get(at).text
    assert one.post(at, data={"act": "agree"}).status_code == 409
    work = two.get("/desk/work").text
    assert "To look at: no addressee" in work
    assert f'href="{at}"' in work
    page = two.get(at).text
    assert "is no partner yet" in page
    assert "analyst-1" in page
    assert two.post(at, data={"act": "agree"}, follow_redirects=False).status_code == 303
    assert str(case_id)[:8] not in two.get("/desk/work").text
    assert str(case_id)[:8] in two.get("/desk/cases?state=no_addressee").text
    assert "is no partner yet" in signed_in("officer").get("/desk/figures").text
    assert "agreed by analyst-2" in one.get(at).text
    done = one.post(at, data={"act": "reopen"}, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, at)
    assert str(case_id)[:8] in two.get("/desk/work").text


def test_a_row_is_added_with_a_reason_and_never_past_the_agreement(house: House, signed_in: SignedIn) -> None:
    document = full_case()
    case_id = build.confirmed(house, document)
    analyst, europol = signed_in("analyst-1"), house.partners["europol"]
    at = f"/desk/cases/{case_id}/preview/{europol}"
    page = analyst.get(at).text
    offered = re.findall(rf'<select id="row\.{europol}\.([^"]+)"', page)
    assert offered
    with unit_of_work(house.desk.db) as session:
        rows = rows_for(house, session, case_id, europol)
    assert set(offered) == {i for i, row in rows.items() if row.reason == "no_competence"}
    wanted = next(i for i in offered if i in document["locations"])
    kept_back = next((i for i, row in rows.items() if not row.kept and i not in offered), "nobody")
    chosen_rows = {
        f"row.{europol}.{wanted}": "needed-to-understand",
        f"row.{europol}.{kept_back}": "asked-for",
        f"row.{europol}.{offered[-1]}": "whim",
    }
    form = chosen(europol, **{f"purpose.{europol}": ["P3"]}, **chosen_rows)
    looked = analyst.post(at, data={**form, "act": "look"}).text
    assert "Added by you" in looked
    assert re.search(r'value="needed-to-understand" selected', looked)
    accepted = analyst.post(at, data={**form, "act": "accept"}).text
    decided = dict.fromkeys(re.findall(r'id="(hide\.[^"]+)-h"', accepted), "hide")
    done = analyst.post(at, data={**form, **decided, "act": "draft"}, follow_redirects=False)
    assert done.status_code == 303
    made = drafts(house)[europol]
    with pytest.raises(Refused):
        draft.Request(case_id, europol, add_rows={wanted: "whim"})
    with unit_of_work(house.desk.db) as session:
        assert record(house, session, made).extra["added"] == [[wanted, "needed-to-understand"]]
    seen = signed_in("releaser").get(f"/desk/release/{made.id}").text
    assert f"<code>{wanted}</code> (without it the rest is not understood)" in seen


def rows_for(house: House, session: Session, case_id: UUID, partner: str) -> Mapping[str, RowDecision]:
    looked = draft.preview(
        house.desk, session, house.people["analyst-1"], draft.Request(case_id, partner), documents=False
    )
    return looked.composition.minimised.rows
