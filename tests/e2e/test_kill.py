"""kill -9 at each step: what is there after a restart is nothing, or a whole and logged release."""

from __future__ import annotations

import json
import multiprocessing
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlmodel import col, select

from broker.demo.house import House
from broker.desk import casefile, confirm, draft, publish, register
from broker.desk.release import sign_approved
from broker.errors import Conflict
from broker.jobs import note_checker, settle
from broker.store import ledger_verify, tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import Document, minimal_case
from tests.e2e import killed

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.e2e.killed"])
"""Each step runs in a real process of its own, forked from one that did nothing but import."""


def danger() -> Document:
    return minimal_case("danger")


def place_of(house: House, issuer: str = "") -> killed.Place:
    return killed.Place(
        url=house.desk.db.urls["app"].render_as_string(hide_password=False),
        state=str(house.desk.settings.state),
        keys=str(house.desk.settings.keys),
        issuer=issuer or house.desk.settings.issuer,
        people={login: (actor.id, tuple(actor.roles)) for login, actor in house.people.items()},
    )


def kill(house: House, step: str, point: str, **given: Any) -> None:
    """Run a step and be sure that it ended by the kill, not by itself."""
    child = PROCESSES.Process(target=killed.run, args=(place_of(house), step, point, given))
    child.start()
    child.join(timeout=60)
    assert child.exitcode == -signal.SIGKILL, (step, point, child.exitcode)
    # Its backend may live a moment longer than it: until then it holds its locks.
    deadline = time.monotonic() + 20
    while (
        one(house, "select count(*) from pg_locks where locktype = 'advisory'")
        and time.monotonic() < deadline
    ):
        time.sleep(0.02)


def one(house: House, query: str, *values: Any) -> Any:
    with house.desk.db.connect("app") as conn:
        row = conn.execute(query.encode(), values).fetchone()
    return row[0] if row else None


def check_whole(house: House) -> int:
    """After a restart: every release is complete and in the log once; gives how many there are."""
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        releases = session.exec(select(tables.Release)).all()
        for row in releases:
            record = publish.open_record(house.desk, session, row)
            assert record.seal_jws
            assert record.referral_jws
            parts = set(
                session.exec(
                    select(tables.SealedObject.part).where(
                        col(tables.SealedObject.release_id) == row.release_id
                    )
                )
            )
            wanted = {"referral"} | {f"documents/{d.name}" for d in record.signed_documents}
            assert parts == wanted
            assert session.get(tables.DraftBlob, row.release_id) is None
        listed = [r["disclosure_id"] for r in register.rows(session)]
        assert sorted(listed) == sorted(row.release_id for row in releases)
        for waiting in session.exec(select(tables.Draft)):
            closed = session.get(tables.Release, waiting.id) or session.get(tables.DraftRefusal, waiting.id)
            assert (session.get(tables.DraftBlob, waiting.id) is None) is bool(closed)
        for file in session.exec(select(tables.CaseFile)):
            casefile.read_version(house.desk, session, file.id)
    for row in releases:
        for kind in ("approved", "published"):
            query = (
                "select count(*) from ledger_leaf l join event e on e.id = l.event_id"
                " where l.release_id = %s and e.leaf_type = %s"
            )
            assert one(house, query, row.release_id, kind) == 1, kind
        assert one(house, "select count(*) from feed where release_id = %s", row.release_id) == 1
    assert one(house, "select count(*) from pending") == 0
    with house.desk.db.connect("app") as conn:
        found = ledger_verify.verify_all(conn, note_checker(house.desk))
    assert found.ok, found.words()
    return len(releases)


def finish(house: House, case_id: UUID) -> None:
    """Go on from wherever the kill left it: the end is the same single release."""
    for person in ("analyst-1", "analyst-2"):
        # The second person may have given the verdict before the kill.
        with suppress(Conflict), unit_of_work(house.desk.db) as session:
            confirm.claim(house.desk, session, house.people[person], case_id, "child_in_danger")
    if one(house, "select count(*) from release") == 0:
        build.approve(house, build.drafted(house, case_id, "police"))
    assert check_whole(house) == 1
    with unit_of_work(house.desk.db) as session:
        request = draft.Request(case_id, house.partners["police"])
        with pytest.raises(Conflict) as refused:
            draft.preview(house.desk, session, house.people["analyst-1"], request)
    assert refused.value.code == "already-referred"


@pytest.mark.parametrize("point", killed.POINTS["intake"])
def test_intake(house: House, point: str) -> None:
    raw = json.dumps(danger()).encode()
    kill(house, "intake", point, case=raw)
    cases = one(house, "select count(*) from case_file")
    assert cases == (1 if point == "after commit" else 0)
    for table in ("case_version", "person_blob", "wrapped_key"):
        assert bool(one(house, f"select count(*) from {table}")) is bool(cases), table
    assert check_whole(house) == 0
    case_id = one(house, "select id from case_file") or build.take_in(house, danger())
    finish(house, case_id)


