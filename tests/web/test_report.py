"""The report form: every kind, generated, and nothing that was typed is ever lost."""

from __future__ import annotations

import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, func, select
from starlette.testclient import TestClient

from broker.app import create_app
from broker.core import case as core_case
from broker.core.pack_types import KINDS
from broker.demo.house import House
from broker.desk import casefile
from broker.store import tables
from broker.store.engine import unit_of_work
from broker.web.report_form import LAST
from tests.cases import canaries, full_case
from tests.house import take_in
from tests.web.conftest import SignedIn
from tests.web.reading import read, sent

TYPED = {
    "case.kind": "content_report",
    "case.offence_type": "csam_dissemination",
    "case.dates.opened_at": "2026-03-01 12:00",
    "items.item1.crypto_hash.0.alg": "sha256",
    "items.item1.crypto_hash.0.value": "synthetic-canary-no-hash",
    "locations.loc1.url": "https://canary-host.example/synthetic/1",
    "locations.loc1.country": "be",
    "assessment.narrative.0.text": "Synthetic canary sentence, typed by hand.",
    "synthetic": "yes",
}
CANARIES = ("synthetic-canary-no-hash", "canary-host.example", "Synthetic canary sentence")


def stored(house: House) -> int:
    with unit_of_work(house.desk.db) as session:
        return session.exec(select(func.count()).select_from(tables.CaseFile)).one()


def kept(house: House) -> list[UUID]:
    with unit_of_work(house.desk.db) as session:
        return list(session.exec(select(tables.FormDraft.id).order_by(col(tables.FormDraft.updated_at))))


