"""Commands of the operator: database, keys, the server, the worker, the demo."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from broker.cli.console import Json, acting, desk, err, out, reported, show, show_rows
from broker.demo.doors import open_doors
from broker.demo.secret import make_passphrase
from broker.desk import retain
from broker.observe import configure
from broker.runtime import open_database, open_desk
from broker.sealing.keyring import PURPOSES, Keyring
from broker.sealing.trust import Trust
from broker.sealing.vault import EpochKeys
from broker.settings import Settings
from broker.store import tables
from broker.store.engine import unit_of_work, upgrade
from broker.store.roles import setup_sql

db = typer.Typer(help="The database.", no_args_is_help=True)
keys = typer.Typer(help="The broker's keys: one purpose each.", no_args_is_help=True)


@db.command("upgrade")
@reported
def db_upgrade() -> None:
    """Bring the schema up, as the owner role. Safe to repeat."""
    with open_database(Settings()) as database:
        upgrade(database)
    out.print("The schema is up to date.")


@db.command("roles")
def db_roles(
    database: Annotated[str, typer.Option(help="Name of the database to make.")] = "broker",
) -> None:
    """Print the SQL that a PostgreSQL superuser runs once: six weak roles and the database."""
    sys.stdout.write(setup_sql(database))


@keys.command("init")
@reported
def keys_init(as_json: Json = False) -> None:
    """Make the key folder with one active key for each purpose and this month's epoch key.

    `broker keys trust` then writes what partners pin, with the thumbprints to compare.
    """
    settings = Settings()
    settings.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.passphrase_file is None and settings.synthetic:
        make_passphrase(settings.keys / "passphrase")
    now = datetime.now(UTC)
    ring = Keyring.init(settings.keys, settings.passphrase(), now)
    EpochKeys(settings.keys, settings.passphrase()).current(now)
    show(
        {"keys": [r.kid for r in ring.records()], "vkey": ring.vkey(settings.origin)},
        as_json,
        "Keys made:\n" + "\n".join(f"  {r.purpose}: {r.kid}" for r in ring.records())
        + f"\nLedger key for partners: {ring.vkey(settings.origin)}",
    )  # fmt: skip


@keys.command("list")
@reported
def keys_list(as_json: Json = False) -> None:
    """All keys there are or were, with state and dates; no secrets."""
    settings = Settings()
    ring = Keyring.load(settings.keys, settings.passphrase(), ())
    show_rows(
        [
            {
                "kid": r.kid,
                "purpose": r.purpose,
                "alg": r.alg,
                "state": r.state,
                "since": r.not_before,
                "until": r.not_after,
            }
            for r in ring.records()
        ],
        as_json,
        "Keys",
    )


@keys.command("trust")
@reported
def keys_trust(folder: Path, as_json: Json = False) -> None:
    """Write the trust folder that partners pin: public keys, ledger key, document root.

    Partners compare what is printed with what `broker thumbprints` shows them.
    """
    settings = Settings()
    Keyring.load(settings.keys, settings.passphrase(), ()).export_trust(folder, settings.origin)
    found = Trust.load(folder).thumbprints()
    words = "\n".join(f"  {kid}  {thumbprint}" for kid, thumbprint in found.items())
    show({"folder": str(folder), "thumbprints": found}, as_json, f"Trust folder written: {folder}\n{words}")


@keys.command("rotate")
@reported
def keys_rotate(
    purpose: Annotated[str, typer.Argument(help=f"One of {', '.join(sorted(PURPOSES))}.")],
) -> None:
    """A new active key for a purpose; the old one verifies from now on only."""
    settings = Settings()
    passphrase = settings.passphrase()
    ring = Keyring.load(settings.keys, passphrase, {purpose})
    fresh = ring.rotate(purpose, passphrase, datetime.now(UTC))
    out.print(
        f"New key {fresh.kid}. Restart the processes that sign with it; give partners the new trust folder."
    )


@keys.command("rotate-epoch")
@reported
def keys_rotate_epoch(as_json: Json = False) -> None:
    """Wrap what lives under this month's epoch key, destroy the older ones: erasure becomes final."""
    with desk(cases=True) as d:
        moved, destroyed = retain.rotate_epoch(d, acting(d))
    show(
        {"moved": moved, "destroyed": destroyed},
        as_json,
        f"{moved} keys moved, {len(destroyed)} epochs destroyed.",
    )