@pytest.mark.parametrize("point", killed.POINTS["confirm"])
def test_confirm(house: House, point: str) -> None:
    case_id = build.take_in(house, danger())
    with unit_of_work(house.desk.db) as session:
        confirm.claim(house.desk, session, house.people["analyst-1"], case_id, "child_in_danger")
    kill(house, "confirm", point, case_id=str(case_id))
    state, verdicts = one(house, "select state from case_file"), one(house, "select count(*) from verdict")
    assert (state, verdicts) == (("confirmed", 2) if point == "after commit" else ("draft", 1))
    finish(house, case_id)


@pytest.mark.parametrize("point", killed.POINTS["draft"])
def test_draft(house: House, point: str) -> None:
    case_id = build.confirmed(house, danger())
    kill(house, "draft", point, case_id=str(case_id), to=house.partners["police"])
    drafts = 1 if point == "after commit" else 0
    for table in ("draft", "draft_blob", "referral"):
        assert one(house, f"select count(*) from {table}") == drafts, table
    assert check_whole(house) == 0
    finish(house, case_id)


@pytest.fixture
def drafted(house: House) -> tuple[UUID, draft.Drafted]:
    case_id = build.confirmed(house, danger())
    return case_id, build.drafted(house, case_id, "police")


@pytest.mark.parametrize("point", killed.POINTS["approve"])
def test_approve(house: House, drafted: tuple[UUID, draft.Drafted], point: str) -> None:
    case_id, made = drafted
    kill(house, "approve", point, release=made.release, digest=made.digest)
    released = check_whole(house)
    assert released == (1 if point == "after commit" else 0)
    if not released:
        build.approve(house, made)
        settle(house.desk)
    finish(house, case_id)


@pytest.mark.parametrize("point", killed.POINTS["sign"])
def test_sign(house: House, drafted: tuple[UUID, draft.Drafted], point: str) -> None:
    case_id, made = drafted
    build.approve(house, made)
    kill(house, "sign", point)
    done = 1 if point == "after commit" else 0
    for table, count in (("release", 1), ("release_record", 1), ("pending", 2)):
        before = one(house, "select count(*) from pending where release_id is null")
        found = one(house, f"select count(*) from {table}") - (before if table == "pending" else 0)
        assert found == done * count, table
    stored = one(house, "select seal_sha256 from release")
    assert check_whole(house) == 1  # the signer tries again by itself
    if done:  # and what was stored is what was released: nothing is signed a second time
        assert one(house, "select seal_sha256 from release") == stored
    finish(house, case_id)


@pytest.mark.parametrize("point", killed.POINTS["integrate"])
def test_integrate(house: House, drafted: tuple[UUID, draft.Drafted], point: str) -> None:
    case_id, made = drafted
    settle(house.desk)
    size = one(house, "select count(*) from ledger_leaf")
    build.approve(house, made)
    assert sign_approved(house.desk) == 1
    kill(house, "integrate", point)
    done = point == "after commit"
    assert one(house, "select count(*) from feed") == int(done)
    assert one(house, "select count(*) from ledger_leaf") == size + (2 if done else 0)
    assert one(house, "select max(size) from ledger_checkpoint") == size + (2 if done else 0)
    assert check_whole(house) == 1
    finish(house, case_id)


@pytest.mark.parametrize("point", killed.POINTS["collect"])
def test_collect(house: House, tmp_path: Path, point: str) -> None:
    made = build.released(house, "police", danger())
    trust = build.trust(house, tmp_path / "trust")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    child = PROCESSES.Process(
        target=killed.run, args=(place_of(house, url), "collect", point, {"port": port})
    )
    child.start()
    _wait_up(url)
    report = build.pull(house, url, "police", tmp_path / "pulled", trust)
    child.join(timeout=30)
    assert child.exitcode == -signal.SIGKILL
    assert report.collected == []
    assert not list((tmp_path / "pulled").rglob("referral.*"))
    recorded = 1 if point == "committed, not sent" else 0
    logged = (
        "select count(*) from ledger_leaf l join event e on e.id = l.event_id where e.leaf_type = 'collected'"
    )
    assert check_whole(house) == 1
    assert one(house, "select count(*) from collection") == recorded
    assert one(house, logged) == recorded
    with build.serving(house, worker=False) as (again, served):
        report = build.pull(served, again, "police", tmp_path / "pulled", trust)
    assert report.collected == [made.release], report.lines()
    assert check_whole(house) == 1
    assert one(house, logged) == one(house, "select count(*) from collection")
    assert one(house, "select count(*) from receipt") == 1


def _wait_up(url: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            httpx.get(f"{url}/health", timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError("the child does not serve")


def test_every_step_has_its_points() -> None:
    assert set(killed.POINTS) == set(killed.STEPS)
