"""The main job over HTTP: taken in, confirmed, drafted, released, pulled, verified, receipted, found."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from broker.demo.house import House
from broker.desk import register
from broker.jobs import note_checker
from broker.sealing.verify import verify_folder
from broker.store import ledger_verify
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case

KINDS = ("content_report", "person_lead", "grooming_or_extortion", "danger")


@pytest.mark.parametrize("kind", KINDS)
def test_a_confirmed_case_reaches_the_police_and_comes_back_with_a_receipt(
    house: House, tmp_path: Path, kind: str
) -> None:
    made = build.released(house, "police", full_case(kind))
    trust = build.trust(house, tmp_path / "trust")
    with build.serving(house) as (url, served):
        report = build.pull(served, url, "police", tmp_path / "pulled", trust)
    assert report.ok, report.lines()
    assert report.collected == [made.release]
    folder = next((tmp_path / "pulled").rglob("referral.jws")).parent
    verified = verify_folder(folder, trust)
    assert verified.ok, verified.lines()
    with unit_of_work(house.desk.db) as session:
        rows = list(csv.DictReader(io.StringIO("".join(register.to_csv(session)))))
    (row,) = rows
    assert row["disclosure_id"] == made.release
    assert row["receipt_verified"] == "yes"
    assert row["first_collected_at"]
    with house.desk.db.connect("app") as conn:
        found = ledger_verify.verify_all(conn, note_checker(house.desk))
    assert found.ok, found.words()


@pytest.mark.parametrize("name", ["receipt.jws", "referral.jwe"])
def test_the_receipt_must_belong_to_the_bytes_beside_it(house: House, tmp_path: Path, name: str) -> None:
    first, second = build.released(house, "police"), build.released(house, "police", full_case(salt="b"))
    trust = build.trust(house, tmp_path / "trust")
    with build.serving(house) as (url, served):
        build.pull(served, url, "police", tmp_path / "pulled", trust)
    folders = {path.parent.name: path.parent for path in (tmp_path / "pulled").rglob("referral.jws")}
    one, other = folders[first.release], folders[second.release]
    (one / name).write_bytes((other / name).read_bytes())
    report = verify_folder(one, trust)
    assert not report.ok
    assert any(line.startswith("FAILED") and "receipt" in line.lower() for line in report.lines())
