"""The register, its questions and exports: what they show, refuse and let out, and that no value shows."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from pypdf import PdfReader

from broker.demo.house import House
from broker.desk import casefile, publish
from broker.jobs import settle
from broker.sealing import jose
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case
from tests.dbfixtures import Cluster
from tests.web.officer import Browser, browsers, plain, values_of


@contextmanager
def kept(cluster: Cluster, founded: tuple[House, str]) -> Iterator[House]:
    """A house for a whole module."""
    template, name = founded
    own, folder = cluster.create(template=name), Path(tempfile.mkdtemp(prefix="rb-officer-"))
    database = cluster.open(own)
    settings = template.desk.settings.model_copy(update={"state": folder})
    try:
        yield replace(template, desk=replace(template.desk, db=database, settings=settings))
    finally:
        database.dispose()
        cluster.drop(own)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def told(cluster: Cluster, founded: tuple[House, str]) -> Iterator[dict[str, object]]:
    """One case told to the police (read and answered, with a ground for a C field) and, withdrawn, to
    another."""
    with kept(cluster, founded) as house:
        case_id = build.confirmed(house, full_case())
        grounds = {"F12": "protect-child"}
        police = build.drafted(house, case_id, "police", purposes=("P1", "P2"), grounds=grounds)
        other = build.drafted(house, case_id, "ncmec")
        build.approve(house, police, other)
        settle(house.desk)
        with unit_of_work(house.desk.db) as session:
            publish.withdraw(house.desk, session, house.people["releaser"], other.release, "incorrect")
            who, now = house.partners["police"], house.desk.now()
            session.add(
                tables.ReadAct(
                    id=house.desk.uuid(), release_id=police.release, partner_id=who, ground="own_case",
                    user_reference="somebody-there", own_case_number="BG-1", at=now,
                )
            )  # fmt: skip
            session.add(
                tables.Answer(
                    id=house.desk.uuid(), partner_id=who, release_id=police.release, outcome="O10",
                    body={}, at=now,
                )
            )  # fmt: skip
            case = casefile.read_version(house.desk, session, case_id)[0].data
        settle(house.desk)
        yield {
            "house": house, "case": str(case_id), "police": police.release, "other": other.release,
            "values": values_of(case), "open": browsers(house),
        }  # fmt: skip


@pytest.fixture
def house(told: dict[str, object]) -> House:
    found = told["house"]
    assert isinstance(found, House)
    return found


@pytest.fixture
def open_as(told: dict[str, object]) -> Browser:
    return told["open"]  # type: ignore[return-value]


def reference_of(house: House, release: str) -> str:
    with unit_of_work(house.desk.db) as session:
        row = session.get_one(tables.Release, release)
        return session.get_one(tables.Referral, row.referral_id).reference


def test_the_list_shows_each_disclosure_and_no_value_of_a_case(
    told: dict[str, object], open_as: Browser
) -> None:
    values = told["values"]
    assert isinstance(values, set)
    assert len(values) > 20
    pages = [
        "/desk/register",
        f"/desk/register?case_id={told['case']}",
        f"/desk/register/{told['police']}",
        f"/desk/register/{told['other']}",
        "/desk/register/questions",
        "/desk/register/reads",
        "/desk/register/gaps",
    ]
    for address in pages:
        answer = open_as("officer").get(address)
        assert answer.status_code == 200, address
        assert [value for value in values if value in answer.text] == [], address
    listed = plain(open_as("officer").get("/desk/register").text)
    assert listed.count("withdrawn") == 1
    assert "answered accepted, case opened" in listed


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", 2),
        ("recipient_class=BEP", 1),
        ("withdrawn=yes", 1),
        ("unanswered=yes", 1),
        ("urgent=yes", 0),
        ("field=F12", 1),
        ("since=2099-01-01", 0),
        ("until=2001-01-01", 0),
        ("case_kind=danger", 0),
    ],
)
def test_filters(open_as: Browser, query: str, rows: int) -> None:
    text = open_as("officer").get(f"/desk/register?{query}").text
    assert len(re.findall(r"<tr data-row", text)) == rows


@pytest.mark.parametrize(
    "query",
    [
        "since=then",
        "since=0001-01-01",
        "until=9999-12-31",
        "case_id=x",
        "urgency=U9",
        "field=F99",
        "partner=a'b",
        "after=zz",
        "after=0001-01-01T00:00:00%2B14:00~aa",
    ],
)
def test_what_is_no_filter_is_refused_beside_its_field(open_as: Browser, query: str) -> None:
    answer = open_as("officer").get(f"/desk/register?{query}&withdrawn=yes")
    assert answer.status_code == 400
    assert 'class="error"' in answer.text
    assert re.search(r'<option value="yes" selected>', answer.text)  # what was chosen is still chosen


def test_pages_follow_each_other_without_a_gap(
    house: House, open_as: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.web.register.ROWS", 1)
    first = open_as("officer").get("/desk/register?case_kind=content_report").text
    further = re.search(r'href="(/desk/register\?[^"]*after=[^"]*)"', first)
    assert further is not None
    address = further[1].replace("&amp;", "&")
    assert "case_kind=content_report" in address
    answer = open_as("officer").get(address)
    assert answer.status_code == 200
    second = answer.text
    links = re.compile(r'<tr data-row>\s*<th scope="row"><a href="([^"]+)"')
    assert set(links.findall(first)) & set(links.findall(second)) == set()
    assert len(links.findall(first) + links.findall(second)) == 2


def test_one_disclosure_field_by_field(told: dict[str, object], house: House, open_as: Browser) -> None:
    text = plain(open_as("officer").get(f"/desk/register/{told['police']}").text)
    assert "only on a ground: to protect a child" in text  # F12, as recorded
    assert "no purpose of this release needs it" in text
    assert "the matrix gives it to no partner of this kind" in text
    assert re.search(r"Drafted by analyst-1 st_", text)
    assert re.search(r"Released by releaser st_", text)
    assert "own case" in text
    assert "somebody-there" not in text  # the partner's own references stay out
    assert "BG-1" not in text
    withdrawn = plain(open_as("officer").get(f"/desk/register/{told['other']}").text)
    assert "something in it is wrong; a correction follows" in withdrawn


def test_what_is_withheld_is_the_same_whether_the_case_holds_it(
    house: House, told: dict[str, object], open_as: Browser
) -> None:
    """Two cases, one without the reporter's identity: the same list."""
    lesser = full_case()
    lesser["reporter"].pop("identity", None)
    other = build.released(house, "police", lesser, purposes=("P1", "P2"), grounds={"F12": "protect-child"})

    def withheld(release: object) -> str:
        text = open_as("officer").get(f"/desk/register/{release}").text
        return text[text.index("fields were withheld") : text.index("What is missing")]

    assert withheld(other.release) == withheld(told["police"])


