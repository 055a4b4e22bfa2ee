"""Ledger, figures, late clocks, erasure and holds, on one small house."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from hashlib import sha256
from uuid import UUID

import pytest
from sqlmodel import col, select

from broker.auth import step_up
from broker.auth.passkeys import Site
from broker.demo.house import House
from broker.desk import authenticity, closing, hold, retain
from broker.errors import Conflict
from broker.jobs import settle
from broker.sealing import notes
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.auth.authenticator import b64
from tests.cases import full_case
from tests.dbfixtures import Cluster
from tests.web.officer import Browser, browsers, plain
from tests.web.test_register import kept, reference_of
from tests.web.test_release import asked, passkey

HELD = "https://held.example/thread/17"


@pytest.fixture(scope="module")
def told(cluster: Cluster, founded: tuple[House, str]) -> Iterator[tuple[House, str, Browser]]:
    with kept(cluster, founded) as house:
        release = build.released(house, "police", full_case()).release
        with unit_of_work(house.desk.db) as session:
            hold.place(house.desk, session, house.people["analyst-1"], HELD, house.partners["police"])
            session.add(
                tables.Answer(
                    id=house.desk.uuid(), partner_id=house.partners["police"], release_id=release,
                    outcome="O10", body={}, at=house.desk.now(),
                )
            )  # fmt: skip
        yield house, release, browsers(house)


def test_the_ledger_is_checked_and_that_is_remembered(told: tuple[House, str, Browser]) -> None:
    open_as = told[2]
    before = plain(open_as("officer").get("/desk/ledger").text)
    assert "none in the last quarter" in before
    checked = plain(open_as("officer").post("/desk/ledger/verify").text)
    assert re.search(r"Checked just now: \d+ entries and \d+ checkpoints recomputed", checked)
    assert "Nothing was found" in checked
    after = plain(open_as("officer").get("/desk/ledger").text)
    assert re.search(r"Last full check .* officer: nothing was found", after)
    assert open_as("releaser").post("/desk/ledger/verify").status_code == 403
    assert "broker ledger verify" in open_as("releaser").get("/desk/ledger").text


def test_a_ledger_too_long_to_wait_for_says_how(
    told: tuple[House, str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticity, "IN_A_REQUEST", 1)
    answer = told[2]("officer").post("/desk/ledger/verify")
    assert "broker ledger verify" in answer.text
    assert "Checked just now" not in answer.text


def test_the_proof_is_the_one_a_partner_checks(told: tuple[House, str, Browser]) -> None:
    house, release, open_as = told
    reference = reference_of(house, release)
    found = open_as("officer").post("/desk/ledger/find", data={"words": reference})
    assert found.headers["location"] == f"/desk/ledger/proof/{release}"
    page = plain(open_as("officer").get(found.headers["location"]).text)
    assert "checked now: it holds" in page
    assert "names the digest of the seal" in page
    file = open_as("officer").get(f"/desk/ledger/proof/{release}/download")
    keys = open_as("officer").get("/desk/ledger/download/keys").text
    checkpoint = open_as("officer").get("/desk/ledger/download/checkpoint").text
    verifiers = [notes.Verifier.parse(line) for line in keys.splitlines()]
    proof = notes.parse_proof(file.text)
    opened = json.loads(proof.extra)
    assert opened["record"]["release"] == release
    head = notes.verify_checkpoint(checkpoint, verifiers)
    assert head.size > proof.index
    with pytest.raises(Exception, match="proof"):
        notes.verify_proof(proof, b"\0" * 32, verifiers)


def test_a_proof_that_does_not_hold_is_not_shown(
    told: tuple[House, str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that is not the one the leaf commits to: nobody is told that it holds."""
    right = notes.leaf_body
    monkeypatch.setattr(notes, "leaf_body", lambda kind, nonce, record: right(kind, nonce, {"other": 1}))
    answer = told[2]("officer").get(f"/desk/ledger/proof/{told[1]}")
    assert answer.status_code == 500
    assert "it holds" not in answer.text


@pytest.mark.parametrize(("words", "status"), [("", 400), ("a name", 400), ("CF-2026-000123-7", 404)])
def test_what_is_no_reference_is_refused_and_stays(
    told: tuple[House, str, Browser], words: str, status: int
) -> None:
    answer = told[2]("officer").post("/desk/ledger/find", data={"words": words})
    assert answer.status_code == status
    assert f'value="{words}"' in answer.text
    assert 'aria-invalid="true"' in answer.text


def test_charts_have_a_table_and_no_style(told: tuple[House, str, Browser]) -> None:
    text = told[2]("officer").get("/desk/figures").text
    assert text.count("<svg") >= 3
    assert text.count("<svg") <= text.count("<figure")
    assert not re.search(r"<svg[^>]*>[^<]*<style|\sstyle=", text)
    assert "accepted, case opened" in plain(text)
    assert re.search(r"accepted, case opened 1 1", plain(text))  # inside: the real number
    assert told[2]("analyst-1").get("/desk/figures").status_code == 403
    for query in ("since=2020-01-01&until=2026-01-01", "since=x", "since=2026-02-01&until=2026-01-01"):
        assert told[2]("officer").get(f"/desk/figures?{query}").status_code == 400


