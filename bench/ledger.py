"""`release`, `ledger-integrate`, `ledger-proof`: what writing and proving every disclosure costs."""

from __future__ import annotations

import random
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from bench.measure import Result, at_least, at_most, each, quantile
from bench.options import Options
from bench.server import Server, running
from broker.store import ledger
from broker.store.engine import Database, unit_of_work
from broker.store.ledger_append import APPEND
from tests.store.world import NOW, PARTNERS, entry, item, populate, publish, referral_id, sign

BODY = 18 * 1024
"""Octets of the sealed object: the middle case for the police."""
_TPS = re.compile(r"tps = ([0-9.]+)")
_HEAD = """
create table bench_head (id int primary key, size bigint not null, root bytea not null);
create table bench_leaf (position bigint primary key, body bytea not null);
insert into bench_head values (1, 0, '\\x00');
grant select, insert, update on bench_head, bench_leaf to broker_app;
"""
_LOCKED = """
with h as (
    update bench_head set size = size + 1, root = sha256(root || '\\x01'::bytea) where id = 1
    returning size, root
)
insert into bench_leaf select size, root from h;
"""


def release(options: Options) -> Result:
    """The inserts of a release, with the ledger, without it, and with the ledger's head locked."""
    found = Result()
    seconds = 1 if options.quick else 3
    rounds = 1 if options.quick else 3
    chance = random.Random(1)  # noqa: S311 - an order, not a secret
    with running() as server, server.database() as (db, name), tempfile.TemporaryDirectory() as folder:
        populate(db)
        with server.embedded.superuser(name) as admin:
            admin.execute(_HEAD)
        scripts = {
            "no ledger": _script(Path(folder), 1, ledgered="", locked=""),
            "ours": _script(Path(folder), 2, ledgered="pending", locked=""),
            "head locked": _script(Path(folder), 3, ledgered="", locked=_LOCKED),
        }
        for clients in (1, 4, 16):
            rates: dict[str, list[float]] = {kind: [] for kind in scripts}
            for _ in range(rounds):
                order = list(scripts)
                chance.shuffle(order)
                for kind in order:
                    rates[kind].append(_pgbench(server, name, scripts[kind], clients, seconds))
            rate = {kind: statistics.median(values) for kind, values in rates.items()}
            found.record(f"release {clients} writers, tx/s", rate)
            against = rate["ours"] / rate["no ledger"]
            found.line("release", f"{clients} writers: ours / no ledger (tx/s)", against, at_least(0.9))
            locked = rate["ours"] / rate["head locked"]
            budget = at_least(3) if clients == 16 else None
            found.line("release", f"{clients} writers: ours / head locked (tx/s)", locked, budget)
    return found


def _script(folder: Path, number: int, *, ledgered: str, locked: str) -> Path:
    """One release as pgbench runs it: the same rows as `tests.store.world.publish`, as literals."""
    partner, body = PARTNERS[0], random.Random(2).randbytes(BODY).hex()  # noqa: S311 - filler
    version = "((:run)::int * 50000000 + (:client_id)::int * 3000000 + (:n)::int)"
    release = f"lpad({version}::text, 26, '0')"
    digest = "repeat('a', 64)"
    at = "'2030-01-02'"
    statements = [
        f"insert into draft (id, referral_id, version, kind, urgent, drafted_by, drafted_at, expires_at,"
        f" case_version, purposes, approval_digest, payload_sha256) values ({release},"
        f" '{referral_id(partner)}', {version}, 'new', false, 'st_ann', {at},"
        f" '2030-01-03', 1, '{{p1}}', {digest}, {digest});",
        f"insert into approval (release_id, kind, approved_by, drafted_by, urgent, digest, at) values"
        f" ({release}, 'release', 'st_ben', 'st_ann', false, {digest}, {at});",
        f"insert into release (release_id, referral_id, version, kind, addressee, addressee_class, carrier,"
        f" case_id, case_version, matrix_digest, payload_sha256, seal_sha256, root, depth, approval_digest,"
        f" approval_kind, drafted_by, approved_by, urgent, urgency, case_kind, purposes, fields, conditions,"
        f" gaps, score, documents, sizes, key_ids, released_at, due_at) values ({release},"
        f" '{referral_id(partner)}', {version}, 'new', '{partner}', 'BEP', '{partner}',"
        f" '00000000-0000-0000-0000-000000000001', 1, {digest}, {digest}, {digest}, {digest}, 8, {digest},"
        f" 'release', 'st_ann', 'st_ben', false, 'U2', 'person_lead', '{{p1}}', '{{}}', '{{}}', '{{}}', 1,"
        f" '[]', '{{}}', '{{}}', {at}, {at});",
        f"insert into sealed_object (release_id, part, generation, partner_id, media_type, body, sha256, size)"
        f" values ({release}, 'referral', 1, '{partner}', 'application/jose', '\\x{body}'::bytea,"
        f" encode(sha256('\\x{body}'::bytea), 'hex'), {BODY});",
        _appended("approved", release, "null", ledgered),
        _appended("published", release, f"'{partner}'", ledgered),
        locked,
    ]
    text = "\\set n :n + 1\nbegin;\n" + "\n".join(statements) + "\nend;\n"
    path = folder / f"release{number}.sql"
    path.write_text(text)
    return path


