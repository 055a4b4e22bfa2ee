"""Many at once: every export and every case exactly once, whatever is killed or started twice."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker import auth
from broker.cli import app
from broker.core.pack import Pack
from broker.demo.house import PASSWORD, House
from broker.desk import agreements, bulk, draft, endpoints, intake, partners, release, route
from broker.errors import Forbidden
from broker.jobs import settle
from broker.store.engine import unit_of_work
from tests import house as build
from tests.deliveries import many
from tests.deliveries.office import Clock
from tests.desk.counting import statements
from tests.e2e import killed
from tests.e2e.test_kill import place_of

PROCESSES = multiprocessing.get_context("forkserver")


@pytest.fixture
def hosted(house: House) -> House:
    return many.with_host(house)


def file_of(path: Path, count: int, first: int = 0) -> Path:
    path.write_bytes(b"".join(many.lines(count, first)))
    return path


def taken(house: House, *paths: Path) -> bulk.Counted:
    return bulk.take(house.desk, house.people["analyst-1"], "arachnid", paths, {}, synthetic=True)


def drafted(house: House, batch: int = bulk.BATCH) -> bulk.Counted:
    return bulk.draft_all(house.desk, house.people["analyst-1"], house.partners["host"], batch=batch)


def queued(house: House) -> Counter[Any]:
    """How many open drafts each case has."""
    query = (
        "select f.case_id from draft d join referral f on f.id = d.referral_id"
        " where not exists (select 1 from draft_refusal x where x.release_id = d.id)"
    )
    with house.desk.db.connect("app") as conn:
        return Counter(row[0] for row in conn.execute(query))


def test_from_exports_to_a_queue_that_a_second_person_releases(hosted: House, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    file_of(folder / "a.jsonl", 3)
    (folder / "b.json").write_bytes(many.envelope(3))
    (folder / "c.jsonl").write_bytes(b'{"shield": 1}\n' + many.envelope(4) + b"\n\n" + many.envelope(0))
    steps: list[int] = []
    done = bulk.take(
        hosted.desk, hosted.people["analyst-1"], "arachnid", [folder], {}, synthetic=True,
        step=steps.append,
    )  # fmt: skip
    assert (done.made, done.known, sum(done.refused.values()), sum(steps)) == (5, 1, 1, 7)
    again = taken(hosted, folder)
    assert (again.made, again.known) == (0, 6)
    assert drafted(hosted).made == 0  # nobody of ours has looked at any of them
    assert many.review(hosted) == 5
    assert bulk.waiting(hosted.desk, hosted.partners["host"]) == 5
    first = drafted(hosted)
    assert (first.made, first.known, first.refused) == (5, 0, {})
    assert drafted(hosted).made == bulk.waiting(hosted.desk, hosted.partners["host"]) == 0
    assert set(queued(hosted).values()) == {1}
    settle(hosted.desk)
    assert settle(hosted.desk) == 0  # queued is not released
    release_id, digest = _one_draft(hosted)
    with unit_of_work(hosted.desk.db) as session:
        release.approve(hosted.desk, session, hosted.people["releaser"], [release.Choice(release_id, digest)])
    assert settle(hosted.desk) > 0
    assert drafted(hosted).made == 0  # what is released is not drafted again
    with pytest.raises(Forbidden):
        bulk.draft_all(hosted.desk, hosted.people["administrator"], hosted.partners["host"])


def _one_draft(house: House) -> tuple[str, str]:
    with house.desk.db.connect("app") as conn:
        row = conn.execute("select id, approval_digest from draft limit 1").fetchone()
    assert row is not None
    return row[0], row[1]


def test_what_its_own_path_refuses_is_counted_and_left(hosted: House, tmp_path: Path) -> None:
    taken(hosted, file_of(tmp_path / "a.jsonl", 2))
    many.review(hosted)
    closed = replace(hosted, desk=replace(hosted.desk, pack=_closed(hosted.desk.pack)))
    assert drafted(closed).refused == {"no-route: not-competent": 2}
    assert queued(closed) == Counter()
    assert drafted(hosted).made == 2


def _closed(pack: Pack) -> Pack:
    return replace(pack, routes=replace(pack.routes, notices_opened={}))


def test_a_draft_that_expired_is_queued_again(hosted: House, tmp_path: Path) -> None:
    clock = Clock(hosted.desk.clock)
    moved = replace(hosted, desk=replace(hosted.desk, clock=clock))
    taken(moved, file_of(tmp_path / "a.jsonl", 1))
    many.review(moved)
    assert drafted(moved).made == 1
    clock.ahead = timedelta(hours=25)
    assert draft.expire_old(moved.desk) == 1
    assert drafted(moved).made == 1
    assert set(queued(moved).values()) == {1}


def test_two_jobs_at_once_share_the_work(hosted: House, tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", 12)
    counts: dict[str, list[bulk.Counted]] = {"take": [], "draft": []}
    _both(lambda: counts["take"].append(taken(hosted, path)))
    many.review(hosted)
    _both(lambda: counts["draft"].append(drafted(hosted)))
    assert [sum(c.made for c in each) for each in counts.values()] == [12, 12]
    assert not any(c.refused for each in counts.values() for c in each)  # nobody ran into the other
    assert set(queued(hosted).values()) == {1}


def _both(work: Any) -> None:
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def job(
    place: killed.Place, what: str, path: str, partner: str, batch: int = 3, dies: int | None = None
) -> None:
    """The job in a process of its own; with `dies` killed when that row of it is half done."""
    if dies is not None:
        _die_at(dies, *{"take": (intake, "draft_rows"), "draft": (draft, "compose")}[what])
    desk = place.desk()
    pack = replace(
        desk.pack,
        routes=replace(desk.pack.routes, notices_opened={"ZZ": "clause-7"}),
        formats={**desk.pack.formats, "HSP": ("xarf_notice",)},
    )
    desk = replace(desk, pack=pack)
    if what == "take":
        bulk.take(desk, place.person("analyst-1"), "arachnid", [Path(path)], {}, synthetic=True, batch=batch)
    else:
        bulk.draft_all(desk, place.person("analyst-1"), partner, batch=batch)


def _die_at(row: int, module: Any, name: str) -> None:
    real, seen = getattr(module, name), itertools.count(1)

    def counted(*args: Any, **kwargs: Any) -> Any:
        made = real(*args, **kwargs)
        if next(seen) == row:
            killed.die()
        return made

    setattr(module, name, counted)


@pytest.mark.parametrize("what", ["take", "draft"])
def test_killed_and_started_again_nothing_is_there_twice(hosted: House, tmp_path: Path, what: str) -> None:
    count = 40
    path = file_of(tmp_path / "a.jsonl", count)
    if what == "draft":
        taken(hosted, path)
        many.review(hosted)
    child = PROCESSES.Process(target=job, args=(place_of(hosted), what, str(path), hosted.partners["host"]))
    child.start()
    deadline = time.monotonic() + 60
    while _rows(hosted, what) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    before = _rows(hosted, what)
    assert 5 <= before < count
    if what == "take":
        done = taken(hosted, path)
        assert (done.made, done.known) == (count - before, before)
        assert _rows(hosted, "take") == count
    else:
        done = drafted(hosted)
        assert done.made == count - before
        assert queued(hosted) == Counter(dict.fromkeys(queued(hosted), 1))
        assert len(queued(hosted)) == count


@pytest.mark.parametrize("what", ["take", "draft"])
def test_killed_in_the_middle_of_a_batch_it_costs_that_batch(
    hosted: House, tmp_path: Path, what: str
) -> None:
    """Ten to a batch, killed at the fifteenth row: ten are there, and the next run makes the others."""
    path = file_of(tmp_path / "a.jsonl", 24)
    if what == "draft":
        taken(hosted, path)
        many.review(hosted)
    arguments = (place_of(hosted), what, str(path), hosted.partners["host"], 10, 15)
    child = PROCESSES.Process(target=job, args=arguments)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert _rows(hosted, what) == 10
    done = taken(hosted, path) if what == "take" else drafted(hosted)
    assert done.made == 14
    assert _rows(hosted, what) == 24
    if what == "draft":
        assert queued(hosted) == Counter(dict.fromkeys(queued(hosted), 1))


def test_a_row_that_the_database_refuses_costs_only_itself(hosted: House, tmp_path: Path) -> None:
    """A guard against one row of a batch, in each job: the others are stored, that one is counted."""
    path = file_of(tmp_path / "a.jsonl", 5)
    taken(hosted, path)
    with hosted.desk.db.connect("app") as conn:
        chosen = conn.execute("select id from case_file order by id offset 2 limit 1").fetchone()
    assert chosen is not None
    other = file_of(tmp_path / "b.jsonl", 5, first=10)
    with _guard(hosted, "case_file", "(select count(*) from case_file) = 7"):
        done = taken(hosted, other)
    assert (done.made, done.refused) == (2, {"database-rule": 3})
    assert taken(hosted, other).made == 3
    many.review(hosted)
    with _guard(hosted, "referral", f"new.case_id = '{chosen[0]}'"):
        done = drafted(hosted)
    assert (done.made, done.refused) == (9, {"database-rule": 1})
    assert chosen[0] not in queued(hosted)
    assert drafted(hosted).made == 1


@contextmanager
def _guard(house: House, table: str, when: str) -> Iterator[None]:
    """A rule of the database that refuses some rows of a table."""
    body = f"begin if {when} then raise exception 'refused'; end if; return new; end"
    with house.desk.db.connect("owner") as conn:
        conn.execute(f"create function guarded() returns trigger language plpgsql as $${body}$$".encode())
        conn.execute(
            f"create trigger guarded before insert on {table} for each row"
            " execute function guarded()".encode()
        )
    yield
    with house.desk.db.connect("owner") as conn:
        conn.execute(f"drop trigger guarded on {table}; drop function guarded()".encode())


def test_a_batch_that_stood_in_a_deadlock_is_done_again(hosted: House, tmp_path: Path) -> None:
    """Somebody locks the last case, then the first; the batch waits longer and is the one that is ended."""
    taken(hosted, file_of(tmp_path / "a.jsonl", 5))
    many.review(hosted)
    done: list[bulk.Counted] = []
    one = b"select 1 from case_file where id = %s for update"
    waits = b"select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = %s"
    with hosted.desk.db.connect("app") as conn, hosted.desk.db.connect("app") as watch:
        watch.autocommit = True
        cases = [row[0] for row in conn.execute("select id from case_file order by id")]
        conn.execute(one, (cases[-1],))
        job = threading.Thread(target=lambda: done.append(drafted(hosted)))
        job.start()
        deadline = time.monotonic() + 30
        while watch.execute(waits, (conn.info.dbname,)).fetchone() == (0,) and time.monotonic() < deadline:
            time.sleep(0.01)
        conn.execute(one, (cases[0],))
    job.join()
    assert [(each.made, each.refused) for each in done] == [(5, {})]
    assert queued(hosted) == Counter(dict.fromkeys(cases, 1))


def test_a_batch_asks_as_often_as_one_row(hosted: House, tmp_path: Path) -> None:
    """Statements do not grow with the rows of a batch."""
    counts = []
    for first, count in ((0, 1), (100, 12)):
        path = file_of(tmp_path / f"{first}.jsonl", count, first)
        with statements(hosted.desk.db) as taking:
            assert taken(hosted, path).made == count
        many.review(hosted)
        with statements(hosted.desk.db) as drafting:
            assert drafted(hosted).made == count
        counts.append((len(taking), len(drafting)))
    assert counts[0] == counts[1]


def _rows(house: House, what: str) -> int:
    with house.desk.db.connect("app") as conn:
        row = conn.execute(
            "select count(*) from case_file" if what == "take" else "select count(*) from draft"
        ).fetchone()
    return int(row[0]) if row else 0


def test_the_command_shares_the_work_among_processes(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each opens the desk for itself: what it is told is a partner's id and which share is its own."""
    taken(house, file_of(tmp_path / "a.jsonl", 6))
    many.review(house)
    with unit_of_work(house.desk.db) as session:
        token = auth.sign_in(session, "analyst-1", PASSWORD, house.desk.now())
    secret = tmp_path / "pass-phrase"
    secret.touch(0o600)
    secret.write_bytes(build.PASSPHRASE)
    for name, value in {
        "DATABASE_URL": house.desk.db.urls["app"].render_as_string(hide_password=False),
        "STATE": house.desk.settings.state,
        "KEYS": house.desk.settings.keys,
        "PASSPHRASE_FILE": secret,
        "SESSION": token,
    }.items():
        monkeypatch.setenv(f"BROKER_{name}", str(value))
    words = ["bulk", "draft", house.partners["police"], "--processes", "2", "--json"]
    done = json.loads(CliRunner().invoke(app, words).stdout)
    assert done == {"made": 6, "known": 0, "refused": {}}
    assert queued(house) == Counter(dict.fromkeys(queued(house), 1))
    parts = [bulk.Share(number, 3) for number in range(3)]
    assert all(sum(part.has(case_id) for part in parts) == 1 for case_id in queued(house))


