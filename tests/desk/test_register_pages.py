"""The register as pages and as files, and what an export leaves behind."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import timedelta
from typing import Any

import orjson
import pytest
from pypdf import PdfReader

from broker.demo.house import House
from broker.desk import export, publish, register
from broker.desk.register import COLUMNS, RegisterFilter
from broker.errors import Forbidden, NotAuthentic, Refused
from broker.jobs import note_checker, settle
from broker.sealing import jose
from broker.store import ledger_verify
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case
from tests.desk.counting import statements


@pytest.fixture
def two(house: House) -> tuple[House, str, str]:
    """Two cases of two kinds, released to the police."""
    made = [build.released(house, document=full_case(kind)).release for kind in ("content_report", "danger")]
    return house, made[0], made[1]


def ids(house: House, **chosen: Any) -> set[str]:
    with unit_of_work(house.desk.db) as session:
        page = register.page(session, house.people["officer"], RegisterFilter(**chosen))
    return {row.disclosure_id for row in page.rows}


def test_every_filter_narrows(two: tuple[House, str, str]) -> None:
    house, first, second = two
    now = house.desk.now()
    assert ids(house) == {first, second}
    assert ids(house, partner=house.partners["police"]) == {first, second}
    assert ids(house, partner=house.partners["hotline"]) == set()
    assert (ids(house, recipient_class="BEP"), ids(house, recipient_class="INH")) == ({first, second}, set())
    assert ids(house, release=first) == {first}
    assert ids(house, since=now + timedelta(hours=1)) == set()
    assert ids(house, until=now + timedelta(hours=1)) == {first, second}
    assert ids(house, field="F37") == {first, second}
    assert ids(house, field="F13") == set()
    assert ids(house, case_kind="danger") == {second}
    assert ids(house, case_kind="person_lead") == set()
    assert ids(house, urgent=True) == set()
    assert ids(house, unanswered=True) == {first, second}
    with unit_of_work(house.desk.db) as session:
        publish.withdraw(house.desk, session, house.people["releaser"], first, "incorrect")
    assert ids(house, withdrawn=True) == {first}
    assert ids(house, withdrawn=False) == {second}
    for wrong in ({"field": "F99"}, {"case_kind": "x"}, {"partner": "a b"}):
        with pytest.raises(Refused):
            RegisterFilter(**wrong)


def test_pages_are_one_statement_and_lose_nothing(two: tuple[House, str, str]) -> None:
    house, first, second = two
    officer, after, seen = house.people["officer"], None, []
    while True:
        with unit_of_work(house.desk.db) as session, statements(house.desk.db) as sent:
            page = register.page(session, officer, after=after, limit=1)
        assert len(sent) == 1
        seen += [row.disclosure_id for row in page.rows]
        after = page.next
        if after is None:
            break
    assert sorted(seen) == sorted([first, second])
    with unit_of_work(house.desk.db) as session, pytest.raises(Forbidden):
        register.page(session, house.people["analyst-1"])


def made(house: House, fmt: Any, **options: Any) -> tuple[export.Export, bytes]:
    with unit_of_work(house.desk.db) as session:
        done = export.export(house.desk, session, house.people["officer"], RegisterFilter(), fmt, **options)
    with done.file as file:
        return done, file.read()


def test_an_export_is_a_leaf_that_commits_to_the_file(two: tuple[House, str, str]) -> None:
    house, *_ = two
    done, content = made(house, "jsonl")
    assert done.sha256 == hashlib.sha256(content).hexdigest()
    assert (done.rows, done.size) == (2, len(content))
    assert [set(json.loads(line)) for line in content.splitlines()] == [set(COLUMNS)] * 2
    settle(house.desk)
    with house.desk.db.connect("app") as conn:
        row = conn.execute(
            "select e.action, r.record, l.body from event e join event_record r on r.event_id = e.id"
            " join ledger_leaf l on l.event_id = e.id where e.leaf_type = 'export'"
        ).fetchone()
        assert row is not None
        record = orjson.loads(row[1])
        assert row[0] == "register:exported"
        assert (record["format"], record["rows"], record["sha256"]) == ("jsonl", 2, done.sha256)
        assert orjson.loads(row[2])["type"] == "export"
    with house.desk.db.connect("app") as conn:
        report = ledger_verify.verify_all(conn, note_checker(house.desk))
    assert report.ok, report.words()


def test_csv_for_spreadsheets(two: tuple[House, str, str]) -> None:
    house, *_ = two
    _, plain = made(house, "csv")
    assert not plain.startswith(b"\xef\xbb\xbf")
    _, content = made(house, "csv", bom=True, semicolon=True)
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))
    assert [set(row) for row in rows] == [set(COLUMNS)] * 2


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@x", "\tx", ["=1"], {"=a": 1}])
def test_no_cell_is_a_formula(value: Any) -> None:
    assert register.cell(value).startswith("'")


def test_the_pdf_carries_the_signed_rows(two: tuple[House, str, str]) -> None:
    house, first, second = two
    _, content = made(house, "pdf")
    reader = PdfReader(io.BytesIO(content))
    text = "".join(page.extract_text() for page in reader.pages).replace("\u200b", "")
    assert first in text.replace("\n", "")
    assert "pdfaid" in reader.metadata.__class__.__name__ or b"pdfaid:part" in content
    (token,) = reader.attachments["register.jws"]
    keys = house.desk.keys().keys("token")
    body = json.loads(jose.verify(token.decode(), keys, export.EXPORT_TYP, house.desk.now()))
    assert {row["disclosure_id"] for row in body["rows"]} == {first, second}
    # it is no access token, and no referral key signs or accepts it
    with pytest.raises(NotAuthentic):
        jose.verify(token.decode(), keys, "at+jwt", house.desk.now())
    with pytest.raises(NotAuthentic):
        jose.verify(token.decode(), house.desk.keys().keys("release"), export.EXPORT_TYP, house.desk.now())
