"""A whole synthetic hotline on a fresh database, for tests that walk the real path."""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn

from broker.app import create_app
from broker.client.api import PartnerApi
from broker.client.auth import BrokerAuth
from broker.client.pull import Puller, PullReport
from broker.core.pack import load_pack
from broker.demo import house as demo_house
from broker.demo.house import AGENCIES, Agency, House
from broker.demo.steps import confirm_all
from broker.desk import draft, intake, release
from broker.desk.context import Desk
from broker.errors import Refused
from broker.jobs import Worker, settle
from broker.runtime import adapters
from broker.sealing.keyring import Keyring
from broker.sealing.trust import Trust
from broker.sealing.vault import EpochKeys
from broker.settings import Settings
from broker.store.engine import Database, unit_of_work
from tests.cases import full_case

PASSPHRASE = b"synthetic test pass-phrase"


def open_desk(
    database: Database,
    folder: Path,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    **settings: Any,
) -> Desk:
    """A desk with all keys over a test database; the key folder is made on first use."""
    keys = folder / "keys"
    if not keys.exists():
        keys.mkdir(mode=0o700)
        Keyring.init(keys, PASSPHRASE, clock())
    return Desk(
        settings=Settings(
            state=folder, keys=keys, regret_seconds=settings.pop("regret_seconds", 0), **settings
        ),
        db=database,
        pack=load_pack("be"),
        adapters=adapters(),
        clock=clock,
        random=secrets.token_bytes,
        epochs=EpochKeys(keys, PASSPHRASE),
        keyring=Keyring.load(keys, PASSPHRASE, {"release", "token", "checkpoint", "pades"}),
    )


def found(desk: Desk, folder: Path, agencies: Mapping[str, Agency] = AGENCIES) -> House:
    """People, recognition, partners and agreements."""
    place = folder / "partner-keys"
    place.mkdir(mode=0o700, exist_ok=True)
    return demo_house.found(desk, place, agencies)


def take_in(house: House, document: Mapping[str, Any]) -> UUID:
    """A case, taken in by the first analyst."""
    with unit_of_work(house.desk.db) as session:
        return intake.take_in(house.desk, session, house.people["analyst-1"], json.dumps(document).encode())[
            0
        ]


def confirmed(house: House, document: Mapping[str, Any]) -> UUID:
    """A case whose possible claims two analysts confirmed."""
    case_id = take_in(house, document)
    confirm_all(house, [case_id])
    return case_id


def drafted(house: House, case_id: UUID, to: str, **request: Any) -> draft.Drafted:
    """A stored draft for a partner (short name); masked text is cleared as proposed."""
    desk, analyst = house.desk, house.people["analyst-1"]
    wanted = draft.Request(case_id=case_id, addressee=house.partners[to], **request)
    try:
        with unit_of_work(desk.db) as session:
            return draft.draft(desk, session, analyst, wanted)
    except Refused as refused:
        # Most drafts have no masked text: a preview of each would double the time of every test.
        if "text-leak" not in {issue.rule for issue in refused.issues}:
            raise
    with unit_of_work(desk.db) as session:
        seen = draft.preview(desk, session, analyst, wanted)
    clear = {at: text.after for at, text in seen.composition.minimised.masked.items()}
    with unit_of_work(desk.db) as session:
        return draft.draft(desk, session, analyst, replace(wanted, clear={**clear, **wanted.clear}))


def approve(house: House, *drafts: draft.Drafted) -> None:
    """The releaser's approval, each by itself."""
    for each in drafts:
        with unit_of_work(house.desk.db) as session:
            choice = release.Choice(each.release, each.digest)
            release.approve(house.desk, session, house.people["releaser"], [choice])


def released(
    house: House, to: str = "police", document: Mapping[str, Any] | None = None, **request: Any
) -> draft.Drafted:
    """From a case to a published referral in one call."""
    case_id = confirmed(house, full_case() if document is None else document)
    made = drafted(house, case_id, to, **request)
    approve(house, made)
    settle(house.desk)
    return made


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    house: House, *, worker: bool = True, dated: bool = True, port: int = 0
) -> Iterator[tuple[str, House]]:
    """The real application on a loopback port: (base URL, the house under that issuer).

    `dated=False` leaves the header `Date` out: uvicorn knows only the real time, and a client would
    follow it away from a house whose clock the test moves. `port` serves again where it was served before.
    """
    listener = socket.create_server(("127.0.0.1", port))  # here, so that nobody takes the port in between
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    desk = replace(house.desk, settings=house.desk.settings.model_copy(update={"issuer": url}))
    app = create_app(desk, Worker(desk) if worker else None)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", date_header=dated))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended while it started"
        time.sleep(0.02)
    try:
        yield url, replace(house, desk=desk)
    finally:
        server.should_exit = True
        thread.join(timeout=60)
        assert not thread.is_alive(), "the server does not stop"


def trust(house: House, folder: Path) -> Path:
    """The trust folder partners pinned."""
    house.desk.keys().export_trust(folder, house.desk.settings.origin)
    return folder


def partner_api(house: House, url: str, name: str) -> PartnerApi:
    """The partner's client with its own keys."""
    held = house.partner_keys(name)
    return PartnerApi(url, BrokerAuth(url, house.partners[name], held.get("auth"), held.get("dpop")))


def pull(house: House, url: str, name: str, to: Path, trust_folder: Path) -> PullReport:
    """`broker pull` as the partner runs it."""
    with partner_api(house, url, name) as api:
        return Puller(
            api, house.partner_keys(name), to, house.partners[name], trust=Trust.load(trust_folder)
        ).run()
