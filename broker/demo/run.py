"""The demo: the whole main job on synthetic data, said in plain words, over real HTTP.

It makes everything anew in its own state folder: embedded PostgreSQL, keys, people, five partners
with their own keys, forty cases. `make serve` afterwards serves the same data.
"""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from rich.console import Console

from broker.app import create_app
from broker.core import canonical, case
from broker.demo import cases as demo_cases
from broker.demo import house as demo_house
from broker.demo.house import PASSWORD, PEOPLE, House
from broker.demo.leave import leave
from broker.demo.steps import approve_all, confirm_all, draft_all, pull_all, urgent
from broker.desk import intake
from broker.desk.context import Desk
from broker.errors import Misconfigured, Refused
from broker.jobs import Worker, note_checker, settle
from broker.runtime import in_use, open_desk
from broker.sealing.keyring import Keyring
from broker.sealing.vault import EpochKeys
from broker.settings import Settings
from broker.store import ledger_verify
from broker.store.engine import unit_of_work

MARK = "demo"
PURPOSES = ("release", "token", "checkpoint", "pades")


def run(settings: Settings, to: Path, own_case: Path | None, *, quiet: bool = False) -> dict[str, Any]:
    """Run it and return what happened as a document. Can be run again: it starts from nothing."""
    _check_place(settings)
    own = None if own_case is None else _own(own_case)  # before anything of the last run goes
    say = Console(quiet=quiet, highlight=False, soft_wrap=True)
    say.print("[bold]Synthetic data only.[/bold] Everything below is invented.\n")
    settings = _fresh(settings.model_copy(update={"regret_seconds": 0}))
    with _free_port() as (port, url), open_desk(settings, purposes=PURPOSES, cases=True) as opened:
        desk = replace(opened, settings=settings.model_copy(update={"issuer": url}))
        house = demo_house.found(desk, _private(settings.state / "partner-keys"))
        say.print(
            f" 1  A hotline with {len(house.people)} people and {len(house.partners)} partners, "
            "each with its own keys."
        )
        taken = _take_in(house, own)
        say.print(
            f" 2  {len(taken)} cases taken in; the first from a Project Arachnid Shield answer and a report."
        )
        confirmed = confirm_all(house, taken)
        say.print(
            f" 3  {len(confirmed)} of them confirmed claim by claim, by two analysts who act on their own."
        )
        pressing = urgent(house, taken[demo_cases.U1_AT - 1])
        say.print(
            " 4  One of them did not wait for all that: urgent, by one analyst with a coded reason, to the "
            "domestic police only; the call is logged, and a second person looked at it afterwards."
        )
        drafts, refused = draft_all(house, confirmed)
        say.print(
            f" 5  {len(drafts)} referrals drafted, each minimised for its recipient and sealed on trial; "
            f"{refused} routes refused with reasons."
        )
        approve_all(house, drafts)
        say.print(" 6  A second person released them, by the digest of what was looked at.")
        settle(desk)
        say.print(" 7  Signed, sealed, encrypted to each carrier, logged in the ledger, published.")
        main = {d.partner: d.drafted.release for d in drafts if d.referral == taken[0]}
        with _serving(desk, port):
            trust = _trust(desk, to)
            reports = pull_all(house, url, settings.state / "pulled", trust)
        for name, report in reports.items():
            say.print(f"      {name}: {report.collected} pulled over HTTP, verified offline, receipt signed.")
        settle(desk)
        result = leave(house, to, taken[0], main, settings.state / "pulled")
        with desk.db.connect("app") as conn:
            verdict = ledger_verify.verify_all(conn, note_checker(desk))
        say.print(f" 8  Register: {result['register_rows']} disclosures. Ledger: {verdict.words()}")
        if own_case is not None:
            to.chmod(0o700)
            say.print(
                "\n[bold]Your case is in the output.[/bold] "
                "The folder is closed to others; delete it when done."
            )
        _goodbye(say, to, settings)
        return {
            "cases": len(taken),
            "confirmed": len(confirmed),
            "referrals": len(drafts) + 1,
            "urgent": pressing,
            "ledger_ok": verdict.ok,
            "partners": {name: report.collected for name, report in reports.items()},
            "trust": _thumbprints(to),
            **result,
        }


