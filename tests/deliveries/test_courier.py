"""Durable work: several processes, kill -9 at each step, nothing in the workflow tables but ids and codes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from broker.demo.house import House
from broker.desk import carry, endpoints
from broker.desk.courier import Courier
from broker.desk.endpoints import Endpoint
from broker.jobs import Worker
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import canaries, full_case
from tests.deliveries import office, post

CHILD = """
import sys, time, json, secrets
from datetime import UTC, datetime
from pathlib import Path
from broker.core.pack import load_pack
from broker.desk import carry
from broker.jobs import Worker
from broker.desk.context import Desk
from broker.desk.courier import Courier
from broker.runtime import adapters
from broker.sealing.vault import EpochKeys
from broker.settings import Settings
from broker.store.engine import Database

url, state, keys, channels, where = sys.argv[1:6]
desk = Desk(settings=Settings(state=state, keys=keys, channels=channels), db=Database.from_url(url),
            pack=load_pack("be"), adapters=adapters(), clock=lambda: datetime.now(UTC),
            random=secrets.token_bytes, epochs=EpochKeys(Path(keys), b"synthetic test pass-phrase"))

def stop_here(*_a, **_k):
    print("HERE", flush=True)
    time.sleep(60)

if where == "before":
    carry._send = stop_here
elif where == "after":
    carry._record = stop_here
Courier(desk, every=0.1).start()
print("UP", flush=True)
time.sleep(60)
"""


def child(house: House, where: str = "") -> subprocess.Popen[str]:
    settings, url = house.desk.settings, house.desk.db.urls["app"]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, url.render_as_string(hide_password=False), str(settings.state),
         str(settings.keys), str(settings.channels), where],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == word:
            return
    raise AssertionError(f"the process ended before {word}")


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("where", ["before", "after"])
def test_killed_while_sending_is_never_sent_twice(mailed: House, sink: post.Sink, where: str) -> None:
    office.released(mailed)
    delivery = office.only(mailed)
    first = child(mailed, where)
    try:
        wait_for(first, "HERE")
    finally:
        kill(first)
    assert office.state(mailed, delivery)[0] == "sending"
    assert len(sink.taken) == (1 if where == "after" else 0)
    second = child(mailed)
    try:
        until(lambda: office.state(mailed, delivery)[0] == "failed")
    finally:
        kill(second)
    assert office.state(mailed, delivery) == ("failed", "outcome-unknown")
    assert len(sink.taken) == (1 if where == "after" else 0)


def test_two_processes_send_once_and_store_ids_only(mailed: House, sink: post.Sink, tmp_path: Path) -> None:
    document = full_case("person_lead")
    build.released(mailed, "office", document)
    delivery = office.only(mailed)
    workers = [child(mailed), child(mailed)]
    try:
        until(lambda: office.state(mailed, delivery)[0] == "awaiting")
        time.sleep(1)
    finally:
        for worker in workers:
            kill(worker)
    assert office.steps(mailed, delivery) == ["queued", "sending", "awaiting"]
    assert len(sink.taken) == 1
    stored = ""
    with mailed.desk.db.connect("app") as conn:
        names = conn.execute("select table_name from information_schema.tables where table_schema = 'dbos'")
        for (name,) in names.fetchall():
            stored += str(conn.execute(f'select * from dbos."{name}"').fetchall())
        assert conn.execute("select count(*) from dbos.workflow_status").fetchone() != (0,)
    assert str(delivery) in stored
    assert [pointer for pointer, value in canaries(document).items() if value in stored] == []
    assert office.ADDRESS not in stored


def test_a_killed_push_is_repeated_where_the_other_side_knows_the_key(mailed: House) -> None:
    """The same cut, for an adapter that says it is safe to repeat: it goes on by itself."""
    office.released(mailed)
    delivery = office.only(mailed)
    first = child(mailed, "before")
    try:
        wait_for(first, "HERE")
    finally:
        kill(first)
    adapter = mailed.desk.adapters["secure_mail"]
    adapter.repeatable = True
    try:
        assert carry.carry_due(mailed.desk) == 1
    finally:
        del adapter.repeatable
    assert office.steps(mailed, delivery) == ["queued", "sending", "queued", "sending", "awaiting"]


def test_a_house_without_a_channel_file_says_so(mailed: House) -> None:
    office.released(mailed)
    (mailed.desk.settings.channels / "secure_mail.json").unlink()
    carry.carry_due(mailed.desk)
    assert office.state(mailed, office.only(mailed)) == ("failed", "no-channel")


def test_the_worker_signs_integrates_and_delivers(mailed: House, sink: post.Sink) -> None:
    made = build.drafted(mailed, build.confirmed(mailed, full_case()), "office")
    build.approve(mailed, made)
    worker = Worker(mailed.desk, courier=True).start()
    try:
        until(lambda: len(sink.taken) == 1)
        until(lambda: office.state(mailed, office.only(mailed))[0] == "awaiting")
    finally:
        worker.stop()


def test_a_silent_relay_of_notices_holds_up_no_delivery(mailed: House, sink: post.Sink) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and says nothing
        side = {**office.relay(silent.getsockname()[1]), "timeout": 300}
        office.channel(mailed, "notice", side)
        to_police = Endpoint("notice", "mail", "", {"address": "desk@police.example"})
        with unit_of_work(mailed.desk.db) as session:
            endpoints.set_endpoint(
                mailed.desk, session, mailed.people["administrator"], mailed.partners["police"], to_police
            )
        build.released(mailed, "police")
        courier = Courier(mailed.desk, every=0.1).start()
        try:
            held, _ = silent.accept()
            office.released(mailed)
            until(lambda: len(sink.taken) == 1)
            with unit_of_work(mailed.desk.db) as session:
                assert session.exec(select(tables.NoticeAttempt)).all() == []
            held.close()
        finally:
            silent.close()
            courier.stop()