def quiet(answer: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """No value in a header, an address or the log."""
    said = str(answer.url) + str(answer.headers) + "".join(capfd.readouterr())
    assert [value for value in CANARIES if value in said] == []


def test_every_kind_has_its_form_structured_first_words_last(signed_in: SignedIn) -> None:
    client = signed_in("analyst-1")
    for kind in KINDS:
        page = client.get(f"/desk/cases/new?kind={kind}").text
        read_page = read(page)
        assert dict(read_page.pairs)["case.kind"] == kind
        at = {name: read_page.ids.index(name) for name in ("items", "persons", "case.urgency_reason", *LAST)}
        words = read_page.ids.index("words")
        assert max(at[name] for name in ("items", "persons")) < min(at[name] for name in LAST) < words
        assert at["case.urgency_reason"] > words
        assert "assessment.confirmations" not in page  # nobody types somebody else's verdict
        assert len(read_page.ids) == len(set(read_page.ids))
    assert 'id="items.item1.crypto_hash"' in client.get("/desk/cases/new?kind=content_report").text
    assert 'id="contacts.contact1.platform"' in client.get("/desk/cases/new?kind=grooming_or_extortion").text
    assert signed_in("releaser").get("/desk/cases/new").status_code == 403


def test_a_refused_form_still_asks_for_what_is_missing(signed_in: SignedIn) -> None:
    """What stood there empty, as a kind of case asks for it, stands there after a refusal."""
    client = signed_in("analyst-1")
    asked = client.get("/desk/cases/new?kind=content_report").text
    empty = {name: values[0] for name, values in sent(asked).items() if values}
    answer = client.post("/desk/cases/new", data={**empty, "do": "submit"})
    assert answer.status_code == 400
    for name in ("items.item1", "locations.loc1", "events.event1"):
        assert f'id="{name}"' in asked
        assert f'id="{name}"' in answer.text


def test_what_is_refused_is_shown_again_whole(
    signed_in: SignedIn, house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    client = signed_in("analyst-1")
    answer = client.post("/desk/cases/new", data={**TYPED, "do": "submit"})
    assert answer.status_code == 400
    quiet(answer, capfd)
    back = sent(answer.text)
    for name, value in TYPED.items():
        if name not in ("synthetic", "case.dates.opened_at", "locations.loc1.country"):
            assert value in back[name], name
    assert back["case.dates.opened_at"] == ["2026-03-01T12:00:00+01:00"]
    assert back["locations.loc1.country"] == ["BE"]
    ids = read(answer.text).ids
    for wrong in ("case.origin_channel", "items.item1.crypto_hash.0.value", "assessment.narrative.0.type"):
        assert f"{wrong}-error" in ids
        assert f'href="#{wrong}"' in answer.text
    assert re.search(r'id="case.origin_channel"[^>]* autofocus', answer.text)
    assert stored(house) == 0
    work = client.get("/desk/work").text
    (form,) = kept(house)
    assert f"/desk/forms/{form}" in work
    assert sent(client.get(f"/desk/forms/{form}").text)["assessment.narrative.0.text"] == [
        TYPED["assessment.narrative.0.text"]
    ]


def test_entries_are_added_and_removed_without_a_script(signed_in: SignedIn) -> None:
    client = signed_in("analyst-1")
    page = client.post("/desk/cases/new", data={**TYPED, "do": "add:items"})
    assert page.status_code == 200
    assert "items.item2" in page.text
    assert sent(page.text)["locations.loc1.url"] == [TYPED["locations.loc1.url"]]
    page = client.post("/desk/cases/new", data={**sent(page.text), "do": "add:items.item2.crypto_hash"})
    assert "items.item2.crypto_hash.0.alg" in sent(page.text)
    page = client.post("/desk/cases/new", data={**sent(page.text), "do": "remove:items.item1"})
    assert "items.item1.crypto_hash.0.value" not in sent(page.text)
    assert "items.item2.crypto_hash.0.alg" in sent(page.text)
    assert client.post("/desk/cases/new", data={**TYPED, "do": "add:items.item1.media"}).status_code == 404


def test_what_is_typed_is_kept_and_survives_the_server(signed_in: SignedIn, house: House) -> None:
    client = signed_in("analyst-1")
    asked = {"hx-request": "true"}
    fragment = client.post("/desk/cases/new", data=TYPED, headers=asked)
    assert "<html" not in fragment.text
    assert 'href="#case.jurisdiction_basis"' in fragment.text  # what is missing, with where to go
    (form,) = kept(house)
    more = {**TYPED, "form_id": str(form), "persons.person1.handle": "synthetic_canary_handle"}
    client.post("/desk/cases/new", data=more, headers=asked)
    assert kept(house) == [form]
    with TestClient(create_app(replace(house.desk)), base_url="http://testserver") as anew:
        anew.cookies = client.cookies
        page = anew.get(f"/desk/cases/new?form={form}")
        assert sent(page.text)["persons.person1.handle"] == ["synthetic_canary_handle"]
        assert sent(page.text)["assessment.narrative.0.text"] == [TYPED["assessment.narrative.0.text"]]
    assert signed_in("analyst-2").get(f"/desk/cases/new?form={form}").status_code == 404
    with unit_of_work(house.desk.db) as session:
        blob = session.get_one(tables.FormDraft, form).blob
    assert b"canary" not in blob


def test_what_is_sent_after_the_session_was_over_goes_on_afterwards(
    signed_in: SignedIn, house: House
) -> None:
    answer = signed_in("").post("/desk/cases/new", data={**TYPED, "do": "submit"})
    assert answer.status_code == 403
    waiting = re.search(r'name="kept" value="([^"]*)"', answer.text)
    assert waiting is not None
    pairs = json.loads(html.unescape(waiting[1]))
    assert dict(pairs) == {**TYPED, "do": "submit"}
    going = re.search(r'name="next" value="([^"]*)"', answer.text)
    assert going is not None
    again = signed_in("analyst-1").post(going[1], data=dict(pairs))
    assert again.status_code == 400
    assert TYPED["assessment.narrative.0.text"] in again.text


def test_a_case_is_taken_in_and_its_form_is_gone(
    signed_in: SignedIn, house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    client = signed_in("analyst-1")
    right = {
        **TYPED,
        "case.origin_channel": "public_report",
        "items.item1.crypto_hash.0.value": "ab" * 32,
        "assessment.narrative.0.type": "fact",
    }
    page = client.post("/desk/cases/new", data={**right, "do": "check"})
    assert kept(house) != []
    answer = client.post("/desk/cases/new", data={**sent(page.text), "do": "submit"}, follow_redirects=False)
    assert answer.status_code == 303
    quiet(answer, capfd)
    case_id = UUID(answer.headers["location"].rpartition("/")[2])
    assert kept(house) == []
    with unit_of_work(house.desk.db) as session:
        case, version = casefile.read_version(house.desk, session, case_id)
    assert version == 1
    assert case.data["items"]["item1"]["crypto_hash"] == [{"alg": "sha256", "value": "ab" * 32}]
    assert case.data["locations"]["loc1"]["country"] == "BE"


def test_a_form_sent_twice_is_one_case_and_another_persons_id_is_none(
    signed_in: SignedIn, house: House
) -> None:
    form = re.search(
        r'name="form_id" value="([^"]+)"',
        signed_in("analyst-1").get("/desk/cases/new?kind=content_report").text,
    )
    assert form is not None
    right = {
        **TYPED,
        "case.origin_channel": "public_report",
        "items.item1.crypto_hash.0.value": "ab" * 32,
        "assessment.narrative.0.type": "fact",
        "form_id": form[1],
        "do": "submit",
    }
    with ThreadPoolExecutor(4) as pool:
        client = signed_in("analyst-1")
        answers = list(
            pool.map(lambda _: client.post("/desk/cases/new", data=right, follow_redirects=False), range(4))
        )
    assert [each.status_code for each in answers] == [303] * 4
    (first,) = {each.headers["location"] for each in answers}
    assert stored(house) == 1
    other = signed_in("analyst-2").post("/desk/cases/new", data=right, follow_redirects=False)
    assert other.status_code == 303
    assert other.headers["location"] != first
    assert stored(house) == 2


@pytest.mark.parametrize("kind", ["content_report", "grooming_or_extortion"])
def test_a_new_version_begins_with_everything_that_is_held(
    signed_in: SignedIn, house: House, kind: str
) -> None:
    document = full_case(kind)
    case_id = take_in(house, document)
    client = signed_in("analyst-1")
    page = client.get(f"/desk/cases/{case_id}/amend")
    path = f"/desk/cases/{case_id}/amend"
    answer = client.post(path, data={**sent(page.text), "do": "submit"}, follow_redirects=False)
    assert answer.status_code == 303, read(answer.text).outside
    with unit_of_work(house.desk.db) as session:
        case, version = casefile.read_version(house.desk, session, case_id)
    assert version == 2
    assert case.data == core_case.from_json(document).data
    late = client.post(path, data={**sent(page.text), "do": "submit"})
    assert late.status_code == 409
    untyped = ("confirmations", "submission_meta")
    held = {value for place, value in canaries(document).items() if not any(u in place for u in untyped)}
    assert [value for value in held if html.escape(value) not in late.text] == []