def _appended(leaf_type: str, release: str, partner: str, ledgered: str) -> str:
    """The product's own statement, its parameters as expressions; without a ledger no `pending` row.

    Event and record stay: without a ledger there would still be an audit.
    """
    values = {
        "event_id": f"md5({release} || '{leaf_type}')::uuid",
        "leaf_type": f"'{leaf_type}'",
        "action": "'released'",
        "at": "'2030-01-02'::timestamptz",
        "actor": "'st_ann'",
        "case_id": "null::uuid",
        "release_id": release,
        "partner_id": partner,
        "reader": partner,
        "nonce": "'\\x000102030405060708090a0b0c0d0e0f'::bytea",
        "record": "'\\x7b7d'::bytea",
        "key_id": "null::uuid",
        "keep_until": "'2040-01-01'::timestamptz",
        "commit": f"sha256(({release})::bytea)",
        "due_at": "'2030-01-02'::timestamptz",
        "feed": "null::jsonb" if leaf_type == "approved" else f"'{_item()}'::jsonb",
    }
    statement = APPEND if ledgered else APPEND[: APPEND.index("insert into pending")].rstrip() + " select 1"
    for name, value in values.items():
        statement = statement.replace(f"%({name})s", value)
    return statement.strip() + ";"


def _item() -> str:
    import json

    return json.dumps(item("a" * 26))


_runs = iter(range(1, 42))  # more would not fit the number of a version