def test_small_counts_do_not_leave_the_house(told: tuple[House, str, Browser]) -> None:
    house, _, open_as = told
    answer = open_as("officer").post("/desk/figures/outside", data={})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    answers = [row for row in rows if row["figure"] == "answers"]
    assert answers
    assert {row["value"] for row in answers} == {"hidden"}
    assert not [row for row in rows if row["value"].isdigit() and 0 < int(row["value"]) < 5]
    with house.desk.db.connect("app") as conn:
        found = conn.execute(
            "select x.record from event e join event_record x on x.event_id = e.id"
            " where e.action = 'figures:exported' and e.leaf_type = 'export'"
        ).fetchall()
    (record,) = [json.loads(bytes(row[0])) for row in found]
    assert record["sha256"] == sha256(answer.content).hexdigest()
    assert open_as("releaser").post("/desk/figures/outside", data={}).status_code == 403


def test_holds_tell_no_address(told: tuple[House, str, Browser]) -> None:
    for login in ("officer", "analyst-1", "releaser"):
        text = told[2](login).get("/desk/holds").text
        assert "held.example" not in text
        assert "runs" in plain(text)
    assert told[2]("administrator").get("/desk/holds").status_code == 403


def test_nothing_late_says_so(told: tuple[House, str, Browser]) -> None:
    assert "nothing is late" in told[2]("officer").get("/desk/late").text


def test_closing_asks_twice_and_has_two_dates(told: tuple[House, str, Browser]) -> None:
    house, _, open_as = told
    release = build.released(house, "police", full_case()).release
    settle(house.desk)
    officer = open_as("officer")
    found = officer.post("/desk/erasure/find", data={"words": reference_of(house, release)})
    page = found.headers["location"]
    case_id = UUID(page.rpartition("/")[2])
    shown = plain(officer.get(page).text)
    assert "1 release was not collected yet" in shown
    assert re.search(r"[1-9]\d* keys of the case", shown)
    for typed in ("", "yes", str(case_id)[1:9]):
        answer = officer.post(page, data={"typed": typed})
        assert answer.status_code == 400
        assert f'value="{typed}"' in answer.text
    assert open_as("releaser").post(page, data={"typed": str(case_id)[:8]}).status_code == 403
    assert "keys of the case" in officer.get(page).text  # still there
    device, form = passkey(house, "officer"), {"typed": str(case_id)[:8]}
    digest, options = asked(officer.post(page, data=form).text)
    with unit_of_work(house.desk.db) as session:
        goes = closing.goes(session, case_id)
    assert sha256(goes).hexdigest() == digest
    assert release in goes.decode()
    assert str(case_id) in goes.decode()
    proof = {**form, "act": "prove", "digest": digest}
    for wrong in ({}, {"passkey": device.get(options, challenge=b64(bytes(32)))}, {"code": "000000"}):
        answer = officer.post(page, data={**proof, **wrong})
        assert answer.status_code == 403
    assert "keys of the case" in officer.get(page).text  # still there
    options = asked(officer.post(page, data=form).text)[1]
    signed = device.get(options)
    assert officer.post(page, data={**proof, "digest": "0" * 64, "passkey": signed}).status_code == 409
    assert officer.post(page, data={**proof, "typed": "x", "passkey": signed}).status_code == 400
    done = officer.post(page, data={**proof, "passkey": signed})
    assert done.status_code == 303
    with unit_of_work(house.desk.db) as session:
        (row,) = session.exec(
            select(tables.StepUpEvidence).where(col(tables.StepUpEvidence.digest) == digest)
        )
        step_up.reverify(row, Site.of(house.desk.settings.pages_url))
        listed = session.exec(
            select(tables.EventRecord.record)
            .join(tables.Event, col(tables.Event.id) == col(tables.EventRecord.event_id))
            .where(col(tables.Event.action) == "case:erasure-listed")
        ).all()
    assert (row.purpose, row.method, row.staff_id) == ("erase", "passkey", house.people["officer"].id)
    assert listed == [goes]  # what the signature was over can be told when all of it is gone
    after = plain(officer.get(page).text)
    assert "A closed case" in after
    assert "when the key of that month is destroyed" in after
    assert officer.post(page, data={"typed": str(case_id)[:8]}).status_code == 409
    assert str(case_id)[:8] in officer.get("/desk/erasure").text
    disclosed = plain(officer.get(f"/desk/register/{release}").text)
    assert "content erased" in disclosed
    assert "fields went" in disclosed  # the register outlives the content
    assert "it holds" in officer.get(f"/desk/ledger/proof/{release}").text
    for nothing in (str(UUID(int=0)), "x"):
        assert officer.get(f"/desk/erasure/{nothing}").status_code == 404


def test_what_goes_is_what_was_looked_at(told: tuple[House, str, Browser]) -> None:
    """A release between the look and the proof: nothing goes, by the page and by the verb."""
    house, _, open_as = told
    case_id = build.confirmed(house, full_case())
    officer, at = open_as("officer"), f"/desk/erasure/{case_id}"
    device, form = passkey(house, "officer"), {"typed": str(case_id)[:8]}
    digest, options = asked(officer.post(at, data=form).text)
    build.drafted(house, case_id, "police")
    proof = {**form, "act": "prove", "digest": digest, "passkey": device.get(options)}
    assert officer.post(at, data=proof).status_code == 409
    with pytest.raises(Conflict):
        retain.erase_case(house.desk, house.people["officer"], case_id, digest)
    with unit_of_work(house.desk.db) as session:
        assert session.get_one(tables.CaseFile, case_id).state == "confirmed"