def test_finding_takes_ids_and_references_and_nothing_else(
    told: dict[str, object], house: House, open_as: Browser
) -> None:
    officer, name = open_as("officer"), next(iter(told["values"]))  # type: ignore[call-overload]
    reference = reference_of(house, str(told["police"]))
    for words, target in (
        (told["case"], f"/desk/register?case_id={told['case']}"),
        (told["police"], f"/desk/register/{told['police']}"),
        (reference, f"/desk/register?partner={house.partners['police']}&case_id={told['case']}"),
    ):
        answer = officer.post("/desk/register/find", data={"words": words})
        assert (answer.status_code, answer.headers["location"]) == (303, target)
    for words, status in ((name, 400), ("", 400), (str(UUID(int=0)), 404), ("CF-2026-000123-7", 404)):
        answer = officer.post("/desk/register/find", data={"words": words})
        assert answer.status_code == status
        assert "location" not in answer.headers
        assert 'aria-invalid="true"' in answer.text
    typed = officer.post("/desk/register/find", data={"words": reference[:-1] + "x"})
    assert f'value="{reference[:-1]}x"' in typed.text  # nothing typed is lost


@pytest.mark.parametrize("login", ["analyst-1", "custodian", "administrator"])
def test_others_have_no_business_here(told: dict[str, object], open_as: Browser, login: str) -> None:
    for address in ("/desk/register", f"/desk/register/{told['police']}", "/desk/register/questions"):
        assert open_as(login).get(address).status_code == 403
    assert open_as(login).post("/desk/register/export", data={"format": "csv"}).status_code == 403


def exports(house: House) -> list[dict[str, object]]:
    with house.desk.db.connect("app") as conn:
        rows = conn.execute(
            "select x.record from event e join event_record x on x.event_id = e.id"
            " where e.action = 'register:exported' order by e.at, e.id"
        ).fetchall()
    return [json.loads(bytes(row[0])) for row in rows]