def _own(path: Path) -> bytes:
    """The caller's own case. Raises `Refused` for one that intake would not take."""
    raw = path.read_bytes()
    if not case.from_bytes(raw).data.get("synthetic"):
        raise Refused(
            "synthetic-only",
            "the demo takes synthetic cases only; nothing was touched",
            hint='mark the case "synthetic": true',
        )
    return raw


def _take_in(house: House, own: bytes | None) -> list[UUID]:
    desk, analyst, now = house.desk, house.people["analyst-1"], house.desk.now()
    taken = []
    with unit_of_work(desk.db) as session:
        if own is None:
            (export,) = intake.read_export(desk, "arachnid", demo_cases.shield_export(now), {})
            case_id, read = intake.take_in_draft(desk, session, analyst, export, synthetic=True)
            more = canonical.encode(demo_cases.enrich(read.data, now))
            intake.amend(desk, session, analyst, case_id, more)
            taken.append(case_id)
        else:
            taken.append(intake.take_in(desk, session, analyst, own)[0])
    for document in demo_cases.all_cases(now):
        with unit_of_work(desk.db) as session:
            taken.append(intake.take_in(desk, session, analyst, canonical.encode(document))[0])
    return taken


def _check_place(settings: Settings) -> None:
    """The demo's people have a password that everybody can read: they get into no database but its own."""
    if settings.database_url is not None or not settings.synthetic:
        raise Misconfigured(
            "demo-elsewhere",
            "the demo runs on synthetic data in a database of its own; nothing was touched",
            "unset BROKER_DATABASE_URL and BROKER_ENVIRONMENT",
        )


def _fresh(settings: Settings) -> Settings:
    """An empty state folder. Only one that the demo made itself, and that nobody uses, is emptied."""
    state = settings.state
    if state.exists() and any(state.iterdir()):
        if not (state / MARK).exists():
            raise Misconfigured(
                "not-the-demos-state",
                "the state folder holds something that the demo did not make; nothing was touched",
                "set BROKER_STATE to an empty folder",
            )
        if in_use(state):
            raise Misconfigured(
                "state-in-use",
                "something still serves the demo's data; nothing was touched",
                "stop it (`make serve`: Ctrl-C), or set BROKER_STATE to another folder",
            )
        _stop_embedded(state)
        shutil.rmtree(state)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state / MARK).touch()
    keys = state / "keys"
    keys.mkdir(mode=0o700)
    from broker.demo.secret import make_passphrase

    make_passphrase(keys / "passphrase")
    made = settings.model_copy(update={"keys": keys, "passphrase_file": None})
    now = datetime.now(UTC)
    Keyring.init(keys, made.passphrase(), now)
    EpochKeys(keys, made.passphrase()).current(now)
    return made


def _stop_embedded(state: Path) -> None:
    from broker.store.embedded import EmbeddedServer

    EmbeddedServer(state).stop()


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def _free_port() -> Iterator[tuple[int, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield port, f"http://127.0.0.1:{port}"


@contextmanager
def _serving(desk: Desk, port: int) -> Iterator[None]:
    config = uvicorn.Config(
        create_app(desk, Worker(desk)), host="127.0.0.1", port=port, log_level="error", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def _trust(desk: Desk, to: Path) -> Path:
    trust = to / "trust"
    trust.mkdir(parents=True, exist_ok=True)
    desk.keys().export_trust(trust, desk.settings.origin)
    return trust


def _thumbprints(to: Path) -> dict[str, str]:
    from broker.sealing.trust import Trust

    return Trust.load(to / "trust").thumbprints()


def _goodbye(say: Console, to: Path, settings: Settings) -> None:
    say.print("\nKeys partners would compare by telephone:")
    for kid, thumbprint in _thumbprints(to).items():
        say.print(f"  {kid}  {thumbprint}", markup=False)
    say.print(f"\nLook at {to}/partners/*/documents/referral.pdf and {to}/register.csv; then try:")
    folder = next(iter(sorted((to / "partners").iterdir())), to / "partners")
    say.print(f"  {sys.argv[0]} verify --trust {to}/trust {folder}", markup=False)
    say.print(
        f"Serve the same data with `make serve` (state in {settings.state}). "
        f"The demo's people are {', '.join(PEOPLE)}; their password is {PASSWORD}."
    )