def _pgbench(server: Server, name: str, script: Path, clients: int, seconds: int) -> float:
    programs = server.embedded._programs
    done = subprocess.run(
        [
            str(programs / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
            "-T", str(seconds), "-D", "n=0", "-D", f"run={next(_runs)}", "-f", str(script),
            "-h", str(server.embedded.data), "-p", "5432", "-U", "broker_app", name,
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    rate = _TPS.search(done.stdout)
    if done.returncode or rate is None:
        raise RuntimeError(f"pgbench: {done.stderr[-600:]}")
    return float(rate[1])


def ledger_integrate(options: Options) -> Result:
    """How fast waiting leaves get their places, and how long one waits under eight writers."""
    found = Result()
    count = options.size(4_000, 30_000, 100_000)
    with running() as server:
        with server.database() as (db, name):
            populate(db)
            with unit_of_work(db) as session:
                release_id = publish(session, PARTNERS[0], 1)
            _integrate_all(db)
            with server.loader(name) as loader:
                _fill_pending(loader, count, release_id, feed=True)
            start = time.perf_counter()
            done = _integrate_all(db)
            rate = done / (time.perf_counter() - start)
        found.medians["ledger-integrate/entries per second with feed rows"] = rate
        found.line("ledger-integrate", "entries/s with feed rows", rate, at_least(50_000), "/s")
        _latency(found, server, 1.5 if options.quick else 8)
    peer = _pymerkle_appends(found, 300 if options.quick else 1000)
    if peer:
        found.line("ledger-integrate", "entries/s against pymerkle's durable append", rate / peer)
    return found


def _fill_pending(loader: psycopg.Connection, count: int, release_id: str, *, feed: bool) -> None:
    loader.execute(
        "with e as (insert into event (id, leaf_type, action, at, actor, release_id, partner_id)"
        " select gen_random_uuid(), 'published', 'x', %(at)s, 'broker', %(release)s, %(partner)s"
        " from generate_series(1, %(count)s) returning id)"
        " insert into pending (leaf_type, commit, event_id, release_id, partner_id, due_at, feed)"
        " select 'published', sha256(id::text::bytea), id, %(release)s, %(partner)s, %(at)s, %(feed)s from e",
        {
            "at": NOW,
            "release": release_id,
            "partner": PARTNERS[0],
            "count": count,
            "feed": psycopg.types.json.Jsonb(item(release_id)) if feed else None,
        },
    )
    loader.execute("analyze")


def _integrate_all(db: Database, limit: int = 5_000) -> int:
    total = 0
    with db.connect("integrator") as conn:
        while done := ledger.integrate_once(conn, sign, NOW, limit=limit):
            total += done
    return total


def _latency(found: Result, server: Server, seconds: float) -> None:
    """Eight writers commit one leaf at a time; the integrator looks every 50 ms."""
    with server.database() as (db, _):
        populate(db)
        with unit_of_work(db) as session:
            release_id = publish(session, PARTNERS[0], 1)
        _integrate_all(db)
        stop = threading.Event()
        committed: dict[UUID, float] = {}
        waits: list[float] = []

        def write() -> None:
            with db.connect("app") as conn:
                while not stop.is_set():
                    made = _entry(release_id)
                    conn.execute(APPEND, ledger_parameters(made))
                    conn.commit()
                    committed[made.event_id] = time.perf_counter()

        def integrate() -> None:
            with db.connect("integrator") as conn:
                size = 2
                while not stop.is_set():
                    begun = time.perf_counter()
                    ledger.integrate_once(conn, sign, NOW)
                    now = time.perf_counter()
                    rows = conn.execute(
                        "select event_id from ledger_leaf where position >= %s order by position", [size]
                    ).fetchall()
                    conn.rollback()
                    size += len(rows)
                    waits.extend(now - committed[row[0]] for row in rows if row[0] in committed)
                    stop.wait(max(0.0, 0.05 - (time.perf_counter() - begun)))

        threads = [threading.Thread(target=write) for _ in range(8)] + [threading.Thread(target=integrate)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        stop.set()
        for thread in threads:
            thread.join()
    found.medians["ledger-integrate/commit to checkpoint, seconds"] = statistics.median(waits)
    found.line(
        "ledger-integrate",
        f"p99 commit to checkpoint, 8 writers ({len(waits)} leaves)",
        quantile(waits, 0.99) * 1000,
        at_most(100),
        "ms",
    )


def _entry(release_id: str) -> ledger.Entry:
    return entry("published", release_id=release_id, partner_id=PARTNERS[0], feed=item(release_id))


def ledger_parameters(made: ledger.Entry) -> dict[str, Any]:
    """What the appending statement is executed with."""
    from broker.store.ledger_append import parameters

    return parameters(made)


def _pymerkle_appends(found: Result, count: int) -> float | None:
    try:
        from pymerkle import SqliteTree
    except ImportError:
        found.skipped.append("ledger-integrate: pymerkle is not installed (extra `bench`)")
        return None
    with tempfile.TemporaryDirectory() as folder:
        tree = SqliteTree(str(Path(folder) / "tree.db"))
        times = each(lambda: tree.append_entry(uuid4().bytes * 2), count)
    rate = 1 / statistics.median(times)
    found.medians["ledger-integrate/pymerkle appends per second"] = rate
    return rate


def ledger_proof(options: Options) -> Result:
    """An audit path out of a large log, from the tiles in the database."""
    found = Result()
    size = options.size(10_000, 100_000, 1_000_000)
    with running() as server, server.database() as (db, name):
        populate(db)
        with unit_of_work(db) as session:
            release_id = publish(session, PARTNERS[0], 1)
        with server.loader(name) as loader:
            _fill_pending(loader, size, release_id, feed=False)
        _integrate_all(db)
        with server.embedded.superuser(name) as admin:
            admin.autocommit = True
            admin.execute("vacuum analyze")
        chance = random.Random(3)  # noqa: S311 - positions, not secrets
        with db.connect("app") as conn:
            head = ledger.latest(conn)
            total = 0 if head is None else head.size
            times = each(lambda: ledger.proof(conn, chance.randrange(total), total), 300)
    ours = statistics.median(times)
    found.medians["ledger-proof/ours, seconds"] = ours
    found.line("ledger-proof", f"one proof at {size:,} leaves", ours * 1000, at_most(1), "ms")
    _pymerkle_proofs(found, size, ours, options)
    return found


def _pymerkle_proofs(found: Result, size: int, ours: float, options: Options) -> None:
    try:
        from pymerkle import SqliteTree
    except ImportError:
        found.skipped.append("ledger-proof: pymerkle is not installed (extra `bench`)")
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = SqliteTree(str(Path(folder) / "tree.db"))
        tree.append_entries([b"%d" % n for n in range(size)])
        chance = random.Random(4)  # noqa: S311 - positions, not secrets
        prove: Callable[[], object] = lambda: tree.prove_inclusion(chance.randrange(1, size + 1), size)  # noqa: E731
        cold = each(prove, 1)[0]
        warm = statistics.median(each(prove, 20 if options.full else 60))
    found.medians |= {"ledger-proof/pymerkle cold": cold, "ledger-proof/pymerkle median": warm}
    budgets = (at_least(40), at_least(1000)) if options.full else (None, None)
    found.line("ledger-proof", "pymerkle median of 60 / ours", warm / ours, budgets[0])
    found.line("ledger-proof", "pymerkle cold / ours", cold / ours, budgets[1])