def test_memory_does_not_grow_with_the_number(hosted: House, tmp_path: Path) -> None:
    """Peak of a job over four times as many is that of the smaller one, give or take noise."""
    peaks = []
    for round_, count in enumerate((10, 10, 40)):  # the first one warms caches
        taken(hosted, file_of(tmp_path / f"{round_}.jsonl", count, first=1000 * round_))
        many.review(hosted)
        tracemalloc.start()
        assert drafted(hosted, batch=5).made == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] * 1.3 + 500_000, peaks


def test_routing_knows_of_each_partner_what_its_own_verbs_say(mailed: House) -> None:
    """The one statement over all partners, held against the verbs that look at one."""
    house = many.with_host(mailed)
    desk, now = house.desk, house.desk.now()
    with unit_of_work(desk.db) as session:
        agreements.set_status(
            desk, session, house.people["officer"], house.partners["europol"], 1, "suspended"
        )
    with unit_of_work(desk.db) as session:
        rows = session.connection().execute(route._PARTNERS, route._asked(now)).mappings()
        found = [route._info(row) for row in rows]
        assert {info.id for info in found} == set(house.partners.values())
        for info in found:
            terms = agreements.terms_in_force(session, info.id, now)
            keys = partners.current_key(session, info.id, "enc", now) is not None
            assert info.agreement_in_force == (terms is not None)
            pulls = keys and terms is not None  # every synthetic agreement opens pulling
            assert info.direct == (pulls or endpoints.channel_of(desk, session, info.id) is not None)
    by_name = house.partners
    facts = {info.id: (info.agreement_in_force, info.direct) for info in found}
    assert facts[by_name["europol"]] == (False, False)
    assert facts[by_name["office"]] == (False, True)
    assert facts[by_name["host"]] == (True, True)
