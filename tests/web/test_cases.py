"""The list of cases, a case as it is held, my work, saved views: nothing live, nothing that names anybody."""

from __future__ import annotations

import re
from html import unescape
from uuid import UUID

import pytest

from broker.core.pack_types import KINDS
from broker.demo import cases as demo_cases
from broker.demo.house import House
from broker.desk import views
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import canaries, full_case
from tests.house import take_in
from tests.web.conftest import SignedIn
from tests.web.living import verdicts_of
from tests.web.reading import read

LIVE = re.compile(r"(?:https?|ftp)://", re.IGNORECASE)


def test_a_case_as_it_is_held(signed_in: SignedIn, house: House, capfd: pytest.CaptureFixture[str]) -> None:
    document = full_case()
    case_id = take_in(house, document)
    for login in ("analyst-1", "releaser"):
        answer = signed_in(login).get(f"/desk/cases/{case_id}")
        assert answer.status_code == 200
        page = re.sub(r'data-copy="[^"]*"', "", answer.text)
        assert LIVE.findall(page) == []
        seen = read(page)
        assert all(link.startswith(("/", "#")) for link in seen.links)
        outside = " ".join(seen.outside)
        told = [statement["text"] for statement in document["assessment"]["narrative"]]
        assert [text for text in (*told, document["reporter"]["statement"]) if text in outside] == []
        said = str(answer.headers) + "".join(capfd.readouterr())
        held = canaries(document)
        assert [value for value in held.values() if value in said] == []
        shown = unescape(answer.text)
        exact = {p: v for p, v in held.items() if "confirmations" not in p}
        missing = [p for p, v in exact.items() if v not in shown and v.replace(".", "[.]") not in shown]
        assert missing == []
    assert "data-copy" in answer.text
    assert signed_in("officer").get(f"/desk/cases/{case_id}").status_code == 403
    assert signed_in("analyst-1").get("/desk/cases/nonsense").status_code == 404


def test_cases_are_listed_by_codes_alone(signed_in: SignedIn, house: House) -> None:
    made = {kind: take_in(house, full_case(kind)) for kind in KINDS}
    client = signed_in("analyst-1")
    page = client.get("/desk/cases?kind=danger").text
    assert str(made["danger"]) in page
    assert str(made["person_lead"]) not in page
    assert str(made["danger"]) not in client.get("/desk/cases?until=2020-01-01").text
    assert str(made["danger"]) in client.get("/desk/cases?mine=yes").text
    assert str(made["danger"]) not in signed_in("analyst-2").get("/desk/cases?mine=yes").text
    for wrong in ("kind=anybody", "since=yesterday", "state=none"):
        answer = client.get(f"/desk/cases?{wrong}")
        assert answer.status_code == 400
        assert f'id="{wrong.partition("=")[0]}-error"' in answer.text
    assert client.get("/desk/cases?after=nowhere").status_code == 400


def test_work_waits_for_the_right_person(signed_in: SignedIn, house: House) -> None:
    normal = take_in(house, demo_cases.make(2, house.desk.now()))
    urgent = take_in(house, demo_cases.make(demo_cases.U1_AT, house.desk.now()))
    client = signed_in("analyst-1")
    page = client.get("/desk/work").text
    assert page.index(f"/desk/confirm/{urgent}") < page.index(f"/desk/confirm/{normal}")
    for claim in ("content_illegal", "person_linked"):
        client.post(f"/desk/confirm/{normal}", data={"claim": claim, "says": "yes", "version": "1"})
    assert verdicts_of(house, normal) == 2
    assert f"/desk/confirm/{normal}" not in client.get("/desk/work").text
    second = signed_in("analyst-2")
    assert f"/desk/confirm/{normal}" in second.get("/desk/work").text
    for claim in ("content_illegal", "person_linked"):
        second.post(f"/desk/confirm/{normal}", data={"claim": claim, "says": "yes", "version": "1"})
    assert f"/desk/cases/{normal}/escalate" in client.get("/desk/work").text
    releaser = signed_in("releaser").get("/desk/work").text
    assert "/desk/confirm/" not in releaser
    assert "/escalate" not in releaser
    assert client.get("/desk/work?section=to-draft").status_code == 200
    assert client.get("/desk/work?section=nothing").status_code == 404
    assert signed_in("releaser").get("/desk/work?section=to-confirm").status_code == 403


def test_partners_have_names_on_lists_of_work(signed_in: SignedIn, house: House) -> None:
    made = build.released(house, "police")
    client, police = signed_in("releaser"), house.partners["police"]
    with unit_of_work(house.desk.db) as session:
        name = session.get_one(tables.Partner, police).name
        case_id = session.get_one(tables.Release, made.release).case_id
    for at in ("/desk/work", "/desk/work?section=waiting", f"/desk/cases/{case_id}"):
        page = client.get(at).text
        assert made.reference in page
        assert name in page
        assert police not in page


def test_a_view_is_kept_under_a_name_and_holds_codes_only(signed_in: SignedIn, house: House) -> None:
    client = signed_in("analyst-1")
    view = {"page": "cases", "name": "Danger first", "q.kind": "danger", "q.urgency": "U1"}
    answer = client.post("/desk/views", data=view, follow_redirects=False)
    assert answer.headers["location"] == "/desk/cases?kind=danger&urgency=U1"
    assert 'href="/desk/cases?kind=danger&amp;urgency=U1"' in client.get("/desk/work").text
    assert "Danger first" not in signed_in("analyst-2").get("/desk/work").text
    for more in ({"q.kind": "Synthetic Person"}, {"name": "https://canary.example"}, {"q.name": "somebody"}):
        refused = client.post("/desk/views", data={**view, **more})
        assert refused.status_code == 400
        assert "Danger first" in refused.text or "name" in more
    with unit_of_work(house.desk.db) as session:
        assert [v.name for v in views.views(session, house.people["analyst-1"])] == ["Danger first"]
    client.post("/desk/views", data={"name": "Danger first", "do": "forget"})
    with unit_of_work(house.desk.db) as session:
        assert views.views(session, house.people["analyst-1"]) == ()


def test_nobody_opens_another_persons_form(signed_in: SignedIn, house: House) -> None:
    client = signed_in("analyst-1")
    client.post("/desk/cases/new", data={"case.kind": "danger", "do": "check"})
    (form,) = re.findall(r"/desk/forms/([0-9a-f-]{36})\"", client.get("/desk/work").text)[:1]
    other = signed_in("analyst-2")
    assert other.get(f"/desk/forms/{UUID(form)}").status_code == 404
    other.post(f"/desk/forms/{form}")
    assert client.get(f"/desk/forms/{form}").status_code == 200
    client.post(f"/desk/forms/{form}")
    assert client.get(f"/desk/forms/{form}").status_code == 404