def test_each_export_is_what_was_asked_and_a_leaf_of_the_ledger(
    told: dict[str, object], house: House, open_as: Browser
) -> None:
    officer, before = open_as("officer"), len(exports(house))
    asked = {"partner": house.partners["ncmec"], "format": "csv", "bom": "yes", "semicolon": "yes"}
    answer = officer.post("/desk/register/export", data=asked)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="register-\d{8}T\d{6}Z\.csv"', answer.headers["content-disposition"]
    )
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert [row["disclosure_id"] for row in rows] == [told["other"]]
    lines = officer.post("/desk/register/export", data={"format": "jsonl", "withdrawn": "yes"}).text
    assert [json.loads(line)["disclosure_id"] for line in lines.splitlines()] == [told["other"]]
    pdf = officer.post("/desk/register/export", data={"format": "pdf", "release": told["police"]}).content
    reader = PdfReader(io.BytesIO(pdf))
    (token,) = reader.attachments["register.jws"]
    assert json.loads(jose.parse(token.decode(), max_bytes=10**6, require_typ=None).payload)["rows"]
    assert str(told["police"]) in "".join(page.extract_text() for page in reader.pages).replace("\u200b", "")
    records = exports(house)[before:]
    assert {r["format"]: r["rows"] for r in records} == {"csv": 1, "jsonl": 1, "pdf": 1}
    values = told["values"]
    assert isinstance(values, set)
    assert [v for v in values if v in answer.text + lines or v.encode() in pdf] == []


def test_an_export_that_is_refused_leaves_nothing(house: House, open_as: Browser) -> None:
    before = len(exports(house))
    for asked in ({"format": "xml"}, {"format": "csv", "since": "x"}, {}):
        assert open_as("officer").post("/desk/register/export", data=asked).status_code == 400
    assert len(exports(house)) == before


def test_a_question_is_a_link_a_csv_and_a_pdf(
    told: dict[str, object], house: House, open_as: Browser
) -> None:
    officer, path = open_as("officer"), "/desk/register/questions"
    asked = {"question": "partner", "partner": house.partners["police"], "since": "2020-01-01",
             "until": "2099-12-31"}  # fmt: skip
    answer = officer.post(path, data={**asked, "format": "page"})
    assert answer.headers["location"].startswith(f"/desk/register?partner={house.partners['police']}&since=")
    assert officer.get(answer.headers["location"]).status_code == 200
    assert officer.post(path, data={**asked, "format": "csv"}).headers["content-type"].startswith("text/csv")
    assert officer.post(path, data={**asked, "format": "pdf"}).content.startswith(b"%PDF")
    case = officer.post(
        path, data={"question": "case", "words": reference_of(house, str(told["police"])), "format": "page"}
    )
    assert case.headers["location"] == f"/desk/register?case_id={told['case']}"
    open_ = officer.post(path, data={"question": "partner", "since": "2020-01-01", "format": "pdf"})
    assert open_.status_code == 400
    assert 'value="2020-01-01"' in open_.text
    assert 'id="partner-partner-error"' in open_.text
    assert officer.post(path, data={"question": "nothing"}).status_code == 404


def test_who_read_on_which_ground(told: dict[str, object], house: House, open_as: Browser) -> None:
    officer = open_as("officer")
    found = plain(officer.get("/desk/register/reads?ground=own_case").text)
    assert reference_of(house, str(told["police"])) in found
    assert "somebody-there" not in found
    assert "Nobody read" in officer.get("/desk/register/reads?ground=audit").text
    assert officer.get("/desk/register/gaps?gap=nothing").status_code == 404


def test_every_language_says_all_of_it(told: dict[str, object], open_as: Browser) -> None:
    officer = open_as("officer")
    for language, title in (("nl", "Register van de mededelingen"), ("fr", "Registre des communications"),
                            ("de", "Register der Übermittlungen")):  # fmt: skip
        officer.cookies.set("language", language, path="/desk")
        assert f"<h1>{title}</h1>" in officer.get("/desk/register").text
        page = plain(officer.get(f"/desk/register/{told['police']}").text)
        for code in ("clause:", "purpose:", "action:", "class:", "event:", "outcome:"):
            assert code not in page
        assert "fields went" not in page
    officer.cookies.delete("language", path="/desk")
