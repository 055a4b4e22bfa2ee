"""Every way out with the stand-in for its other side, and how each fault is made there.

The stand-ins are ours: they keep the rules that were learnt, and prove our side of them only.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.demo.house import Agency, House
from broker.desk.endpoints import Endpoint
from tests.adapters.reference import optional
from tests.cases import full_case
from tests.deliveries import office, post, providers
from tests.fakes import iccam_server, ncmec_server

PATIENCE = 0.5
UNHURRIED = 10.0
"""Where our side's patience is not what is tried: a busy machine must not end it."""


@dataclass
class Way:
    """One way out. `taken` counts what the other side holds as delivered."""

    house: House
    to: str
    document: Mapping[str, Any]
    arm: Callable[[str, float], None]
    """(fault, seconds of patience of our side)."""
    heal: Callable[[], None]
    taken: Callable[[], int]
    reached: Callable[[], threading.Event]
    """Set once the other side is silent, so that somebody can be killed just then."""
    fake: Any = None


SMTP = {
    "refused": "refused", "timeout": "silent", "timeout-after": "silent-after-text", "500": "text-451",
    "rejected": "text-554", "cut": "cut-in-text", "cut-after": "cut-after-text", "duplicate": "twice",
}  # fmt: skip


@contextmanager
def smtp(house: House, folder: Path, adapter: str) -> Iterator[Way]:
    with ExitStack() as stack:
        good = stack.enter_context(post.sink())
        if adapter == "secure_mail":
            opened = office.with_office(house, folder)
            office.channel(opened, adapter, office.relay(good.port))
            config = {
                "address": office.ADDRESS,
                "certificate": post.mailbox(folder / "mailbox").certificate,
            }
            opened = office.add_mailed(opened, Endpoint("referral", "mail", adapter, config))
            to, document = "office", full_case("content_report")
        else:
            opened = providers.by_mail(house, folder, good.port)
            to, document = "host", providers.provider_case()
        relays = [good]

        def arm(fault: str, patience: float) -> None:
            relays.append(stack.enter_context(post.broken_relay(SMTP[fault])))
            office.channel(opened, adapter, {**office.relay(relays[-1].port), "timeout": patience})

        def heal() -> None:
            office.channel(opened, adapter, office.relay(good.port))

        yield Way(
            opened, to, document, arm, heal,
            taken=lambda: sum(len(relay.taken) for relay in relays),
            reached=lambda: relays[-1].reached,
        )  # fmt: skip


ICCAM = {
    "timeout": "hang", "timeout-after": "hang-after", "500": "500", "rejected": "400", "cut": "cut",
    "cut-after": "cut-after", "duplicate": "twice",
}  # fmt: skip


@contextmanager
def iccam(house: House, folder: Path) -> Iterator[Way]:
    with iccam_server.serving(folder / "iccam") as (fake, side):
        opened = office.with_office(house, folder)
        office.channel(opened, "iccam", side)
        opened = office.add_mailed(opened, Endpoint("referral", "push", "iccam", {}), name="network")

        def arm(fault: str, patience: float) -> None:
            url = f"https://127.0.0.1:{post.free_port()}/" if fault == "refused" else fake.url
            office.channel(opened, "iccam", {**side, "timeout": patience, "base_url": url})
            if fault != "refused":
                fake.breaks["POST rest/reports"] = (ICCAM[fault], 1)

        yield Way(
            opened, "network", full_case("content_report"), arm,
            heal=lambda: office.channel(opened, "iccam", side),
            taken=lambda: len(fake.reports), reached=lambda: fake.reached,
        )  # fmt: skip


NCMEC: Mapping[str, tuple[str, str | int]] = {
    "timeout": ("submit", "hang"), "timeout-after": ("finish", "hang-after"), "500": ("finish", 1000),
    "rejected": ("submit", 4100), "cut": ("submit", "cut"), "cut-after": ("finish", "cut"),
    "duplicate": ("finish", "twice"),
}  # fmt: skip


@contextmanager
def ncmec(house: House, folder: Path) -> Iterator[Way]:
    with ncmec_server.serving(optional("ncmec/cyber_tipline.xsd")) as (url, fake):
        secret = folder / "ncmec.password"
        secret.write_text(ncmec_server.PASSWORD)
        side = {"base_url": url, "username": ncmec_server.USER, "password_file": str(secret), "sheets": True}
        opened = office.with_office(house, folder)
        office.channel(opened, "ncmec", side)
        agency = Agency("Synthetic Clearing House", "NCM", "US", "en", ("P2",), transfer="synthetic")
        opened = providers.agreed(opened, "clearing", Endpoint("referral", "push", "ncmec", {}), agency)

        def arm(fault: str, patience: float) -> None:
            there = f"http://127.0.0.1:{post.free_port()}/ispws" if fault == "refused" else url
            office.channel(opened, "ncmec", {**side, "timeout": patience, "base_url": there})
            if fault != "refused":
                step, how = NCMEC[fault]
                fake.fault(f"/ispws/{step}", how)

        yield Way(
            opened, "clearing", full_case("content_report"), arm,
            heal=lambda: office.channel(opened, "ncmec", side),
            taken=lambda: len(fake.finished), reached=lambda: fake.reached, fake=fake,
        )  # fmt: skip


@contextmanager
def way(name: str, house: House, folder: Path) -> Iterator[Way]:
    """A way out by the name of its adapter."""
    if name in ("iccam", "ncmec"):
        opening = iccam(house, folder) if name == "iccam" else ncmec(house, folder)
    else:
        opening = smtp(house, folder, name)
    with opening as opened:
        yield opened


COURIERS = """
import json, os, secrets, signal, sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from broker.core.pack import load_pack
from broker.desk import carry
from broker.desk.context import Desk
from broker.runtime import adapters
from broker.sealing.vault import EpochKeys
from broker.settings import Settings
from broker.store.engine import Database

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
pack, known = load_pack("be"), adapters()
print("ready", flush=True)
for line in sys.stdin:
    if pid := os.fork():
        print(pid, flush=True)
        continue
    given = json.loads(line)
    desk = Desk(
        settings=Settings(state=given["state"], keys=given["keys"], channels=given["channels"]),
        db=Database.from_url(given["url"]),
        pack=replace(pack, routes=replace(pack.routes, notices_opened=given["opened"])),
        adapters=known, clock=lambda: datetime.now(UTC), random=secrets.token_bytes,
        epochs=EpochKeys(Path(given["keys"]), b"synthetic test pass-phrase"),
    )
    carry.carry_due(desk)
    os._exit(0)
"""


class Couriers:
    """Makes processes that carry what is due: forked, because starting Python anew takes seconds."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", COURIERS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._read()

    def start(self, house: House) -> int:
        """One courier at this house: its process id."""
        settings = house.desk.settings
        given = {
            "url": house.desk.db.urls["app"].render_as_string(hide_password=False),
            "state": str(settings.state), "keys": str(settings.keys), "channels": str(settings.channels),
            "opened": dict(house.desk.pack.routes.notices_opened),
        }  # fmt: skip
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps(given) + "\n")
        self._parent.stdin.flush()
        return int(self._read())

    def close(self) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.send_signal(signal.SIGTERM)
        self._parent.wait(timeout=20)
        self._parent.stdout.close()

    def _read(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().strip()