def add_to(app: typer.Typer) -> None:
    """Register the commands that stand alone."""
    app.command("serve")(serve)
    app.command("worker")(worker)
    app.command("recognition")(recognition)
    app.command("demo")(demo)


@reported
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port to listen on. Absent: that of a loopback issuer, else 8350.")
    ] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Sign and integrate elsewhere.")] = False,
    no_pages: Annotated[
        bool, typer.Option("--no-pages", help="The partner API alone, without desk and inbox.")
    ] = False,
    links: Annotated[
        bool, typer.Option("--links", help="Print one-time sign-in links of the demo's people.")
    ] = False,
) -> None:
    """Serve partner API, desk and inbox; signer and integrator run beside them unless --no-worker.

    In the zone that faces partners' software use --no-worker --no-pages.
    """
    import uvicorn

    from broker.app import create_app
    from broker.jobs import Worker

    settings = Settings()
    configure(settings.log_file)
    purposes = {"token"} if no_worker else {"token", "release", "pades", "checkpoint"}
    with open_desk(settings, purposes=purposes, cases=True) as opened:
        worker = None if no_worker else Worker(opened, courier=True)
        app = create_app(opened, worker, pages=not no_pages)
        for door in open_doors(opened) if links else ():
            err.print(f"  {door.who:<34}{door.url}")
        port = port or _own_port(settings.issuer)
        err.print(f"Serving {settings.issuer} ({settings.environment}) on {host}:{port}. Stop with Ctrl-C.")
        uvicorn.run(app, host=host, port=port, access_log=False, log_level="warning", server_header=False)


def _own_port(issuer: str) -> int:
    """Partners check the issuer's address: on one machine the server has to listen exactly there."""
    parts = urlsplit(issuer)
    return parts.port or 8350 if parts.hostname in ("127.0.0.1", "localhost", "::1") else 8350


@reported
def worker(
    once: Annotated[bool, typer.Option("--once", help="Sign and publish what is due now, then end.")] = False,
) -> None:
    """Sign approved drafts, integrate the ledger, sweep. Several may run; one integrates."""
    from broker.jobs import Worker, settle

    settings = Settings()
    configure(settings.log_file)
    if once:
        with open_desk(settings, purposes={"release", "pades", "checkpoint"}, cases=True) as opened:
            done = settle(opened)
        err.print(f"{done} step(s) done: signed or written to the ledger.")
        return
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    with open_desk(settings, purposes={"release", "pades", "checkpoint"}, cases=True) as opened:
        running = Worker(opened, courier=True).start()
        err.print("Working. Stop with Ctrl-C.")
        stop.wait()
        running.stop()


@reported
def recognition(
    instrument: Annotated[str, typer.Argument(help="The act by which the hotline is recognised.")],
    days: Annotated[int, typer.Option(help="Valid for so many days from today.")] = 365,
) -> None:
    """Record the hotline's recognition: without a valid one nothing with content locators leaves."""
    with desk() as d:
        acting(d).needs("dpo", "administrator")
        now = d.now()
        with unit_of_work(d.db) as session:
            session.add(
                tables.Recognition(
                    id="rec_" + d.opaque(8),
                    instrument=instrument,
                    valid_from=now,
                    valid_to=now + timedelta(days=days),
                )
            )
    out.print("Recorded.")


@reported
def demo(
    case: Annotated[
        Path | None, typer.Option(help="A canonical case of yours, run beside the synthetic ones.")
    ] = None,
    to: Annotated[Path, typer.Option("--to", help="Folder for what it leaves.")] = Path("demo-out"),
    as_json: Json = False,
) -> None:
    """Run the whole main job on synthetic data and say in plain words what happened."""
    from broker.demo.run import run

    report = run(Settings(), to, case, quiet=as_json)
    if as_json:
        sys.stdout.write(json.dumps(report, sort_keys=True) + "\n")
