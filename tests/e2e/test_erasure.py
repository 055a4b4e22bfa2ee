"""Erasure in two dates: after the epoch's key is destroyed nothing opens what was erased (ruling 27).

The attacker of this test has everything but that one key: the files of the cluster, its write-ahead
log, an older copy of both, an older dump as SQL would give it, and the epoch key of today.
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.demo.house import House
from broker.desk import casefile, publish, register, retain
from broker.errors import Conflict
from broker.jobs import note_checker, settle
from broker.sealing.vault import EpochKeys, epoch_name
from broker.sealing.verify import verify_folder
from broker.store import ledger_verify, tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case
from tests.dbfixtures import Cluster

WRAPPED = 60


class Clock:
    """The real time, moved by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def next_month(self) -> None:
        here = self()
        self.ahead += timedelta(days=32 - here.day + 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(house: House, clock: Clock, tmp_path: Path) -> House:
    """The house with epoch keys of its own: these are destroyed."""
    keys = tmp_path / "epochs"
    keys.mkdir(mode=0o700)
    for path in house.desk.settings.keys.glob("epoch-*.key"):
        (keys / path.name).write_bytes(path.read_bytes())
        (keys / path.name).chmod(0o600)
    return replace(house, desk=replace(house.desk, clock=clock, epochs=EpochKeys(keys, build.PASSPHRASE)))


def files(house: House, cluster: Cluster) -> dict[str, bytes]:
    """Every file of the database and of the log, after a checkpoint has brought them up to date."""
    with cluster.server.superuser() as admin:
        admin.autocommit = True
        admin.execute("checkpoint")
        name = house.desk.db.urls["app"].database
        (oid,) = admin.execute("select oid from pg_database where datname = %s", [name]).fetchone()
    found = {}
    for folder in (f"base/{oid}", "pg_wal"):
        for path in (cluster.server.data / folder).rglob("*"):
            if path.is_file():
                found[str(path.relative_to(cluster.server.data))] = path.read_bytes()
    return found


def dump(house: House, cluster: Cluster) -> bytes:
    """An older dump in SQL: pg_dump where the server brings it, otherwise the rows as COPY writes them."""
    program = cluster.server._programs / "pg_dump"
    name = house.desk.db.urls["app"].database
    if program.exists():
        address = ["-h", str(cluster.server.data), "-p", "5432", "-U", "postgres", "-d", str(name)]
        return subprocess.run([str(program), *address], check=True, capture_output=True).stdout
    out = io.BytesIO()
    with cluster.server.superuser(str(name)) as admin, admin.cursor() as cursor:
        for table in ("wrapped_key", "partner", "case_version", "person_blob", "release_record"):
            with cursor.copy(f"copy {table} to stdout") as copy:
                for chunk in copy:
                    out.write(chunk)
    return out.getvalue()


class Attacker:
    """Tries every stretch of 60 octets as a wrapped key, under each purpose it could have been for."""

    def __init__(self, aads: list[bytes]) -> None:
        self.aads = aads

    def candidates(self, raw: bytes) -> Iterator[bytes]:
        """A wrapped key in a heap tuple or in the log stands behind its length (a varlena header), or
        as 120 hexadecimal digits in a dump."""
        short = bytes([(WRAPPED + 1) * 2 + 1])  # one octet of header
        at = raw.find(short)
        while at >= 0:
            yield raw[at + 1 : at + 1 + WRAPPED]
            at = raw.find(short, at + 1)
        long = ((WRAPPED + 4) << 2).to_bytes(4, "little")  # four octets of header
        at = raw.find(long)
        while at >= 0:
            yield raw[at + 4 : at + 4 + WRAPPED]
            at = raw.find(long, at + 1)
        for match in re.finditer(rb"(?<![0-9a-f])[0-9a-f]{120}(?![0-9a-f])", raw):
            yield bytes.fromhex(match[0].decode())

    def open(self, held: dict[str, bytes], epoch_keys: list[bytes]) -> set[bytes]:
        """Data keys of the erased case that could be recovered."""
        found, tried = set(), set()
        for raw in held.values():
            for candidate in self.candidates(raw):
                if len(candidate) != WRAPPED or candidate in tried:
                    continue
                tried.add(candidate)
                for key in epoch_keys:
                    box = AESGCM(key)
                    for aad in self.aads:
                        try:
                            found.add(box.decrypt(candidate[:12], candidate[12:], b"wrap|" + aad))
                        except InvalidTag:
                            continue
        return found


def erased_register(house: House) -> dict[str, str]:
    with unit_of_work(house.desk.db) as session:
        (row,) = csv.DictReader(io.StringIO("".join(register.to_csv(session))))
    return row


def scopes_of(house: House, case_id: UUID) -> list[str]:
    with house.desk.db.connect("app") as conn:
        return [r[0] for r in conn.execute("select scope from wrapped_key where case_id = %s", [case_id])]


def test_after_erasure_and_rotation_nobody_opens_it_and_everything_else_stands(
    timed: House, cluster: Cluster, clock: Clock, tmp_path: Path
) -> None:
    desk = timed.desk
    made = build.released(timed, "police", full_case("person_lead"))
    other = build.confirmed(timed, full_case("danger", salt="b"))
    trust = build.trust(timed, tmp_path / "trust")
    with build.serving(timed, worker=False, dated=False) as (url, served):
        report = build.pull(served, url, "police", tmp_path / "pulled", trust)
    assert report.ok, report.lines()
    settle(desk)
    with unit_of_work(desk.db) as session:
        case_id = session.get_one(tables.Release, made.release).case_id
    scopes = scopes_of(timed, case_id)
    attacker = Attacker([f"wrapped_key|{case_id}|{scope}".encode() for scope in scopes])
    old_epoch = epoch_name(desk.now())
    old_key = desk.vault().get(old_epoch)
    held = {**{f"old/{k}": v for k, v in files(timed, cluster).items()}, "old/dump.sql": dump(timed, cluster)}

    # Not hollow: the same program opens every key of the case while its epoch lives, from each source.
    for source in ("old/base", "old/pg_wal", "old/dump"):
        part = {name: raw for name, raw in held.items() if name.startswith(source)}
        opened = len(attacker.open(part, [old_key]))
        # More than are alive: a preview that was rolled back leaves its key in the heap. Fewer in the
        # log: the header of a page may cut a tuple in two.
        assert opened >= (len(scopes) if source != "old/pg_wal" else len(scopes) // 2), source

    erased = retain.erase_case(desk, timed.people["officer"], case_id)
    assert erased.keys == len(scopes)
    assert erased.sealed_objects >= 3
    assert erased.epochs == (old_epoch,)
    row = erased_register(timed)
    assert row["closed_at"]
    assert row["unrecoverable_at"] == ""
    # Closed but not yet unrecoverable: the raw files still hold what the living epoch key opens.
    assert attacker.open(files(timed, cluster), [old_key])
    retain.rotate_epoch(desk, timed.people["custodian"])  # same month: nothing is destroyed by it
    assert desk.vault().names() == [old_epoch]
    assert erased_register(timed)["unrecoverable_at"] == ""

    clock.next_month()
    moved, destroyed = retain.rotate_epoch(desk, timed.people["custodian"])
    assert moved
    assert destroyed == (old_epoch,)
    assert erased_register(timed)["unrecoverable_at"]
    new_name = epoch_name(desk.now())
    assert desk.vault().names() == [new_name]
    everything = {**held, **files(timed, cluster), "new/dump.sql": dump(timed, cluster)}
    assert attacker.open(everything, [desk.vault().get(new_name)]) == set()
    for path in tmp_path.rglob("epoch-*"):
        assert old_key not in path.read_bytes()

    # What is not about the content still holds.
    with unit_of_work(desk.db) as session:
        with pytest.raises(Conflict):
            casefile.read_version(desk, session, case_id)
        with pytest.raises(Conflict):
            publish.open_record(desk, session, session.get_one(tables.Release, made.release))
        case, _ = casefile.read_version(desk, session, other)  # the living case moved along
        assert case.kind == "danger"
    settle(desk)
    with desk.db.connect("app") as conn:
        found = ledger_verify.verify_all(conn, note_checker(desk))
    assert found.ok, found.words()
    row = erased_register(timed)
    assert (row["disclosure_id"], row["receipt_verified"]) == (made.release, "yes")
    verified = verify_folder(tmp_path / "pulled" / made.release, trust)
    assert verified.ok, verified.lines()
    with desk.db.connect("app") as conn:
        (jws,) = conn.execute("select jws from receipt where release_id = %s", [made.release]).fetchone()
    assert jws == (tmp_path / "pulled" / made.release / "receipt.jws").read_text()


def test_an_erasure_closes_what_was_on_its_way(timed: House) -> None:
    """An approved draft of an erased case is closed, and the signer does not try it for ever."""
    desk = timed.desk
    case_id = build.confirmed(timed, full_case("person_lead"))
    made = build.drafted(timed, case_id, "police")
    build.approve(timed, made)
    retain.erase_case(desk, timed.people["officer"], case_id)
    settle(desk)
    assert settle(desk) == 0
    with unit_of_work(desk.db) as session:
        assert session.get(tables.Release, made.release) is None
        assert session.get_one(tables.CaseFile, case_id).state == "closed"
        assert session.get_one(tables.DraftRefusal, made.release).code == "erased"


def test_a_rotation_in_the_month_of_the_erasure_is_not_called_unrecoverable(
    timed: House, clock: Clock
) -> None:
    """An older epoch is destroyed by it; the one that wrapped this case lives on."""
    desk = timed.desk
    build.take_in(timed, full_case("danger"))
    clock.next_month()
    made = build.released(timed, "police", full_case("person_lead"))
    with unit_of_work(desk.db) as session:
        case_id = session.get_one(tables.Release, made.release).case_id
    retain.erase_case(desk, timed.people["officer"], case_id)
    _, destroyed = retain.rotate_epoch(desk, timed.people["custodian"])
    assert destroyed
    assert erased_register(timed)["unrecoverable_at"] == ""
    clock.next_month()
    retain.rotate_epoch(desk, timed.people["custodian"])
    assert erased_register(timed)["unrecoverable_at"]
