"""Many processes at once: nothing lost, nothing forked, whoever dies in the middle."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event as Flag
from pathlib import Path

import psycopg
import pytest

from broker.store import ledger
from broker.store.engine import Database, unit_of_work
from tests.store import rfc6962
from tests.store.test_ledger_verify import check_note
from tests.store.world import (
    NOW,
    PARTNERS,
    approval,
    draft,
    entry,
    integrate,
    item,
    populate,
    release_id,
    released,
    sign,
)

# Children start afresh: a forked copy of an open connection would belong to two processes.
PROCESSES = multiprocessing.get_context("spawn")
PARTNER = PARTNERS[0]


def _append(url: str, count: int) -> None:
    db = Database.from_url(url)
    for _ in range(count):
        with unit_of_work(db) as session:
            ledger.append(session, entry("key"))
    db.dispose()


def _integrate_until(url: str, done: Flag | threading.Event) -> None:
    db = Database.from_url(url)
    with db.connect("integrator") as conn:
        while True:
            last = done.is_set()
            if not ledger.integrate_once(conn, sign, NOW, limit=7) and last:
                return


def _write_feed(url: str, releases: list[str], writer: int, count: int) -> None:
    """One publication a transaction, with a pause inside so that commits overtake each other."""
    db = Database.from_url(url)
    for n in range(count):
        with unit_of_work(db) as session:
            release = releases[n % len(releases)]
            ledger.append(
                session,
                entry(
                    "published",
                    actor=f"w{writer}-{n}",
                    release_id=release,
                    partner_id=PARTNER,
                    feed=item(release),
                ),
            )
            time.sleep(0.001 * ((writer * 7 + n) % 4))
    db.dispose()


def _integrate_and_hang(url: str, reached: str) -> None:
    """Everything is written, nothing is committed: here the process is killed."""

    def hang(size: int, root: bytes) -> str:
        Path(reached).touch()
        time.sleep(600)
        return sign(size, root)

    with Database.from_url(url).connect("integrator") as conn:
        ledger.integrate_once(conn, hang, NOW)


def url_of(db: Database) -> str:
    return db.urls["app"].render_as_string(hide_password=False)


def start(target: Callable[..., None], *arguments: object) -> multiprocessing.process.BaseProcess:
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    return process


def finish(*processes: multiprocessing.process.BaseProcess) -> None:
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def assert_sound(db: Database, size: int) -> None:
    """Contiguous, one history, and every checkpoint is a prefix of the last."""
    with db.connect("app") as conn:
        leaves = conn.execute("select position, leaf_hash from ledger_leaf order by 1").fetchall()
        assert [position for position, _ in leaves] == list(range(size))
        head = ledger.latest(conn)
        assert head is not None
        assert (head.size, head.root) == (size, rfc6962.mth([leaf for _, leaf in leaves]))
        assert conn.execute("select count(*) from pending").fetchone() == (0,)
        conn.rollback()
        assert ledger.verify_all(conn, check_note).findings == []


@pytest.mark.slow
def test_four_processes_append_while_two_integrate(database: Database) -> None:
    url, done = url_of(database), PROCESSES.Event()
    integrators = [start(_integrate_until, url, done) for _ in range(2)]
    finish(*[start(_append, url, 100) for _ in range(4)])
    done.set()
    finish(*integrators)
    assert integrate(database) == 0
    assert_sound(database, 400)


def releases_of(db: Database, count: int) -> list[str]:
    """Releases to point at; what they say does not matter here."""
    ids = [release_id(PARTNER, version) for version in range(1, count + 1)]
    with unit_of_work(db) as session:
        for version, release in enumerate(ids, 1):
            for row in (draft, None, released):
                session.add(row(release, PARTNER, version) if row else approval(release))
                session.flush()
    return ids


def test_a_tailing_reader_misses_nothing_of_eight_writers(database: Database) -> None:
    """The cursor is the ledger position; a bare sequence as cursor lost 22 % of rows."""
    populate(database)
    ids = releases_of(database, 3)
    url, done = url_of(database), threading.Event()
    seen: list[int] = []

    def read(conn: psycopg.Connection, cursor: int) -> int:
        rows = conn.execute(
            "select position, seq from feed where partner_id = %s and position > %s"
            " order by position limit 100",
            [PARTNER, cursor],
        ).fetchall()
        seen.extend(seq for _, seq in rows)
        return rows[-1][0] if rows else cursor

    integrator = threading.Thread(target=_integrate_until, args=(url, done))
    writers = [threading.Thread(target=_write_feed, args=(url, ids, w, 40)) for w in range(8)]
    cursor = -1
    with database.connect("app") as conn:
        conn.autocommit = True
        for thread in (integrator, *writers):
            thread.start()
        while integrator.is_alive():
            cursor = read(conn, cursor)
            if not any(writer.is_alive() for writer in writers):
                done.set()
        while cursor != (cursor := read(conn, cursor)):
            pass
    assert seen == list(range(1, 8 * 40 + 1))


def test_a_killed_integrator_leaves_nothing_half_done(database: Database, tmp_path: Path) -> None:
    with unit_of_work(database) as session:
        for _ in range(300):
            ledger.append(session, entry("key"))
    reached = tmp_path / "reached"
    process = start(_integrate_and_hang, url_of(database), str(reached))
    deadline = time.monotonic() + 30
    while not reached.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert integrate(database) == 0  # it still holds the lock
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    while not integrate(database):  # until the server has noticed that the client is gone
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert_sound(database, 300)


def test_the_fence_behind_the_lock(database: Database) -> None:
    """Should two ever integrate at once, one of them cannot commit."""
    with unit_of_work(database) as session:
        ledger.append(session, entry("key"))
    with database.connect("app") as conn:
        event = conn.execute("select id from event").fetchone() or ("",)
    insert = (
        "insert into ledger_leaf (position, body, leaf_hash, event_id)"
        " values (0, 'x', sha256('\\x00'::bytea || 'x'::bytea), %s)"
    )
    with database.connect("integrator") as first:
        first.execute(insert, event)
        first.commit()
    with pytest.raises(psycopg.errors.UniqueViolation, match="pk_ledger_leaf"):
        integrate(database)
